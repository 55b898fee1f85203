/* NT4 .. Server 2003 without service pack: lock_count -1 = free, every Enter +1, every Leave -1; fair hand-over. */
#include "ntlike.h"

FRAME NTSTATUS NTAPI RtlInitializeCriticalSection(Section *section) { return store_new_section(section, 0, TRUE); }

FRAME NTSTATUS NTAPI RtlInitializeCriticalSectionEx(Section *section, ULONG spin_count, ULONG flags)
{
    (void)flags; /* the old versions know no flags */
    return store_new_section(section, spin_count & 0x00FFFFFF, TRUE);
}

FRAME void NTAPI RtlpWaitForCriticalSection(Section *section)
{
    HANDLE event = section_event(section);
    NTSTATUS status;
    section->debug_info->entry_count++;
    section->debug_info->contention_count++;
    status = NtWaitForSingleObject(event, FALSE, NULL);
    if (status < 0)
        RtlRaiseStatus(status);
}

FRAME void NTAPI RtlpUnWaitCriticalSection(Section *section)
{
    NTSTATUS status = NtSetEvent(section_event(section), NULL);
    if (status < 0)
        RtlRaiseStatus(status);
}

static BOOL spin_for(Section *section)
{
    ULONG_PTR left = section->spin_count & 0x00FFFFFF;
    while (left--) {
        if (InterlockedCompareExchange(&section->lock_count, 0, -1) == -1)
            return TRUE;
        YieldProcessor();
    }
    return FALSE;
}

static void take(Section *section)
{
    section->owning_thread = current_thread_id();
    section->recursion_count = 1;
}

FRAME NTSTATUS NTAPI RtlEnterCriticalSection(Section *section)
{
    if (section->spin_count && section->owning_thread != current_thread_id() && spin_for(section)) {
        take(section);
        return 0;
    }
    if (InterlockedIncrement(&section->lock_count) != 0) {
        if (section->owning_thread == current_thread_id()) {
            section->recursion_count++;
            return 0;
        }
        RtlpWaitForCriticalSection(section);
    }
    take(section);
    return 0;
}

FRAME BOOLEAN NTAPI RtlTryEnterCriticalSection(Section *section)
{
    if (InterlockedCompareExchange(&section->lock_count, 0, -1) == -1) {
        take(section);
        return TRUE;
    }
    if (section->owning_thread != current_thread_id())
        return FALSE;
    InterlockedIncrement(&section->lock_count);
    section->recursion_count++;
    return TRUE;
}

FRAME NTSTATUS NTAPI RtlLeaveCriticalSection(Section *section)
{
    if (--section->recursion_count != 0) {
        InterlockedDecrement(&section->lock_count);
        return 0;
    }
    section->owning_thread = 0;
    if (InterlockedDecrement(&section->lock_count) >= 0)
        RtlpUnWaitCriticalSection(section);
    return 0;
}

FRAME void use_heap_lock(Section *section, BOOL slow) { (void)section; (void)slow; }
const BOOL checks_links = FALSE;
