//! Step 4, critsec: `RTL_CRITICAL_SECTION` and its debug record decoded for a pointer width and a
//! `LockCount` encoding. Format knowledge only; what a value means for the crash is judged later.

pub mod debug_info;
pub mod fill;
pub mod gate;
pub mod handle;
pub mod layout;
pub mod lock_count;
pub mod search;
pub mod spin_count;
pub mod wait_blocks;

use crate::dump::memory::PointerWidth;
use crate::dump::{Cpu, Dump};
use debug_info::DebugInfoState;
use layout::RawCriticalSection;
use lock_count::LockCountEncoding;

/// A section decoded from a dump.
#[derive(Debug, Clone)]
pub struct CriticalSection {
    /// Its address.
    pub address: u64,
    /// Width of its pointers.
    pub width: PointerWidth,
    /// How `LockCount` is encoded.
    pub encoding: LockCountEncoding,
    /// The fields; `None` when the dump does not hold them.
    pub raw: Option<RawCriticalSection>,
    /// The debug record; `None` when the fields are missing.
    pub debug_info: Option<DebugInfoState>,
}

/// Whether a thread of the process is inside, and LockCount agrees with it: locked, with no more waiters than threads.
#[must_use]
pub fn has_live_owner(
    dump: &Dump<'_>,
    raw: &RawCriticalSection,
    encoding: LockCountEncoding,
) -> bool {
    let threads = &dump.threads;
    let state = lock_count::decode(encoding, raw.lock_count, raw.recursion_count);
    raw.recursion_count > 0
        && threads.iter().any(|thread| u64::from(thread.id) == raw.owning_thread)
        && state.locked
        && usize::try_from(state.waiters).is_ok_and(|waiters| waiters <= threads.len())
}

impl CriticalSection {
    /// Reads the section at an address.
    #[must_use]
    pub fn read(dump: &Dump<'_>, address: u64, encoding: LockCountEncoding) -> Self {
        let width = dump.system.pointer_width;
        let raw = RawCriticalSection::read(&dump.memory, address, width);
        let debug_info = raw.map(|raw| debug_info::state(&dump.memory, address, &raw, width));
        Self { address, width, encoding, raw, debug_info }
    }
}

/// How `LockCount` is encoded in a dump: by version, by platform, and for Server 2003 x86 by its service
/// pack or ntdll's build (critical-sections.md 2.3).
#[must_use]
pub fn encoding_of(dump: &Dump<'_>, is_wine: bool) -> LockCountEncoding {
    if is_wine {
        return LockCountEncoding::Counting;
    }
    let os = &dump.system.os;
    let is_x64 = matches!(dump.system.cpu, Cpu::Amd64 | Cpu::Arm64);
    let service_pack = os.service_pack.as_ref().map(|text| text.contains("Service Pack"));
    let by_ntdll = || {
        let ntdll = dump.modules.iter().find(|module| module.is_named("ntdll.dll"))?;
        // 5.2.3790.1830 is SP1 (critical-sections.md 2.3).
        Some(ntdll.version?.get(3)? >= &1830)
    };
    let known = service_pack.filter(|has| *has).or_else(by_ntdll).or(service_pack);
    LockCountEncoding::of_version(os.major, os.minor, is_x64, known)
        .unwrap_or(LockCountEncoding::Counting)
}
