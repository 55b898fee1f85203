use super::*;
use crate::dump::memory::{MemorySource, Region};

fn space(bytes: &[u8]) -> AddressSpace<'_> {
    AddressSpace::new([Region { base: 0x1000, bytes, source: MemorySource::MemoryList }])
}

#[test]
fn follows_a_function_into_its_far_part() {
    let mut code = vec![0xCC; 0x100];
    // push ebp; mov ebp,esp; push esi; test eax,eax; jz 0x1080; pop esi; pop ebp; ret
    code[..11].copy_from_slice(&[0x55, 0x8B, 0xEC, 0x56, 0x85, 0xC0, 0x74, 0x78, 0x5E, 0x5D, 0xC3]);
    // the far part: call 0x1090 and nothing behind it
    code[0x80..0x85].copy_from_slice(&[0xE8, 0x0B, 0x00, 0x00, 0x00]);
    let flow = follow(&space(&code), 0x1000, PointerWidth::Four);
    assert!(flow.reaches(0x1085), "the address behind the last call");
    assert!(flow.reaches(0x1008));
    assert!(!flow.reaches(0x1090), "a callee is another function");
    assert_eq!(
        flow.saved,
        [
            SavedRegister { register: Register::Rbp, below_return: 4 },
            SavedRegister { register: Register::Rsi, below_return: 8 },
        ]
    );
    assert!(flow.complete && flow.leaves_alone(Register::Rdi) && !flow.leaves_alone(Register::Rsi));
}

#[test]
fn what_lies_behind_a_last_call_may_be_the_next_functions() {
    let surely = |code: &[u8], ip| {
        let flow = follow(&space(code), 0x1000, PointerWidth::Four);
        assert!(flow.reaches(ip));
        flow.surely_reaches(0x1000, ip)
    };
    // push esi; call 0x1100; pop esi; ret
    let plain = [0x56, 0xE8, 0xFA, 0, 0, 0, 0x5E, 0xC3];
    assert!(surely(&plain, 0x1000) && surely(&plain, 0x1006) && surely(&plain, 0x1007));
    // call 0x1100; nop; ret: behind the call is still the function's, behind the padding perhaps not.
    let padded = [0xE8, 0xFB, 0, 0, 0, 0x90, 0xC3];
    assert!(surely(&padded, 0x1005) && !surely(&padded, 0x1006));
    // The same with mov edi, edi, with lea esi, [esi+0], and with add eax, 0.
    for padding in [&[0x8B, 0xFF][..], &[0x8D, 0x76, 0], &[5, 0, 0, 0, 0]] {
        let code = [&[0xE8, 0xFB, 0, 0, 0][..], padding, &[0xC3]].concat();
        assert!(!surely(&code, 0x1005 + padding.len() as u64), "{padding:x?}");
    }
    // call 0x1100; push ebp; ...
    let begun = [0xE8, 0xFB, 0, 0, 0, 0x55, 0x5D, 0xC3];
    assert!(surely(&begun, 0x1005) && !surely(&begun, 0x1006));
    // Eleven nops, call 0x1100, which ends where functions begin; ret
    let aligned = [&[0x90; 11][..], &[0xE8, 0xF0, 0, 0, 0, 0x40, 0xC3]].concat();
    assert!(surely(&aligned, 0x1010) && !surely(&aligned, 0x1011));
}

#[test]
fn what_lies_behind_a_gap_may_be_another_functions() {
    // jmp 0x1010; and behind it, or behind what nothing leads to: push esi; pop esi; ret
    let body = [0x56, 0x5E, 0xC3];
    let mut far = vec![0xCC; 0x20];
    far[..2].copy_from_slice(&[0xEB, 0x0E]);
    far[0x10..0x13].copy_from_slice(&body);
    let flow = follow(&space(&far), 0x1000, PointerWidth::Four);
    assert!(flow.reaches(0x1011) && !flow.surely_reaches(0x1000, 0x1011));
    let near = [&[0xEB, 0][..], &body].concat();
    assert!(follow(&space(&near), 0x1000, PointerWidth::Four).surely_reaches(0x1000, 0x1003));
}

#[test]
fn what_moves_the_stack_pointer_is_known() {
    let moves = |code: &[u8]| follow(&space(code), 0x1000, PointerWidth::Four).moves_stack;
    // mov eax, 1; call [edx]; ret 4
    assert!(!moves(&[0xB8, 1, 0, 0, 0, 0xFF, 0x12, 0xC2, 4, 0]));
    // push ebp; pushad; pushfd; sub esp, 4; pop ecx; xchg eax, esp; enter: each with a ret behind it.
    let moving: [&[u8]; 7] =
        [&[0x55], &[0x60], &[0x9C], &[0x83, 0xEC, 4], &[0x59], &[0x94], &[0xC8, 0, 0, 0]];
    for code in moving {
        assert!(moves(&[code, &[0xC3]].concat()), "{code:x?}");
    }
}

#[test]
fn follows_over_the_border_of_two_regions() {
    // mov eax,0x01020304; ret, cut in the mov; and enough behind it for one decoder.
    let mut code = vec![0xB8, 4, 3, 2, 1, 0xC3];
    code.resize(32, 0xCC);
    let (head, tail) = code.split_at(3);
    let region = |base, bytes| Region { base, bytes, source: MemorySource::MemoryList };
    let space = AddressSpace::new([region(0x1000, head), region(0x1003, tail)]);
    let flow = follow(&space, 0x1000, PointerWidth::Four);
    assert!(flow.complete && flow.reaches(0x1005) && !flow.reaches(0x1003));
}

#[test]
fn code_that_cannot_be_read_leaves_the_flow_incomplete() {
    let flow = follow(&space(&[0x55, 0x8B, 0xEC]), 0x1000, PointerWidth::Four);
    assert!(!flow.complete && !flow.leaves_alone(Register::Rdi));
}
