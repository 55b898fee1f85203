// Fourth batch: an object is destroyed by one thread while another is just leaving (or entering) its lock. The moment is the system call: a
// breakpoint on its stub lets the other thread run to the end of its work. Macros choose what becomes of the object.
#include "k-common.h"

static BYTE *stub, stub_byte;
static DWORD leaving_thread;
static volatile LONG hit_once, destroyed;
static HANDLE destroyer;

static void write_stub(BYTE value)
{
    DWORD before;
    VirtualProtect(stub, 1, PAGE_EXECUTE_READWRITE, &before);
    *stub = value;
    VirtualProtect(stub, 1, before, &before);
    FlushInstructionCache(GetCurrentProcess(), stub, 1);
}
static LONG CALLBACK at_stub(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != EXCEPTION_BREAKPOINT || GetCurrentThreadId() != leaving_thread || InterlockedExchange(&hit_once, 1))
        return EXCEPTION_CONTINUE_SEARCH;
    write_stub(stub_byte);
#ifdef _WIN64
    pointers->ContextRecord->Rip = reinterpret_cast<DWORD64>(stub);
#else
    pointers->ContextRecord->Eip = reinterpret_cast<DWORD>(stub);
#endif
    ResumeThread(destroyer);
    for (int i = 0; i < 3000 && !destroyed; i++)
        Sleep(1);
    return EXCEPTION_CONTINUE_EXECUTION;
}
static void stop_at(const char *service)
{
    stub = reinterpret_cast<BYTE *>(GetProcAddress(GetModuleHandleA("cslab.dll"), service));
    stub_byte = *stub;
    leaving_thread = GetCurrentThreadId();
    AddVectoredExceptionHandler(1, at_stub);
    write_stub(0xCC);
}

// ---- a window's view, which the user closes while the loader's thread reports its last page -----------------------------
struct View {
    virtual ~View() { DeleteCriticalSection(&lock); url[0] = 0; }
    wchar_t url[24];
    CRITICAL_SECTION lock;
    int loaded, total;
};
static View *view;

static DWORD WINAPI close_window(void *)
{
    act("deleted", &view->lock);
#if defined(TAB_CLOSED) // the memory is the heap's again
    delete view;
#elif defined(PAGE_GONE)
    view->~View();
    VirtualFree(reinterpret_cast<void *>(reinterpret_cast<ULONG_PTR>(view) & ~static_cast<ULONG_PTR>(0xFFFF)), 0, MEM_RELEASE);
#elif defined(NEXT_OBJECT) // the next tab is made in the same place
    view->~View();
    new (view) View;
    initialize(&view->lock);
    lstrcpyW(view->url, L"about:blank");
#else // a static one is only emptied
    view->~View();
#endif
    take_number();
    destroyed = 1;
    Sleep(INFINITE);
    return 0;
}
[[maybe_unused]] NOINLINE static int report_loaded(View *one)
{
    one->loaded++;
    stop_at("NtSetEvent");
    LeaveCriticalSection(&one->lock);
    return one->total;
}
[[maybe_unused]] static DWORD WINAPI ask_progress(void *argument)
{
    View *one = static_cast<View *>(argument);
    stop_at("NtWaitForSingleObject");
    EnterCriticalSection(&one->lock);
    int percent = one->loaded;
    LeaveCriticalSection(&one->lock);
    return percent;
}

int main()
{
    Waiters others, closers, asking;
    LAB_START();
    crowd();
#if defined(PAGE_GONE)
    view = new (pages(0x3000) + 0x1240) View;
#elif defined(TAB_CLOSED)
    view = new View;
#else
    alignas(16) static char storage[4][sizeof(View)];
    view = new (storage[1]) View;
#endif
    lstrcpyW(view->url, L"https://contoso.com/");
    view->loaded = view->total = 3;
    initialize(&view->lock);
    make_waiters(&others, WAITERS, pass_through, &view->lock);
    make_waiters(&closers, 1, close_window, NULL);
#ifdef ASKING
    make_waiters(&asking, 1, ask_progress, view);
#else
    (void)asking;
#endif
    destroyer = closers.threads[0];
    EnterCriticalSection(&view->lock);
    start_waiters(&others);
    expect_handle(&view->lock);
#ifdef ASKING
    start_waiters(&asking);
    Sleep(5000);
    return sink;
#else
    return report_loaded(view);
#endif
}
