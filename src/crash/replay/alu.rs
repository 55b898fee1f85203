//! What sums and the like make of the values that they are given.

use super::compare::is_taken;
use super::run::Run;
use super::step::{RSP, number};
use super::value::{Compared, Kind, Origin, State, Value};
use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind};
use std::rc::Rc;

impl Run<'_, '_> {
    /// The result of an instruction that writes its first operand and nothing else; `None` where it is not known how, or where a place in
    /// memory would get what is not known.
    pub(super) fn result(&mut self, state: &mut State, one: &Instruction) -> Option<Value> {
        match one.op_count() {
            0 => None,
            _ if one.op0_kind() == OpKind::Register => self.of_register(state, one),
            1 | 2 if one.op0_kind() == OpKind::Memory && !one.has_lock_prefix() => {
                let (left, size) = self.operand(state, one, 0);
                let value = self.sum(state, one, left, size)?;
                matches!(value, Value::Constant(_) | Value::Symbol(..)).then_some(value)
            }
            _ => None,
        }
    }

    fn of_register(&mut self, state: &mut State, one: &Instruction) -> Option<Value> {
        let (target, kind) = (one.op0_register(), one.mnemonic());
        let at = number(target)?;
        if kind == Mnemonic::Xor
            && one.op1_kind() == OpKind::Register
            && one.op1_register() == target
        {
            return Some(Value::Constant(0));
        }
        if matches!(kind, Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd) {
            let (value, size) = self.operand(state, one, 1);
            return Some(extended(value, size, kind != Mnemonic::Movzx));
        }
        if one.condition_code() != ConditionCode::None && one.op_count() == 2 {
            let (other, _) = self.operand(state, one, 1);
            let held = state.register(at);
            return Some(match self.decided(state, one) {
                Some(true) => other,
                Some(false) => held,
                None if held == other => held,
                None => Value::Unknown,
            });
        }
        if one.condition_code() != ConditionCode::None && one.op_count() == 1 {
            let taken = self.decided(state, one);
            return Some(taken.map_or(Value::Unknown, |taken| Value::Constant(taken.into())));
        }
        let (left, size) = self.operand(state, one, 0);
        self.sum(state, one, left, size)
    }

    /// Whether a condition holds, where that is known.
    pub(super) fn decided(&self, state: &mut State, one: &Instruction) -> Option<bool> {
        let is_given = |symbol| self.allocated.contains(&symbol);
        let is_one = |symbol| !self.symbols.is_many(symbol);
        let taken = is_taken(one, state.compared, is_given, is_one);
        let compared = state.compared.filter(|_| taken.is_some());
        // What was given out counts as not 0.
        if let Some(Compared { left: Value::Symbol(given, _), right, .. }) = compared
            && (right == Value::Constant(0) || right == Value::Symbol(given, 0))
        {
            Rc::make_mut(&mut state.assumed).insert(given);
        }
        taken
    }

    /// What an instruction makes of its first operand.
    fn sum(
        &mut self,
        state: &mut State,
        one: &Instruction,
        left: Value,
        size: u64,
    ) -> Option<Value> {
        let kind = one.mnemonic();
        let is_of_stack =
            one.op0_kind() == OpKind::Register && number(one.op0_register()) == Some(RSP);
        let right = match (kind, one.op_count()) {
            (Mnemonic::Inc | Mnemonic::Dec, 1) => Value::Constant(1),
            (Mnemonic::Neg | Mnemonic::Not, 1) => Value::Constant(0),
            (Mnemonic::Imul, 3) => {
                let (left, _) = self.operand(state, one, 1);
                let (right, _) = self.operand(state, one, 2);
                return Some(product(left, right));
            }
            (_, 2) => self.operand(state, one, 1).0,
            _ => return None,
        };
        let Value::Constant(amount) = right else {
            return match (kind, left) {
                (Mnemonic::Add, Value::Constant(left)) if right != Value::Unknown => {
                    Some(right.plus(left.cast_signed(), self.width))
                }
                (Mnemonic::Add, left) => Some(self.somewhere_in(left, right)),
                (Mnemonic::Sub, left) => Some(self.somewhere_in(left, Value::Unknown)),
                (Mnemonic::And | Mnemonic::Or, _) => Some(Value::Unknown),
                _ => None,
            };
        };
        let amount = amount.cast_signed();
        Some(match (kind, left) {
            (Mnemonic::Add | Mnemonic::Inc, left) => left.plus(amount, self.width),
            (Mnemonic::Sub | Mnemonic::Dec, left) => left.plus(amount.wrapping_neg(), self.width),
            // GCC's way to set a register to -1.
            (Mnemonic::Or, _) if is_all_ones(amount, size) => {
                Value::Constant(amount.cast_unsigned())
            }
            (Mnemonic::And, Value::Symbol(..) | Value::Within(_) | Value::Unknown)
                if is_of_stack =>
            {
                self.new_stack(Origin::Rounded(self.path, one.ip()))
            }
            (_, Value::Constant(left)) => Value::Constant(of_numbers(kind, left, amount, size)?),
            (Mnemonic::And | Mnemonic::Or, _) => Value::Unknown,
            _ => return None,
        })
    }

