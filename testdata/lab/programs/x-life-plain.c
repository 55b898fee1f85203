/* Seventh batch, in C: tables of locks. Macros choose what became of them. */
#include "lab.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
static volatile int sink;

#if defined(LOCKING_CALLBACK)
/* The locks that a library asked for are cleaned up, but it keeps the callback; a thread's end calls it. */
#define LOCKS 12
static CRITICAL_SECTION *lock_cs;
static long lock_count[LOCKS];
static void (*locking_callback)(int mode, int type, const char *file, int line);

static void locking(int mode, int type, const char *file, int line)
{
    if (mode & 1) {
        EnterCriticalSection(&lock_cs[type]);
        lock_count[type] += line != 0;
    } else {
        LeaveCriticalSection(&lock_cs[type]);
    }
    sink += file[0];
}
NOINLINE static void remove_thread_state(void)
{
    if (locking_callback)
        locking_callback(9, 1, "err.c", 271);
    sink++;
    if (locking_callback)
        locking_callback(10, 1, "err.c", 276);
}
static void thread_setup(void)
{
    lock_cs = malloc(LOCKS * sizeof *lock_cs);
    for (int i = 0; i < LOCKS; i++)
        InitializeCriticalSection(&lock_cs[i]);
    locking_callback = locking;
}
static void thread_cleanup(void)
{
    for (int i = 0; i < LOCKS; i++) {
        if (i == 1) {
            reporter_act("deleted", &lock_cs[i]);
            reporter_expect(&lock_cs[i], NULL);
        }
        DeleteCriticalSection(&lock_cs[i]);
    }
}
static DWORD WINAPI worker(void *argument)
{
    (void)argument;
    remove_thread_state();
    Sleep(800);
    remove_thread_state();
    return 0;
}
static int scenario(void)
{
    struct Waiters one;
    thread_setup();
    make_waiters(&one, 1, worker, NULL);
    start_waiters(&one);
    thread_cleanup();
    Sleep(4000);
    return sink;
}
#elif defined(GROWN_TABLE)
/* The table is grown; the cleanup walks it by the address it had. */
struct Camera { char name[20]; int width, height; CRITICAL_SECTION lock; BYTE frame[9000]; };
static struct Camera *table, *first;
static int cameras;

static void add_cameras(int count)
{
    for (int i = 0; i < count; i++, cameras++) {
        sprintf(table[cameras].name, "camera %d", cameras);
        table[cameras].width = 640;
        InitializeCriticalSection(&table[cameras].lock);
    }
}
NOINLINE static void close_all(struct Camera *from, int count)
{
    for (int i = 0; i < count; i++) {
        DeleteCriticalSection(&from[i].lock);
        sink++;
    }
}
static int scenario(void)
{
    table = calloc(100, sizeof *table);
    first = table;
    add_cameras(40);
    reporter_act("memory-released", &first->lock);
    table = realloc(table, 400 * sizeof *table);
    add_cameras(3);
    reporter_expect(&first->lock, NULL);
    close_all(first, cameras);
    return sink;
}
#elif defined(PACKET_POOL)
/* A slot of the pool was given back by one half of the program and holds a packet; the other half ends its session. */
enum { FREE_SLOT, SESSION, PACKET };
struct Session { DWORD id; int port; CRITICAL_SECTION lock; char user[24]; };
struct Slot { int kind, length; union { struct Session session; BYTE bytes[112]; } u; };
static struct Slot pool[16];
static struct { DWORD id; BOOL closed; struct Session *session; } sessions[4];

static struct Slot *take(int kind)
{
    struct Slot *slot = pool;
    while (slot->kind != FREE_SLOT)
        slot++;
    slot->kind = kind;
    return slot;
}
NOINLINE static void give_back(struct Session *session)
{
    struct Slot *slot = (struct Slot *)((char *)session - offsetof(struct Slot, u));
    reporter_act("memory-released", &session->lock);
    slot->kind = FREE_SLOT;
}
static void receive(struct Slot *slot)
{
    static const BYTE header[] = { 0x45, 0, 0, 0x54, 0x1C, 0x46, 0x40, 0, 0x40, 0x11, 0xB1, 0xE6, 0xC0, 0xA8, 1, 0x68, 0xC0, 0xA8, 1, 1, 0xD4, 0x31, 0, 0x35, 0, 0x40, 0x2A, 0x7C };
    memcpy(slot->u.bytes, header, sizeof header);
    slot->length = 0x54;
    for (int i = sizeof header; i < slot->length; i++)
        slot->u.bytes[i] = (BYTE)(0x61 + i * 7 % 23);
}
NOINLINE static void end_session(int i)
{
    struct Session *session = sessions[i].session;
    reporter_expect(&session->lock, NULL);
    DeleteCriticalSection(&session->lock);
    sessions[i].session = NULL;
}
static int scenario(void)
{
    for (int i = 0; i < 4; i++) {
        struct Session *session = &take(SESSION)->u.session;
        InitializeCriticalSection(&session->lock);
        session->id = sessions[i].id = 0x1001 + i;
        sprintf(session->user, "user%d", i);
        sessions[i].session = session;
    }
    sessions[2].closed = TRUE;
    give_back(sessions[2].session);
    receive(take(PACKET));
    for (int i = 3; i >= 0; i--)
        end_session(i);
    return sink;
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
