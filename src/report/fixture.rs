//! Hand-made reports for the tests of the renderers.

use std::cell::Cell;

use super::model::*;

thread_local! {
    static HOSTILE: Cell<&'static str> = const { Cell::new("") };
}

/// What `make` makes, with `hostile` at the end of every text.
pub(crate) fn with_hostile<T>(hostile: &'static str, make: impl Fn() -> T) -> T {
    HOSTILE.set(hostile);
    let made = make();
    HOSTILE.set("");
    made
}

fn text(value: &str) -> String {
    format!("{value}{}", HOSTILE.get())
}

fn some(value: &str) -> Option<String> {
    Some(text(value))
}

/// One line of every kind.
pub(crate) fn lines() -> Vec<Line> {
    let error = ErrorLine {
        path: text("broken.dmp"),
        error: text("the file ends inside the stream directory"),
        stream: some("directory"),
        offset: Some(32),
        member: None,
        file: None,
    };
    let bare = ErrorLine { stream: None, offset: None, ..error.clone() };
    [diagnosed(), inconclusive(), not_applicable()]
        .into_iter()
        .map(|report| Line::Report(Box::new(report)))
        .chain([Line::Error(error), Line::Error(bare)])
        .collect()
}

/// A closed handle on Windows 7, decided by the evidence.
pub(crate) fn diagnosed() -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: text("csdump"), version: text("0.1.0"), model_version: 1 },
        outcome: Outcome::Diagnosed,
        dump: dump(),
        file: None,
        collected: None,
        crash: Some(crash()),
        critical_section: Some(section()),
        handle: Some(handle()),
        verdict: Some(verdict()),
        findings: findings(),
        missing: vec![MissingInfo {
            what: text("the handle operation list (stream 18)"),
            consequence: text("the code that closed the handle cannot be named"),
            capture_with: text(
                "appverif -enable Handles -for agent.exe, then procdump -ma -e agent.exe",
            ),
        }],
        next_steps: vec![
            text(
                "Search the calls of CloseHandle for a variable that can be uninitialised or closed twice.",
            ),
            text(
                "Run agent.exe under Application Verifier, Basics: Handles; the next run stops with 0x300 at the closer.",
            ),
        ],
        signature: Some(Signature {
            cause: text("leave|handle-slot-empty|agent.exe+0xf0c0|agent.exe+0x1a2b"),
            stack: text(
                "ntdll.dll!RtlRaiseStatus|ntdll.dll!RtlpUnWaitCriticalSection|agent.exe+0x1a2b",
            ),
            version: 1,
        }),
        warnings: vec![text("thread 0x1b0: its stack is not in the dump")],
    }
}

/// The same failure in a dump too poor to decide.
pub(crate) fn inconclusive() -> Report {
    let mut report = diagnosed();
    report.outcome = Outcome::Inconclusive;
    if let Some(section) = &mut report.critical_section {
        section.fields = None;
        section.decoded = None;
        section.debug_info = None;
        section.bytes = None;
    }
    report.handle = None;
    report.findings = vec![FindingInfo {
        id: text("section-not-captured"),
        statement: text("The section at 0x0000000140f0c0 is not among the memory of the dump"),
        source: text("Memory64List"),
    }];
    if let Some(verdict) = &mut report.verdict {
        verdict.confidence = text("low");
        verdict.statement = text("The dump does not hold the section, so its cause stays open.");
        for (cause, probability) in verdict.causes.iter_mut().zip([0.4, 0.35, 0.25, 0.0]) {
            cause.probability = probability;
            cause.supporting.clear();
            cause.contradicting.retain(|found| found.weight.is_none());
        }
    }
    report.missing = vec![MissingInfo {
        what: text("the memory of the section"),
        consequence: text("corrupted, handle-closed and deleted cannot be told apart"),
        capture_with: text("procdump -ma -e agent.exe"),
    }];
    report
}

