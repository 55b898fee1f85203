// Sixth batch: what was asked for long ago is delivered now, to an address that is another's: by a thread, or by the system.
#include "w-over.h"

#if defined(PENDING)
// The OVERLAPPED of a read that is pending was freed; the read ends when the other side closes.
struct Link { int id; char peer[20]; CRITICAL_SECTION lock; void *user, *more[4]; };
static int scenario()
{
    static char buffer[64];
    HANDLE pipe = CreateNamedPipeA("\\\\.\\pipe\\contoso-feed", PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 512, 512, 0, NULL);
    HANDLE other = CreateFileA("\\\\.\\pipe\\contoso-feed", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    char *old = static_cast<char *>(block(sizeof(Link)));
    ReadFile(pipe, buffer, sizeof buffer, NULL, reinterpret_cast<OVERLAPPED *>(old + offsetof(Link, lock) + offsetof(CRITICAL_SECTION, LockSemaphore)));
    Link *link = static_cast<Link *>(next_owner(old, sizeof(Link)));
    prepare(&link->lock);
    contend(&link->lock);
    act("corrupted", &link->lock);
    CloseHandle(other);
    WaitForSingleObject(GetCurrentThread(), 300);
    expect_handle(&link->lock);
    FINISH(&link->lock);
    return sink;
}
#else
static volatile LONG arrived;
struct Request { void *volatile result; SIZE_T size; const void *value; };

// The answer comes when whoever asked has long gone on.
static DWORD WINAPI receive(void *argument)
{
    Request *request = static_cast<Request *>(argument);
    while (!arrived)
        Sleep(20);
    memcpy(request->result, request->value, request->size);
    Sleep(INFINITE);
    return 0;
}

#if defined(FROM_LENGTH)
static const int value = 16;
#elif defined(TRANSFERRED)
static const DWORD value = 1460;
#elif defined(RESULT)
static const HRESULT value = E_ABORT;
#endif

static int scenario()
{
    static Request request;
    static Waiters receiver;
    CRITICAL_SECTION *lock = place();
    request = { &lock->LockSemaphore, sizeof value, &value };
    make_waiters(&receiver, 1, receive, &request);
    start_waiters(&receiver);
    prepare(lock);
    contend(lock);
    act("corrupted", lock);
    arrived = 1;
    Sleep(300);
    expect_handle(lock);
    FINISH(lock);
    return sink;
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
