//! The environment: which Windows, or none; whether its sections have events at all; how the exception
//! was raised.

use super::{Case, Finding, FindingId};
use crate::crash::stack::Scene;
use crate::critsec::handle::HandleState;
use crate::dump::{Dump, OsSource};
use crate::image::images::Images;

/// KACF_ALLOCDEBUGINFOFORCRITSECTIONS in PEB.AppCompatFlags: the only switch that makes Windows 10 and later
/// create events for sections (critical-sections.md 2.5).
const EVENTS_FLAG: u64 = 0x0040_0000;

/// Whether ntdll stores event handles in sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventMode {
    /// It does, or may.
    Possible,
    /// It does not: Windows 10 or later without the compatibility flag.
    Impossible,
    /// Windows 10 or later, and the flag is not in the dump.
    Unknown,
}

/// Decides the event mode (critical-sections.md 2.5). 8 and 8.1 count as possible: nothing is known of them.
#[must_use]
pub fn event_mode(dump: &Dump<'_>, is_wine: bool) -> EventMode {
    let os = &dump.system.os;
    if is_wine || os.source == OsSource::Unknown || os.major < 10 {
        return EventMode::Possible;
    }
    match dump.system.peb.as_ref().and_then(|peb| peb.app_compat_flags) {
        Some(flags) if flags & EVENTS_FLAG != 0 => EventMode::Possible,
        Some(_) => EventMode::Impossible,
        None => EventMode::Unknown,
    }
}

/// Whether the process ran under Wine: ntdll exports `wine_get_version`, or a module that only Wine has is
/// loaded (critical-sections.md 2.3).
#[must_use]
pub fn is_wine(dump: &Dump<'_>, images: &Images<'_, '_>) -> bool {
    let by_module = dump.modules.iter().any(|module| {
        let name = module.file_name().to_ascii_lowercase();
        matches!(name.as_str(), "winex11.drv" | "winewayland.drv" | "ntdll.so" | "winevulkan.dll")
    });
    by_module
        || dump
            .modules
            .iter()
            .filter(|module| module.is_named("ntdll.dll"))
            .any(|module| exports(images, module.base, "wine_get_version"))
}

fn exports(images: &Images<'_, '_>, base: u64, name: &str) -> bool {
    let Some(module) = images.module_at(base) else { return false };
    match (module.image(), module.exports()) {
        (Ok(image), Ok(exports)) => exports.find(images.space(), image, name).is_some(),
        _ => false,
    }
}

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    wine(case.scene, findings);
    events(case, findings);
    raised_by_kernel(case, findings);
    exiting(case, findings);
}

fn wine(scene: Scene<'_, '_>, findings: &mut Vec<Finding>) {
    if is_wine(scene.dump, scene.images) {
        findings.push(Finding::new(
            FindingId::RunsUnderWine,
            "The process ran under Wine, whose sections count up from -1 whatever Windows it reports.",
            "modules and exports",
        ));
    }
}

fn events(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some((value, state)) = case.handle else { return };
    if matches!(state, HandleState::None | HandleState::WaitOnAddress) {
        return;
    }
    let dump = case.scene.dump;
    let os = &dump.system.os;
    let version = format!("Windows {}.{}.{}", os.major, os.minor, os.build);
    let (id, text) = match event_mode(dump, is_wine(dump, case.scene.images)) {
        EventMode::Possible => return,
        EventMode::Impossible => {
            (FindingId::EventsImpossible, "stores 0 or -1 there: AppCompatFlags lacks 0x400000")
        }
        EventMode::Unknown => {
            (FindingId::EventsUnlikely, "stores 0 or -1 there unless AppCompatFlags has 0x400000")
        }
    };
    findings.push(Finding::new(
        id,
        format!("LockSemaphore is {value:#x}, but {version} {text}."),
        "PEB.AppCompatFlags",
    ));
}

fn raised_by_kernel(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let first = case.crash.frames.first().and_then(|frame| frame.function.as_ref());
    if first.is_some_and(|function| function.name == "KiRaiseUserExceptionDispatcher") {
        findings.push(Finding::new(
            FindingId::RaisedByKernel,
            "The kernel raised the exception itself: handle checks are strict in this process.",
            "frame 0",
        ));
    }
}

/// Functions that run when a process ends.
const EXIT_FUNCTIONS: &[&str] = &[
    "LdrShutdownProcess",
    "RtlExitUserProcess",
    "ExitProcess",
    "exit",
    "_exit",
    "doexit",
    "_cexit",
];

fn exiting(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let frame = case.crash.frames.iter().position(|frame| {
        frame
            .function
            .as_ref()
            .is_some_and(|function| EXIT_FUNCTIONS.contains(&function.name.as_str()))
    });
    if let Some(index) = frame {
        findings.push(Finding::new(
            FindingId::ProcessExiting,
            "The faulting thread is running the process's exit handlers.",
            format!("frame {index}"),
        ));
    }
}
