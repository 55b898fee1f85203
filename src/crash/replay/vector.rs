//! Moves through the vector registers: compilers copy and fill structures with them.

use super::run::Run;
use super::step::number;
use super::value::{Spot, State, Value};
use crate::dump::memory::PointerWidth;
use iced_x86::{Instruction, Mnemonic, OpKind, Register as Iced};
use std::rc::Rc;

/// The words of a vector register: of four, x64 has two.
type Words = [Value; 4];

fn vector_number(register: Iced) -> Option<usize> {
    register.is_xmm().then(|| register.number()).filter(|number| *number < 16)
}

impl Run<'_, '_> {
    /// Words in so many bytes.
    fn words(&self, bytes: u64) -> usize {
        usize::try_from(bytes.checked_div(self.width.bytes()).unwrap_or(0)).unwrap_or(0)
    }

    /// Does a move from or to a vector register; false where it is none. What other instructions do to one is not known.
    pub(super) fn vector(&mut self, state: &mut State, one: &Instruction) -> bool {
        let target = Some(one).filter(|one| one.op_count() > 0);
        let target = target.filter(|one| one.op0_kind() == OpKind::Register);
        if let Some(at) = target.and_then(|one| vector_number(one.op0_register())) {
            let words = self.vector_result(state, one, at).unwrap_or_default();
            if let Some(held) = Rc::make_mut(&mut state.vectors).get_mut(at) {
                *held = words;
            }
            return true;
        }
        let is_from = one.op_count() == 2 && one.op1_kind() == OpKind::Register;
        let Some(from) = vector_number(one.op1_register()).filter(|_| is_from) else {
            return false;
        };
        let words = state.vectors.get(from).copied().unwrap_or_default();
        match (one.op0_kind(), one.mnemonic()) {
            (OpKind::Memory, Mnemonic::Movhps | Mnemonic::Movhpd) => {
                let half = self.words(8);
                self.put_words(state, one, words.get(half..).unwrap_or_default(), 8);
            }
            (OpKind::Memory, kind) if is_move(kind) => {
                let bytes = u64::try_from(one.memory_size().size()).unwrap_or(16);
                self.put_words(state, one, &words, bytes);
            }
            (OpKind::Register, Mnemonic::Movq | Mnemonic::Movd) => {
                let size = one.op0_register().size();
                let [first, ..] = words;
                let Some(at) = number(one.op0_register()) else { return false };
                let value = match first {
                    Value::Constant(value) if size == 4 => {
                        Value::Constant(value & u64::from(u32::MAX))
                    }
                    value if u64::try_from(size) == Ok(self.width.bytes()) => value,
                    _ => Value::Unknown,
                };
                state.set(at, value);
            }
            _ => return false,
        }
        true
    }

    /// Stores the words of a register, as many as there are bytes.
    fn put_words(&mut self, state: &mut State, one: &Instruction, words: &[Value], bytes: u64) {
        let address = self.address(state, one);
        let first = words.first().copied().unwrap_or_default();
        if self.put_within(state, address, first) {
            return;
        }
        let place = address.place();
        let word = self.width.bytes();
        let Some((base, first)) = place.filter(|_| bytes >= word) else {
            let [value, ..] = words else { return };
            self.put(state, place, bytes, *value);
            return;
        };
        for (index, value) in (0u64..).zip(words).take(self.words(bytes)) {
            let offset = index.saturating_mul(word);
            self.put(state, Some((base, first.saturating_add_unsigned(offset))), word, *value);
        }
    }

    /// What an instruction leaves in a vector register; `None` where that is not known.
    fn vector_result(&mut self, state: &mut State, one: &Instruction, at: usize) -> Option<Words> {
        let held = state.vectors.get(at).copied().unwrap_or_default();
        let half = self.words(8);
        let kind = one.mnemonic();
        if matches!(kind, Mnemonic::Pxor | Mnemonic::Xorps | Mnemonic::Xorpd) {
            let is_same =
                one.op1_kind() == OpKind::Register && one.op0_register() == one.op1_register();
            return is_same.then_some([Value::Constant(0); 4]);
        }
        let source = self.source(state, one)?;
        let joined = |low: &[Value], high: &[Value]| {
            let mut words = Words::default();
            let both = low.iter().take(half).chain(high.iter().take(half));
            words.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
            words
        };
        Some(match kind {
            Mnemonic::Punpcklqdq | Mnemonic::Unpcklpd | Mnemonic::Movlhps => joined(&held, &source),
            Mnemonic::Movhps | Mnemonic::Movhpd => joined(&held, &source),
            Mnemonic::Movlps | Mnemonic::Movlpd | Mnemonic::Movss | Mnemonic::Movsd
                if one.op1_kind() == OpKind::Register =>
            {
                return None;
            }
            Mnemonic::Movlps | Mnemonic::Movlpd => {
                joined(&source, held.get(half..).unwrap_or_default())
            }
            Mnemonic::Punpckldq | Mnemonic::Unpcklps if self.width == PointerWidth::Four => {
                let ([first, second, ..], [third, fourth, ..]) = (held, source);
                [first, third, second, fourth]
            }
            Mnemonic::Pinsrq if self.width == PointerWidth::Eight => joined(&held, &source),
            kind if is_move(kind) => source,
            _ => return None,
        })
    }

    /// What a move reads, beyond it zeros.
    fn source(&mut self, state: &mut State, one: &Instruction) -> Option<Words> {
        let word = self.width.bytes();
        let mut words = [Value::Constant(0); 4];
        match one.op1_kind() {
            OpKind::Register => {
                let register = one.op1_register();
                if let Some(from) = vector_number(register) {
                    return state.vectors.get(from).copied();
                }
                let value = state.register(number(register)?);
                let [first, ..] = &mut words;
                *first = match value {
                    Value::Constant(value) if register.size() == 4 => {
                        Value::Constant(value & u64::from(u32::MAX))
                    }
                    value if u64::try_from(register.size()) == Ok(word) => value,
                    _ => Value::Unknown,
                };
            }
            OpKind::Memory => {
                let bytes = u64::try_from(one.memory_size().size()).ok()?;
                let place: Option<Spot> = self.address(state, one).place();
                let (base, first) = place?;
                if bytes < word {
                    let value = self.load(state, place, bytes, one.ip());
                    let [first, ..] = &mut words;
                    *first = value;
                    return Some(words);
                }
                for (index, held) in words.iter_mut().enumerate().take(self.words(bytes)) {
                    let offset = u64::try_from(index).ok()?.checked_mul(word)?;
                    let spot = (base, first.saturating_add_unsigned(offset));
                    // Words of one instruction are told apart by where they lie behind it.
                    let ip = one.ip().wrapping_add(u64::try_from(index).ok()? << 56);
                    *held = self.load(state, Some(spot), word, ip);
                }
            }
            _ => return None,
        }
        Some(words)
    }
}

/// Whether an instruction moves what it reads as it is.
fn is_move(kind: Mnemonic) -> bool {
    matches!(
        kind,
        Mnemonic::Movups
            | Mnemonic::Movaps
            | Mnemonic::Movupd
            | Mnemonic::Movapd
            | Mnemonic::Movdqu
            | Mnemonic::Movdqa
            | Mnemonic::Movq
            | Mnemonic::Movd
            | Mnemonic::Movss
            | Mnemonic::Movsd
            | Mnemonic::Movlps
            | Mnemonic::Movlpd
    )
}