    /// The flags tell of a result.
    pub(super) fn note_result(&self, state: &mut State, one: &Instruction, value: Value) {
        const SETS_FLAGS: [Mnemonic; 7] = [
            Mnemonic::Add,
            Mnemonic::Sub,
            Mnemonic::Inc,
            Mnemonic::Dec,
            Mnemonic::And,
            Mnemonic::Or,
            Mnemonic::Xor,
        ];
        let size = match one.op0_kind() {
            OpKind::Register => one.op0_register().size(),
            _ => one.memory_size().size(),
        };
        if SETS_FLAGS.contains(&one.mnemonic()) && matches!(value, Value::Constant(_)) {
            let kind = Kind::Result;
            state.compared = Some(Compared { kind, left: value, right: value, size });
        }
    }
}

/// The result of two numbers, of which so many bytes count.
fn of_numbers(kind: Mnemonic, left: u64, amount: i64, size: u64) -> Option<u64> {
    let right = amount.cast_unsigned();
    let bits = u32::try_from(size.checked_mul(8)?).ok()?;
    let unused = 64u32.checked_sub(bits)?;
    // Shifts count modulo 32, or 64 (Intel SDM, SAL/SAR/SHL/SHR).
    let by = u32::try_from(right & if size == 8 { 63 } else { 31 }).ok()?;
    let low = left.checked_shl(unused)?.checked_shr(unused)?;
    Some(match kind {
        Mnemonic::And => left & right,
        Mnemonic::Or => left | right,
        Mnemonic::Xor => left ^ right,
        Mnemonic::Shl => left.checked_shl(by)?,
        Mnemonic::Shr => low.checked_shr(by)?,
        Mnemonic::Sar => {
            let whole = left.checked_shl(unused)?.cast_signed().checked_shr(unused)?;
            whole.checked_shr(by)?.cast_unsigned()
        }
        Mnemonic::Imul => left.wrapping_mul(right),
        Mnemonic::Neg => left.wrapping_neg(),
        Mnemonic::Not => !left,
        _ => return None,
    })
}

fn product(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Constant(left), Value::Constant(right)) => {
            Value::Constant(left.wrapping_mul(right))
        }
        _ => Value::Unknown,
    }
}

/// Whether so many bytes have all bits set.
fn is_all_ones(value: i64, size: u64) -> bool {
    match size {
        8 => value == -1,
        4 => value.cast_unsigned() & u64::from(u32::MAX) == u64::from(u32::MAX),
        _ => false,
    }
}

/// A value of so many bytes, widened.
pub(super) fn extended(value: Value, size: u64, is_signed: bool) -> Value {
    let Value::Constant(value) = value else { return Value::Unknown };
    let unused = u32::try_from(8u64.saturating_sub(size).saturating_mul(8)).unwrap_or(0);
    let shifted = value.checked_shl(unused).unwrap_or(0);
    Value::Constant(if is_signed {
        shifted.cast_signed().checked_shr(unused).unwrap_or(0).cast_unsigned()
    } else {
        shifted.checked_shr(unused).unwrap_or(0)
    })
}
