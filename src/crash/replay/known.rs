//! What is known of functions by their names.

/// Functions that do not come back.
const ENDS: &[&str] = &[
    "ExitProcess",
    "ExitThread",
    "TerminateProcess",
    "FreeLibraryAndExitThread",
    "RtlExitUserThread",
    "RtlExitUserProcess",
    "_CxxThrowException",
    "exit",
    "_exit",
    "quick_exit",
    "abort",
    "terminate",
    "_amsg_exit",
    "_endthreadex",
    "_endthread",
    "longjmp",
    "RaiseFailFastException",
    "__cxa_rethrow",
    "__cxa_throw",
    "_Unwind_Resume",
    "_ZSt9terminatev",
];

/// Whether a function of this name does not come back.
pub(in crate::crash) fn ends(name: &str) -> bool {
    ENDS.contains(&name)
}

/// Whether a function of this name gives out memory (Windows API, C and C++ runtime libraries).
#[must_use]
pub fn gives_out(name: &str) -> bool {
    const NAMES: [&str; 28] = [
        "HeapAlloc",
        "RtlAllocateHeap",
        "HeapReAlloc",
        "RtlReAllocateHeap",
        "VirtualAllocEx",
        "MapViewOfFileEx",
        "_aligned_malloc",
        "??_U@YAPAXI@Z",
        "??_U@YAPEAX_K@Z",
        "_Znwj",
        "_Znwm",
        "_Znaj",
        "_Znam",
        "_Znay",
        "GlobalAlloc",
        "LocalAlloc",
        "CoTaskMemAlloc",
        "VirtualAlloc",
        "MapViewOfFile",
        "LoadLibraryA",
        "LoadLibraryW",
        "LoadLibraryExW",
        "malloc",
        "calloc",
        "realloc",
        "??2@YAPAXI@Z",
        "??2@YAPEAX_K@Z",
        "_Znwy",
    ];
    NAMES.contains(&name)
}

/// Functions that go on elsewhere, in code that nothing here leads to.
pub(super) const JUMPS: &[&str] = &["_CxxThrowException", "longjmp", "RtlUnwind", "RtlUnwindEx"];

/// Whether a function of this name gives out a block of a heap from its first byte on; those of the runtime libraries do but for a debug version.
pub(super) fn gives_block(name: &str, has_debug_runtime: impl FnOnce() -> bool) -> bool {
    const OF_SYSTEM: [&str; 5] =
        ["HeapAlloc", "RtlAllocateHeap", "LocalAlloc", "GlobalAlloc", "CoTaskMemAlloc"];
    const OF_RUNTIME: [&str; 7] =
        ["malloc", "calloc", "_Znwj", "_Znwm", "_Znwy", "??2@YAPAXI@Z", "??2@YAPEAX_K@Z"];
    OF_SYSTEM.contains(&name) || OF_RUNTIME.contains(&name) && !has_debug_runtime()
}

/// Functions that keep a function of the program for the end of the process or for an exception, and do not call it before.
pub(super) const KEEPERS: &[&str] = &[
    "_onexit",
    "atexit",
    "_crt_atexit",
    "__dllonexit",
    "_register_onexit_function",
    "SetUnhandledExceptionFilter",
    "AddVectoredExceptionHandler",
    "RtlAddVectoredExceptionHandler",
    "AddVectoredContinueHandler",
    "__setusermatherr",
    "_set_invalid_parameter_handler",
    "_set_purecall_handler",
    "set_terminate",
    "_initterm",
    "_initterm_e",
];
/// Functions that write nothing of the program's.
pub(super) const READERS: &[&str] = &[
    "atoi",
    "atol",
    "fputc",
    "fputs",
    "lstrcmpA",
    "lstrcmpW",
    "lstrcmpiA",
    "lstrcmpiW",
    "lstrlenA",
    "lstrlenW",
    "memchr",
    "memcmp",
    "putc",
    "puts",
    "strchr",
    "strcmp",
    "strlen",
    "strncmp",
    "strrchr",
    "strstr",
    "wcscmp",
    "wcslen",
];
/// Functions that write as much as their arguments say, or as a text is long.
pub(super) const FILLERS: &[&str] = &[
    "qsort",
    "memcpy",
    "memmove",
    "memset",
    "strcpy",
    "strcat",
    "strncpy",
    "sprintf",
    "snprintf",
    "_snprintf",
    "vsnprintf",
    "_vsnprintf",
    "wcscpy",
    "wcscat",
    "lstrcpyA",
    "lstrcpyW",
    "lstrcatA",
    "lstrcatW",
    "wsprintfA",
    "wsprintfW",
    "ReadFile",
    "fread",
    "fgets",
    "recv",
    "GetModuleFileNameA",
    "GetModuleFileNameW",
    "RtlMoveMemory",
    "RtlZeroMemory",
    "RtlFillMemory",
];

