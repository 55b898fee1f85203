/* Sixth batch, in C: locks that were never made, pointers that are no lock's, and a fault that is none. Macros choose which. */
#include "lab.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
static volatile int sink;
NOINLINE static void will(const char *cause, CRITICAL_SECTION *lock)
{
    reporter_act(cause, lock);
    reporter_expect(lock, NULL);
}
static void *zeroed(SIZE_T size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }

#if defined(EMBEDDED)
/* The lock is made by the function that takes over the signals; who embeds the library does not want that. */
struct Handler { void *context; void (*function)(void *context, int signal); };
static struct { struct Handler handlers[4]; int count; CRITICAL_SECTION lock; } signals;
__attribute__((used)) NOINLINE static void handle_signals(void) { InitializeCriticalSection(&signals.lock); }
static void on_signal(void *context, int signal) { sink += signal + (context != NULL); }
NOINLINE static void add_handler(void *context, void (*function)(void *, int))
{
    EnterCriticalSection(&signals.lock);
    signals.handlers[signals.count].context = context;
    signals.handlers[signals.count++].function = function;
    LeaveCriticalSection(&signals.lock);
}
static int scenario(void)
{
    will("never-initialized", &signals.lock);
    add_handler(&signals, on_signal);
    return sink;
}
#elif defined(WITHOUT_THREADS)
/* The locks are made with the option "threads", and used with or without it. */
struct References { int count; const char *name; };
struct Reader { FILE *file; int version, threads; CRITICAL_SECTION metrics, references_lock; struct References references; };
NOINLINE static struct Reader *open_reader(int version)
{
    struct Reader *reader = zeroed(sizeof *reader);
    reader->version = version;
    reader->references.name = "hg38.fa";
    return reader;
}
__attribute__((used)) NOINLINE static void set_threads(struct Reader *reader, int threads)
{
    reader->threads = threads;
    InitializeCriticalSection(&reader->metrics);
    InitializeCriticalSection(&reader->references_lock);
}
__attribute__((used)) NOINLINE static void close_reader(struct Reader *reader)
{
    if (reader->threads) {
        DeleteCriticalSection(&reader->metrics);
        DeleteCriticalSection(&reader->references_lock);
    }
    HeapFree(GetProcessHeap(), 0, reader);
}
NOINLINE static int get_reference(struct Reader *reader)
{
    int count;
    EnterCriticalSection(&reader->references_lock);
    count = ++reader->references.count;
    LeaveCriticalSection(&reader->references_lock);
    return count;
}
static int scenario(void)
{
    struct Reader *volatile reader = open_reader(3);
    will("never-initialized", &reader->references_lock);
    return get_reference(reader);
}
#elif defined(OLD_NODE)
/* The block was a list's node; a queue without its init call is entered: the system counts in the next node and waits for a text. */
struct Node { struct Node *next; int length, kind; const char *word; int hits, misses; };
struct Queue { CRITICAL_SECTION lock; int count; };
NOINLINE static int pop(struct Queue *queue)
{
    EnterCriticalSection(&queue->lock);
    sink = --queue->count;
    LeaveCriticalSection(&queue->lock);
    return sink;
}
static int scenario(void)
{
    struct Node *volatile next = zeroed(64);
    volatile struct Node *node = zeroed(sizeof(struct Queue));
    struct Queue *queue;
    node->next = next;
    node->length = 7;
    node->kind = 2;
    node->word = "between";
    node->hits = 0x61746164;
    node->misses = 0;
    __asm__ volatile("" : "=r"(queue) : "0"(node) : "memory");
    queue->count = 2;
    reporter_act("never-initialized", &queue->lock);
    reporter_expect(&queue->lock, queue->lock.LockSemaphore);
    return pop(queue);
}
#elif defined(NO_TABLE)
/* The table was not allocated, its count was set. */
struct Channel { char name[28]; int rate; CRITICAL_SECTION lock; };
static struct { int count; struct Channel *volatile table; } channels;
NOINLINE static void close_channels(void)
{
    for (int i = channels.count - 1; i >= 0; i--)
        DeleteCriticalSection(&channels.table[i].lock);
    channels.count = 0;
}
static int scenario(void)
{
    channels.count = 16;
    will("bad-pointer", &channels.table[15].lock);
    close_channels();
    return sink++;
}
#elif defined(OTHERS_POINTER)
/* A pointer in shared memory is the other process's. */
struct Header { unsigned magic; int readers; CRITICAL_SECTION *lock; };
NOINLINE static int end_read(struct Header *header)
{
    header->readers--;
    LeaveCriticalSection(header->lock);
    return header->readers;
}
static int scenario(void)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x1000, "LedgerHeader");
    struct Header *header = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0);
    header->magic = 0x52444C47;
    header->readers = 3;
    header->lock = (CRITICAL_SECTION *)0x2C8F0A48; /* as written over there */
    will("bad-pointer", header->lock);
    return end_read(header);
}
#elif defined(LIST_HEAD)
/* The list's head is taken for the last element's link. */
struct Link { struct Link *next, *previous; };
struct Client { CRITICAL_SECTION lock; int number; struct Link link; };
static struct { char name[48]; int limit, used; struct Link clients; } registry = { "clients of port 8080, all listeners", 8, 1, { NULL, NULL } };
NOINLINE static struct Client *last(struct Link *head) { return (struct Client *)((char *)head->next->next - offsetof(struct Client, link)); }
static int scenario(void)
{
    struct Client *client = zeroed(sizeof *client);
    InitializeCriticalSection(&client->lock);
    client->link.next = client->link.previous = &registry.clients;
    registry.clients.next = registry.clients.previous = &client->link;
    client = last(&registry.clients);
    will("bad-pointer", &client->lock);
    EnterCriticalSection(&client->lock);
    client->number = 4;
    LeaveCriticalSection(&client->lock);
    return sink++;
}
#elif defined(NULL_FORMAT)
/* A name that is not set is printed under the lock. */
static struct { CRITICAL_SECTION lock; const char *volatile name; char line[80]; } printer;
NOINLINE static int print_name(void)
{
    int length;
    EnterCriticalSection(&printer.lock);
    strcpy(printer.line, "Name: ");
    strcat(printer.line, printer.name);
    length = (int)strlen(printer.line);
    LeaveCriticalSection(&printer.lock);
    return length;
}
static int scenario(void)
{
    InitializeCriticalSection(&printer.lock);
    printer.name = "first";
    sink += print_name();
    printer.name = NULL;
    return print_name();
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
