//! General-purpose registers with the origin of each value.

use crate::dump::memory::PointerWidth;
use minidump::{MinidumpContext, MinidumpContextValidity, MinidumpRawContext};

/// A general-purpose register by its number in instructions and unwind codes. On x86 the first eight are
/// `eax` to `edi`; the others do not exist there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// rax, eax.
    Rax,
    /// rcx, ecx.
    Rcx,
    /// rdx, edx.
    Rdx,
    /// rbx, ebx.
    Rbx,
    /// rsp, esp.
    Rsp,
    /// rbp, ebp.
    Rbp,
    /// rsi, esi.
    Rsi,
    /// rdi, edi.
    Rdi,
    /// r8.
    R8,
    /// r9.
    R9,
    /// r10.
    R10,
    /// r11.
    R11,
    /// r12.
    R12,
    /// r13.
    R13,
    /// r14.
    R14,
    /// r15.
    R15,
}

impl Register {
    /// All registers in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Rax,
        Self::Rcx,
        Self::Rdx,
        Self::Rbx,
        Self::Rsp,
        Self::Rbp,
        Self::Rsi,
        Self::Rdi,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];

    /// The register with this number, 0 to 15.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The register's name on a machine of this pointer width, as the minidump crate spells it.
    #[must_use]
    pub fn name(self, width: PointerWidth) -> &'static str {
        const X64: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        const X86: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
        let index = self as usize;
        let narrow = X86.get(index).filter(|_| width == PointerWidth::Four);
        narrow.or_else(|| X64.get(index)).copied().unwrap_or("?")
    }

    /// Whether a function must hand the register back as it got it. x64: "x64 calling convention",
    /// learn.microsoft.com/cpp/build; x86: ebx, ebp, esi, edi in every Windows calling convention.
    #[must_use]
    pub fn is_nonvolatile(self, width: PointerWidth) -> bool {
        match self {
            Self::Rbx | Self::Rsp | Self::Rbp | Self::Rsi | Self::Rdi => true,
            Self::R12 | Self::R13 | Self::R14 | Self::R15 => width == PointerWidth::Eight,
            _ => false,
        }
    }
}

/// Where a register's value in a frame comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// The thread's context holds it.
    Context,
    /// As in the context: no function in between saves it, so by its unwind data none changes it.
    Unchanged,
    /// Loaded from the stack slot a function saved it in. It stays the origin in the frames above that
    /// leave the register alone.
    Restored {
        /// Address of the slot.
        address: u64,
    },
    /// The result of arithmetic: a stack pointer, or a frame pointer.
    Computed,
    /// Not known; [`RegisterFile::get`] gives nothing.
    Unknown,
}

impl Provenance {
    /// Short name for reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Unchanged => "unchanged",
            Self::Restored { .. } => "restored",
            Self::Computed => "computed",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    value: u64,
    provenance: Provenance,
}

const UNKNOWN: Slot = Slot { value: 0, provenance: Provenance::Unknown };

/// The registers of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterFile {
    width: PointerWidth,
    ip: u64,
    slots: [Slot; 16],
}

impl RegisterFile {
    /// A file in which only the instruction pointer and the stack pointer are known.
    #[must_use]
    pub fn new(width: PointerWidth, ip: u64, sp: u64) -> Self {
        let mut file = Self { width, ip, slots: [UNKNOWN; 16] };
        file.set(Register::Rsp, sp, Provenance::Context);
        file
    }

    /// The registers of an x86 or x64 context; `None` for another machine, or when the context does not
    /// hold the instruction and stack pointers.
    #[must_use]
    pub fn from_context(context: &MinidumpContext) -> Option<Self> {
        let (width, flags, ip, values) = match &context.raw {
            MinidumpRawContext::Amd64(raw) => (
                PointerWidth::Eight,
                raw.context_flags,
                raw.rip,
                [
                    raw.rax, raw.rcx, raw.rdx, raw.rbx, raw.rsp, raw.rbp, raw.rsi, raw.rdi, raw.r8,
                    raw.r9, raw.r10, raw.r11, raw.r12, raw.r13, raw.r14, raw.r15,
                ],
            ),
            MinidumpRawContext::X86(raw) => {
                let mut values = [0; 16];
                let present =
                    [raw.eax, raw.ecx, raw.edx, raw.ebx, raw.esp, raw.ebp, raw.esi, raw.edi];
                for (value, raw) in values.iter_mut().zip(present) {
                    *value = u64::from(raw);
                }
                (PointerWidth::Four, raw.context_flags, u64::from(raw.eip), values)
            }
            _ => return None,
        };
        let ip_name = if width == PointerWidth::Eight { "rip" } else { "eip" };
        let valid = |name: &str| match &context.valid {
            MinidumpContextValidity::All => true,
            MinidumpContextValidity::Some(names) => names.contains(name),
        };
        let mut file = Self { width, ip, slots: [UNKNOWN; 16] };
        for (register, value) in Register::ALL.into_iter().zip(values) {
            if valid(register.name(width)) && is_captured(register, width, flags) {
                file.set(register, value, Provenance::Context);
            }
        }
        (valid(ip_name) && file.get(Register::Rsp).is_some()).then_some(file)
    }

    /// Width of the registers.
    #[must_use]
    pub fn width(&self) -> PointerWidth {
        self.width
    }

    /// The instruction pointer.
    #[must_use]
    pub fn ip(&self) -> u64 {
        self.ip
    }

    /// Replaces the instruction pointer.
    pub fn set_ip(&mut self, ip: u64) {
        self.ip = ip;
    }