/// An access violation that has nothing to do with a section.
pub(crate) fn not_applicable() -> Report {
    let mut report = diagnosed();
    report.outcome = Outcome::NotApplicable;
    report.critical_section = None;
    report.handle = None;
    report.verdict = None;
    report.signature = None;
    report.findings.clear();
    report.missing.clear();
    report.warnings.clear();
    report.next_steps =
        vec![text("csdump locks lists the sections and the threads that wait for them.")];
    if let Some(crash) = &mut report.crash {
        crash.operation = None;
        crash.operation_source = None;
        crash.mechanism = None;
        crash.caller = None;
        crash.exception = ExceptionInfo {
            code: text("0xc0000005"),
            name: some("EXCEPTION_ACCESS_VIOLATION"),
            address: text("0x0000000140001234"),
            flags: text("0x0"),
            parameters: vec![text("0x0"), text("0x10")],
            nested: Vec::new(),
        };
    }
    report
}

fn dump() -> DumpInfo {
    DumpInfo {
        path: text("crash/agent.dmp"),
        member: None,
        size: 1_482_752,
        time: some("2026-03-01T11:12:13Z"),
        identity: text("69a41f2d-16a000-5c1b22aa"),
        sha256: None,
        writer_hint: some("MiniDumpWriteDump"),
        memory_kind: text("stacks and referenced memory"),
        images: Vec::new(),
        streams: vec![
            text("ThreadList"),
            text("ModuleList"),
            text("Exception"),
            text("SystemInfo"),
        ],
        os: Some(OsInfo {
            version: text("6.1"),
            build: 7601,
            service_pack: some("Service Pack 1"),
            source: text("peb"),
        }),
        cpu: text("x64"),
        wow64: false,
        process: ProcessInfo {
            name: some("agent.exe"),
            version: some("2.1.0.7"),
            id: Some(4120),
            uptime_s: Some(12_060),
        },
    }
}

fn crash() -> CrashInfo {
    CrashInfo {
        operation: some("leave"),
        operation_source: some("ntdll.dll!RtlpUnWaitCriticalSection on the stack"),
        mechanism: some("handle-slot-empty"),
        exception: ExceptionInfo {
            code: text("0xc0000008"),
            name: some("STATUS_INVALID_HANDLE"),
            address: text("0x0000000077a1c4d8"),
            flags: text("0x1"),
            parameters: Vec::new(),
            nested: Vec::new(),
        },
        thread_id: text("0x1a4"),
        thread_name: some("worker 3"),
        caller: some("agent.exe+0x1a2b"),
        frames: frames(),
    }
}

fn frames() -> Vec<FrameInfo> {
    let frame = |module: Option<&str>,
                 function: Option<(&str, &str)>,
                 address: &str,
                 trust: &str| FrameInfo {
        module: module.map(text),
        module_version: None,
        module_offset: module.map(|_| text("0x1a2b")),
        debug_id: None,
        timestamp: some("0x5e0b1d2c"),
        function: function.map(|(name, _)| text(name)),
        function_source: function.map(|_| text("export")),
        function_offset: function.map(|(_, offset)| text(offset)),
        address: text(address),
        trust: text(trust),
    };
    vec![
        frame(Some("ntdll.dll"), Some(("RtlRaiseStatus", "0x18")), "0x0000000077a1c4d8", "context"),
        frame(
            Some("ntdll.dll"),
            Some(("RtlLeaveCriticalSection", "0x3c")),
            "0x00000000779d1f3c",
            "unwind-info",
        ),
        frame(Some("agent.exe"), None, "0x0000000140001a2b", "unwind-info"),
        frame(None, None, "0x00000000000000ff", "scan"),
    ]
}

