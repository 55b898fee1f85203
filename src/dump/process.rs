//! The process: MiscInfo (15) and what else names it.

use super::bytes::Stream;
use super::modules::Module;

/// Flags1 of MINIDUMP_MISC_INFO: ProcessId is valid.
const MISC1_PROCESS_ID: u32 = 1;
/// Flags1: the process times are valid.
const MISC1_PROCESS_TIMES: u32 = 2;

/// The dumped process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// MINIDUMP_MISC_INFO +8 ProcessId, else the TEB's.
    pub id: Option<u32>,
    /// MINIDUMP_MISC_INFO +12 ProcessCreateTime, seconds since 1970.
    pub create_time: Option<u32>,
    /// Time of the dump minus `create_time`, in seconds.
    pub uptime_s: Option<u64>,
    /// File name of the first module, which is the program.
    pub name: Option<String>,
    /// File version of the first module.
    pub version: Option<[u16; 4]>,
}

/// Puts the process together. MINIDUMP_MISC_INFO: +0 SizeOfInfo, +4 Flags1, +8 ProcessId, +12 ProcessCreateTime.
pub(crate) fn read(
    misc: Option<Stream<'_>>,
    teb_process: Option<u64>,
    time_date_stamp: u32,
    modules: &[Module],
) -> Process {
    let flags = misc.and_then(|stream| stream.u32(4)).unwrap_or(0);
    let field = |flag, offset| misc.filter(|_| flags & flag != 0)?.u32(offset);
    let create_time = field(MISC1_PROCESS_TIMES, 12).filter(|time| *time != 0);
    let main = modules.first();
    Process {
        id: field(MISC1_PROCESS_ID, 8)
            .or_else(|| teb_process.and_then(|id| u32::try_from(id).ok())),
        create_time,
        uptime_s: create_time.and_then(|time| time_date_stamp.checked_sub(time)).map(u64::from),
        name: main.map(|module| module.file_name().to_owned()).filter(|name| !name.is_empty()),
        version: main.and_then(|module| module.version),
    }
}
