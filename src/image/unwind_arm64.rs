//! One step up an ARM64 stack by unwind data: the codes that are left to undo are executed on the registers, so that
//! every nonvolatile register of the caller has a value with an origin, or none.

use super::IpKind;
use super::pe::{Image, Machine};
use super::registers::{Provenance, Register, RegisterFile};
use super::runtime_functions_arm64::{self as runtime_functions, Region};
use super::unwind_codes_arm64::{Save, UnwindCode};
use super::unwind_x64::{Step, StepTrust, UnwindError};
use crate::dump::memory::AddressSpace;

/// CONTEXT of ARM64 (winnt.h): +0 ContextFlags, +8 X0 to X28, Fp, Lr, +0x100 Sp, +0x108 Pc.
const CONTEXT_X0: u64 = 8;
const CONTEXT_SP: u64 = 0x100;
const CONTEXT_PC: u64 = 0x108;

/// The address without a pointer authentication code. A user address has at most 47 bits on Windows; bit 55, which the
/// code leaves alone, tells it from a kernel address.
#[must_use]
pub fn strip(address: u64) -> u64 {
    const ADDRESS: u64 = 0xFFFF_FFFF_FFFF;
    const KERNEL: u64 = 1 << 55;
    if address & KERNEL == 0 { address & ADDRESS } else { address | !ADDRESS }
}

/// The caller of the frame that `registers` describes.
///
/// # Errors
/// A typed reason when the unwind data or the stack cannot be used.
pub fn step(
    space: &AddressSpace<'_>,
    image: &Image,
    registers: &RegisterFile,
    ip_kind: IpKind,
) -> Result<Step, UnwindError> {
    if image.machine != Machine::Arm64 {
        return Err(UnwindError::Machine(image.machine));
    }
    let ip = registers.ip();
    let address = ip_kind.lookup_address(ip);
    let rva = image.rva(address).ok_or(UnwindError::OutsideImage { ip: address })?;
    match runtime_functions::lookup(space, image, rva)? {
        None if ip_kind == IpKind::Exact => step_leaf(registers),
        None => Err(UnwindError::NoUnwindData { ip }),
        Some(record) => {
            let offset = rva.saturating_sub(record.begin_address);
            let (codes, region) = record.codes_at(space, image, offset)?;
            let trust = match region {
                Region::Epilogue => StepTrust::Epilogue,
                Region::Prologue | Region::Body => StepTrust::UnwindInfo,
            };
            // What cannot be named does not stop the step.
            let is_fragment = record.is_fragment(space, image).unwrap_or(true);
            let mut run = Executor::new(space, registers, ip_kind)?;
            run.all(&codes)?;
            run.finish(trust, (!is_fragment).then_some(record.begin_address))
        }
    }
}

/// The caller of a function that has touched neither stack nor lr: a leaf, or an address without code that a call went to.
///
/// # Errors
/// When lr is not known.
pub fn step_leaf(registers: &RegisterFile) -> Result<Step, UnwindError> {
    let lr = registers.get(Register::LR);
    let lr = lr.ok_or(UnwindError::RegisterUnknown { register: Register::LR })?;
    let mut caller = registers.as_caller();
    caller.set_ip(strip(lr));
    Ok(Step {
        registers: caller,
        ip_kind: IpKind::ReturnAddress,
        trust: StepTrust::Leaf,
        function: None,
        return_slot: None,
    })
}

struct Executor<'s, 'a> {
    space: &'s AddressSpace<'a>,
    registers: RegisterFile,
    callee_kind: IpKind,
    from: u64,
    sp: u64,
    /// lr, and the slot it was restored from.
    lr: Option<(u64, Option<u64>)>,
    /// Set by a frame that holds the caller's pc itself.
    pc: Option<u64>,
    kind: IpKind,
    /// Pairs that `save_next` adds to the next save.
    more_pairs: u32,
}

impl<'s, 'a> Executor<'s, 'a> {
    fn new(
        space: &'s AddressSpace<'a>,
        registers: &RegisterFile,
        kind: IpKind,
    ) -> Result<Self, UnwindError> {
        let from = registers.sp().ok_or(UnwindError::RegisterUnknown { register: Register::Sp })?;
        // Behind a call lr holds that call's return address, whatever the frame says.
        let lr = registers.get(Register::LR).filter(|_| kind == IpKind::Exact);
        Ok(Self {
            space,
            registers: registers.as_caller(),
            callee_kind: kind,
            from,
            sp: from,
            lr: lr.map(|lr| (lr, None)),
            pc: None,
            kind: IpKind::ReturnAddress,
            more_pairs: 0,
        })
    }

