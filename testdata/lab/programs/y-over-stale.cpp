// Eighth batch: who kept the address of what is no longer there writes one thing to it. Macros choose who and what.
#include "k-common.h"
#include <stdlib.h>

template <class T> static volatile T *at(void *start, int bytes = 0) { return reinterpret_cast<volatile T *>(static_cast<char *>(start) + bytes); }
[[maybe_unused]] static CRITICAL_SECTION *busy(CRITICAL_SECTION *lock)
{
    prepare(lock);
    contend(lock);
    act("corrupted", lock);
    return lock;
}
[[maybe_unused]] NOINLINE static int done(CRITICAL_SECTION *lock)
{
    expect_handle(lock);
    FINISH(lock);
    return sink;
}
[[maybe_unused]] NOINLINE static int destroy(CRITICAL_SECTION *lock)
{
    expect(lock);
    DeleteCriticalSection(lock);
    return sink++;
}
struct Document { wchar_t title[14]; CRITICAL_SECTION lock; LONG first, last; void *printer; };

// What a stale pointer points to is computed here, so that the writers below are the program's ordinary code.
#if defined(SCROLL)
// A rectangle is moved.
NOINLINE static void offset(volatile LONG *rectangle, LONG x, LONG y)
{
    rectangle[0] += x;
    rectangle[1] += y;
    rectangle[2] += x;
    rectangle[3] += y;
}
static int scenario()
{
    Document *document = new Document { L"Offer 2311", {}, 1, 48, NULL };
    busy(&document->lock);
    offset(at<LONG>(&document->lock.LockSemaphore), -640, 16);
    return done(&document->lock);
}
#elif defined(STOPPER)
// What is waited for is opened by its name.
NOINLINE static void open_stop(HANDLE volatile *stop) { *stop = OpenEventA(SYNCHRONIZE, FALSE, "ContosoSpoolerStop"); }
static int scenario()
{
    Document *document = new Document { L"Invoice", {}, 1, 2, NULL };
    CreateEventA(NULL, TRUE, FALSE, "ContosoSpoolerStop");
    busy(&document->lock);
    open_stop(at<HANDLE>(&document->lock.LockSemaphore));
    return done(&document->lock);
}
#elif defined(ANSWER)
// The answer to a question that nobody waits for any more; what it was to be written to was a local.
static struct Question { HANDLE asked; volatile DWORD *received; } question;
static DWORD WINAPI answer(void *)
{
    WaitForSingleObject(question.asked, INFINITE);
    *question.received = 1460;
    return 0;
}
NOINLINE static int send(CRITICAL_SECTION *lock)
{
    busy(lock);
    question.received = at<DWORD>(&lock->LockSemaphore);
    SetEvent(question.asked);
    Sleep(300);
    return done(lock);
}
static int scenario()
{
    question.asked = CreateEventA(NULL, FALSE, FALSE, NULL);
    CreateThread(NULL, STACK_RESERVE, answer, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    struct { char host[24]; CRITICAL_SECTION lock; int attempts; } connection = { "mail.contoso.com", {}, 3 };
    return send(&connection.lock) + connection.attempts;
}
#elif defined(SHOWN)
// "shown = true", a single byte.
NOINLINE static void show(volatile bool *shown) { *shown = true; }
static int scenario()
{
    CRITICAL_SECTION *lock = busy(place());
    show(at<bool>(lock, offsetof(CRITICAL_SECTION, LockCount)));
    expect(lock);
    FINISH(lock);
    return sink;
}
#elif defined(RETRIES)
// A number of four bytes, in the middle of a pointer.
NOINLINE static void set_retries(volatile int *retries, int to) { *retries = to; }
static int scenario()
{
    Document *document = new Document { L"Draft", {}, 1, 9, NULL };
    initialize(&document->lock);
    contend_once(&document->lock);
    act("corrupted", &document->lock);
    set_retries(at<int>(&document->lock, 4), 5);
    return destroy(&document->lock);
}
#elif defined(TOKENS)
// The system has got the freed block for the record of a new lock.
struct Token { DWORD kind, line, from, to; };
NOINLINE static void set_token(volatile Token *token, DWORD kind, DWORD line, DWORD from, DWORD to)
{
    token->kind = kind;
    token->line = line;
    token->from = from;
    token->to = to;
}
static CRITICAL_SECTION shards[16];
static int scenario()
{
    Document *document = new Document { L"Letter", {}, 1, 3, NULL }, *next = new Document { L"Letter 2", {}, 1, 1, NULL };
    for (auto &shard : shards)
        initialize(&shard);
    initialize(&document->lock);
    initialize(&next->lock);
    act("corrupted", &document->lock);
    set_token(at<Token>(document->lock.DebugInfo), 3, 118, 4021, 4027);
    return destroy(&document->lock);
}
#elif defined(DECODER)
// A decoder goes on with a picture that has been given up; the block is another object now.
struct Stream { int id; wchar_t source[16]; CRITICAL_SECTION lock; void *frames[8]; int rate; };
static HANDLE next_picture, decoded;
NOINLINE static void decode(volatile BYTE *row, int size, BYTE level)
{
    while (size-- > 0)
        *row++ = level;
}
static DWORD WINAPI decoder(void *picture)
{
    for (BYTE level = 0x80;; level += 4) {
        WaitForSingleObject(next_picture, INFINITE);
        decode(static_cast<BYTE *>(picture), sizeof(Stream), level);
        SetEvent(decoded);
    }
}
NOINLINE static int add_frame(Stream *stream)
{
    expect(&stream->lock);
    EnterCriticalSection(&stream->lock);
    return ++stream->rate;
}
NOINLINE static Stream *open_stream()
{
    Stream *stream = new Stream();
    next_picture = CreateEventA(NULL, FALSE, FALSE, NULL);
    decoded = CreateEventA(NULL, FALSE, FALSE, NULL);
    CreateThread(NULL, STACK_RESERVE, decoder, stream, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    initialize(&stream->lock);
    act("corrupted", &stream->lock);
    SetEvent(next_picture);
    WaitForSingleObject(decoded, INFINITE);
    return stream;
}
static int scenario()
{
    return add_frame(open_stream());
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
