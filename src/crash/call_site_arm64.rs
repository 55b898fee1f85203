//! How an ARM64 caller formed the lock function's argument, and what a call through a register goes through: as
//! [`super::call_site`] for x86 and x64.

use super::backwards::merge;
use super::call_site::{Argument, Base};
use super::stack::Scene;
use crate::image::instruction_arm64::{Instruction, SP, decode, written};
use crate::image::registers::Register;
use crate::image::runtime_functions_arm64;
use std::collections::HashSet;

/// Most bytes of code looked at before a call whose function's start is not known.
const WINDOW: u64 = 256;
/// Most bytes of a function searched for branches.
const MAX_FUNCTION: u64 = 0x1_0000;
/// Most instructions followed backwards.
const MAX_STEPS: usize = 96;

/// An instruction before the call.
struct Before {
    word: u32,
    instruction: Instruction,
    /// Whether a branch of the function leads to it: what stands before it need not have run.
    is_target: bool,
}

/// Reads how x0 of the call at `call_address` was formed.
///
/// - situation: what stands before the target of a branch need not have run before the call.
/// - example: `cbz x8, L`, `mov x0, x20`, `b M`, `L: mov x0, x21`, `M: bl RtlLeaveCriticalSection`.
/// - handling: values are followed back to the nearest such target; a nonvolatile register needs no following.
/// - test: `nothing_is_followed_past_the_target_of_a_branch`.
#[must_use]
pub(super) fn argument(scene: Scene<'_, '_>, call_address: u64) -> Option<Argument> {
    follow(&before(scene, call_address)?, 0, vec![0], is_stable)
}

/// The import slot that a call through a register goes through.
///
/// - situation: the register was loaded from an import slot, for a nonvolatile register perhaps far before.
/// - example: `adrp x8, page`, `ldr x8, [x8, #0x20]`, `blr x8`.
/// - handling: the nearest write of the register before the call counts when it loads from a fixed address; a volatile
///   register is followed back to the nearest target of a branch.
/// - test: `a_call_through_a_register_has_a_slot`.
#[must_use]
pub(super) fn called_slot(
    scene: Scene<'_, '_>,
    call_address: u64,
    register: Register,
) -> Option<u64> {
    let Register::X(number) = register else { return None };
    let before = before(scene, call_address)?;
    let load = before.iter().position(|before| writes(before.word, number))?;
    let is_volatile = !register.is_nonvolatile(scene.dump.system.pointer_width);
    let joins = before.iter().take(load).any(|before| before.is_target);
    (!(is_volatile && joins)).then_some(())?;
    let (base, offset) = match before.get(load)?.instruction {
        Instruction::Load(_, rn, offset) => (rn, offset),
        Instruction::LoadLiteral(_, slot) => return Some(slot),
        _ => return None,
    };
    // Before the load no register has the frame's value yet.
    let argument = follow(before.get(load.checked_add(1)?..)?, base, vec![offset], |_| false)?;
    match (argument.base, argument.displacements.as_slice()) {
        (Base::Constant(page), [displacement]) => Some(page.wrapping_add_signed(*displacement)),
        _ => None,
    }
}

fn writes(word: u32, number: u8) -> bool {
    let bit = 1_u32.checked_shl(u32::from(number)).unwrap_or(0);
    written(word) & bit != 0
}

