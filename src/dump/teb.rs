//! The thread environment block, read out of process memory.
//!
//! Offsets: critical-sections.md 6.1 (compiled from phnt); ARM64 has the x64 layout.

use super::memory::{AddressSpace, PointerWidth};

/// The fields of a TEB that csdump uses; each is there when its bytes are in the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Teb {
    /// Where it stands.
    pub address: u64,
    /// NtTib.StackBase, x86 +0x04, x64 +0x08: first address behind the stack.
    pub stack_base: Option<u64>,
    /// NtTib.StackLimit, x86 +0x08, x64 +0x10: lowest committed address.
    pub stack_limit: Option<u64>,
    /// NtTib.FiberData, x86 +0x10, x64 +0x20, a union with Version (NT_TIB, winnt.h).
    pub fiber_data: Option<u64>,
    /// NtTib.Self, x86 +0x18, x64 +0x30: the TEB's own address.
    pub self_pointer: Option<u64>,
    /// ClientId.UniqueProcess, x86 +0x20, x64 +0x40.
    pub unique_process: Option<u64>,
    /// ClientId.UniqueThread, x86 +0x24, x64 +0x48.
    pub unique_thread: Option<u64>,
    /// ProcessEnvironmentBlock, x86 +0x30, x64 +0x60.
    pub peb: Option<u64>,
    /// LastErrorValue, x86 +0x34, x64 +0x68.
    pub last_error: Option<u32>,
    /// LastStatusValue, x86 +0xBF4, x64 +0x1250.
    pub last_status: Option<u32>,
    /// ExceptionCode, x86 +0x1A4, x64 +0x2C0.
    pub exception_code: Option<u32>,
    /// DeallocationStack, x86 +0xE0C, x64 +0x1478: lowest reserved address of the stack.
    pub deallocation_stack: Option<u64>,
    /// SameTebFlags, x86 +0xFCA, x64 +0x17EE: bit 4 HasFiberData, bit 0x40 ClonedThread.
    pub same_teb_flags: Option<u16>,
}

impl Teb {
    /// Whether the thread is a fiber, and may run on another's stack: by SameTebFlags (phnt; Vista and later), or where NtTib.FiberData is
    /// a pointer: else it is a version, a small number (0 in the lab's dumps).
    #[must_use]
    pub fn has_fiber_data(&self) -> bool {
        const HAS_FIBER_DATA: u16 = 4;
        /// No pointer is less: the lowest 64 KiB are never given out.
        const LOWEST: u64 = 0x1_0000;
        self.same_teb_flags.is_some_and(|flags| flags & HAS_FIBER_DATA != 0)
            || self.fiber_data.is_some_and(|data| data >= LOWEST)
    }

    /// Reads the TEB at `address`. `None` when its Self pointer is not in the dump or points elsewhere:
    /// then the other offsets mean nothing.
    #[must_use]
    pub fn read(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Self> {
        let pick = |four: u64, eight: u64| {
            address.checked_add(match width {
                PointerWidth::Four => four,
                PointerWidth::Eight => eight,
            })
        };
        let pointer = |four, eight| memory.pointer(pick(four, eight)?, width);
        let dword = |four, eight| memory.u32(pick(four, eight)?);
        let self_pointer = pointer(0x18, 0x30)?;
        if self_pointer != address || address == 0 {
            return None;
        }
        Some(Self {
            address,
            stack_base: pointer(0x04, 0x08),
            stack_limit: pointer(0x08, 0x10),
            fiber_data: pointer(0x10, 0x20),
            self_pointer: Some(self_pointer),
            unique_process: pointer(0x20, 0x40),
            unique_thread: pointer(0x24, 0x48),
            peb: pointer(0x30, 0x60),
            last_error: dword(0x34, 0x68),
            last_status: dword(0xbf4, 0x1250),
            exception_code: dword(0x1a4, 0x2c0),
            deallocation_stack: pointer(0xe0c, 0x1478),
            same_teb_flags: pick(0xfca, 0x17ee).and_then(|at| memory.u16(at)),
        })
    }
}
