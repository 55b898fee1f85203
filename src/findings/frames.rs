//! What live frames keep where a section on a stack would be.

use super::{Case, Finding, FindingId, place};
use crate::crash::locals;
use crate::crash::stack;
use crate::critsec::CriticalSection;
use crate::critsec::layout::Layout;
use crate::image::registers::RegisterFile;

/// Most frames of a stack looked at.
const MAX_FRAMES: usize = 64;

/// The live frame that the section would lie in has something else there.
///
/// - situation: a pointer to a section on a stack is live, and the function that had it there has returned; the next call's frame is there.
/// - example: a return address of a live frame at the section's +0x10; a function that reads its own counter at the section's +8.
/// - handling: frames that are certain, from the innermost on; between the stack pointer of one and the return address that leads out of it lies its own.
/// - test: `the_frame_of_another_function` (tests/accuracy).
pub(super) fn collect(
    case: Case<'_, '_>,
    section: &CriticalSection,
    thread: u32,
    findings: &mut Vec<Finding>,
) {
    let size = Layout::of(section.width).size;
    let frames = if thread == case.crash.thread_id {
        case.crash.frames.clone()
    } else {
        let context = case.scene.dump.thread(thread).and_then(|thread| thread.context.as_ref());
        let registers = context.and_then(RegisterFile::from_context);
        registers.map_or_else(Vec::new, |start| stack::exact_frames(case.scene, start, MAX_FRAMES))
    };
    let certain = frames.iter().take_while(|frame| frame.trust.is_exact()).count();
    let Some(end) = section.address.checked_add(size) else { return };
    let pairs = frames.iter().zip(frames.iter().skip(1)).take(certain.saturating_sub(1));
    let skipped = if thread == case.crash.thread_id { case.lock.caller.unwrap_or(0) } else { 0 };
    for (frame, caller) in pairs.skip(skipped) {
        let Some((sp, slot)) = frame.registers.sp().zip(caller.return_slot) else { continue };
        if section.address < sp || section.address >= slot {
            continue;
        }
        let what = if slot < end {
            let to = place::describe(case.scene.dump, caller.registers.ip());
            Some(format!("the return address to {to} at {slot:#x}"))
        } else {
            locals::inside(case.scene, frame, section.address, size).map(|local| {
                let function = place::describe(case.scene.dump, local.instruction);
                format!("a variable at {:#x} of the function around {function}", local.address)
            })
        };
        if let Some(what) = what {
            findings.push(Finding::new(
                FindingId::FrameOfAnother,
                format!("Where the section would be is {what}, whose frame is live on thread {thread:#x}."),
                format!("stack of thread {thread:#x}"),
            ));
        }
    }
}