    /// The stack pointer, when it is known.
    #[must_use]
    pub fn sp(&self) -> Option<u64> {
        self.get(Register::Rsp)
    }

    /// The register's value, when it is known.
    #[must_use]
    pub fn get(&self, register: Register) -> Option<u64> {
        let slot = self.slots.get(register as usize)?;
        (slot.provenance != Provenance::Unknown).then_some(slot.value)
    }

    /// Where the register's value comes from.
    #[must_use]
    pub fn provenance(&self, register: Register) -> Provenance {
        self.slots.get(register as usize).map_or(Provenance::Unknown, |slot| slot.provenance)
    }

    /// Sets a register.
    pub fn set(&mut self, register: Register, value: u64, provenance: Provenance) {
        if let Some(slot) = self.slots.get_mut(register as usize) {
            *slot = Slot { value, provenance };
        }
    }

    /// Forgets a register.
    pub fn forget(&mut self, register: Register) {
        self.set(register, 0, Provenance::Unknown);
    }

    /// The registers whose value is known, with value and origin.
    pub fn known(&self) -> impl Iterator<Item = (Register, u64, Provenance)> + '_ {
        Register::ALL.into_iter().filter_map(|register| {
            self.get(register).map(|value| (register, value, self.provenance(register)))
        })
    }

    /// The file as a caller sees it before anything is restored: volatile registers are forgotten, the
    /// others are the callee's, unchanged.
    #[must_use]
    pub fn as_caller(&self) -> Self {
        let mut caller = self.clone();
        for register in Register::ALL {
            if !register.is_nonvolatile(self.width) {
                caller.forget(register);
            } else if let Some(value) =
                self.get(register).filter(|_| self.provenance(register) == Provenance::Context)
            {
                caller.set(register, value, Provenance::Unchanged);
            }
        }
        caller
    }
}

/// Whether `ContextFlags` says that the register was captured: `CONTEXT_CONTROL` 1, `CONTEXT_INTEGER` 2
/// (winnt.h; rbp belongs to CONTROL on x86 and to INTEGER on x64).
///
/// Situation: a writer fills a context and sets neither bit.
/// Example: a synthetic context with flags 0x100000.
/// Handling: such flags say nothing about registers, so all of them count as captured.
/// Test: `context_flags_decide_what_is_known`.
fn is_captured(register: Register, width: PointerWidth, flags: u32) -> bool {
    const CONTROL: u32 = 1;
    const INTEGER: u32 = 2;
    let group = match register {
        Register::Rsp => CONTROL,
        Register::Rbp if width == PointerWidth::Four => CONTROL,
        _ if width == PointerWidth::Four && register > Register::Rdi => return false,
        _ => INTEGER,
    };
    flags & (CONTROL | INTEGER) == 0 || flags & group != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use minidump::format::{CONTEXT_AMD64, CONTEXT_X86};
    use std::collections::HashSet;

    fn amd64(flags: u32, valid: MinidumpContextValidity) -> MinidumpContext {
        let raw = CONTEXT_AMD64 {
            context_flags: flags,
            rip: 1,
            rsp: 2,
            rbx: 3,
            ..CONTEXT_AMD64::default()
        };
        MinidumpContext { raw: MinidumpRawContext::Amd64(raw), valid }
    }

    #[test]
    fn context_flags_decide_what_is_known() {
        let all = MinidumpContextValidity::All;
        let file = RegisterFile::from_context(&amd64(0x10_0001, all.clone())).unwrap();
        assert_eq!((file.ip(), file.sp(), file.get(Register::Rbx)), (1, Some(2), None));
        let file = RegisterFile::from_context(&amd64(0x10_000B, all.clone())).unwrap();
        assert_eq!(file.get(Register::Rbx), Some(3));
        let file = RegisterFile::from_context(&amd64(0x10_0000, all.clone())).unwrap();
        assert_eq!(file.get(Register::Rbx), Some(3));
        assert_eq!(RegisterFile::from_context(&amd64(0x10_0002, all)), None);
    }

    #[test]
    fn validity_is_honoured() {
        let some = MinidumpContextValidity::Some(HashSet::from(["rip", "rsp"]));
        let file = RegisterFile::from_context(&amd64(0x10_000B, some)).unwrap();
        assert_eq!(file.get(Register::Rbx), None);
    }

    #[test]
    fn x86_names_and_values() {
        let raw =
            CONTEXT_X86 { context_flags: 0x1_0007, eip: 9, esp: 8, esi: 7, ..Default::default() };
        let context = MinidumpContext {
            raw: MinidumpRawContext::X86(raw),
            valid: MinidumpContextValidity::All,
        };
        let file = RegisterFile::from_context(&context).unwrap();
        assert_eq!((file.ip(), file.sp(), file.get(Register::Rsi)), (9, Some(8), Some(7)));
        assert_eq!(file.get(Register::R8), None);
        assert_eq!(Register::Rsi.name(file.width()), "esi");
        assert_eq!(Register::R12.name(PointerWidth::Eight), "r12");
    }

    #[test]
    fn a_caller_keeps_only_nonvolatile_registers() {
        let mut file = RegisterFile::new(PointerWidth::Eight, 1, 2);
        file.set(Register::Rax, 3, Provenance::Context);
        file.set(Register::Rdi, 4, Provenance::Context);
        file.set(Register::R15, 5, Provenance::Restored { address: 6 });
        let caller = file.as_caller();
        assert_eq!(caller.get(Register::Rax), None);
        assert_eq!(caller.provenance(Register::Rdi), Provenance::Unchanged);
        assert_eq!(caller.provenance(Register::R15), Provenance::Restored { address: 6 });
    }
}
