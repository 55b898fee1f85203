//! Threads that wait by address: the wait blocks behind `PEB.WaitOnAddressHashTable` (critical-sections.md 6.3).
//!
//! The layout is known from observation only, on Windows 10 x64; that of x86 is derived from it. So every block
//! must prove itself, and one that does not makes the answer "unknown".

use super::layout::Layout;
use crate::dump::Dump;
use crate::dump::memory::PointerWidth;
use std::collections::HashSet;

/// Buckets of the table.
const BUCKETS: u64 = 128;
/// Most blocks of one bucket walked; two waits seldom share one.
const MAX_BLOCKS: usize = 1024;

/// The threads that wait on a section's `LockCount` by address; `None` when the table is not in the dump or a block
/// in the bucket does not prove itself.
///
/// - situation: LockCount counts waiters; Windows 8 and later park them by address, on lists that start in the PEB.
/// - example: LockCount -10 and two blocks on the stacks of two threads, both naming the address of LockCount.
/// - handling: each block must lie, aligned, on the stack of the very thread that it names; the walk ends at a block
///   seen before, and at [`MAX_BLOCKS`].
/// - test: `waiters_by_address_are_counted`.
#[must_use]
pub fn waiters(dump: &Dump<'_>, section: u64) -> Option<Vec<u32>> {
    let width = dump.system.pointer_width;
    // WaitOnAddressHashTable in the PEB; thread id and next older block in a wait block.
    let (table, thread_id, older) = match width {
        PointerWidth::Four => (0x25C, 0x04, 0x08),
        PointerWidth::Eight => (0x3A0, 0x08, 0x10),
    };
    let lock_count = section.checked_add(Layout::of(width).lock_count)?;
    let bucket = lock_count.checked_shr(5)? & BUCKETS.checked_sub(1)?;
    let peb = dump.system.peb.as_ref()?.address;
    let slot = peb.checked_add(table)?.checked_add(bucket.checked_mul(width.bytes())?)?;
    let mut next = dump.memory.pointer(slot, width)? & !3;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while next != 0 {
        if seen.len() >= MAX_BLOCKS || !seen.insert(next) || !next.is_multiple_of(width.bytes()) {
            return None;
        }
        let field = |offset: u64| dump.memory.pointer(next.checked_add(offset)?, width);
        let id = u32::try_from(field(thread_id)?).ok()?;
        if dump.stack_owner(next).map(|thread| thread.id) != Some(id) {
            return None;
        }
        if field(0)? == lock_count {
            found.push(id);
        }
        next = field(older)? & !3;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::synth::{Synth, SynthThread, context, peb, teb};

    const PEB: u64 = 0x7F_0000;
    const SECTION: u64 = 0x14_0120;

    /// Two threads with a wait block each on their stacks, the newer first in the list.
    fn file(address: u64, named: [u32; 2], older: u64) -> Vec<u8> {
        let width = PointerWidth::Eight;
        let mut table = peb(width, (10, 0, 19041), 0);
        let bucket = usize::try_from(((SECTION + 8) >> 5) & 127).unwrap();
        table[0x3A0 + bucket * 8..][..8].copy_from_slice(&0x20_0101u64.to_le_bytes());
        let registers = context(Cpu::Amd64, &[("rsp", 0x20_0000)]);
        let stack = |at: u64, id: u32, older: u64| {
            let mut stack = vec![0u8; 0x200];
            let mut put = |offset: usize, value: u64| {
                stack[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            };
            put(0x100, at);
            put(0x108, id.into());
            put(0x110, older);
            stack
        };
        let stacks = [stack(address, named[0], older), stack(SECTION + 8, named[1], 0)];
        let mut synth = Synth::new(Cpu::Amd64)
            .memory(0x7E_0000, teb(width, 0x7E_0000, PEB, (1, 7), (0x10_0000, 0x10_1000)))
            .memory(PEB, table)
            .thread(&SynthThread { id: 7, teb: 0x7E_0000, ..SynthThread::default() });
        for (id, base, stack) in [(8, 0x20_0000, &stacks[0]), (9, 0x30_0000, &stacks[1])] {
            let thread = SynthThread {
                id,
                stack_base: base,
                stack,
                context: &registers,
                ..SynthThread::default()
            };
            synth = synth.thread(&thread);
        }
        synth.build()
    }

    fn found(file: &[u8]) -> Option<Vec<u32>> {
        waiters(&Dump::parse(file).unwrap(), SECTION)
    }

    #[test]
    fn waiters_by_address_are_counted() {
        assert_eq!(found(&file(SECTION + 8, [8, 9], 0x30_0100)), Some(vec![8, 9]));
        assert_eq!(found(&file(0x55_0008, [8, 9], 0x30_0100)), Some(vec![9]), "another address");
        assert_eq!(found(&file(SECTION + 8, [8, 9], 0x30_0102)), Some(vec![8, 9]), "low bits");
    }

    #[test]
    fn a_block_that_does_not_prove_itself_is_no_answer() {
        assert_eq!(found(&file(SECTION + 8, [9, 9], 0x30_0100)), None, "another thread's stack");
        assert_eq!(found(&file(SECTION + 8, [8, 9], 0x20_0100)), None, "a circle");
        assert_eq!(found(&file(SECTION + 8, [8, 9], 0x66_0000)), None, "no memory");
        let empty = Synth::new(Cpu::Amd64).build();
        assert_eq!(found(&empty), None, "no PEB");
    }
}
