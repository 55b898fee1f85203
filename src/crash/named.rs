//! Whether the code of a module names an address of its own data.

use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::images::ModuleImage;

/// Bytes before an address in which a name of its object is looked for.
pub const REACH: u64 = 0x60;
/// Most bytes of a module searched.
const MAX_SEARCHED: usize = 1 << 24;
/// Bytes searched for the price of one instruction.
const CHEAP: usize = 1024;

/// Whether a module names an address of its data, or up to [`REACH`] bytes before it; `None` where the dump lacks a part of the module that
/// may, or that is too large.
///
/// - situation: code names what the compiler placed, a static section or the object that it is a member of; what the program placed by
///   itself in a static buffer, or an element of an array, it comes to by a pointer.
/// - example: `static char arena[0x4000]`: the code names 1400080A0h, and the section at +410h nowhere.
/// - handling: x86: 4 bytes of the module, anywhere but in writable data, are such an address. x64: an operand relative to rip is, or 8 bytes
///   of constants. What looks like one by chance is taken for one. ARM64: not known.
/// - test: `what_no_code_names_was_placed_by_the_program` (tests/accuracy).
#[must_use]
pub fn is_named(scene: Scene<'_, '_>, module: &ModuleImage<'_, '_>, address: u64) -> Option<bool> {
    (!scene.is_arm64()).then_some(())?;
    let image = module.image().ok()?;
    image.sections_complete.then_some(())?;
    let is_near = |named: u64| address.checked_sub(named).is_some_and(|before| before <= REACH);
    let mut left = MAX_SEARCHED;
    for part in image.sections.iter().filter(|part| !part.is_writable() || part.is_executable()) {
        let start = image.address(part.virtual_address)?;
        let size = usize::try_from(part.virtual_size).ok()?;
        left = left.checked_sub(size)?;
        let bytes = scene.dump.memory.read_up_to(start, size);
        (bytes.len() == size && scene.flows.spend(size.checked_div(CHEAP)?)).then_some(())?;
        let found = match image.width {
            PointerWidth::Four => holds_word(&bytes, is_near),
            PointerWidth::Eight if part.is_executable() => has_operand(start, &bytes, is_near),
            PointerWidth::Eight => holds_pointer(&bytes, is_near),
        };
        if found {
            return Some(true);
        }
    }
    Some(false)
}

fn holds_word(bytes: &[u8], is_wanted: impl Fn(u64) -> bool) -> bool {
    let mut words = bytes.windows(4).filter_map(<[u8]>::first_chunk::<4>);
    words.any(|word| is_wanted(u32::from_le_bytes(*word).into()))
}

fn holds_pointer(bytes: &[u8], is_wanted: impl Fn(u64) -> bool) -> bool {
    let mut words = bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk::<8>);
    words.any(|word| is_wanted(u64::from_le_bytes(*word)))
}

/// Whether an instruction has such an operand relative to rip: a mode byte, and 4 bytes (AMD64 Architecture Programmer's Manual, volume 3,
/// 1.7). Bytes of a constant may follow.
fn has_operand(start: u64, code: &[u8], is_wanted: impl Fn(u64) -> bool) -> bool {
    let windows = code.windows(5).filter_map(<[u8]>::first_chunk::<5>);
    windows.zip(start..).any(|([mode, a, b, c, d], at)| {
        let offset = i64::from(i32::from_le_bytes([*a, *b, *c, *d]));
        let target = at.wrapping_add(5).wrapping_add_signed(offset);
        let behind = [0u64, 1, 2, 4];
        *mode & 0xC7 == 5 && behind.iter().any(|bytes| is_wanted(target.wrapping_add(*bytes)))
    })
}

#[cfg(test)]
mod tests {
    use super::{has_operand, holds_pointer, holds_word};

    #[test]
    fn an_operand_names_what_it_leads_to() {
        let lea = [0x48, 0x8D, 0x0D, 0x10, 0, 0, 0];
        assert!(has_operand(0x1000, &lea, |at| at == 0x1017));
        assert!(!has_operand(0x1000, &lea, |at| at == 0x1016));
        let store = [0xC6, 0x05, 0x10, 0, 0, 0, 1];
        assert!(has_operand(0x1000, &store, |at| at == 0x1017), "a byte follows");
        assert!(!has_operand(0x1000, &[0x48, 0x8D, 0x4D, 0x10, 0, 0, 0], |_| true), "of rbp");
    }

    #[test]
    fn words_and_pointers_name_what_they_are() {
        assert!(holds_word(&[0xB8, 0x0C, 0x73, 0x40, 0], |at| at == 0x40_730C));
        assert!(!holds_word(&[0xB8, 0x0C, 0x73], |_| true));
        assert!(holds_pointer(&0x1_4000_84A0u64.to_le_bytes(), |at| at == 0x1_4000_84A0));
    }
}
