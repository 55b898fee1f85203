//! Whether what is left was entered, on code made by hand.

use super::start_state;
use super::step::RCX;
use super::tests::{APP, CALL_RAX, call_import, long_loop, replayed};
use super::value::{State, Value};
use super::{Run, Scene};
use crate::dump::synth::Synth;
use crate::dump::{Cpu, Dump};
use crate::image::fixtures::PeBuilder;
use crate::image::flow::FlowCache;
use crate::image::images::Images;

/// What holds at the call that ends `stop` bytes on in code that calls EnterCriticalSection through an import slot.
fn at_call(code: &[u8], stop: usize) -> State {
    let mut pe = PeBuilder::x64();
    pe.put(0x1000, code);
    pe.imports("KERNEL32.dll", "EnterCriticalSection");
    pe.pdata(&[(0x1000, 0x1000 + u32::try_from(code.len()).unwrap(), 0x3800)]);
    pe.put(0x3800, &[1, 0, 0, 0]);
    let file = Synth::new(Cpu::Amd64)
        .module(PeBuilder::BASE, 0x1_0000, APP, [1, 0, 0, 0])
        .memory(PeBuilder::BASE, pe.bytes())
        .build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, [(PeBuilder::BASE, PeBuilder::SIZE)]);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let mut run = Run::new(scene);
    let state = start_state(&mut run, 1, &[]);
    let start = PeBuilder::BASE + 0x1000;
    let found = run.function_from(start, state, Some(start + stop as u64)).unwrap();
    found.reached.into_iter().next().unwrap().state
}

#[test]
fn a_pointer_that_is_read_again_may_be_another() {
    // mov rcx,rbx; call [Enter]; mov rcx,rbx; call rax; ret
    let kept = [&[0x48, 0x89, 0xD9][..], &call_import(3), &[0x48, 0x89, 0xD9], &CALL_RAX, &[0xC3]];
    let state = at_call(&kept.concat(), 14);
    assert!(state.held.contains_key(&state.register(RCX)));
    // The same with mov rcx,[rbx]: another thread may have changed it since.
    let read = [&[0x48, 0x8B, 0x0B][..], &call_import(3), &[0x48, 0x8B, 0x0B], &CALL_RAX, &[0xC3]];
    let state = at_call(&read.concat(), 14);
    assert!(!state.held.contains_key(&state.register(RCX)));
}

#[test]
fn a_way_that_cannot_be_followed_may_not_have_entered() {
    // test edx,edx; je other; mov ecx,8; call [Enter]; jmp out; other: add rax,rdx; jmp rax; out: mov ecx,8; call rax; ret
    let code = |other: &[u8]| {
        let last = [&[0xB9, 8, 0, 0, 0][..], &CALL_RAX, &[0xC3]].concat();
        let first = [0x85, 0xD2, 0x74, 13, 0xB9, 8, 0, 0, 0];
        [&first[..], &call_import(9), &[0xEB, 5], other, &last].concat()
    };
    let is_held = |other: &[u8]| at_call(&code(other), 29).held.contains_key(&Value::Constant(8));
    assert!(!is_held(&[0x48, 0x01, 0xD0, 0xFF, 0xE0]));
    // other: ret
    assert!(is_held(&[0xC3, 0xCC, 0xCC, 0xCC, 0xCC]));
}

#[test]
fn a_function_that_is_not_replayed_may_leave_by_a_jump() {
    // call dear; ret; dear: a long loop; pop rbx; jmp [Leave]
    let code = |size: usize| {
        let mut code = [0xE8, 0x1B, 0, 0, 0, 0xC3].to_vec();
        code.resize(0x20, 0xCC);
        let code = [code, long_loop(&[], size), vec![0x5B]].concat();
        let [_, _, slot @ ..] = call_import(u32::try_from(code.len()).unwrap());
        [&code[..], &[0xFF, 0x25], &slot].concat()
    };
    let leaves = |size: usize| {
        replayed(&code(size), 6, "LeaveCriticalSection", "a.dll", |run| {
            let mut leaves = run.calls.iter().filter(|call| call.name == "LeaveCriticalSection");
            leaves.any(|call| call.is_unmatched)
        })
    };
    assert!(leaves(0x100), "replayed");
    assert!(leaves(0x300), "too dear");
}
