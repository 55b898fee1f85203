//! The environment: which Windows, or none; whether its sections have events at all; how the exception
//! was raised.

use super::{Case, Finding, FindingId};
use crate::crash::stack::Scene;
use crate::critsec::encoding_of;
use crate::critsec::handle::HandleState;
use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::{Dump, OsSource, stream_type};
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

/// What kind of Windows the process ran on, decided once for all who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// Wine, not Windows.
    pub is_wine: bool,
    /// Whether ntdll stores event handles in sections.
    pub events: EventMode,
    /// How the version says `LockCount` is encoded.
    pub encoding: LockCountEncoding,
}

impl Platform {
    /// Decides for a dump.
    #[must_use]
    pub fn of(scene: Scene<'_, '_>) -> Self {
        let is_wine = is_wine(scene.dump, scene.images);
        Self {
            is_wine,
            events: event_mode(scene.dump, is_wine),
            encoding: encoding_of(scene.dump, is_wine),
        }
    }
}

/// Whether the process ran under Wine (critical-sections.md 2.3).
///
/// - situation: Wine counts LockCount up from -1 whatever Windows it reports.
/// - example: a dump that says 10.0 and has LockCount 1 with one waiter.
/// - handling: ntdll exports `wine_get_version`, a module that only Wine has is loaded, or, where ntdll's exports are
///   not in the dump, its writer added Wine's stream of ELF modules (0xFFF0).
/// - test: `wine_is_recognised`.
#[must_use]
pub fn is_wine(dump: &Dump<'_>, images: &Images<'_, '_>) -> bool {
    let by_module = dump.modules.iter().any(|module| {
        let name = module.file_name().to_ascii_lowercase();
        matches!(name.as_str(), "winex11.drv" | "winewayland.drv" | "ntdll.so" | "winevulkan.dll")
    });
    let mut of_ntdll = dump
        .modules
        .iter()
        .filter(|module| module.is_named("ntdll.dll"))
        .filter_map(|module| exports(images, module.base, "wine_get_version"))
        .peekable();
    let by_stream =
        of_ntdll.peek().is_none() && dump.stream(stream_type::WINE_ELF_MODULES).is_some();
    by_module || by_stream || of_ntdll.any(|exported| exported)
}

/// Whether a module exports a name; `None` when its exports are not in the dump.
fn exports(images: &Images<'_, '_>, base: u64, name: &str) -> Option<bool> {
    let module = images.module_at(base)?;
    let (image, exports) = (module.image().ok()?, module.exports().ok()?);
    Some(exports.find(images.space(), image, name).is_some())
}

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    wine(case, findings);
    events(case, findings);
    raised_by_kernel(case, findings);
}

fn wine(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    if case.platform.is_wine {
        findings.push(Finding::new(
            FindingId::RunsUnderWine,
            "The process ran under Wine, whose sections count up from -1 whatever Windows it reports.",
            "modules and exports",
        ));
    }
}

/// Whether this Windows stores handles in sections (critical-sections.md 9, row 1).
///
/// - situation: since Windows 10 waiters are parked by address.
/// - example: LockSemaphore 0x1F0 on 10.0.19041, AppCompatFlags 0.
/// - handling: see [`event_mode`]; only where LockSemaphore is neither 0 nor -1.
/// - test: `whether_events_are_possible_is_said`.
fn events(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some((value, state)) = case.handle else { return };
    if matches!(state, HandleState::None | HandleState::WaitOnAddress) {
        return;
    }
    let dump = case.scene.dump;
    let os = &dump.system.os;
    let version = format!("Windows {}.{}.{}", os.major, os.minor, os.build);
    let (id, text) = match case.platform.events {
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

/// Whether the kernel raised the exception (critical-sections.md 4.1, and 9 row 34).
///
/// - situation: with strict handle checks the kernel raises at the bad reference.
/// - example: frame 0 is KiRaiseUserExceptionDispatcher.
/// - handling: by the innermost frame's name; no weight, as it says nothing of the cause.
/// - test: `the_platform_is_said`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::synth::Synth;

    fn judged(build: impl Fn(Synth) -> Synth) -> bool {
        let file =
            build(Synth::new(Cpu::Amd64).module(0x7_0000_0000, 0x1000, "ntdll.dll", [10, 0, 0, 0]))
                .build();
        let dump = Dump::parse(&file).unwrap();
        let images =
            Images::new(&dump.memory, dump.modules.iter().map(|module| (module.base, module.size)));
        is_wine(&dump, &images)
    }

    #[test]
    fn wine_is_recognised() {
        assert!(!judged(|dump| dump));
        assert!(judged(|dump| dump.stream(stream_type::WINE_ELF_MODULES, [0; 16])));
        assert!(judged(|dump| dump.module(0x8_0000_0000, 0x1000, "winex11.drv", [0; 4])));
    }
}
