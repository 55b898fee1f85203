//! General-purpose registers with the origin of each value.

use super::IpKind;
use super::pe::Machine;
use crate::dump::memory::PointerWidth;
use minidump::{MinidumpContext, MinidumpContextValidity, MinidumpRawContext};

/// A general-purpose register by its number in instructions and unwind codes. On x86 the first eight are
/// `eax` to `edi`; the others do not exist there. ARM64 has [`Register::X`] and [`Register::Sp`] only.
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
    /// x0 to x30 of ARM64 by number; x29 is the frame pointer, x30 the link register.
    X(u8),
    /// sp of ARM64.
    Sp,
}

impl Register {
    /// fp of ARM64, x29.
    pub const FP: Self = Self::X(29);
    /// lr of ARM64, x30.
    pub const LR: Self = Self::X(30);

    /// All registers of x86 and x64 in the order of their numbers.
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

    /// The registers of a machine in the order of their numbers.
    pub fn of(machine: Machine) -> impl Iterator<Item = Self> {
        let x86 = Self::ALL.into_iter().take(if machine == Machine::Arm64 { 0 } else { 16 });
        let arm64 = (0..=30).map(Self::X).chain([Self::Sp]);
        x86.chain(arm64.take(if machine == Machine::Arm64 { SLOTS } else { 0 }))
    }

    /// The stack pointer of a machine.
    #[must_use]
    pub fn stack_pointer(machine: Machine) -> Self {
        if machine == Machine::Arm64 { Self::Sp } else { Self::Rsp }
    }

    /// Whether the register is the stack pointer of its machine.
    #[must_use]
    pub fn is_stack_pointer(self) -> bool {
        matches!(self, Self::Rsp | Self::Sp)
    }

    /// Whether the register belongs to ARM64.
    fn is_arm64(self) -> bool {
        matches!(self, Self::X(_) | Self::Sp)
    }

    /// The register's place in a file, its number.
    pub(crate) fn slot(self) -> usize {
        match self {
            Self::X(number) => usize::from(number),
            Self::Sp => SLOTS.saturating_sub(1),
            _ => Self::ALL.into_iter().position(|register| register == self).unwrap_or(SLOTS),
        }
    }

