/* Second batch, in C: handles closed twice by the ways C programs clean up, sections copied by assignment, and stray writes. */
#include "lab.h"
#include <stdio.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#ifndef WAITERS
#define WAITERS 2
#endif
static volatile int sink;
static struct Waiters waiters;

static DWORD WINAPI visitor(void *argument)
{
    EnterCriticalSection(argument);
    sink++;
    LeaveCriticalSection(argument);
    return 0;
}

NOINLINE static int unlock(CRITICAL_SECTION *lock)
{
    sink += 3;
    LeaveCriticalSection(lock);
    return sink++;
}

static void own_contended(CRITICAL_SECTION *lock)
{
    EnterCriticalSection(lock);
    start_waiters(&waiters);
}

static void about(const char *cause, const CRITICAL_SECTION *lock)
{
    reporter_expect(lock, lock->LockSemaphore);
    reporter_act(cause, lock);
}

#if defined(GOTO_CLEANUP)
/* The middle of the function closes what it needs no longer; "out:" closes everything. */
struct state { CRITICAL_SECTION lock; int users; };
static int convert(struct state *state, const char *from, const char *to)
{
    int result = -1;
    HANDLE in = NULL, out = NULL, mapping = NULL;
    in = CreateFileA(from, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (in == INVALID_HANDLE_VALUE)
        goto out;
    mapping = CreateFileMappingA(in, NULL, PAGE_READONLY, 0, 0, NULL);
    CloseHandle(in);
    own_contended(&state->lock);
    out = CreateFileA(to, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (out == INVALID_HANDLE_VALUE)
        goto unlock_out;
    result = 0;
unlock_out:
    about("handle-closed", &state->lock);
    CloseHandle(mapping);
    CloseHandle(in);
    unlock(&state->lock);
out:
    return result;
}
static int scenario(void)
{
    char self[MAX_PATH];
    struct state *state = HeapAlloc(GetProcessHeap(), 0, sizeof *state);
    state->users = 4;
    InitializeCriticalSection(&state->lock);
    make_waiters(&waiters, WAITERS, visitor, &state->lock);
    GetModuleFileNameA(NULL, self, sizeof self);
    return convert(state, self, "c:\\no such folder\\out.bin");
}
#elif defined(PIPES)
/* The ends of the child's pipes: the parent closes "theirs" after the start, and all four at the end. */
struct process { HANDLE ends[4]; int started; CRITICAL_SECTION lock; };
static struct process processes[5];
static void close_ends(struct process *p, int first, int step)
{
    for (int i = first; i < 4; i += step)
        CloseHandle(p->ends[i]);
}
static int scenario(void)
{
    struct process *p = &processes[3];
    InitializeCriticalSection(&p->lock);
    CreatePipe(&p->ends[0], &p->ends[1], NULL, 0);
    CreatePipe(&p->ends[2], &p->ends[3], NULL, 0);
    make_waiters(&waiters, WAITERS, visitor, &p->lock);
    close_ends(p, 1, 2);
    own_contended(&p->lock);
    about("handle-closed", &p->lock);
    close_ends(p, 0, 1);
    return unlock(&p->lock);
}
#elif defined(CONFIG)
/* A reload opens the file, reads it and closes it; the caller, who sees that the number is not NULL, closes it too. */
struct config { char name[16]; HANDLE source; DWORD version; CRITICAL_SECTION lock; };
static struct config *current;
static void load(struct config *c)
{
    c->source = CreateFileA("settings.ini", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, 0, NULL);
    c->version++;
    CloseHandle(c->source);
}
NOINLINE static int reload(struct config *c)
{
    own_contended(&c->lock);
    about("handle-closed", &c->lock);
    if (c->source)
        CloseHandle(c->source);
#ifdef TAKE_TOKEN
    HANDLE token;
    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token);
#endif
    c->version++;
    LeaveCriticalSection(&c->lock);
    return (int)c->version;
}
static int scenario(void)
{
    current = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *current);
    lstrcpyA(current->name, "settings");
    InitializeCriticalSectionAndSpinCount(&current->lock, 1000);
    make_waiters(&waiters, WAITERS, visitor, &current->lock);
    load(current);
    return reload(current);
}
#elif defined(GENERATIONS)
/* A table of objects with generations; the old reference is not checked, and what it names is closed. */
struct object { unsigned generation; HANDLE handle; };
struct reference { unsigned index, generation; };
static struct object objects[12];
static struct { unsigned used; CRITICAL_SECTION locks[3]; } tables;
static struct reference make(unsigned i)
{
    objects[i].handle = CreateEventA(NULL, FALSE, FALSE, NULL);
    return (struct reference) { i, ++objects[i].generation };
}
NOINLINE static void destroy(struct reference r) { CloseHandle(objects[r.index].handle); objects[r.index].generation++; }
static int scenario(void)
{
    struct reference references[12];
    CRITICAL_SECTION *lock = &tables.locks[1];
    for (int i = 0; i < 3; i++)
        InitializeCriticalSection(&tables.locks[i]);
    for (unsigned i = 0; i < 12; i++)
        references[i] = make(i);
    make_waiters(&waiters, WAITERS, visitor, lock);
    destroy(references[9]);
    own_contended(lock);
    EnterCriticalSection(lock);
    about("handle-closed", lock);
    destroy(references[9]);
    LeaveCriticalSection(lock);
    return unlock(lock);
}
#elif defined(CONTEXT_TEMPLATE)
/* Contexts are made by copying a template, which has a lock that was waited for: they all share one event. One is closed, the next is used. */
struct context { char name[12]; int uses; CRITICAL_SECTION lock; double scale; };
static struct context template_context = { "default", 0, { 0 }, 1.0 }, contexts[4];
static int scenario(void)
{
    struct Waiters first;
    InitializeCriticalSection(&template_context.lock);
    make_waiters(&first, 1, visitor, &template_context.lock);
    EnterCriticalSection(&template_context.lock);
    start_waiters(&first);
    LeaveCriticalSection(&template_context.lock);
    WaitForSingleObject(first.threads[0], 3000);
    reporter_act("copied", &template_context.lock);
    for (int i = 0; i < 4; i++)
        contexts[i] = template_context;
    make_waiters(&waiters, WAITERS, visitor, &contexts[2].lock);
    own_contended(&contexts[2].lock);
    DeleteCriticalSection(&contexts[0].lock);
    reporter_expect(&contexts[2].lock, contexts[2].lock.LockSemaphore);
    return unlock(&contexts[2].lock);
}
#elif defined(MESSAGE)
/* A message goes through a queue by value, lock and all; the receiver destroys what it received, the sender goes on. */
struct message { int kind; CRITICAL_SECTION lock; char body[40]; };
static struct message queue[8];
static unsigned head;
static void post(const struct message *m) { memcpy(&queue[head++ % 8], m, sizeof *m); }
NOINLINE static void receive(void)
{
    struct message *m = &queue[(head - 1) % 8];
    sink += m->kind;
    DeleteCriticalSection(&m->lock);
    m->kind = 0;
}
static int scenario(void)
{
    struct message *m = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *m);
    m->kind = 4;
    lstrcpyA(m->body, "refresh");
    InitializeCriticalSection(&m->lock);
    make_waiters(&waiters, WAITERS, visitor, &m->lock);
    own_contended(&m->lock);
    about("copied", &m->lock);
    post(m);
    receive();
