//! What lies around a section of zeros in static data.

use super::{Case, Finding, FindingId, has};
use crate::critsec::CriticalSection;
use crate::critsec::layout::Layout;

/// Bytes looked at on each side.
const BESIDE: u64 = 16;

/// Whether the variables beside a static section of zeros are zero as well.
///
/// - situation: static data begins as zeros. What a program has made and used has data around its section; what it has not come to, or has
///   forgotten, is often zero as a whole.
/// - example: `static struct { char name[24]; CRITICAL_SECTION lock; int count; } cache;` with a name and a count, or without.
/// - handling: the 16 bytes before and the 16 behind it, where the dump holds both and they lie in the same module. Of heap memory it says
///   nothing: in the lab's dumps zeros there are amid data as often in either case; nor where only one side is zero. What the process's list knows was
///   made: there it is not looked at.
/// - test: `zeros_amid_zeros_or_data`.
pub(super) fn collect(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    if has(findings, FindingId::ZerosStillListed) {
        return;
    }
    let Some(module) = dump.module_at(section.address) else { return };
    let end = section.address.saturating_add(Layout::of(section.width).size);
    let first = section.address.saturating_sub(BESIDE);
    let is_zero = |from: u64| {
        let mut bytes = [0; BESIDE as usize];
        let is_inside = from >= module.base && from.saturating_add(BESIDE) <= module.end();
        is_inside.then(|| dump.memory.read(from, &mut bytes)).flatten()?;
        Some(bytes.iter().all(|byte| *byte == 0))
    };
    let (Some(before), Some(behind)) = (is_zero(first), is_zero(end)) else { return };
    let (id, text) = match (before, behind) {
        (true, true) => {
            (FindingId::ZerosGoOn, "The zeros go on before and behind the section, in static data.")
        }
        (false, false) => (
            FindingId::ZerosAmidData,
            "The section is zero amid static data that has been written to, before and behind it.",
        ),
        _ => return,
    };
    findings.push(Finding::new(id, text, format!("memory at {first:#x}")));
}