    /// The x86 or x64 register with this number, 0 to 15.
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
        const ARM64: [&str; SLOTS] = [
            "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
            "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
            "x26", "x27", "x28", "fp", "lr", "sp",
        ];
        let index = self.slot();
        if self.is_arm64() {
            return ARM64.get(index).copied().unwrap_or("?");
        }
        let narrow = X86.get(index).filter(|_| width == PointerWidth::Four);
        narrow.or_else(|| X64.get(index)).copied().unwrap_or("?")
    }

    /// Whether a function must hand the register back as it got it. x64: "x64 calling convention",
    /// learn.microsoft.com/cpp/build; x86: ebx, ebp, esi, edi in every Windows calling convention; ARM64: x19 to
    /// x28, fp and sp ("Overview of ARM64 ABI conventions", the same site). lr is the callee's to change.
    #[must_use]
    pub fn is_nonvolatile(self, width: PointerWidth) -> bool {
        match self {
            Self::Rbx | Self::Rsp | Self::Rbp | Self::Rsi | Self::Rdi => true,
            Self::R12 | Self::R13 | Self::R14 | Self::R15 => width == PointerWidth::Eight,
            Self::X(19..=29) | Self::Sp => true,
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
    /// A stack pointer that is known to be no lower: an ARM64 frame record says where it lies itself, not how large the
    /// frame around it is.
    AtLeast,
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
            Self::AtLeast => "at least",
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

/// Places of a file: 31 registers and the stack pointer of ARM64, the most that a machine has.
const SLOTS: usize = 32;

/// The registers of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterFile {
    machine: Machine,
    ip: u64,
    slots: [Slot; SLOTS],
}

impl RegisterFile {
    /// An x86 or x64 file, by the width, in which only the instruction pointer and the stack pointer are known.
    #[must_use]
    pub fn new(width: PointerWidth, ip: u64, sp: u64) -> Self {
        let machine = match width {
            PointerWidth::Four => Machine::X86,
            PointerWidth::Eight => Machine::Amd64,
        };
        Self::of(machine, ip, sp)
    }

    /// A file of a machine in which only the instruction pointer and the stack pointer are known.
    #[must_use]
    pub fn of(machine: Machine, ip: u64, sp: u64) -> Self {
        let mut file = Self { machine, ip, slots: [UNKNOWN; SLOTS] };
        file.set(Register::stack_pointer(machine), sp, Provenance::Context);
        file
    }

    /// The registers of an x86, x64 or ARM64 context; `None` for another machine, or when the context does not
    /// hold the instruction and stack pointers.
    #[must_use]
    pub fn from_context(context: &MinidumpContext) -> Option<Self> {
        let mut values = [0; SLOTS];
        let mut fill = |present: &[u64]| {
            for (value, raw) in values.iter_mut().zip(present) {
                *value = *raw;
            }
        };
        let (machine, flags, ip, ip_name) = match &context.raw {
            MinidumpRawContext::Amd64(raw) => {
                fill(&[
                    raw.rax, raw.rcx, raw.rdx, raw.rbx, raw.rsp, raw.rbp, raw.rsi, raw.rdi, raw.r8,
                    raw.r9, raw.r10, raw.r11, raw.r12, raw.r13, raw.r14, raw.r15,
                ]);
                (Machine::Amd64, raw.context_flags, raw.rip, "rip")
            }
            MinidumpRawContext::X86(raw) => {
                let present =
                    [raw.eax, raw.ecx, raw.edx, raw.ebx, raw.esp, raw.ebp, raw.esi, raw.edi];
                fill(&present.map(u64::from));
                (Machine::X86, raw.context_flags, u64::from(raw.eip), "eip")
            }
            MinidumpRawContext::Arm64(raw) => {
                fill(&raw.iregs);
                if let Some(sp) = values.last_mut() {
                    *sp = raw.sp;
                }
                (Machine::Arm64, raw.context_flags, raw.pc, "pc")
            }
            _ => return None,
        };
        let valid = |name: &str| match &context.valid {
            MinidumpContextValidity::All => true,
            MinidumpContextValidity::Some(names) => names.contains(name),
        };
        let mut file = Self { machine, ip, slots: [UNKNOWN; SLOTS] };
        let width = file.width();
        for (register, value) in Register::of(machine).zip(values) {
            if valid(register.name(width)) && is_captured(register, width, flags) {
                file.set(register, value, Provenance::Context);
            }
        }
        (valid(ip_name) && file.sp().is_some()).then_some(file)
    }

    /// The machine whose registers these are.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Width of the registers.
    #[must_use]
    pub fn width(&self) -> PointerWidth {
        match self.machine {
            Machine::X86 => PointerWidth::Four,
            _ => PointerWidth::Eight,
        }
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
        self.get(Register::stack_pointer(self.machine))
    }

    /// The register's value, when it is known.
    #[must_use]
    pub fn get(&self, register: Register) -> Option<u64> {
        let slot = self.slots.get(self.slot(register)?)?;
        (slot.provenance != Provenance::Unknown).then_some(slot.value)
    }

    /// Where the register's value comes from.
    #[must_use]
    pub fn provenance(&self, register: Register) -> Provenance {
        let slot = self.slot(register).and_then(|slot| self.slots.get(slot));
        slot.map_or(Provenance::Unknown, |slot| slot.provenance)
    }

    /// The register's place; `None` for a register of another machine.
    fn slot(&self, register: Register) -> Option<usize> {
        (register.is_arm64() == (self.machine == Machine::Arm64)).then(|| register.slot())
    }

    /// Sets a register; one of another machine is not there to be set.
    pub fn set(&mut self, register: Register, value: u64, provenance: Provenance) {
        let Some(slot) = self.slot(register) else { return };
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = Slot { value, provenance };
        }
    }

    /// Forgets a register.
    pub fn forget(&mut self, register: Register) {
        self.set(register, 0, Provenance::Unknown);
    }

    /// The registers whose value is known, with value and origin.
    pub fn known(&self) -> impl Iterator<Item = (Register, u64, Provenance)> + '_ {
        Register::of(self.machine).filter_map(|register| {
            self.get(register).map(|value| (register, value, self.provenance(register)))
        })
    }

    /// The file as a caller sees it before anything is restored: volatile registers are forgotten, the
    /// others are the callee's, unchanged.
    #[must_use]
    pub fn as_caller(&self) -> Self {
        let mut caller = self.clone();
        for register in Register::of(self.machine) {
            if !register.is_nonvolatile(self.width()) {
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
/// (winnt.h; rbp belongs to CONTROL on x86 and to INTEGER on x64; fp and lr of ARM64 belong to CONTROL).
///
/// Situation: a writer fills a context and sets neither bit.
/// Example: a synthetic context with flags 0x100000.
/// Handling: such flags say nothing about registers, so all of them count as captured.
/// Test: `context_flags_decide_what_is_known`.
fn is_captured(register: Register, width: PointerWidth, flags: u32) -> bool {
    const CONTROL: u32 = 1;
    const INTEGER: u32 = 2;
    let group = match register {
        Register::Rsp | Register::Sp | Register::X(29..) => CONTROL,
        Register::Rbp if width == PointerWidth::Four => CONTROL,
        _ if width == PointerWidth::Four && register > Register::Rdi => return false,
        _ => INTEGER,
    };
    flags & (CONTROL | INTEGER) == 0 || flags & group != 0
}

/// What the instruction pointer of a context is. `CONTEXT_ARM64_UNWOUND_TO_CALL`, 0x20000000 (winnt.h), says that it is
/// the address behind a call, as in a context that was captured or unwound to by software.
#[must_use]
pub fn ip_kind(context: &MinidumpContext) -> IpKind {
    const UNWOUND_TO_CALL: u32 = 0x2000_0000;
    match &context.raw {
        MinidumpRawContext::Arm64(raw) if raw.context_flags & UNWOUND_TO_CALL != 0 => {
            IpKind::ReturnAddress
        }
        _ => IpKind::Exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minidump::format::{CONTEXT_AMD64, CONTEXT_ARM64, CONTEXT_X86};
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
    fn arm64_names_and_values() {
        let mut iregs = [0; 31];
        iregs.iter_mut().zip(100..).for_each(|(register, value)| *register = value);
        let raw = |context_flags| CONTEXT_ARM64 {
            context_flags,
            iregs,
            sp: 8,
            pc: 9,
            ..CONTEXT_ARM64::default()
        };
        let context = |flags| MinidumpContext {
            raw: MinidumpRawContext::Arm64(raw(flags)),
            valid: MinidumpContextValidity::All,
        };
        let file = RegisterFile::from_context(&context(0x40_0007)).unwrap();
        assert_eq!((file.ip(), file.sp(), file.machine()), (9, Some(8), Machine::Arm64));
        assert_eq!(file.get(Register::X(19)), Some(119));
        assert_eq!((file.get(Register::FP), file.get(Register::LR)), (Some(129), Some(130)));
        assert_eq!(file.get(Register::Rbx), None, "a register of another machine");
        assert_eq!(file.known().count(), 32);
        assert_eq!(Register::LR.name(file.width()), "lr");
        let caller = file.as_caller();
        assert_eq!((caller.get(Register::X(18)), caller.get(Register::LR)), (None, None));
        assert_eq!(caller.provenance(Register::X(28)), Provenance::Unchanged);
        let control = RegisterFile::from_context(&context(0x40_0001)).unwrap();
        assert_eq!((control.get(Register::X(19)), control.get(Register::LR)), (None, Some(130)));
        assert_eq!(ip_kind(&context(0x40_0007)), IpKind::Exact);
        assert_eq!(ip_kind(&context(0x2040_0007)), IpKind::ReturnAddress);
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