fn section() -> SectionInfo {
    SectionInfo {
        address: text("0x000000014000f0c0"),
        name: text("agent.exe+0xf0c0"),
        recovered_from: vec![
            text("call site in agent.exe+0x1a26"),
            text("register rbx of frame 1"),
        ],
        lock_count_encoding: some("since Windows Server 2003 SP1"),
        fields: Some(FieldsInfo {
            debug_info: text("0x00000000002a51f0"),
            lock_count: -7,
            recursion_count: 0,
            owning_thread: text("0x0"),
            lock_semaphore: text("0x164"),
            spin_count: text("0x20007d0"),
        }),
        decoded: Some(DecodedInfo {
            locked: false,
            waiter_woken: Some(true),
            waiters: 1,
            waiters_before: Some(2),
            owner: None,
            flags: vec![text("DYNAMIC_SPIN")],
        }),
        debug_info: Some(DebugRecordInfo {
            state: text("own"),
            critical_section: some("0x000000014000f0c0"),
            entry_count: Some(0),
            contention_count: Some(17),
        }),
        bytes: some(
            "f0512a0000000000f9ffffff0000000000000000000000006401000000000000d007000200000000",
        ),
    }
}

fn handle() -> HandleInfo {
    HandleInfo {
        value: some("0x164"),
        source: some("LockSemaphore in memory"),
        state: text("absent"),
        type_name: None,
        name: None,
        granted_access: None,
        note: None,
        history: vec![text("CLOSE: CloseHandle called from agent.exe+0x2f10 by thread 0x1b0")],
        history_order: some("unknown"),
        history_total: Some(40),
        operations: vec![OperationInfo {
            operation: text("close"),
            purpose: text("other-code"),
            thread_id: text("0x1b0"),
            process_id: 4711,
            place: some("agent.exe+0x2f10"),
            function: some("CloseHandle"),
            failing: false,
            frames: Vec::new(),
        }],
    }
}

fn verdict() -> Verdict {
    let cause = |id: &str, title: &str, probability: f64| CauseInfo {
        id: text(id),
        title: text(title),
        probability,
        summary: text(
            "The section itself is healthy; other code closed the event that it waits on.",
        ),
        supporting: Vec::new(),
        contradicting: Vec::new(),
    };
    let adds = |finding: &str, weight: f64, reason: &str| Contribution {
        finding: text(finding),
        weight: Some(weight),
        reason: text(reason),
    };
    let mut closed = cause("handle-closed", "The event handle was closed by other code", 0.957);
    closed.supporting = vec![
        adds("debug-info-own", 1.2, "overwriting seldom spares the debug record"),
        adds("lock-semaphore-absent", 3.0, "a closed handle leaves an empty slot"),
    ];
    closed.contradicting =
        vec![adds("handle-shape-odd", -0.4, "closed handles are seldom the highest")];
    let mut corrupted = cause("corrupted", "The section was overwritten", 0.039);
    corrupted.supporting = vec![adds("lock-semaphore-absent", 0.5, "garbage is no handle either")];
    corrupted.contradicting = vec![adds("debug-info-own", -2.5, "the debug record is intact")];
    let deleted = cause("deleted", "The section was deleted while in use", 0.004);
    let mut never = cause("never-initialized", "The section was never initialised", 0.0);
    never.contradicting = vec![Contribution {
        finding: text("excluded"),
        weight: None,
        reason: text("only RtlInitializeCriticalSection makes a debug record that points back"),
    }];
    Verdict {
        confidence: text("high"),
        statement: text(
            "Other code closed the event handle 0x164 of the section agent.exe+0xf0c0 while threads waited for it.",
        ),
        named: vec![text("handle-closed")],
        causes: vec![closed, corrupted, deleted, never],
    }
}

fn findings() -> Vec<FindingInfo> {
    let finding = |id: &str, statement: &str, source: &str| FindingInfo {
        id: text(id),
        statement: text(statement),
        source: text(source),
    };
    vec![
        finding(
            "lock-semaphore-absent",
            "LockSemaphore 0x164 is not among the 14 handles of the handle stream",
            "HandleData, stream 12",
        ),
        finding(
            "debug-info-own",
            "The debug record at 0x2a51f0 points back at the section",
            "memory at 0x2a51f0",
        ),
        finding(
            "handle-shape-odd",
            "0x164 is above every handle of the stream",
            "HandleData, stream 12",
        ),
        finding("waiters-parked", "Thread 0x1b0 waits for the section", "stack of thread 0x1b0"),
    ]
}
