//! What an address is part of, in words.

use crate::dump::Dump;
use crate::dump::heap::{self, BlockState, HeapBlock};

/// `agent.exe+0xf0c0`, `stack of thread 0x44`, `heap block 0x5060+0x10` where the heap's headers prove themselves,
/// else the address.
pub(super) fn describe(dump: &Dump<'_>, address: u64) -> String {
    if let Some(module) = dump.module_at(address) {
        let offset = address.saturating_sub(module.base);
        return format!("{}+{offset:#x}", module.file_name());
    }
    if let Some(thread) = dump.stack_owner(address) {
        return format!("{address:#x} on the stack of thread {:#x}", thread.id);
    }
    let is_bound =
        |block: &HeapBlock| !matches!(block.state, BlockState::FrontEnd | BlockState::Unproven);
    match heap::block_at(dump, address).filter(is_bound) {
        Some(block) => {
            format!("heap block {:#x}+{:#x}", block.start, address.saturating_sub(block.start))
        }
        None => format!("{address:#x}"),
    }
}
