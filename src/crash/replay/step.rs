//! What one instruction does to the registers and the memory of a replayed function.

use super::alu::extended;
use super::compare::bit;
use super::run::Run;
use super::value::{Compared, Kind, Origin, Spot, State, Value};
use crate::dump::memory::PointerWidth;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register as Iced};

/// Number of rcx.
pub(super) const RCX: usize = 1;
/// Number of rsp.
pub(super) const RSP: usize = 4;
/// Number of rbp.
pub(super) const RBP: usize = 5;

/// The number of a general-purpose register, of any size.
pub(super) fn number(register: Iced) -> Option<usize> {
    let full = register.full_register();
    full.is_gpr().then(|| full.number())
}

impl Run<'_, '_> {
    fn word(&self) -> u64 {
        self.width.bytes()
    }

    /// The address of an instruction's memory operand.
    pub(super) fn address(&self, state: &State, one: &Instruction) -> Value {
        if matches!(one.memory_segment(), Iced::FS | Iced::GS) {
            return Value::Unknown;
        }
        let displacement = one.memory_displacement64();
        if one.is_ip_rel_memory_operand() {
            return Value::Constant(displacement);
        }
        let signed = match self.width {
            PointerWidth::Four => i64::from(one.memory_displacement32().cast_signed()),
            PointerWidth::Eight => displacement.cast_signed(),
        };
        let base = match (one.memory_base(), number(one.memory_base())) {
            (Iced::None, _) => Value::Constant(0),
            (_, Some(base)) => state.register(base),
            _ => Value::Unknown,
        };
        let index = match (one.memory_index(), number(one.memory_index())) {
            (Iced::None, _) => Value::Constant(0),
            (_, Some(index)) => state.register(index),
            _ => Value::Unknown,
        };
        let scale = u64::from(one.memory_index_scale());
        match (base, index) {
            (base, Value::Constant(index)) => {
                let more = index.wrapping_mul(scale).cast_signed();
                base.plus(more.wrapping_add(signed), self.width)
            }
            (Value::Constant(base), Value::Symbol(..) | Value::Within(_)) if scale == 1 => {
                index.plus(base.cast_signed().wrapping_add(signed), self.width)
            }
            (Value::Constant(base), _) => {
                let table = Value::Constant(base).plus(signed, self.width);
                self.somewhere_in(table, Value::Unknown)
            }
            _ if scale == 1 => self.somewhere_in(base, index),
            _ => self.somewhere_in(base, Value::Unknown),
        }
    }

    /// The sum of an address and of what is not known.
    ///
    /// - situation: an index is not known, and an element of an array is written to.
    /// - example: `cells[i].value = 1200.0`, with `cells` from HeapAlloc, in a loop of 90 rounds.
    /// - handling: it lies in the block that was given out, or in static data: arrays are mostly left by nothing but by mistake.
    /// - test: `an_element_lies_in_its_array`.
    pub(super) fn somewhere_in(&self, one: Value, other: Value) -> Value {
        let of_block = |value: Value| match value {
            Value::Symbol(symbol, _) | Value::Within(Some(symbol)) => {
                (self.allocated.contains(&symbol) || self.is_stack(symbol)).then_some(Some(symbol))
            }
            Value::Constant(address) => self.scene.images.module_at(address).map(|_| None),
            Value::Within(None) => Some(None),
            Value::Unknown => None,
        };
        match (of_block(one), of_block(other)) {
            (Some(base), None) | (None, Some(base)) => Value::Within(base),
            _ => Value::Unknown,
        }
    }

    /// Stores something at an address of which it is only known what it lies in. False where that is not known either.
    pub(super) fn put_within(&mut self, state: &mut State, address: Value, value: Value) -> bool {
        // It does not know where the program keeps its data.
        if address == Value::Unknown && state.is_alone && self.is_in_library() {
            self.hand_out(value);
            return true;
        }
        let Value::Within(base) = address else { return false };
        self.hand_out(value);
        // What a frame holds is kept, as where nothing is known of the address.
        if base.is_some_and(|base| self.is_stack(base)) {
            return true;
        }
        if base.is_some_and(|base| !self.allocated.contains(&base)) {
            return false;
        }
        state.clobber_within(base);
        true
    }

