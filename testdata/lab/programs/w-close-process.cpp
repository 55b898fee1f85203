// Sixth batch: processes and tokens whose handles are closed twice. Macros choose the program and who meets it.
#include "k-common.h"

[[maybe_unused]] static PROCESS_INFORMATION spawn()
{
    STARTUPINFOA start = { };
    PROCESS_INFORMATION process = { };
    char program[MAX_PATH], line[] = "worker -child";
    start.cb = sizeof start;
    GetModuleFileNameA(NULL, program, sizeof program);
    CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
    WaitForSingleObject(process.hProcess, 10000);
    return process;
}

// What else such a program opens meanwhile: it takes the low numbers that making a process has left free.
[[maybe_unused]] static void open_more() { for (int i = 0; i < 6; i++) CreateMutexA(NULL, FALSE, NULL); }

#if defined(WRAPPERS)
// A function returns copies of its wrappers' handles; the wrappers end with the function.
struct Wrapper { HANDLE handle; NOINLINE ~Wrapper() { if (handle) CloseHandle(handle); } };
struct Blocker { int rules; Wrapper *process, *thread; CRITICAL_SECTION lock; char image[16]; };
NOINLINE static PROCESS_INFORMATION create_child()
{
    PROCESS_INFORMATION created = spawn();
    open_more();
    Wrapper process = { created.hProcess }, thread = { created.hThread };
    return created;
}
static int scenario()
{
    Blocker *blocker = new Blocker { 31, NULL, NULL, {}, "vssadmin.exe" };
    prepare(&blocker->lock);
    PROCESS_INFORMATION child = create_child();
    Wrapper process = { child.hProcess }, thread = { child.hThread };
    blocker->process = &process;
    blocker->thread = &thread;
    contend(&blocker->lock);
    will_signal("handle-closed", &blocker->lock);
    blocker->thread->~Wrapper();
    blocker->process->~Wrapper();
    process.handle = thread.handle = NULL;
    take_number();
    FINISH(&blocker->lock);
    return blocker->rules;
}
#elif defined(ENDGAME)
// A loop's handle ends when its process exits and when its owner closes it; each way has its last step.
struct Loop;
struct ProcessHandle { Loop *loop; HANDLE process; int flags; void (*exit_callback)(ProcessHandle *); };
struct Loop { unsigned active; CRITICAL_SECTION pool_lock; ProcessHandle *closing; };
NOINLINE static void endgame(ProcessHandle *handle) { CloseHandle(handle->process); handle->loop->active--; }
NOINLINE static void on_exit(ProcessHandle *handle) { handle->flags |= 1; endgame(handle); }
NOINLINE static void close(ProcessHandle *handle) { handle->flags |= 2; endgame(handle); }
static int scenario()
{
    static Loop loop;
    PROCESS_INFORMATION child;
    ProcessHandle handle = { &loop, NULL, 0, on_exit };
    prepare(&loop.pool_lock);
    child = spawn();
    CloseHandle(child.hThread);
    open_more();
    handle.process = child.hProcess;
    handle.exit_callback(&handle);
    contend(&loop.pool_lock);
    will_signal("handle-closed", &loop.pool_lock);
    close(&handle);
    take_number();
    FINISH(&loop.pool_lock);
    return static_cast<int>(loop.active);
}
#else
// A debugger's session keeps the token of the process before; the end of an attached one closes it again.
static struct Session { DWORD id; HANDLE token; bool attached; CRITICAL_SECTION lock; } session;
NOINLINE static void terminate() { if (session.token) CloseHandle(session.token); session.id = 0; }
NOINLINE static void create() { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &session.token); session.attached = false; }
NOINLINE static void attach(DWORD id) { session.id = id; session.attached = true; }
static int scenario()
{
    prepare(&session.lock);
    create();
    terminate();
    attach(GetCurrentProcessId());
    contend(&session.lock);
    will_signal("handle-closed", &session.lock);
    terminate();
    take_number();
    FINISH(&session.lock);
    return session.attached;
}
#endif

int main(int count, char **)
{
    if (count > 1)
        return 0;
    LAB_START();
    crowd();
    return scenario();
}
