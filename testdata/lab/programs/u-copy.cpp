// Unseen: a byte copy of a section is used (or the original after its copy was destroyed). Macros choose how the copy comes about.
#include "unseen.h"
#if defined(PUSH_BACK) || defined(RETURNED)
#include <vector>
namespace std { void __throw_length_error(const char *) { __builtin_trap(); } }
#endif

// A class with a section and the copy operations that the compiler makes for it.
class Account {
public:
    explicit Account(int number) : id(number) { initialize(&lock); }
    ~Account() { if (id >= 0) DeleteCriticalSection(&lock); id = -1; }
    NOINLINE void enter() { EnterCriticalSection(&lock); uses++; }
    NOINLINE void leave() { uses--; LeaveCriticalSection(&lock); sink++; }
    int id, uses = 0;
    char owner[20] = "contoso";
    CRITICAL_SECTION lock;
    double balance = 12.5;
};

static DWORD WINAPI visitor(void *argument)
{
    Account *account = static_cast<Account *>(argument);
    account->enter();
    account->leave();
    return 0;
}

static Account *late_target;
[[maybe_unused]] static DWORD WINAPI late_visitor(void *)
{
    late_target->enter();
    late_target->leave();
    return 0;
}

static Waiters waiters;

// Owned by this thread, and waited for.
[[maybe_unused]] static void contend(Account *account)
{
    make_waiters(&waiters, WAITERS, visitor, account);
    account->enter();
    start_waiters(&waiters);
}

#if defined(PUSH_BACK)
// The vector grows while an element is locked: the copy goes on, the original's event is closed with it.
static int scenario()
{
    std::vector<Account> *accounts = new std::vector<Account>;
    accounts->reserve(2);
    accounts->emplace_back(7);
    accounts->emplace_back(8);
    contend(&(*accounts)[1]);
    act("copied", &(*accounts)[1].lock);
    accounts->emplace_back(9);
    Account &moved = (*accounts)[1];
    expect_handle(&moved.lock);
    moved.leave();
    return sink;
}
#elif defined(BY_VALUE)
// Passed by value: the parameter's destructor deletes the section that it shares with the argument.
NOINLINE static int print(Account account) { return sink += account.id + account.uses; }
static int scenario()
{
    Account *account = new Account(3);
    contend(account);
    expect_handle(&account->lock);
    act("copied", &account->lock);
    print(*account);
    account->leave();
    return sink;
}
#elif defined(LAMBDA)
// Captured by copy: [=] instead of [&].
template <class Function> NOINLINE static void run(Function *function) { (*function)(); }
static int scenario()
{
    Account *account = new Account(4);
    Account &reference = *account;
    contend(account);
    expect_handle(&account->lock);
    act("copied", &account->lock);
    {
        auto task = [reference] { sink += reference.id; };
        run(&task);
    }
    account->leave();
    return sink;
}
#elif defined(SLICED)
// Assigned to a base object: the base part is copied, and its destructor deletes.
class Savings : public Account { public: Savings() : Account(5) { } double interest = 0.5; };
NOINLINE static int report(const Savings &savings)
{
    Account base = savings;
    return sink += base.id;
}
static int scenario()
{
    Savings *savings = new Savings;
    contend(savings);
    expect_handle(&savings->lock);
    act("copied", &savings->lock);
    report(*savings);
    savings->leave();
    return sink;
}
#elif defined(SWAPPED)
// swap(a, b) through a temporary, whose destructor deletes.
template <class T> NOINLINE static void swap_them(T &a, T &b)
{
    T temporary(a);
    a = b;
    b = temporary;
}
static int scenario()
{
    Account *first = new Account(1), *second = new Account(2);
    contend(first);
    act("copied", &first->lock);
    swap_them(*first, *second);
    expect_handle(&second->lock);
    second->leave(); // it is number 1 now
    return sink;
}
#elif defined(ROLLED_BACK)
// A snapshot of the whole object is written back after the object was closed and opened again.
static int scenario()
{
    Account *account = new Account(6);
    contend(account);
    char *snapshot = new char[sizeof(Account)];
    memcpy(snapshot, account, sizeof(Account));
    account->leave();
    for (int i = 0; i < waiters.count; i++)
        WaitForSingleObject(waiters.threads[i], INFINITE);
    account->~Account();
    CreateEventA(NULL, FALSE, FALSE, NULL); // takes the slot, keeps it a while
    new (account) Account(6);
    contend(account);
    CloseHandle(reinterpret_cast<Account *>(snapshot)->lock.LockSemaphore); // that other event
    act("copied", &account->lock);
    memcpy(static_cast<void *>(account), snapshot, sizeof(Account));
    expect_handle(&account->lock);
    account->leave();
    return sink;
}
#elif defined(DELETED_TWICE)
// Both the original and its copy are destroyed: the second Delete meets a debug record that is gone.
static int scenario()
{
    Account *first = new Account(1), *second = static_cast<Account *>(operator new(sizeof(Account)));
    first->enter();
    first->leave();
    act("copied", &first->lock);
    memcpy(static_cast<void *>(second), first, sizeof *first);
    expect(&second->lock);
    delete first;
    second->~Account();
    return sink;
}
#elif defined(RETURNED)
// Built, used and returned by value: the local one deletes what the result goes on using. Its next waiter fails.
static Account open_account()
{
    Account account(11);
    contend_once(&account.lock);
    act("copied", &account.lock);
    if (sink == 12345)
        return Account(12);
    return account;
}
static int scenario()
{
    Waiters later;
    make_waiters(&later, 1, late_visitor, NULL);
    static std::vector<char> room(sizeof(Account)); // grown space
    late_target = new (room.data()) Account(open_account());
    expect_handle(&late_target->lock);
    late_target->enter();
    start_waiters(&later);
    late_target->leave();
    return sink;
}
#elif defined(MOVED_BLOCK)
// HeapReAlloc by hand: new block, memcpy, the old objects destroyed one by one.
static int scenario()
{
    Account *old_block = static_cast<Account *>(operator new(3 * sizeof(Account)));
    for (int i = 0; i < 3; i++)
        new (&old_block[i]) Account(i);
    contend(&old_block[2]);
    act("copied", &old_block[2].lock);
    Account *new_block = static_cast<Account *>(VirtualAlloc(NULL, 0x2000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
    memcpy(static_cast<void *>(new_block), old_block, 3 * sizeof(Account));
    for (int i = 0; i < 3; i++)
        old_block[i].~Account();
    operator delete(old_block);
    expect_handle(&new_block[2].lock);
    new_block[2].leave();
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