/// The instructions up to the call, last first, from the start of its function at most.
fn before(scene: Scene<'_, '_>, call: u64) -> Option<Vec<Before>> {
    // Nothing is read any more when the dump's work is used up.
    scene.flows.spend(1).then_some(())?;
    let (start, end) = function(scene, call)
        .filter(|(start, _)| call.checked_sub(*start).is_some_and(|size| size <= MAX_FUNCTION))
        .unwrap_or((call.saturating_sub(WINDOW), call));
    let end = end.min(start.saturating_add(MAX_FUNCTION)).max(call);
    let len = usize::try_from(end.checked_sub(start)?).ok()?;
    let code = scene.dump.memory.read_up_to(start, len);
    let (words, _) = code.as_chunks::<4>();
    let mut targets = HashSet::new();
    let mut run = Vec::new();
    for (address, word) in (start..end).step_by(4).zip(words) {
        scene.flows.spend(1).then_some(())?;
        let word = u32::from_le_bytes(*word);
        let instruction = decode(word, address);
        if let Instruction::Branch(to) | Instruction::ConditionalBranch(to) = instruction {
            targets.insert(to);
        }
        if address < call {
            run.push((address, word, instruction));
        }
    }
    // The last one must be there, or something is missing in between.
    (run.last()?.0.checked_add(4)? == call).then_some(())?;
    let steps = run.into_iter().rev().take(MAX_STEPS);
    Some(
        steps
            .map(|(address, word, instruction)| Before {
                word,
                instruction,
                is_target: targets.contains(&address),
            })
            .collect(),
    )
}

/// Start and end of the function, or of the part of one, that holds an address.
fn function(scene: Scene<'_, '_>, address: u64) -> Option<(u64, u64)> {
    let image = scene.images.image_at(address)?;
    let rva = image.rva(address)?;
    let record = runtime_functions_arm64::lookup(&scene.dump.memory, image, rva).ok()??;
    Some((image.address(record.begin_address)?, image.address(record.end_address())?))
}

/// Follows the value of a register backwards through the instructions that made it, to a constant or a register that
/// `is_known`.
fn follow(
    before: &[Before],
    number: u8,
    displacements: Vec<i64>,
    is_known: impl Fn(u8) -> bool,
) -> Option<Argument> {
    let (mut number, mut displacements) = (number, displacements);
    let mut later_writes = 0;
    for Before { word, instruction, is_target } in before {
        if is_known(number) {
            break;
        }
        if matches!(
            instruction,
            Instruction::Branch(_) | Instruction::BranchRegister(_) | Instruction::Return
        ) {
            return None;
        }
        if writes(*word, number) {
            let (source, displacement, is_read) = match *instruction {
                Instruction::Constant(_, value) => {
                    return Some(Argument { base: Base::Constant(value), displacements });
                }
                Instruction::LoadLiteral(_, address) => {
                    merge(&mut displacements, 0, true)?;
                    return Some(Argument { base: Base::Constant(address), displacements });
                }
                Instruction::Add(_, source, more) => (source, more, false),
                Instruction::Load(_, source, offset) => (source, offset, true),
                _ => return None,
            };
            merge(&mut displacements, displacement, is_read)?;
            let bit = 1_u32.checked_shl(u32::from(source)).unwrap_or(0);
            // The frame has what was written last.
            if is_known(source) && later_writes & bit != 0 {
                return None;
            }
            number = source;
        }
        later_writes |= written(*word);
        if *is_target && !is_known(number) {
            return None;
        }
    }
    let base = match number {
        SP => Register::Sp,
        _ if is_known(number) => Register::X(number),
        _ => Register::X(number),
    };
    Some(Argument { base: Base::Register(base), displacements })
}

