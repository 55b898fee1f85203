//! Where a jump through a table may lead: the cases of a `switch`.

use super::function::Code;
use super::run::Run;
use super::step::{RBP, RSP, number};
use super::value::{Origin, State, Value};
use iced_x86::{
    ConditionCode, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
};
use std::collections::BTreeSet;

/// Most cases of a table.
const MAX_CASES: u64 = 512;
/// Most instructions before a jump that set it up.
const MAX_BEFORE: usize = 24;
/// Key of what is not known where a jump is set up, behind those of threads.
const UNKNOWN: u64 = 1 << 56;

impl Run<'_, '_> {
    /// Where a jump may lead that goes by a number with a bound; nothing where that is not known of each number.
    ///
    /// - situation: `switch` compiles to a bound, a table of addresses or of distances, and a jump.
    /// - example: `cmp eax,5`, `ja other`, `mov eax,[rdx+rax*4]`, `add rax,rdx`, `jmp rax`; `jmp [eax*4+table]`; a table of bytes before that of
    ///   addresses (MSVC).
    /// - handling: the instructions behind the comparison are run for each number up to the bound, with what those before it have set, and with
    ///   the registers that the function sets to one address only, as before a loop; all must lead into code of the same module.
    /// - test: `a_jump_through_a_table_leads_to_its_cases`.
    pub(super) fn cases(&mut self, code: &Code, jump: &Instruction) -> BTreeSet<u64> {
        let before = straight(code, jump);
        let Some((at, compare, count)) = bound(&before) else { return BTreeSet::new() };
        let behind = before.iter().skip(at.saturating_add(1));
        let steps = usize::try_from(count).unwrap_or(0).saturating_mul(behind.len());
        if !self.scene.flows.spend(steps.saturating_add(code.len())) {
            return BTreeSet::new();
        }
        let mut state = State::default();
        // Locals are nobody else's.
        for register in [RSP, RBP] {
            let value = self.new_stack(Origin::Entry(UNKNOWN, register));
            state.set(register, value);
        }
        let mut factory = InstructionInfoFactory::new();
        for one in set_once(code, &mut factory) {
            self.step(&mut state, one, &mut factory);
        }
        for one in before.iter().take(at) {
            self.step(&mut state, one, &mut factory);
        }
        let case = |index: u64| {
            let mut state = state.clone();
            self.set_compared(&mut state, compare, index);
            for one in behind.clone().filter(|one| one.flow_control() == FlowControl::Next) {
                self.step(&mut state, one, &mut factory);
            }
            match self.operand(&mut state, jump, 0) {
                (Value::Constant(to), _) if self.is_in_same_code(to, jump.ip()) => Some(to),
                _ => None,
            }
        };
        (0..count).map(case).collect::<Option<_>>().unwrap_or_default()
    }

    /// Puts a number where a comparison has its left side.
    fn set_compared(&mut self, state: &mut State, compare: &Instruction, index: u64) {
        let value = Value::Constant(index);
        match number(compare.op0_register()) {
            Some(register) if compare.op0_kind() == OpKind::Register => state.set(register, value),
            _ => {
                let size = u64::try_from(compare.memory_size().size()).unwrap_or(0);
                let place = self.address(state, compare).place();
                state.store(place, size, value, |_| true);
            }
        }
    }

    fn is_in_same_code(&self, to: u64, from: u64) -> bool {
        self.is_code(to) && !self.is_elsewhere(to, from)
    }
}

/// The instructions that set a register to a constant address, where no other of the code sets it but to what it was before.
fn set_once<'c>(code: &'c Code, factory: &mut InstructionInfoFactory) -> Vec<&'c Instruction> {
    let mut found: [Option<Option<&Instruction>>; 16] = [None; 16];
    for one in code.values().filter(|one| one.mnemonic() != Mnemonic::Pop) {
        let is_address = one.is_ip_rel_memory_operand() && one.mnemonic() == Mnemonic::Lea
            || one.op1_kind() == OpKind::Immediate32 && one.mnemonic() == Mnemonic::Mov;
        for used in factory.info(one).used_registers() {
            let is_set = !matches!(used.access(), OpAccess::Read | OpAccess::CondRead);
            let held = number(used.register()).and_then(|number| found.get_mut(number));
            if let Some(held) = held.filter(|_| is_set) {
                *held = Some(Some(one).filter(|_| held.is_none() && is_address));
            }
        }
    }
    found.into_iter().flatten().flatten().collect()
}

/// The instructions before a jump that run one after another, unless a branch is taken; the jump is not among them.
fn straight<'c>(code: &'c Code, jump: &Instruction) -> Vec<&'c Instruction> {
    let mut found = Vec::new();
    let mut next = jump.ip();
    for (_, one) in code.range(..jump.ip()).rev().take(MAX_BEFORE) {
        let goes_on =
            matches!(one.flow_control(), FlowControl::Next | FlowControl::ConditionalBranch);
        if one.next_ip() != next || !goes_on {
            break;
        }
        found.push(one);
        next = one.ip();
    }
    found.reverse();
    found
}