/// Functions that call none of the program's and write through no argument, but for those that [`Run::effects`] names; many have fewer arguments
/// than there are registers for them.
///
/// [`Run::effects`]: super::run::Run::effects
pub(super) const PLAIN: &[&str] = &[
    "FlushInstructionCache",
    "IsDebuggerPresent",
    "OutputDebugStringA",
    "OutputDebugStringW",
    "ResumeThread",
    "SetErrorMode",
    "SetThreadPriority",
    "Sleep",
    "SleepEx",
    "SuspendThread",
    "CloseHandle",
    "CreateEventA",
    "CreateEventW",
    "CreateSemaphoreA",
    "CreateSemaphoreW",
    "GetCurrentThreadId",
    "GetCurrentProcessId",
    "GetLastError",
    "GetModuleHandleA",
    "GetModuleHandleW",
    "GetProcAddress",
    "GetProcessHeap",
    "GetTickCount",
    "HeapCreate",
    "HeapDestroy",
    "QueryPerformanceCounter",
    "ReleaseSemaphore",
    "ResetEvent",
    "SetEvent",
    "TlsAlloc",
    "TlsGetValue",
    "TlsSetValue",
    "WaitForSingleObject",
    "__p___argc",
    "__p___argv",
    "__p___initenv",
    "__p___wargv",
    "__p__acmdln",
    "__p__commode",
    "__p__environ",
    "__p__fmode",
    "__p__wcmdln",
    "__getmainargs",
    "__set_app_type",
    "__wgetmainargs",
    "_configthreadlocale",
    "_initterm",
    "_initterm_e",
    "_set_app_type",
    "_set_fmode",
    "signal",
];

/// Which argument of a function of this name is the address of a block that it gives back.
pub(super) fn freed(name: &str) -> Option<usize> {
    match name {
        "HeapFree" | "RtlFreeHeap" | "HeapReAlloc" | "RtlReAllocateHeap" => Some(2),
        "free" | "realloc" | "LocalFree" | "GlobalFree" | "CoTaskMemFree" | "VirtualFree"
        | "UnmapViewOfFile" | "_aligned_free" => Some(0),
        _ if name.starts_with("??3@") || name.starts_with("??_V@") || name.starts_with("_Zd") => {
            Some(0)
        }
        _ => None,
    }
}

/// Whether a function of this name writes to the place that its first argument names and to no other (C runtime library, Windows API).
pub(super) fn writes_to_first(name: &str) -> bool {
    const OTHERS: [&str; 7] =
        ["fgets", "fread", "qsort", "snprintf", "sprintf", "wsprintfA", "wsprintfW"];
    let starts = ["mem", "str", "wcs", "lstr"];
    FILLERS.contains(&name)
        && (starts.iter().any(|start| name.starts_with(start)) || OTHERS.contains(&name))
        || name.starts_with("lstrcpyn")
}

/// Whether a function of this name gives back the address of data of the system's or of the runtime library's own.
pub(super) fn is_of_runtime(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "GetCommandLineA",
        "GetCommandLineW",
        "GetProcessHeap",
        "__acrt_iob_func",
        "__doserrno",
        "__iob_func",
        "_errno",
        "localeconv",
    ];
    name.starts_with("__p_") || NAMES.contains(&name)
}

