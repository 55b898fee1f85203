//! One step up an x64 stack by unwind data. A plan is made from the records first and then executed on
//! the registers, so that every nonvolatile register of the caller has a value with an origin, or none.

use super::epilogue;
use super::pe::{Image, Machine};
use super::registers::{Provenance, Register, RegisterFile};
use super::runtime_functions::{self, MAX_CHAIN, RuntimeFunction};
use super::unwind_info::{UnwindInfo, UnwindOperation};
use super::{ImageError, IpKind};
use crate::dump::memory::AddressSpace;

/// What a step is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepTrust {
    /// Unwind codes of the function.
    UnwindInfo,
    /// The instructions of an epilogue that is half done.
    Epilogue,
    /// The function table has no entry for the address, so the function is a leaf: it moves neither the
    /// stack pointer nor a nonvolatile register ("x64 exception handling").
    Leaf,
}

/// The caller's frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The caller's registers; `ip` is the return address.
    pub registers: RegisterFile,
    /// How to read `registers.ip()`: exact below a machine frame, else a return address.
    pub ip_kind: IpKind,
    /// What the step is built on.
    pub trust: StepTrust,
    /// RVA of the start of the function that was left, of its primary entry; `None` for a leaf.
    pub function: Option<u32>,
    /// Address of the slot that the return address was read from, when it was on the stack.
    pub return_slot: Option<u64>,
}

/// Why there is no caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwindError {
    /// The image is for another machine.
    #[error("the image is for another machine: {0:?}")]
    Machine(Machine),
    /// The instruction pointer is not in the image.
    #[error("{ip:#x} is outside the image")]
    OutsideImage {
        /// The address looked up.
        ip: u64,
    },
    /// The function table has no entry, and a leaf function cannot have made a call.
    #[error("no unwind data for the return address {ip:#x}")]
    NoUnwindData {
        /// The return address.
        ip: u64,
    },
    /// A table or a record cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The frame needs a register that is not known.
    #[error("the frame needs {register:?}, which is not known")]
    RegisterUnknown {
        /// That register.
        register: Register,
    },
    /// A saved register or the return address is not in the dump.
    #[error("8 bytes of stack at {address:#x} are not in the dump's memory")]
    StackUnreadable {
        /// Address of the slot.
        address: u64,
    },
    /// The record says that the address is in an epilogue, and its instructions are not in the dump.
    #[error("{ip:#x} is in an epilogue whose instructions are not in the dump's memory")]
    EpilogueUnreadable {
        /// The instruction pointer.
        ip: u64,
    },
    /// The caller's stack pointer would not lie above this one.
    #[error("the stack pointer does not grow: from {from:#x} to {to:#x}")]
    NotProgressing {
        /// Stack pointer of this frame.
        from: u64,
        /// Stack pointer of the caller.
        to: u64,
    },
}

/// One thing to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    /// The base that [`Undo::Load`] counts from is the stack pointer as it is now.
    BaseFromStack,
    /// The base is this register minus so many bytes.
    BaseFromRegister(Register, u32),
    /// The stack pointer is the base.
    StackFromBase,
    /// The stack pointer is this register plus a displacement (`lea rsp, [rbp+d]`).
    StackFromRegister(Register, i64),
    /// Bytes off the stack.
    Release(u64),
    /// A register off the stack.
    Pop(Register),
    /// A register from its slot, so many bytes above the base.
    Load(Register, u32),
    /// A machine frame off the stack: it holds instruction and stack pointer.
    MachineFrame {
        /// Whether an error code lies below them.
        error_code: bool,
    },
}

