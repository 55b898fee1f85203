/* Server 2003 SP1 .. Windows 7 (and, with WAIT_ON_ADDRESS, Windows 10): lock_count bit 0 = free, bit 1 = nobody woken,
 * the rest the ones-complement of the number of waiters. */
#include "ntlike.h"
#include "trace.h"

#define FREE 1
#define NONE_WOKEN 2
#define ONE_WAITER 4

#ifdef WAIT_ON_ADDRESS
NTSTATUS NTAPI RtlWaitOnAddress(const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout);
void NTAPI RtlWakeAddressSingle(const void *address);
#define DEFAULT_SPIN (FLAG_DYNAMIC_SPIN | 2000)
#define DEBUG_INFO_AT_INIT FALSE
/* Events only for processes with the shim "AllocDebugInfoForCritSections". */
static BOOL uses_events(void) { return (*(ULONG *)(current_peb() + PEB_APP_COMPAT_FLAGS) & 0x00400000) != 0; }
#else
#define DEFAULT_SPIN 0
#define DEBUG_INFO_AT_INIT TRUE
static BOOL uses_events(void) { return TRUE; }
#endif

FRAME NTSTATUS NTAPI RtlInitializeCriticalSection(Section *section)
{
    return store_new_section(section, DEFAULT_SPIN, DEBUG_INFO_AT_INIT || uses_events());
}

FRAME NTSTATUS NTAPI RtlInitializeCriticalSectionEx(Section *section, ULONG spin_count, ULONG flags)
{
    BOOL debug_info = (DEBUG_INFO_AT_INIT || uses_events()) && !(flags & FLAG_NO_DEBUG_INFO);
    ULONG_PTR spin = spin_count & 0x00FFFFFF;
    if (spin_count == 0 && (flags & FLAG_DYNAMIC_SPIN))
        spin = FLAG_DYNAMIC_SPIN | 2000;
#ifdef WAIT_ON_ADDRESS
    if (spin_count == 0)
        spin = DEFAULT_SPIN;
    if (flags & FLAG_NO_DEBUG_INFO)
        spin |= FLAG_NO_DEBUG_INFO; /* keeps the lazy attachment off; Windows 7 does not store the bit */
#endif
    return store_new_section(section, spin, debug_info);
}

static void take(Section *section)
{
    section->owning_thread = current_thread_id();
    section->recursion_count = 1;
}

static BOOL try_take(Section *section) { return InterlockedBitTestAndReset((LONG *)&section->lock_count, 0); }

/* A woken waiter takes the lock and the "woken" mark in one step, or goes back to the waiters. */
static BOOL take_as_woken(Section *section)
{
    for (;;) {
        LONG old = section->lock_count;
        LONG wanted = (old & FREE) ? old ^ (FREE | NONE_WOKEN) : old - ONE_WAITER + NONE_WOKEN;
        if (InterlockedCompareExchange(&section->lock_count, wanted, old) == old)
            return (old & FREE) != 0;
    }
}

/* One more waiter, unless the lock has become free in between. */
static BOOL become_waiter(Section *section)
{
    for (;;) {
        LONG old = section->lock_count;
        LONG wanted = (old & FREE) ? old ^ FREE : old - ONE_WAITER;
        if (InterlockedCompareExchange(&section->lock_count, wanted, old) == old)
            return !(old & FREE);
    }
}

static HANDLE event_or_address(Section *section)
{
    if (!uses_events())
        InterlockedCompareExchangePointer(&section->lock_semaphore, NO_EVENT, NULL);
    return section_event(section);
}

static void attach_late(Section *section)
{
#ifdef WAIT_ON_ADDRESS
    if (section->debug_info == NO_DEBUG_INFO && !(section->spin_count & FLAG_NO_DEBUG_INFO))
        attach_debug_record(section); /* Windows 10 attaches it on the first contention */
#else
    (void)section;
#endif
}

static void sleep_once(Section *section, HANDLE event)
{
    NTSTATUS status = 0;
#ifdef WAIT_ON_ADDRESS
    if (event == NO_EVENT) {
        LONG seen = section->lock_count;
        if (!(seen & FREE))
            RtlWaitOnAddress((const void *)&section->lock_count, &seen, sizeof seen, NULL);
        return;
    }
#endif
    status = NtWaitForSingleObject(event, FALSE, NULL);
    TRACED_FAILURE(status, event, NtWaitForSingleObject);
    if (status < 0)
        RtlRaiseStatus(status);
}