#ifdef TAKE_FILE
    CreateFileA("spool.tmp", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
#endif
    return unlock(&m->lock);
}
#elif defined(RETURN_STRUCT)
/* A function builds a structure, fails half-way, destroys it and returns it all the same; its caller uses it. */
struct table { int rows; CRITICAL_SECTION lock; void *data; };
static struct table load_table(const char *name, int *error)
{
    struct table t = { 5, { 0 }, NULL };
    InitializeCriticalSection(&t.lock);
    make_waiters(&waiters, 1, visitor, &t.lock);
    own_contended(&t.lock);
    LeaveCriticalSection(&t.lock);
    WaitForSingleObject(waiters.threads[0], 3000);
    reporter_act("copied", &t.lock);
    struct table result = t;
    *error = !name;
    DeleteCriticalSection(&t.lock);
    return result;
}
static struct table tables[3];
static DWORD WINAPI use(void *argument)
{
    struct table *t = argument;
    EnterCriticalSection(&t->lock);
    t->rows++;
    LeaveCriticalSection(&t->lock);
    return 0;
}
static int scenario(void)
{
    struct Waiters users;
    int error;
    make_waiters(&users, WAITERS, use, &tables[1]);
    tables[1] = load_table(NULL, &error);
    reporter_expect(&tables[1].lock, tables[1].lock.LockSemaphore);
    EnterCriticalSection(&tables[1].lock);
    start_waiters(&users);
    return unlock(&tables[1].lock);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
