//! The pointers through which code under Control Flow Guard makes its indirect calls.

use super::pe::{DirectoryKind, Image};
use crate::dump::memory::{AddressSpace, PointerWidth};

/// What a module calls through such a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It returns when the address in rcx (x86: ecx) may be called.
    Check,
    /// It calls the address in rax (x64 only).
    Dispatch,
}

/// IMAGE_LOAD_CONFIG_DIRECTORY32.GuardCFCheckFunctionPointer (winnt.h).
const CHECK_X86: [(u32, Guard); 1] = [(0x48, Guard::Check)];
/// IMAGE_LOAD_CONFIG_DIRECTORY64: GuardCFCheckFunctionPointer, GuardCFDispatchFunctionPointer, GuardXFGCheckFunctionPointer,
/// GuardXFGDispatchFunctionPointer (winnt.h).
const X64: [(u32, Guard); 4] = [
    (0x70, Guard::Check),
    (0x78, Guard::Dispatch),
    (0x118, Guard::Check),
    (0x120, Guard::Dispatch),
];

/// What the pointer at an address is of these, by the module's load configuration.
///
/// - situation: modules that are built with `/guard:cf` call virtual functions and function pointers through a pointer of their own, which
///   the loader sets to a function of ntdll's.
/// - example: `mov rax,[rcx]`, `mov rax,[rax+8]`, `call [__guard_dispatch_icall_fptr]`: what is called is in rax, not what the pointer holds.
/// - handling: the fields of IMAGE_LOAD_CONFIG_DIRECTORY that hold the pointers' addresses, as far as its Size goes.
/// - test: `guarded_calls_are_known_by_the_load_configuration`.
#[must_use]
pub fn guard_at(space: &AddressSpace<'_>, image: &Image, slot: u64) -> Option<Guard> {
    let directory = image.directory(DirectoryKind::LoadConfig).ok()?;
    let size = space.u32(image.address(directory.rva)?)?;
    let fields: &[(u32, Guard)] = match image.width {
        PointerWidth::Four => &CHECK_X86,
        PointerWidth::Eight => &X64,
    };
    let width = u32::try_from(image.width.bytes()).ok()?;
    let is_slot = |offset: u32| {
        let at = image.address(directory.rva.checked_add(offset)?)?;
        let is_there = offset.checked_add(width)? <= size;
        Some(is_there && space.pointer(at, image.width)? == slot)
    };
    fields.iter().find(|(offset, _)| is_slot(*offset) == Some(true)).map(|(_, guard)| *guard)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::PeBuilder;
    use super::*;

    #[test]
    fn guarded_calls_are_known_by_the_load_configuration() {
        let mut pe = PeBuilder::x64();
        pe.guard(0x118);
        let bytes = pe.bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let guard = |rva: u64| guard_at(&space, &image, PeBuilder::BASE + rva);
        assert_eq!(guard(0x7100), Some(Guard::Check));
        assert_eq!(guard(0x7108), Some(Guard::Dispatch));
        assert_eq!(guard(0x7110), None);
        // An older structure ends before the fields.
        pe.guard(0x78);
        let bytes = pe.bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        assert_eq!(guard_at(&space, &image, PeBuilder::BASE + 0x7108), None);
    }
}