/// The last comparison whose branch takes all larger numbers away: its place, and how many numbers it lets through.
fn bound<'c>(before: &[&'c Instruction]) -> Option<(usize, &'c Instruction, u64)> {
    before.iter().enumerate().rev().find_map(|(at, branch)| {
        let earlier = before.get(..at)?.iter().enumerate().rev();
        let (place, compare) = earlier.into_iter().find(|(_, one)| one.rflags_modified() != 0)?;
        let is_bound =
            compare.mnemonic() == Mnemonic::Cmp && compare.op1_kind() != OpKind::Register;
        let last = compare.try_immediate(1).ok().filter(|_| is_bound)?;
        let count = match branch.condition_code() {
            ConditionCode::a => last.checked_add(1)?,
            ConditionCode::ae => last,
            _ => return None,
        };
        (count <= MAX_CASES).then_some((place, *compare, count))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{call_import, replayed};
    use super::*;

    /// `mov ecx,number`, `call [import]`, `ret`, at an offset from the function's start.
    fn case(at: u32, number: u8) -> Vec<u8> {
        [&[0xB9, number, 0, 0, 0][..], &call_import(at + 5), &[0xC3]].concat()
    }

    /// The numbers that the calls of a function are made with, whose code ends this many bytes on.
    fn numbers(code: &[u8], size: u32) -> Vec<Value> {
        replayed(code, size, "DeleteCriticalSection", "a.dll", |run| {
            assert!(run.is_whole);
            run.calls.iter().filter_map(|call| call.arguments.first().copied()).collect()
        })
    }

    #[test]
    fn a_jump_through_a_table_leads_to_its_cases() {
        let both = [Value::Constant(7), Value::Constant(8)];
        // cmp ecx,2; ja end; lea rax,[table]; movsxd rcx,[rax+rcx*4]; add rax,rcx; jmp rax; end: ret
        let distances = [
            &[0x83, 0xF9, 2, 0x77, 16, 0x48, 0x8D, 0x05, 36, 0, 0, 0, 0x48, 0x63, 0x0C, 0x88][..],
            &[0x48, 0x01, 0xC8, 0xFF, 0xE0, 0xC3],
            &case(22, 7),
            &case(34, 8),
            &[0xCC, 0xCC],
            &[21 - 48, 22 - 48, 34 - 48].map(i32::to_le_bytes).concat(),
        ]
        .concat();
        assert_eq!(numbers(&distances, 46), both);
        // lea rdx,[image]; cmp ecx,3; ja end; movzx ecx,[rdx+rcx+bytes]; mov ecx,[rdx+rcx*4+table]; add rcx,rdx; jmp rcx; end: ret
        let bytes_first = [
            &[0x48, 0x8D, 0x15, 0xF9, 0xEF, 0xFF, 0xFF, 0x83, 0xF9, 3, 0x77, 20][..],
            &[0x0F, 0xB6, 0x8C, 0x0A, 60, 0x10, 0, 0, 0x8B, 0x8C, 0x8A, 64, 0x10, 0, 0],
            &[0x48, 0x01, 0xD1, 0xFF, 0xE1, 0xC3],
            &case(33, 7),
            &case(45, 8),
            &[0xCC, 0xCC, 0xCC],
            &[1, 0, 1, 0],
            &[0x1000 + 33, 0x1000 + 45].map(u32::to_le_bytes).concat(),
        ]
        .concat();
        assert_eq!(numbers(&bytes_first, 57), both);
        // lea r12,[table]; jmp on; on: cmp ecx,2; ja end; movsxd rcx,[r12+rcx*4]; add rcx,r12; jmp rcx; end: ret: set before a loop
        let set_before = [
            &[0x4C, 0x8D, 0x25, 41, 0, 0, 0, 0xEB, 0, 0x83, 0xF9, 2, 0x77, 9, 0x49, 0x63][..],
            &[0x0C, 0x8C, 0x4C, 0x01, 0xE1, 0xFF, 0xE1, 0xC3],
            &case(24, 7),
            &case(36, 8),
            &[23 - 48, 24 - 48, 36 - 48].map(i32::to_le_bytes).concat(),
        ]
        .concat();
        assert_eq!(numbers(&set_before, 48), both);
        // Without a bound nobody knows: what the unwind data counts to the function can have run, with whatever.
        let unbound = [&[0x90, 0x90, 0x90, 0x90, 0x90][..], &distances[5..]].concat();
        assert_eq!(numbers(&unbound, 46), [Value::Unknown, Value::Unknown]);
    }

    #[test]
    fn a_known_number_leads_to_its_case() {
        // mov ecx,1 before the first of the above.
        let code = [
            &[0xB9, 1, 0, 0, 0][..],
            &[0x83, 0xF9, 2, 0x77, 16, 0x48, 0x8D, 0x05, 36, 0, 0, 0, 0x48, 0x63, 0x0C, 0x88],
            &[0x48, 0x01, 0xC8, 0xFF, 0xE0, 0xC3],
            &case(27, 7),
            &case(39, 8),
            &[0xCC, 0xCC],
            &[21 - 48, 22 - 48, 34 - 48].map(i32::to_le_bytes).concat(),
        ]
        .concat();
        assert_eq!(numbers(&code, 51), [Value::Constant(7)]);
    }
}