/// Whether a register keeps its value over the call, so that the frame's own value can be used.
fn is_stable(number: u8) -> bool {
    (19..=29).contains(&number) || number == SP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    /// Runs `with` on code that stands at 0x40_1000; the call is its last instruction.
    fn on<T>(code: &[u32], with: impl Fn(Scene<'_, '_>, u64) -> T) -> T {
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let call = 0x40_1000 + bytes.len() as u64 - 4;
        // Room before it, as the function's start is not known.
        let mut memory = vec![0; 0x1000];
        memory.extend(bytes);
        let file = Synth::new(Cpu::Arm64)
            .module(0x40_0000, 0x10000, "app.exe", [1, 0, 0, 0])
            .memory(0x40_0000, memory)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(0x40_0000, 0x10000)]);
        with(Scene { dump: &dump, images: &images, flows: &FlowCache::default() }, call)
    }

    fn argument_of(code: &[u32]) -> Option<(Base, Vec<i64>)> {
        let found = on(code, argument)?;
        Some((found.base, found.displacements))
    }

    const BL: u32 = 0x9400_0100;
    const NOP: u32 = 0xD503_201F;

    #[test]
    fn the_forms_of_an_argument() {
        let register = |number| Base::Register(Register::X(number));
        // adrp x0, +3 pages; add x0, x0, #0x98
        let global = [0xF000_0000, 0x9102_6000, BL];
        assert_eq!(argument_of(&global), Some((Base::Constant(0x40_4000), vec![0x98])));
        assert_eq!(argument_of(&[0xAA13_03E0, NOP, BL]), Some((register(19), vec![0])));
        assert_eq!(argument_of(&[0x9100_C260, BL]), Some((register(19), vec![0x30])));
        assert_eq!(argument_of(&[0xF940_0A60, BL]), Some((register(19), vec![0x10, 0])));
        // ldr x0, [sp, #8]; add x0, sp, #0x18
        assert_eq!(
            argument_of(&[0xF940_07E0, BL]),
            Some((Base::Register(Register::Sp), vec![8, 0]))
        );
        assert_eq!(
            argument_of(&[0x9100_63E0, BL]),
            Some((Base::Register(Register::Sp), vec![0x18]))
        );
        // ldr x8, [x19, #0x10]; add x0, x8, #8
        assert_eq!(
            argument_of(&[0xF940_0A68, 0x9100_2100, BL]),
            Some((register(19), vec![0x10, 8]))
        );
    }

    #[test]
    fn what_is_written_in_between_is_not_followed() {
        // mov x0, x19; mov x19, x20: the frame has the later x19.
        assert_eq!(argument_of(&[0xAA13_03E0, 0xAA14_03F3, BL]), None);
        // ldr x8, [sp, #8]; add x0, x8, #0x18; x8 is used again for the function: what it holds later does not matter.
        let reused = [0xF940_07E8, 0x9100_6100, 0xB000_0008, 0xF940_5108, 0xD63F_0100];
        let found = argument_of(&reused);
        assert_eq!(found, Some((Base::Register(Register::Sp), vec![8, 0x18])));
        // A call in between changes x8.
        assert_eq!(argument_of(&[0xF940_0A68, BL, 0x9100_2100, BL]), None);
        assert_eq!(argument_of(&[0x8B09_0100, BL]), None, "add x0, x8, x9");
    }

    #[test]
    fn nothing_is_followed_past_the_target_of_a_branch() {
        // cbz x8, L; mov x0, x20; b M; L: mov x0, x21; M: bl
        let code = [0xB400_0068, 0xAA14_03E0, 0x1400_0002, 0xAA15_03E0, BL];
        assert_eq!(argument_of(&code[3..]), Some((Base::Register(Register::X(21)), vec![0])));
        // The call itself is the target: what stands before it is one of two ways.
        let joined = [0xB400_0088, 0xAA14_03E0, 0x1400_0003, 0xAA15_03E0, NOP, NOP, BL];
        // b leads to the second nop, of which nobody knows which of the two ways ran.
        assert_eq!(argument_of(&joined), None);
    }

    #[test]
    fn a_call_through_a_register_has_a_slot() {
        let slot = |code: &[u32], number| {
            on(code, |scene, call| called_slot(scene, call, Register::X(number)))
        };
        // adrp x8, +3 pages; ldr x8, [x8, #0x20]; blr x8
        assert_eq!(slot(&[0xF000_0008, 0xF940_1108, 0xD63F_0100], 8), Some(0x40_4020));
        // The same in x20, with a call in between.
        assert_eq!(slot(&[0xF000_0014, 0xF940_1294, BL, 0xD63F_0280], 20), Some(0x40_4020));
        assert_eq!(slot(&[0xF000_0008, 0xF940_1108, BL, 0xD63F_0100], 8), None);
        assert_eq!(slot(&[0xF940_0268, 0xD63F_0100], 8), None, "ldr x8, [x19]");
    }
}