FRAME void NTAPI RtlpWaitOnCriticalSection(Section *section)
{
    HANDLE event = event_or_address(section);
    attach_late(section);
    if (!become_waiter(section))
        return;
    if (section->debug_info != NO_DEBUG_INFO)
        section->debug_info->contention_count++;
#ifdef WAIT_ON_ADDRESS
    if ((section->spin_count & FLAG_DYNAMIC_SPIN) && (section->spin_count & 0x00FFFFFF) > 100)
        section->spin_count--;
#endif
    for (;;) {
        sleep_once(section, event);
#ifdef WAIT_ON_ADDRESS
        if (event == NO_EVENT && (section->lock_count & (FREE | NONE_WOKEN)) != FREE)
            continue; /* lock_count changed, but nobody was woken: sleep again, still counted */
#endif
        if (take_as_woken(section))
            return;
    }
}

static BOOL spin_for(Section *section)
{
    ULONG_PTR left = section->spin_count & 0x00FFFFFF;
    while (left--) {
        if ((section->lock_count & FREE) && try_take(section))
            return TRUE;
        YieldProcessor();
    }
    return FALSE;
}

FRAME NTSTATUS NTAPI RtlEnterCriticalSection(Section *section)
{
    if (try_take(section)) {
        take(section);
        return 0;
    }
    if (section->owning_thread == current_thread_id()) {
        section->recursion_count++;
        return 0;
    }
    if (!spin_for(section))
        RtlpWaitOnCriticalSection(section);
    take(section);
    return 0;
}

FRAME BOOLEAN NTAPI RtlTryEnterCriticalSection(Section *section)
{
    if (try_take(section)) {
        take(section);
        return TRUE;
    }
    if (section->owning_thread != current_thread_id())
        return FALSE;
    section->recursion_count++;
    return TRUE;
}

/* Not called by Windows 10's Leave, which signals by itself; exported there all the same. */
FRAME void NTAPI RtlpUnWaitCriticalSection(Section *section)
{
    HANDLE event = section_event(section);
    NTSTATUS status = NtSetEvent(event, NULL);
    TRACED_FAILURE(status, event, NtSetEvent);
    if (status < 0)
        RtlRaiseStatus(status);
}

static void signal_waiter(Section *section, HANDLE event)
{
#ifdef WAIT_ON_ADDRESS
    NTSTATUS status;
    if (event == NO_EVENT) {
        RtlWakeAddressSingle((const void *)&section->lock_count);
        return;
    }
    status = NtSetEvent(event, NULL);
    if (status < 0)
        RtlRaiseStatus(status);
#else
    (void)event; /* Vista and 7 read it again after the release */
    RtlpUnWaitCriticalSection(section);
#endif
}

static inline __attribute__((always_inline)) NTSTATUS leave(Section *section)
{
    HANDLE event;
    if (--section->recursion_count != 0)
        return 0;
    section->owning_thread = 0;
    if (InterlockedCompareExchange(&section->lock_count, -1, -2) == -2)
        return 0;
    event = event_or_address(section);
    for (;;) {
        LONG old = section->lock_count;
        LONG wanted;
        if (old & FREE) {
            RtlpNotOwnerCriticalSection(section);
            return 0;
        }
        wanted = old + ((old & NONE_WOKEN) | FREE);
        if (InterlockedCompareExchange(&section->lock_count, wanted, old) != old)
            continue;
        if (old & NONE_WOKEN)
            signal_waiter(section, event);
        return 0;
    }
}

FRAME NTSTATUS NTAPI RtlLeaveCriticalSection(Section *section) { return leave(section); }

/* Heap functions of Windows 10 have the code of Leave in themselves. */
FRAME void use_heap_lock(Section *section, BOOL slow)
{
    RtlEnterCriticalSection(section);
    if (slow)
        Sleep(1500);
    leave(section);
    section = NULL;
}

#ifdef WAIT_ON_ADDRESS
const BOOL checks_links = TRUE;
#else
const BOOL checks_links = FALSE;
#endif