    fn all(&mut self, codes: &[UnwindCode]) -> Result<(), UnwindError> {
        codes.iter().try_for_each(|code| self.undo(*code))
    }

    fn undo(&mut self, code: UnwindCode) -> Result<(), UnwindError> {
        match code {
            UnwindCode::Allocate(bytes) => self.sp = self.sp.wrapping_add(u64::from(bytes)),
            UnwindCode::Save(save) => self.restore(save)?,
            UnwindCode::SaveNext => self.more_pairs = self.more_pairs.saturating_add(1),
            UnwindCode::SetFp(offset) => {
                let register = Register::FP;
                let fp = self.registers.get(register);
                let fp = fp.ok_or(UnwindError::RegisterUnknown { register })?;
                self.sp = fp.wrapping_sub(u64::from(offset));
            }
            UnwindCode::SignLr => self.lr = self.lr.map(|(lr, slot)| (strip(lr), slot)),
            UnwindCode::Nop | UnwindCode::EndOfFragment => {}
            UnwindCode::MachineFrame => {
                self.pc = Some(self.read(self.sp.wrapping_add(8))?);
                self.sp = self.read(self.sp)?;
                self.kind = IpKind::Exact;
            }
            UnwindCode::Context => self.context()?,
            UnwindCode::ClearUnwoundToCall => self.kind = IpKind::Exact,
        }
        Ok(())
    }

    fn restore(&mut self, save: Save) -> Result<(), UnwindError> {
        let mut slot = self.sp.wrapping_add(u64::from(save.offset));
        for number in save.registers.into_iter().flatten() {
            self.load(number, slot)?;
            slot = slot.wrapping_add(8);
        }
        let pairs = std::mem::take(&mut self.more_pairs);
        // The pairs behind x27 and x28 are floating-point registers.
        if let [Some(first @ 19..=28), Some(_)] = save.registers {
            let numbers = (first.saturating_add(2)..=28).zip(0..pairs.saturating_mul(2));
            for (number, _) in numbers {
                self.load(number, slot)?;
                slot = slot.wrapping_add(8);
            }
        }
        self.sp = self.sp.wrapping_add(u64::from(save.release));
        Ok(())
    }

    fn load(&mut self, number: u8, address: u64) -> Result<(), UnwindError> {
        let value = self.read(address)?;
        if Register::X(number) == Register::LR {
            self.lr = Some((value, Some(address)));
        } else {
            self.registers.set(Register::X(number), value, Provenance::Restored { address });
        }
        Ok(())
    }

    /// Every register is in the CONTEXT on the stack; its flags say what pc is.
    fn context(&mut self) -> Result<(), UnwindError> {
        const UNWOUND_TO_CALL: u64 = 0x2000_0000;
        let at = self.sp;
        let flags = self.read(at)?;
        for number in 0..=30_u8 {
            let offset = CONTEXT_X0.wrapping_add(u64::from(number).wrapping_mul(8));
            let address = at.wrapping_add(offset);
            let value = self.read(address)?;
            self.registers.set(Register::X(number), value, Provenance::Restored { address });
        }
        self.pc = Some(self.read(at.wrapping_add(CONTEXT_PC))?);
        self.sp = self.read(at.wrapping_add(CONTEXT_SP))?;
        self.kind =
            if flags & UNWOUND_TO_CALL == 0 { IpKind::Exact } else { IpKind::ReturnAddress };
        Ok(())
    }

    fn finish(mut self, trust: StepTrust, function: Option<u32>) -> Result<Step, UnwindError> {
        let (ip, return_slot) = match (self.pc, self.lr) {
            (Some(pc), _) => (pc, None),
            (None, Some((lr, slot))) => (strip(lr), slot),
            (None, None) => return Err(UnwindError::RegisterUnknown { register: Register::LR }),
        };
        // A function that has not saved lr yet, or has restored it, may leave sp alone; one that made a call cannot.
        let may_stay = self.callee_kind == IpKind::Exact && self.pc.is_none();
        if self.sp < self.from || self.sp == self.from && !may_stay {
            return Err(UnwindError::NotProgressing { from: self.from, to: self.sp });
        }
        self.registers.set_ip(ip);
        self.registers.set(Register::Sp, self.sp, Provenance::Computed);
        let ip_kind = self.kind;
        Ok(Step { registers: self.registers, ip_kind, trust, function, return_slot })
    }

    fn read(&self, address: u64) -> Result<u64, UnwindError> {
        self.space.u64(address).ok_or(UnwindError::StackUnreadable { address })
    }
}
