// Fifth batch: something that has no business there writes into a section that others sleep for, or will. Macros choose what it writes.
#include "k-common.h"

#define DONE(lock) do { expect_handle(lock); FINISH(lock); } while (0)
[[maybe_unused]] static void hits(const CRITICAL_SECTION *lock) { act("corrupted", lock); }
template <class T> static T *at_semaphore(CRITICAL_SECTION *lock, int bytes = 0)
{
    return reinterpret_cast<T *>(reinterpret_cast<char *>(&lock->LockSemaphore) + bytes);
}
struct Station { wchar_t name[8]; int id; CRITICAL_SECTION lock; double level; void *plan; };
[[maybe_unused]] static Station *new_station() { return new Station { L"Line 4", 4, {}, 0.75, NULL }; }

// What a stale pointer points to is computed here, so that the writers below are the program's ordinary code.
#if defined(DONE_FLAG)
// "done = TRUE", in a structure on a stack that is another's by now.
NOINLINE static void complete(volatile BOOL *done) { *done = TRUE; }
static void strike(CRITICAL_SECTION *lock) { complete(at_semaphore<BOOL>(lock)); }
#elif defined(LOWER_CASE)
// A text is made lower case, by the length that it had before it was cut.
NOINLINE static void lower(char *text, int length) { for (int i = 0; i < length; i++) text[i] |= 0x20; }
static void strike(CRITICAL_SECTION *lock) { lower(at_semaphore<char>(lock, 1), 1); }
#elif defined(ALPHA)
// Every pixel is made opaque: the fourth byte of each.
NOINLINE static void opaque(BYTE *pixels, int count) { for (int i = 0; i < count; i++) pixels[4 * i + 3] = 0xFF; }
static void strike(CRITICAL_SECTION *lock) { opaque(at_semaphore<BYTE>(lock), 1); }
#elif defined(OTHER_HANDLE)
// A structure of handles is assigned through a pointer to the last one: a thread's.
NOINLINE static void store(HANDLE volatile *to, HANDLE what) { *to = what; }
static void strike(CRITICAL_SECTION *lock) { store(at_semaphore<HANDLE>(lock), waiters.threads[0]); }
#elif defined(DECRYPT)
// The last block of a message is decrypted as a whole one.
NOINLINE static void decrypt(BYTE *block, int length)
{
    static const BYTE key[8] = { 0x9C, 0x31, 0xE7, 0x58, 0x0A, 0xD4, 0x6F, 0xB2 };
    for (int i = 0; i < length; i++)
        block[i] ^= key[i & 7];
}
static void strike(CRITICAL_SECTION *lock) { decrypt(at_semaphore<BYTE>(lock), sizeof(HANDLE)); }
#elif defined(SAMPLES)
// A mixer writes its echo 'delay' samples behind the position, here in front of its buffer's start.
NOINLINE static void echo(short *at, int count) { for (int i = 0; i < count; i++) at[i] = static_cast<short>(-1200 + 311 * i); }
static void strike(CRITICAL_SECTION *lock) { echo(at_semaphore<short>(lock), 2 * sizeof(void *) / 2 ); }
#elif defined(DIRTY_BIT)
// A flags word gets its "dirty" bit.
NOINLINE static void mark(volatile ULONG *flags) { *flags |= 0x40000000; }
static void strike(CRITICAL_SECTION *lock) { mark(at_semaphore<ULONG>(lock)); }
#elif defined(PROGRESS)
// A progress bar's position is set through a stale pointer.
NOINLINE static void set_position(volatile int *position, int to) { *position = to; }
static void strike(CRITICAL_SECTION *lock) { set_position(at_semaphore<int>(lock), PROGRESS); }
#elif defined(RATIO)
// The mean of a table goes behind its last line.
NOINLINE static void mean(volatile double *to, double sum, int n) { *to = sum / n; }
static void strike(CRITICAL_SECTION *lock) { mean(at_semaphore<double>(lock), 731.0, 12); }
#elif defined(USERS)
// A counter of users lies in what is a section's LockCount now.
NOINLINE static void add_user(volatile LONG *users) { InterlockedIncrement(users); }
static void strike(CRITICAL_SECTION *lock) { add_user(&lock->LockCount); }
#endif

static int scenario()
{
#ifdef IN_PLACE
    CRITICAL_SECTION *lock = place();
#else
    CRITICAL_SECTION *lock = &new_station()->lock;
#endif
    prepare(lock);
#ifdef BEFORE_ANYBODY // nobody has slept for it yet: the first one waits for what was written
    EnterCriticalSection(lock);
    hits(lock);
    strike(lock);
    expect_handle(lock);
    start_waiters(&waiters);
    Sleep(4000);
    LeaveCriticalSection(lock);
#else
    contend(lock);
    hits(lock);
    strike(lock);
    DONE(lock);
#endif
    return sink;
}

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