/// Functions of the system by the number of their arguments, which they take off the stack on x86 (`__stdcall`, Windows API reference).
const ARGUMENTS: &[&[&str]] = &[
    &[
        "DebugBreak",
        "GetCommandLineA",
        "GetCommandLineW",
        "GetCurrentProcess",
        "GetCurrentProcessId",
        "GetCurrentThread",
        "GetCurrentThreadId",
        "GetLastError",
        "GetProcessHeap",
        "GetTickCount",
        "GetTickCount64",
        "GetVersion",
        "IsDebuggerPresent",
        "SwitchToThread",
        "TlsAlloc",
    ],
    &[
        "CloseHandle",
        "CoTaskMemAlloc",
        "CoTaskMemFree",
        "ConvertThreadToFiber",
        "DeleteCriticalSection",
        "DeleteFiber",
        "EnterCriticalSection",
        "ExitProcess",
        "ExitThread",
        "FreeLibrary",
        "GetModuleHandleA",
        "GetModuleHandleW",
        "GetSystemInfo",
        "GetSystemTimeAsFileTime",
        "GlobalFree",
        "HeapDestroy",
        "InitializeCriticalSection",
        "LeaveCriticalSection",
        "LoadLibraryA",
        "LoadLibraryW",
        "LocalFree",
        "OutputDebugStringA",
        "OutputDebugStringW",
        "QueryPerformanceCounter",
        "QueryPerformanceFrequency",
        "ReleaseMutex",
        "ResetEvent",
        "ResumeThread",
        "RtlDeleteCriticalSection",
        "RtlEnterCriticalSection",
        "RtlInitializeCriticalSection",
        "RtlLeaveCriticalSection",
        "RtlTryEnterCriticalSection",
        "SetErrorMode",
        "SetEvent",
        "SetLastError",
        "SetUnhandledExceptionFilter",
        "Sleep",
        "SuspendThread",
        "SwitchToFiber",
        "TlsFree",
        "TlsGetValue",
        "TryEnterCriticalSection",
        "UnhandledExceptionFilter",
        "UnmapViewOfFile",
        "lstrlenA",
        "lstrlenW",
    ],
    &[
        "GetExitCodeThread",
        "GetProcAddress",
        "GlobalAlloc",
        "InitializeCriticalSectionAndSpinCount",
        "LocalAlloc",
        "RtlInitializeCriticalSectionAndSpinCount",
        "SetCriticalSectionSpinCount",
        "SetThreadPriority",
        "SleepEx",
        "TerminateProcess",
        "TerminateThread",
        "TlsSetValue",
        "WaitForSingleObject",
        "lstrcatA",
        "lstrcatW",
        "lstrcmpA",
        "lstrcmpW",
        "lstrcmpiA",
        "lstrcmpiW",
        "lstrcpyA",
        "lstrcpyW",
    ],
    &[
        "CreateFiber",
        "CreateMutexA",
        "CreateMutexW",
        "GetModuleFileNameA",
        "GetModuleFileNameW",
        "HeapAlloc",
        "HeapCreate",
        "HeapFree",
        "HeapSize",
        "InitializeCriticalSectionEx",
        "OpenThread",
        "QueueUserWorkItem",
        "ReleaseSemaphore",
        "RtlAllocateHeap",
        "RtlFreeHeap",
        "RtlInitializeCriticalSectionEx",
        "VirtualFree",
        "WaitForSingleObjectEx",
        "lstrcpynA",
        "lstrcpynW",
    ],
    &[
        "CreateEventA",
        "CreateEventW",
        "CreateSemaphoreA",
        "CreateSemaphoreW",
        "HeapReAlloc",
        "PostMessageA",
        "PostMessageW",
        "RaiseException",
        "RtlReAllocateHeap",
        "SendMessageA",
        "SendMessageW",
        "VirtualAlloc",
        "VirtualProtect",
        "WaitForMultipleObjects",
    ],
    &["MapViewOfFile", "ReadFile", "RegOpenKeyExA", "RegOpenKeyExW", "VirtualAllocEx", "WriteFile"],
    &[
        "CreateFileMappingA",
        "CreateFileMappingW",
        "CreateThread",
        "RegQueryValueExA",
        "RegQueryValueExW",
    ],
    &["CreateFileA", "CreateFileW", "CreateTimerQueueTimer", "DuplicateHandle"],
];
/// Functions of the C runtime library besides [`READERS`] and [`FILLERS`]; their callers take the arguments off the stack (`__cdecl`).
const OF_CALLER: &[&str] = &[
    "__getmainargs",
    "__set_app_type",
    "__wgetmainargs",
    "_beginthreadex",
    "_configthreadlocale",
    "_initterm",
    "_initterm_e",
    "_onexit",
    "_set_app_type",
    "_set_fmode",
    "abort",
    "atexit",
    "calloc",
    "exit",
    "free",
    "malloc",
    "printf",
    "qsort",
    "realloc",
    "signal",
];

/// Functions of the C runtime library by the number of their arguments (Microsoft C runtime library reference).
const OF_RUNTIME: &[&[&str]] = &[
    &["_errno", "abort"],
    &["_onexit", "atexit", "atoi", "atol", "exit", "free", "malloc", "puts", "strlen", "wcslen"],
    &[
        "calloc", "fputc", "fputs", "putc", "realloc", "strcat", "strchr", "strcmp", "strcpy",
        "strrchr", "strstr", "wcscat", "wcscmp", "wcscpy",
    ],
    &["memchr", "memcmp", "memcpy", "memmove", "memset", "strncmp", "strncpy"],
];

/// How many arguments a function of this name has, where that is known.
///
/// - situation: x64 passes arguments in registers, which hold something from before where there are fewer.
/// - example: `fputc(' ', file)`, with the address of a local in r8.
/// - handling: what is behind a function's last argument is none.
/// - test: `what_is_behind_the_last_argument_is_none`.
pub(super) fn arity(name: &str) -> Option<usize> {
    let count = |table: &[&[&str]]| table.iter().position(|names| names.contains(&name));
    count(ARGUMENTS).or_else(|| count(OF_RUNTIME))
}

/// Bytes of arguments that an x86 function of this name takes off the stack, where that is known.
pub(super) fn bytes_taken_by(name: &str) -> Option<u64> {
    let count = ARGUMENTS.iter().position(|names| names.contains(&name));
    let is_of_runtime = || {
        let is_listed = READERS.contains(&name) || FILLERS.contains(&name);
        let starts_small =
            name.starts_with(|first: char| first == '_' || first.is_ascii_lowercase());
        OF_CALLER.contains(&name)
            || name.starts_with("__p_")
            || is_listed && starts_small && !name.starts_with("lstr") && name != "recv"
    };
    count
        .and_then(|count| u64::try_from(count).ok()?.checked_mul(4))
        .or_else(|| is_of_runtime().then_some(0))
}