struct Plan {
    undo: Vec<Undo>,
    trust: StepTrust,
    function: Option<u32>,
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
    if image.machine != Machine::Amd64 {
        return Err(UnwindError::Machine(image.machine));
    }
    let ip = registers.ip();
    let address = ip_kind.lookup_address(ip);
    let rva = image.rva(address).ok_or(UnwindError::OutsideImage { ip: address })?;
    let plan = match runtime_functions::lookup(space, image, rva)? {
        Some(entry) => plan(space, image, entry, registers, ip_kind)?,
        None if ip_kind == IpKind::Exact => {
            Plan { undo: Vec::new(), trust: StepTrust::Leaf, function: None }
        }
        None => return Err(UnwindError::NoUnwindData { ip }),
    };
    let (registers, ip_kind) = execute(space, registers, &plan.undo)?;
    let return_slot = return_slot(&registers, ip_kind);
    Ok(Step { registers, ip_kind, trust: plan.trust, function: plan.function, return_slot })
}

/// The caller of a function that has not touched the stack: a leaf, or an address that a call went to
/// although there is no code. The return address is on top of the stack.
///
/// # Errors
/// When the stack cannot be read.
pub fn step_leaf(space: &AddressSpace<'_>, registers: &RegisterFile) -> Result<Step, UnwindError> {
    let (registers, ip_kind) = execute(space, registers, &[])?;
    let return_slot = return_slot(&registers, ip_kind);
    Ok(Step { registers, ip_kind, trust: StepTrust::Leaf, function: None, return_slot })
}

/// Below a machine frame the address is exact and no call put it there.
fn return_slot(caller: &RegisterFile, ip_kind: IpKind) -> Option<u64> {
    match ip_kind {
        IpKind::ReturnAddress => caller.sp()?.checked_sub(8),
        IpKind::Exact => None,
    }
}

/// Collects what must be undone, from the part at `entry` to its primary record.
fn plan(
    space: &AddressSpace<'_>,
    image: &Image,
    entry: RuntimeFunction,
    registers: &RegisterFile,
    ip_kind: IpKind,
) -> Result<Plan, UnwindError> {
    let ip = registers.ip();
    let offset = image.rva(ip).and_then(|rva| rva.checked_sub(entry.begin_address));
    let mut info = UnwindInfo::read(space, image, entry.unwind_data)?;
    let in_prologue = offset.filter(|offset| *offset < u32::from(info.size_of_prolog));
    if in_prologue.is_none() && ip_kind == IpKind::Exact {
        if let Some(undo) = epilogue::decode(space, image, ip, info.frame, entry) {
            let function = runtime_functions::primary_function(space, image, entry.begin_address)?;
            return Ok(Plan { undo, trust: StepTrust::Epilogue, function });
        }
        let end = entry.end_address;
        let declared = image.rva(ip).is_some_and(|rva| info.epilogues.hold(rva, end));
        if declared && space.u8(ip).is_none() {
            return Err(UnwindError::EpilogueUnreadable { ip });
        }
    }
    let mut undo = Vec::new();
    append(&mut undo, &info, in_prologue);
    let mut primary = entry;
    for _ in 0..MAX_CHAIN {
        let Some(next) = info.chained else {
            let function = Some(primary.begin_address);
            return Ok(Plan { undo, trust: StepTrust::UnwindInfo, function });
        };
        primary = runtime_functions::resolve_indirect(space, image, next)?;
        info = UnwindInfo::read(space, image, primary.unwind_data)?;
        // A part runs only after the prologue of what it is chained to.
        append(&mut undo, &info, None);
    }
    Err(runtime_functions::chain_too_long(image, primary).into())
}

