//! The process environment block, read out of process memory.
//!
//! Offsets: critical-sections.md 6.1 (compiled from phnt); ARM64 has the x64 layout.

use super::memory::{AddressSpace, PointerWidth};
use super::text;

/// Longest CSDVersion read, in bytes; "Service Pack 3" has 28.
const MAX_CSD_BYTES: u16 = 256;

/// The fields of a PEB that csdump uses; each is there when its bytes are in the dump.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peb {
    /// Where it stands.
    pub address: u64,
    /// BeingDebugged, +0x02.
    pub being_debugged: Option<bool>,
    /// ImageBaseAddress, x86 +0x08, x64 +0x10.
    pub image_base_address: Option<u64>,
    /// Ldr, x86 +0x0C, x64 +0x18: address of PEB_LDR_DATA.
    pub ldr: Option<u64>,
    /// ProcessHeap, x86 +0x18, x64 +0x30.
    pub process_heap: Option<u64>,
    /// FastPebLock, x86 +0x1C, x64 +0x38: address of a critical section.
    pub fast_peb_lock: Option<u64>,
    /// NumberOfProcessors, x86 +0x64, x64 +0xB8.
    pub number_of_processors: Option<u32>,
    /// NtGlobalFlag, x86 +0x68, x64 +0xBC.
    pub nt_global_flag: Option<u32>,
    /// CriticalSectionTimeout, x86 +0x70, x64 +0xC0: negative counts of 100 ns.
    pub critical_section_timeout: Option<i64>,
    /// NumberOfHeaps, x86 +0x88, x64 +0xE8.
    pub number_of_heaps: Option<u32>,
    /// ProcessHeaps, x86 +0x90, x64 +0xF0: address of an array of heap addresses.
    pub process_heaps: Option<u64>,
    /// LoaderLock, x86 +0xA0, x64 +0x110: address of a critical section.
    pub loader_lock: Option<u64>,
    /// OSMajorVersion, x86 +0xA4, x64 +0x118.
    pub os_major_version: Option<u32>,
    /// OSMinorVersion, x86 +0xA8, x64 +0x11C.
    pub os_minor_version: Option<u32>,
    /// OSBuildNumber, x86 +0xAC, x64 +0x120.
    pub os_build_number: Option<u16>,
    /// OSCSDVersion, x86 +0xAE, x64 +0x122: high byte the service pack's number.
    pub os_csd_version: Option<u16>,
    /// AppCompatFlags, x86 +0x1D8, x64 +0x2C8; 0x400000 brings back event mode (critical-sections.md 2.5).
    pub app_compat_flags: Option<u64>,
    /// CSDVersion, x86 +0x1F0, x64 +0x2E8: the service pack's name, sanitised.
    pub csd_version: Option<String>,
}

impl Peb {
    /// Reads the PEB at `address`. `None` when not even its first page's start is in the dump.
    #[must_use]
    pub fn read(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Self> {
        if address == 0 {
            return None;
        }
        let pick = |four: u64, eight: u64| {
            address.checked_add(match width {
                PointerWidth::Four => four,
                PointerWidth::Eight => eight,
            })
        };
        let pointer = |four, eight| memory.pointer(pick(four, eight)?, width);
        let dword = |four, eight| memory.u32(pick(four, eight)?);
        let peb = Self {
            address,
            being_debugged: memory.u8(pick(2, 2)?).map(|byte| byte != 0),
            image_base_address: pointer(0x08, 0x10),
            ldr: pointer(0x0c, 0x18),
            process_heap: pointer(0x18, 0x30),
            fast_peb_lock: pointer(0x1c, 0x38),
            number_of_processors: dword(0x64, 0xb8),
            nt_global_flag: dword(0x68, 0xbc),
            critical_section_timeout: memory.u64(pick(0x70, 0xc0)?).map(u64::cast_signed),
            number_of_heaps: dword(0x88, 0xe8),
            process_heaps: pointer(0x90, 0xf0),
            loader_lock: pointer(0xa0, 0x110),
            os_major_version: dword(0xa4, 0x118),
            os_minor_version: dword(0xa8, 0x11c),
            os_build_number: memory.u16(pick(0xac, 0x120)?),
            os_csd_version: memory.u16(pick(0xae, 0x122)?),
            app_compat_flags: memory.u64(pick(0x1d8, 0x2c8)?),
            csd_version: unicode_string(memory, pick(0x1f0, 0x2e8)?, width),
        };
        (peb != Self { address, ..Self::default() }).then_some(peb)
    }

    /// Major, minor and build, when they can be a version of Windows NT.
    ///
    /// Situation: the page at the PEB's address is something else, or was overwritten.
    /// Example: OSMajorVersion 0x6c6c6548 in a dump of corrupted memory.
    /// Handling: major must be 4, 5, 6 or 10, minor at most 3 (0 on 10), build at least 1000 and number of processors 1 to 4096; otherwise the next source is used.
    /// Test: `an_implausible_peb_is_not_trusted`.
    #[must_use]
    pub fn os_version(&self) -> Option<(u32, u32, u32)> {
        let (major, minor) = (self.os_major_version?, self.os_minor_version?);
        let build = u32::from(self.os_build_number?);
        let version = match major {
            10 => minor == 0,
            5 | 6 => minor <= 3,
            4 => minor == 0,
            _ => false,
        };
        let processors = self.number_of_processors.is_none_or(|count| (1..=4096).contains(&count));
        (version && build >= 1000 && processors).then_some((major, minor, build))
    }

    /// Name of the service pack: CSDVersion, or made from OSCSDVersion.
    #[must_use]
    pub fn service_pack(&self) -> Option<String> {
        let named = self.csd_version.clone().filter(|name| !name.is_empty());
        named.or_else(|| {
            let number = self.os_csd_version? >> 8;
            (number > 0).then(|| format!("Service Pack {number}"))
        })
    }
}

/// The UNICODE_STRING at `address`: u16 Length in bytes, u16 MaximumLength, then at pointer alignment the buffer.
fn unicode_string(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<String> {
    let length = memory.u16(address)?;
    let buffer = memory.pointer(address.checked_add(width.bytes())?, width)?;
    if length == 0 || length > MAX_CSD_BYTES || buffer == 0 {
        return None;
    }
    let bytes = memory.read_up_to(buffer, length.into());
    (bytes.len() == usize::from(length)).then(|| text::utf16(&bytes))
}
