// Fifth batch: an object with a lock in it is copied as bytes, and one of the two places is destroyed. Macros choose how.
#include "k-common.h"

#ifndef CALL
#define CALL LeaveCriticalSection
#endif
struct Account { int number; CRITICAL_SECTION lock; LONGLONG balance; char owner[16]; };
[[maybe_unused]] NOINLINE static void destroy(Account *account) { DeleteCriticalSection(&account->lock); account->number = 0; }
[[maybe_unused]] static void copy(Account *to, const Account *from) { memcpy(static_cast<void *>(to), from, sizeof *to); }
[[maybe_unused]] static void goes_on_with(Account *account) { reporter_expect(&account->lock, account->lock.LockSemaphore); }

#if defined(REALLOC)
// A C array is grown by HeapReAlloc while one of its elements is locked; the old elements are destroyed from a list that was kept.
static int scenario()
{
    Account *accounts = static_cast<Account *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 3 * sizeof(Account)));
    for (int i = 0; i < 3; i++) {
        accounts[i].number = 1000 + i;
        if (i != 1)
            initialize(&accounts[i].lock);
    }
    prepare(&accounts[1].lock);
    contend(&accounts[1].lock);
    Account *more = static_cast<Account *>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 12 * sizeof(Account)));
    memcpy(static_cast<void *>(more), accounts, 3 * sizeof(Account));
    will_signal("copied", &accounts[1].lock);
    for (int i = 0; i < 3; i++)
        destroy(&accounts[i]);
    goes_on_with(&more[1]);
    take_number();
    FINISH(&more[1].lock);
    return sink;
}
#elif defined(SORTED)
// Accounts are sorted by their balance, as bytes, while one is locked; who comes first after that is closed.
static int scenario()
{
    static Account accounts[2], spare;
    prepare(&accounts[0].lock);
    initialize(&accounts[1].lock);
    accounts[0].balance = 500;
    contend(&accounts[0].lock);
    copy(&spare, &accounts[0]);
    copy(&accounts[0], &accounts[1]);
    copy(&accounts[1], &spare);
    will_signal("copied", &spare.lock);
    destroy(&spare);
    goes_on_with(&accounts[1]);
    take_number();
    FINISH(&accounts[1].lock);
    return sink;
}
#elif defined(PASSED_BY_VALUE)
// print(Account account): its destructor runs at the end of the call.
NOINLINE static void print(Account account)
{
    sink += account.number + account.owner[0];
    destroy(&account);
}
static int scenario()
{
    Account *account = new Account { 71, {}, 0, "Meyer" };
    prepare(&account->lock);
    contend(&account->lock);
    will_signal("copied", &account->lock);
    print(*account);
    take_number();
    FINISH(&account->lock);
    return sink;
}
#elif defined(RETURNED)
// make() returns its local as bytes, and destroys it; the caller's copy is entered by two threads.
static Account made;
NOINLINE static void make()
{
    Account local = { 5, {}, 0, "Schulz" };
    initialize(&local.lock);
    contend_once(&local.lock);
    copy(&made, &local);
    will_signal("copied", &local.lock);
    destroy(&local);
}
static int scenario()
{
    make_waiters(&waiters, WAITERS, pass_through, &made.lock); // before a number becomes free
    make();
    goes_on_with(&made);
    EnterCriticalSection(&made.lock);
    start_waiters(&waiters);
    Sleep(4000);
    return sink;
}
#elif defined(SAVED)
// An undo step keeps the whole object; it is thrown away, with a destructor, when the list of steps is full.
static int scenario()
{
    Account *account = new Account { 9, {}, 12, "Weber" };
    static Account steps[3];
    prepare(&account->lock);
    contend(&account->lock);
    copy(&steps[0], account);
    will_signal("copied", &account->lock);
    destroy(&steps[0]);
    copy(&steps[0], &steps[1]);
    take_number();
    FINISH(&account->lock);
    return sink;
}
#elif defined(BOTH_CLOSED)
// A structure is assigned; at the end both are closed.
static int scenario()
{
    static Account first, second;
    initialize(&first.lock);
    EnterCriticalSection(&first.lock);
    LeaveCriticalSection(&first.lock);
    second = first;
    will_signal("copied", &first.lock);
    destroy(&first);
    expect(&second.lock);
    destroy(&second);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