/// The codes of one record whose instructions have run; `in_prologue` is the offset reached in the
/// prologue, `None` when it is complete.
fn append(undo: &mut Vec<Undo>, info: &UnwindInfo, in_prologue: Option<u32>) {
    let has_run = |code_offset: u8| in_prologue.is_none_or(|at| u32::from(code_offset) <= at);
    let frame = info.frame.filter(|_| {
        let mut set =
            info.codes.iter().filter(|c| c.operation == UnwindOperation::SetFrameRegister);
        in_prologue.is_none() || set.any(|code| has_run(code.code_offset))
    });
    undo.push(match frame {
        Some((register, offset)) => Undo::BaseFromRegister(register, offset),
        None => Undo::BaseFromStack,
    });
    for code in info.codes.iter().filter(|code| has_run(code.code_offset)) {
        undo.push(match code.operation {
            UnwindOperation::Push(register) => Undo::Pop(register),
            UnwindOperation::Allocate(bytes) => Undo::Release(u64::from(bytes)),
            UnwindOperation::SetFrameRegister => Undo::StackFromBase,
            UnwindOperation::Save { register, offset } => Undo::Load(register, offset),
            UnwindOperation::SaveXmm => continue,
            UnwindOperation::MachineFrame { error_code } => Undo::MachineFrame { error_code },
        });
    }
}

struct Executor<'s, 'a> {
    space: &'s AddressSpace<'a>,
    registers: RegisterFile,
    base: u64,
    sp: u64,
    machine_frame: bool,
}

fn execute(
    space: &AddressSpace<'_>,
    registers: &RegisterFile,
    undo: &[Undo],
) -> Result<(RegisterFile, IpKind), UnwindError> {
    let from = registers.sp().ok_or(UnwindError::RegisterUnknown { register: Register::Rsp })?;
    let caller = registers.as_caller();
    let mut run = Executor { space, registers: caller, base: from, sp: from, machine_frame: false };
    for undo in undo {
        run.undo(*undo)?;
    }
    let kind = if run.machine_frame {
        IpKind::Exact
    } else {
        let return_address = run.pop()?;
        run.registers.set_ip(return_address);
        IpKind::ReturnAddress
    };
    if run.sp <= from {
        return Err(UnwindError::NotProgressing { from, to: run.sp });
    }
    run.registers.set(Register::Rsp, run.sp, Provenance::Computed);
    Ok((run.registers, kind))
}

impl Executor<'_, '_> {
    fn undo(&mut self, undo: Undo) -> Result<(), UnwindError> {
        match undo {
            Undo::BaseFromStack => self.base = self.sp,
            Undo::BaseFromRegister(register, offset) => {
                self.base = self.value(register)?.wrapping_sub(u64::from(offset));
            }
            Undo::StackFromBase => self.sp = self.base,
            Undo::StackFromRegister(register, displacement) => {
                self.sp = self.value(register)?.wrapping_add_signed(displacement);
            }
            Undo::Release(bytes) => self.sp = self.sp.wrapping_add(bytes),
            Undo::Pop(register) => {
                let address = self.sp;
                let value = self.pop()?;
                self.registers.set(register, value, Provenance::Restored { address });
            }
            Undo::Load(register, offset) => {
                let address = self.base.wrapping_add(u64::from(offset));
                let value = self.read(address)?;
                self.registers.set(register, value, Provenance::Restored { address });
            }
            Undo::MachineFrame { error_code } => self.machine_frame(error_code)?,
        }
        Ok(())
    }

    /// Instruction pointer at +0, stack pointer at +24, both 8 higher behind an error code.
    fn machine_frame(&mut self, error_code: bool) -> Result<(), UnwindError> {
        if error_code {
            self.sp = self.sp.wrapping_add(8);
        }
        let ip = self.read(self.sp)?;
        self.sp = self.read(self.sp.wrapping_add(24))?;
        self.registers.set_ip(ip);
        self.machine_frame = true;
        Ok(())
    }

    fn value(&self, register: Register) -> Result<u64, UnwindError> {
        self.registers.get(register).ok_or(UnwindError::RegisterUnknown { register })
    }

    fn pop(&mut self) -> Result<u64, UnwindError> {
        let value = self.read(self.sp)?;
        self.sp = self.sp.wrapping_add(8);
        Ok(value)
    }

    fn read(&self, address: u64) -> Result<u64, UnwindError> {
        self.space.u64(address).ok_or(UnwindError::StackUnreadable { address })
    }
}