    /// The value of an operand, and its size in bytes.
    pub(super) fn operand(
        &mut self,
        state: &mut State,
        one: &Instruction,
        index: u32,
    ) -> (Value, u64) {
        match one.op_kind(index) {
            OpKind::Register => {
                let register = one.op_register(index);
                let size = u64::try_from(register.size()).unwrap_or(0);
                let value = number(register).map_or(Value::Unknown, |at| state.register(at));
                (self.narrowed(value, size, is_high(register)), size)
            }
            OpKind::Memory => {
                let size = u64::try_from(one.memory_size().size()).unwrap_or(0);
                let place = self.address(state, one).place();
                (self.load(state, place, size, one.ip()), size)
            }
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
                (Value::Constant(one.near_branch_target()), self.word())
            }
            _ => {
                let value = one.try_immediate(index).ok();
                let value = value.map(|value| Value::Constant(self.width.truncate(value)));
                (value.unwrap_or(Value::Unknown), self.word())
            }
        }
    }

    /// A part of a register: of a symbol's nothing is known.
    fn narrowed(&self, value: Value, size: u64, is_high: bool) -> Value {
        match value {
            Value::Constant(value) if !is_high && size < 8 => {
                let bits = u32::try_from(size.saturating_mul(8)).unwrap_or(0);
                Value::Constant(value & 1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1))
            }
            value if size == self.word() => value,
            _ => Value::Unknown,
        }
    }

    /// What stands in memory: what was stored, what cannot change, or a symbol of its own.
    pub(super) fn load(
        &mut self,
        state: &mut State,
        place: Option<Spot>,
        size: u64,
        ip: u64,
    ) -> Value {
        let Some(spot) = place else { return Value::Unknown };
        if let Some((value, held)) = state.memory.get(&spot).copied() {
            self.forget_held(state, spot, value);
            // A number in memory that others may write to can be another one by now.
            return match value {
                value
                    if self.is_number(value)
                        && self.is_others(spot)
                        && !self.is_kept(state, spot) =>
                {
                    Value::Unknown
                }
                _ if held == size => value,
                Value::Constant(_) => self.part(state, spot, size),
                _ => Value::Unknown,
            };
        }
        if let (None, address) = spot
            && let Some(value) = self.fixed(address.cast_unsigned(), size)
        {
            return Value::Constant(value);
        }
        if self.is_zero(state, spot, size) {
            return Value::Constant(0);
        }
        if let Some(pointer) = self.pointer_from_start(state, spot, size) {
            return Value::Constant(pointer);
        }
        if size != self.word() {
            return self.part(state, spot, size);
        }
        let value = self.symbol(Origin::Read(self.path, ip));
        if let ((None, slot), Value::Symbol(symbol, _)) = (spot, value)
            && self.is_lost_import(slot.cast_unsigned())
        {
            self.lost_imports.insert(symbol);
        }
        state.store(place, size, value, |symbol| self.is_stack(symbol));
        value
    }

    /// A part of a number that was stored as a whole: two fields that one instruction has set to zero.
    fn part(&self, state: &State, spot: Spot, size: u64) -> Value {
        let (base, offset) = spot;
        let first = (base, offset.saturating_sub(7));
        let held = state.memory.range(first..=spot).next_back();
        let Some(((_, start), (Value::Constant(number), bytes))) = held else {
            return Value::Unknown;
        };
        let before = offset.saturating_sub(*start).cast_unsigned();
        let is_inside = before.saturating_add(size) <= *bytes;
        let start = (base, *start);
        if !is_inside || self.is_others(start) && !self.is_kept(state, start) {
            return Value::Unknown;
        }
        let bits = u32::try_from(before.saturating_mul(8)).unwrap_or(u32::MAX);
        self.narrowed(Value::Constant(number.checked_shr(bits).unwrap_or(0)), size, false)
    }

    fn write(&mut self, state: &mut State, one: &Instruction, value: Value) {
        match one.op0_kind() {
            OpKind::Register => self.write_register(state, one.op0_register(), value),
            OpKind::Memory => {
                let size = u64::try_from(one.memory_size().size()).unwrap_or(8);
                let address = self.address(state, one);
                if !self.put_within(state, address, value) {
                    self.put(state, address.place(), size, value);
                }
            }
            _ => {}
        }
    }

    /// Stores a value in memory.
    pub(super) fn put(&mut self, state: &mut State, place: Option<Spot>, size: u64, value: Value) {
        // What is on the stack is a local, or an argument of a call to come.
        let is_local = place.and_then(|(base, _)| base).is_some_and(|base| self.is_stack(base));
        if !is_local || matches!(value, Value::Symbol(..)) {
            self.hand_out(value);
        }
        self.forget_aliases(state, place);
        let value = match value {
            Value::Constant(number) if size < 8 => {
                let bits = u32::try_from(size.saturating_mul(8)).unwrap_or(0);
                Value::Constant(number & 1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1))
            }
            value => value,
        };
        // Others may read and write it at the same time.
        let is_raced = |spot| {
            let is_written = || state.running > 0 || state.raced.touches(spot, size);
            self.is_number(value) && is_written() && self.is_others(spot)
        };
        let value = if place.is_some_and(is_raced) { Value::Unknown } else { value };
        state.store(place, size, value, |symbol| self.is_stack(symbol));
    }

    fn write_register(&mut self, state: &mut State, register: Iced, value: Value) {
        let Some(at) = number(register) else { return };
        self.note_table(value);
        let value = match (u64::try_from(register.size()), value) {
            (Ok(size), value) if size == self.word() => value,
            // The upper half becomes zero.
            (Ok(4), Value::Constant(value)) => Value::Constant(value & u64::from(u32::MAX)),
            (Ok(size), Value::Constant(part)) if !is_high(register) => match state.register(at) {
                Value::Constant(whole) => {
                    let bits = u32::try_from(size.saturating_mul(8)).unwrap_or(0);
                    let mask = 1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1);
                    Value::Constant(whole & !mask | part & mask)
                }
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        };
        state.set(at, value);
    }

    /// Puts a value on the stack.
    pub(super) fn push(&self, state: &mut State, value: Value) {
        let word = self.word();
        let top = state.register(RSP).plus(word.cast_signed().wrapping_neg(), self.width);
        state.set(RSP, top);
        if let Some(spot) = top.place() {
            state.store(Some(spot), word, value, |symbol| self.is_stack(symbol));
        }
    }

    /// Takes a value off the stack.
    pub(super) fn pop(&mut self, state: &mut State, ip: u64) -> Value {
        let word = self.word();
        let top = state.register(RSP);
        let value = self.load(state, top.place(), word, ip);
        state.set(RSP, top.plus(word.cast_signed(), self.width));
        value
    }

    /// Does an instruction that is neither a branch nor a call.
    pub(super) fn step(
        &mut self,
        state: &mut State,
        one: &Instruction,
        factory: &mut InstructionInfoFactory,
    ) {
        let is_compare = matches!(one.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
        if !is_compare && one.rflags_modified() != 0 {
            state.compared = None;
        }
        match one.mnemonic() {
            Mnemonic::Mov => {
                let (value, _) = self.operand(state, one, 1);
                self.write(state, one, value);
            }
            Mnemonic::Lea => {
                let value = self.address(state, one);
                self.write(state, one, value);
            }
            Mnemonic::Push => {
                let (value, _) = self.operand(state, one, 0);
                self.push(state, value);
            }
            Mnemonic::Pop => {
                let value = self.pop(state, one.ip());
                self.write(state, one, value);
            }
            Mnemonic::Leave => {
                state.set(RSP, state.register(RBP));
                let value = self.pop(state, one.ip());
                state.set(RBP, value);
            }
            Mnemonic::Cmp | Mnemonic::Test => {
                let (left, size) = self.operand(state, one, 0);
                let (right, _) = self.operand(state, one, 1);
                let is_test = one.mnemonic() == Mnemonic::Test;
                let kind = if is_test { Kind::Test } else { Kind::Compare };
                let size = usize::try_from(size).unwrap_or(0);
                state.compared = Some(Compared { kind, left, right, size });
            }
            Mnemonic::Bt => {
                let (left, size) = self.operand(state, one, 0);
                let (right, _) = self.operand(state, one, 1);
                state.compared = bit(left, right, size);
            }
            Mnemonic::Cdqe => {
                let value = self.narrowed(state.register(0), 4, false);
                state.set(0, extended(value, 4, true));
            }
            _ if self.vector(state, one) => {}
            _ => self.computed(state, one, factory),
        }
    }

    /// Sums and the like; of all else only what it writes is minded.
    fn computed(
        &mut self,
        state: &mut State,
        one: &Instruction,
        factory: &mut InstructionInfoFactory,
    ) {
        if one.is_string_instruction() {
            self.string(state, one);
        }
        if let Some(value) = self.result(state, one) {
            self.note_result(state, one, value);
            self.write(state, one, value);
            return;
        }
        let stores: Vec<(Value, u64)> = self.stores(state, one, factory);
        if !stores.is_empty() {
            // xchg and the like put a register there.
            for index in 0..one.op_count() {
                if one.op_kind(index) == OpKind::Register {
                    let (value, _) = self.operand(state, one, index);
                    self.hand_out(value);
                }
            }
        }
        let written: Vec<usize> = factory
            .info(one)
            .used_registers()
            .iter()
            .filter(|used| !matches!(used.access(), OpAccess::Read | OpAccess::CondRead))
            .filter_map(|used| number(used.register()))
            .collect();
        for (address, size) in stores {
            if !self.put_within(state, address, Value::Unknown) {
                self.forget_aliases(state, address.place());
                state.clobber(address.place(), size, |symbol| self.is_stack(symbol));
            }
        }
        for register in written {
            state.set(register, Value::Unknown);
        }
    }

    /// What an instruction other than a move may store: where and how many bytes.
    fn stores(
        &self,
        state: &State,
        one: &Instruction,
        factory: &mut InstructionInfoFactory,
    ) -> Vec<(Value, u64)> {
        let is_written = one.op_count() > 0
            && one.op0_kind() == OpKind::Memory
            && !matches!(
                factory.info(one).op0_access(),
                OpAccess::None | OpAccess::NoMemAccess | OpAccess::Read | OpAccess::CondRead
            );
        // A probe of the stack (__chkstk), and a fence: it stays what it is.
        let is_same =
            one.mnemonic() == Mnemonic::Or && one.try_immediate(1).is_ok_and(|bits| bits == 0);
        let size = u64::try_from(one.memory_size().size()).unwrap_or(8).max(1);
        (is_written && !is_same && !one.is_string_instruction())
            .then(|| (self.address(state, one), size))
            .into_iter()
            .collect()
    }
}

fn is_high(register: Iced) -> bool {
    matches!(register, Iced::AH | Iced::BH | Iced::CH | Iced::DH)
}
