use super::function::Function;
use super::run::Run;
use super::step::RCX;
use super::value::Value;
use super::written::Written;
use super::{State, start_state};
use crate::crash::stack::Scene;
use crate::dump::synth::Synth;
use crate::dump::{Cpu, Dump};
use crate::image::fixtures::PeBuilder;
use crate::image::flow::FlowCache;
use crate::image::images::Images;
use std::collections::BTreeSet;

pub(super) const START: u64 = 0x40_1000;
const RBX: usize = 3;
/// Where [`PeBuilder::imports`] puts its slot.
const IMPORT_SLOT: u32 = 0x7000;

pub(super) const APP: &str = "C:\\Program Files\\Contoso\\app.exe";

/// Replays `code` at [`START`] up to the call that ends `stop` bytes on, if it is affordable; `inner` stands 100h bytes on. Where it runs
/// alone, as the only thread of a program whose data at 40_5000h began as zeros.
fn reached_as(
    cpu: Cpu,
    code: &[u8],
    inner: &[u8],
    stop: usize,
    is_alone: bool,
) -> Option<Vec<State>> {
    let file = Synth::new(cpu)
        .module(0x40_0000, 0x1_0000, APP, [1, 0, 0, 0])
        .memory(START, code)
        .memory(START + 0x100, inner)
        .build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, [(0x40_0000, 0x1_0000)]);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let mut run = Run::new(scene);
    let mut state = start_state(&mut run, 1, &[]);
    if is_alone {
        run.zeros.push((0x40_5000, 0x40_6000));
        state.is_alone = true;
    }
    let reached = run.function_from(START, state, Some(START + stop as u64))?.reached;
    Some(reached.into_iter().map(|one| one.state).collect())
}

fn reached_alone(cpu: Cpu, code: &[u8], inner: &[u8]) -> Vec<State> {
    reached_as(cpu, code, inner, code.len(), true).unwrap()
}

fn reached_at(cpu: Cpu, code: &[u8], inner: &[u8], stop: usize) -> Option<Vec<State>> {
    reached_as(cpu, code, inner, stop, false)
}

/// What holds at the call that ends `code`, each time that it may be come to.
pub(super) fn reached(cpu: Cpu, code: &[u8], inner: &[u8]) -> Vec<State> {
    reached_at(cpu, code, inner, code.len()).unwrap()
}

fn constants(states: &[State], register: usize) -> Vec<Option<u64>> {
    let constant = |state: &State| match state.register(register) {
        Value::Constant(value) => Some(value),
        _ => None,
    };
    states.iter().map(constant).collect()
}

pub(super) const CALL_RAX: [u8; 2] = [0xFF, 0xD0];

#[test]
fn rounds_that_are_counted_are_told_apart() {
    // xor ebx,ebx; again: inc ebx; cmp ebx,3; jne again; call rax
    let counted = [0x31, 0xDB, 0xFF, 0xC3, 0x83, 0xFB, 3, 0x75, 0xF9];
    let states = reached(Cpu::Amd64, &[&counted[..], &CALL_RAX].concat(), &[]);
    assert_eq!(constants(&states, RBX), [Some(3)]);
    // The same with cmp ebx,edx: any number of rounds.
    let open = [0x31, 0xDB, 0xFF, 0xC3, 0x39, 0xD3, 0x90, 0x75, 0xF9];
    let states = reached(Cpu::Amd64, &[&open[..], &CALL_RAX].concat(), &[]);
    let all = constants(&states, RBX);
    assert!(all.contains(&None) && all.iter().flatten().all(|rounds| *rounds == 1), "{all:?}");
    // again: mov ecx,ebx; call rax; inc ebx; cmp ebx,3; jne again, at the call in the loop.
    let inside = [0x31, 0xDB, 0x89, 0xD9, 0xFF, 0xD0];
    let rest = [0xFF, 0xC3, 0x83, 0xFB, 3, 0x75, 0xF5, 0xC3];
    let code = [&inside[..], &rest].concat();
    let states = reached_at(Cpu::Amd64, &code, &[], inside.len()).unwrap();
    assert_eq!(constants(&states, RCX), [Some(0), Some(1), Some(2)]);
}

#[test]
fn ways_that_meet_keep_what_they_agree_on() {
    // test edx,edx; je other; mov ebx,1; mov ecx,7; jmp on; other: mov ebx,2; mov ecx,7; on: call rax
    let code = [
        &[0x85, 0xD2, 0x74, 0x0C][..],
        &[0xBB, 1, 0, 0, 0, 0xB9, 7, 0, 0, 0, 0xEB, 0x0A],
        &[0xBB, 2, 0, 0, 0, 0xB9, 7, 0, 0, 0],
        &CALL_RAX,
    ]
    .concat();
    let states = reached(Cpu::Amd64, &code, &[]);
    assert_eq!((constants(&states, RBX), constants(&states, RCX)), (vec![None], vec![Some(7)]));
    // xor edx,edx before decides it.
    let decided = [&[0x31, 0xD2][..], &code].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &decided, &[]), RBX), [Some(2)]);
}

#[test]
fn a_function_gives_back_what_it_must() {
    // mov ebx,5; call START+100h; mov ecx,eax; call rax
    let code = [&[0xBB, 5, 0, 0, 0, 0xE8, 0xF6, 0, 0, 0, 0x89, 0xC1][..], &CALL_RAX].concat();
    // xor ebx,ebx (it does not look as if it gave it back); mov eax,9; ret
    let inner = [0x31, 0xDB, 0xB8, 9, 0, 0, 0, 0xC3];
    let states = reached(Cpu::Amd64, &code, &inner);
    assert_eq!(constants(&states, RBX), [Some(5)]);
    assert_eq!(constants(&states, RCX), [Some(9)]);
    // Code that cannot be followed to its end may give anything back.
    let states = reached(Cpu::Amd64, &code, &[0xFF, 0xE0]);
    assert_eq!((constants(&states, RBX), constants(&states, RCX)), (vec![Some(5)], vec![None]));
}

#[test]
fn arguments_on_the_stack_are_passed() {
    // push 7; call START+100h; mov ecx,eax; call eax
    let code = [&[0x6A, 7, 0xE8, 0xF9, 0, 0, 0, 0x89, 0xC1][..], &CALL_RAX].concat();
    // mov eax,[esp+4]; ret 4
    let inner = [0x8B, 0x44, 0x24, 4, 0xC2, 4, 0];
    let states = reached(Cpu::X86, &code, &inner);
    assert_eq!(constants(&states, RCX), [Some(7)]);
    let run_top = |states: &[State]| states.first().map(|state| state.register(4));
    let Some(Value::Symbol(_, offset)) = run_top(&states) else { panic!("{states:?}") };
    assert_eq!(offset, 0, "ret 4 took the argument off");
}

#[test]
fn what_a_function_may_write_to_is_forgotten() {
    // mov dword ptr [rsp+20h],5; lea rcx,[rsp+20h]; call rdx; mov ebx,[rsp+20h]; call rax
    let store = [0xC7, 0x44, 0x24, 0x20, 5, 0, 0, 0];
    let load = [0x8B, 0x5C, 0x24, 0x20];
    let passed = [&store[..], &[0x48, 0x8D, 0x4C, 0x24, 0x20, 0xFF, 0xD2], &load, &CALL_RAX];
    assert_eq!(constants(&reached(Cpu::Amd64, &passed.concat(), &[]), RBX), [None]);
    let kept = [&store[..], &[0x31, 0xC9, 0xFF, 0xD2], &load, &CALL_RAX];
    assert_eq!(constants(&reached(Cpu::Amd64, &kept.concat(), &[]), RBX), [Some(5)]);
    // The same local by mov byte ptr [rsp+21h],dl.
    let half = [&store[..], &[0x88, 0x54, 0x24, 0x21], &load, &CALL_RAX];
    assert_eq!(constants(&reached(Cpu::Amd64, &half.concat(), &[]), RBX), [None]);
}

#[test]
fn half_a_register_is_not_the_whole() {
    // mov rbx,0x1_0000_0005; mov bl,7 / mov ebx,ebx
    let load = [0x48, 0xBB, 5, 0, 0, 0, 1, 0, 0, 0];
    let byte = [&load[..], &[0xB3, 7], &CALL_RAX].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &byte, &[]), RBX), [Some(0x1_0000_0007)]);
    // mov bl,dl, of which nothing is known.
    let unknown = [&load[..], &[0x88, 0xD3], &CALL_RAX].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &unknown, &[]), RBX), [None]);
    let low = [&load[..], &[0x89, 0xDB], &CALL_RAX].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &low, &[]), RBX), [Some(5)]);
}

#[test]
fn a_queue_of_the_only_thread_is_followed() {
    // inc dword ptr [405000h], twice; mov ebx,[405000h]; call rax
    let count = |from: u8| [0xFF, 0x05, 0xFA - from, 0x3F, 0, 0];
    let load = [0x8B, 0x1D, 0xEE, 0x3F, 0, 0];
    let code = [&count(0)[..], &count(6), &load, &CALL_RAX].concat();
    assert_eq!(constants(&reached_alone(Cpu::Amd64, &code, &[]), RBX), [Some(2)]);
    assert_eq!(constants(&reached(Cpu::Amd64, &code, &[]), RBX), [None], "others may count too");
    // mov rdx,[rcx]; mov dword ptr [rdx],7 before the load: it may be the counter.
    let wild = [0x48, 0x8B, 0x11, 0xC7, 0x02, 7, 0, 0, 0];
    let load = [0x8B, 0x1D, 0xE5, 0x3F, 0, 0];
    let code = [&count(0)[..], &count(6), &wild, &load, &CALL_RAX].concat();
    assert_eq!(constants(&reached_alone(Cpu::Amd64, &code, &[]), RBX), [None]);
    // What is called and not known may do anything.
    let load = [0x8B, 0x1D, 0xEC, 0x3F, 0, 0];
    let code = [&count(0)[..], &count(6), &CALL_RAX, &load, &CALL_RAX].concat();
    assert_eq!(constants(&reached_alone(Cpu::Amd64, &code, &[]), RBX), [None]);
}

#[test]
fn what_goes_through_a_vector_register_is_known() {
    // mov rax,0x1_0000_0005; movq xmm0,rax; movups [rsp+20h],xmm0; mov rbx,[rsp+20h]; mov rcx,[rsp+28h]; call rax
    let code = [
        &[0x48, 0xB8, 5, 0, 0, 0, 1, 0, 0, 0, 0x66, 0x48, 0x0F, 0x6E, 0xC0][..],
        &[0x0F, 0x11, 0x44, 0x24, 0x20, 0x48, 0x8B, 0x5C, 0x24, 0x20],
        &[0x48, 0x8B, 0x4C, 0x24, 0x28],
        &CALL_RAX,
    ]
    .concat();
    let states = reached(Cpu::Amd64, &code, &[]);
    assert_eq!(constants(&states, RBX), [Some(0x1_0000_0005)]);
    assert_eq!(constants(&states, RCX), [Some(0)], "the upper half is zero");
    // addps xmm0,xmm0 between.
    let added = [&code[..15], &[0x0F, 0x58, 0xC0], &code[15..]].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &added, &[]), RBX), [None]);
}

#[test]
fn sums_of_numbers_are_numbers() {
    // mov ebx,3; shl ebx,4; imul ebx,ebx,5; sub ebx,10h; neg ebx; not ebx; call rax
    let sums = [
        &[0xBB, 3, 0, 0, 0, 0xC1, 0xE3, 4, 0x6B, 0xDB, 5, 0x83, 0xEB, 0x10][..],
        &[0xF7, 0xDB, 0xF7, 0xD3],
        &CALL_RAX,
    ]
    .concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &sums, &[]), RBX), [Some(223)]);
    // xor ebx,ebx; cmp ebx,0; sete bl; call rax
    let set = [&[0x31, 0xDB, 0x83, 0xFB, 0, 0x0F, 0x94, 0xC3][..], &CALL_RAX].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &set, &[]), RBX), [Some(1)]);
    // mov ebx,5; bt ebx,2; mov ecx,0; jb on; mov ecx,1; on: call rax
    let bit = [
        &[0xBB, 5, 0, 0, 0, 0x0F, 0xBA, 0xE3, 2, 0xB9, 0, 0, 0, 0][..],
        &[0x72, 5, 0xB9, 1, 0, 0, 0],
        &CALL_RAX,
    ]
    .concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &bit, &[]), RCX), [Some(0)]);
}

#[test]
fn what_was_written_to_is_one_range_where_it_meets() {
    let mut written = Written::default();
    written.mark((None, 8), 8);
    written.mark((None, 24), 8);
    assert!(!written.touches((None, 16), 8) && written.touches((None, 12), 8));
    written.mark((None, 16), 8);
    assert!(written.covers((None, 8), 24) && !written.covers((None, 8), 25));
    let mut other = Written::default();
    other.mark((None, 0), 8);
    other.join(&written);
    assert!(other.covers((None, 0), 32) && !other.touches((None, 32), 8));
    other.all();
    assert!(other.touches((None, 1 << 40), 1));
}

#[test]
fn a_helper_makes_its_callers_frame() {
    // call START+100h; call eax, where that is pop eax; sub esp,10h; push eax; ret
    let code = [&[0xE8, 0xFB, 0, 0, 0][..], &CALL_RAX].concat();
    let states = reached(Cpu::X86, &code, &[0x58, 0x83, 0xEC, 0x10, 0x50, 0xC3]);
    let top = states.first().map(|state| state.register(4));
    assert!(matches!(top, Some(Value::Symbol(_, -0x10))), "{top:?}");
    // Another function, whose esp is not counted right, gives it back.
    let states = reached(Cpu::X86, &code, &[0x83, 0xEC, 0x10, 0xC3]);
    let top = states.first().map(|state| state.register(4));
    assert!(matches!(top, Some(Value::Symbol(_, 0))), "{top:?}");
}

/// What is known when a function at 0x1000 of an x64 image was replayed, `size` bytes by its unwind data, that calls an import of this name;
/// another module is loaded.
pub(super) fn replayed<T>(
    code: &[u8],
    size: u32,
    import: &str,
    other: &str,
    seen: impl FnOnce(&Run<'_, '_>) -> T,
) -> T {
    let mut pe = PeBuilder::x64();
    pe.put(0x1000, code);
    pe.imports("KERNEL32.dll", import);
    pe.guard(0x118);
    pe.pdata(&[(0x1000, 0x1000 + size, 0x3800)]);
    pe.put(0x3800, &[1, 0, 0, 0]);
    let file = Synth::new(Cpu::Amd64)
        .module(PeBuilder::BASE, 0x1_0000, APP, [1, 0, 0, 0])
        .module(0x7000_0000, 0x1_0000, other, [1, 0, 0, 0])
        .memory(PeBuilder::BASE, pe.bytes())
        .build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, [(PeBuilder::BASE, PeBuilder::SIZE)]);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let mut run = Run::new(scene);
    let state = start_state(&mut run, 1, &[]);
    run.function_from(PeBuilder::BASE + 0x1000, state, None).unwrap();
    seen(&run)
}

/// The names of the calls that such a function can have made, and whether these are all.
fn noted(code: &[u8], size: u32) -> (Vec<String>, bool) {
    replayed(code, size, "DeleteCriticalSection", "a.dll", |run| {
        (run.calls.iter().map(|call| call.name.clone()).collect(), run.is_whole)
    })
}

/// `call [slot]` at an offset from 0x1000; the slot is the import's.
pub(super) fn call_import(at: u32) -> [u8; 6] {
    let slot = IMPORT_SLOT - 0x1000 - at - 6;
    let [a, b, c, d] = slot.to_le_bytes();
    [0xFF, 0x15, a, b, c, d]
}

#[test]
fn a_guarded_call_goes_to_what_is_in_rax() {
    let calls = |code: &[u8], size: u32| {
        replayed(code, size, "DeleteCriticalSection", "a.dll", |run| {
            let called = run.calls.iter().map(|call| (call.name.clone(), call.arguments[0]));
            called.collect::<Vec<_>>()
        })
    };
    // lea rax,[inner]; mov ecx,8; call [dispatch]; ret; inner: call [import]; ret
    let dispatched = [
        &[0x48, 0x8D, 0x05, 12, 0, 0, 0, 0xB9, 8, 0, 0, 0, 0xFF, 0x15, 0xF6, 0x60, 0, 0][..],
        &[0xC3],
        &call_import(19),
        &[0xC3],
    ];
    assert_eq!(
        calls(&dispatched.concat(), 19),
        [("DeleteCriticalSection".into(), Value::Constant(8))]
    );
    // mov ecx,7; call [check]; call [import]; ret: the check is no call of the program's, and keeps rcx for nobody.
    let checked =
        [&[0xB9, 7, 0, 0, 0, 0xFF, 0x15, 0xF5, 0x60, 0, 0][..], &call_import(11), &[0xC3; 9]];
    assert_eq!(calls(&checked.concat(), 18), [("DeleteCriticalSection".into(), Value::Unknown)]);
}

#[test]
fn what_only_a_handler_leads_to_can_have_run() {
    // ret; and behind it what only an exception handler leads to.
    let code = [&[0xC3][..], &call_import(1), &[0xC3]].concat();
    assert_eq!(noted(&code, 8), (vec!["DeleteCriticalSection".into()], true));
    // The same code belongs to no function.
    assert_eq!(noted(&code, 1), (vec![], true));
    // add rax,rdx; jmp rax: a table of jumps, whose ends are in the function; or nobody knows where.
    let table = [&[0x48, 0x01, 0xD0, 0xFF, 0xE0][..], &call_import(5), &[0xC3]].concat();
    assert_eq!(noted(&table, 12), (vec!["DeleteCriticalSection".into()], true));
    // Without the sum it is a call at the function's end.
    let last = [&[0x90, 0x90, 0x90, 0xFF, 0xE0][..], &call_import(5), &[0xC3]].concat();
    assert_eq!(noted(&last, 5), (vec!["".into()], true));
}

#[test]
fn a_debug_runtime_gives_out_what_lies_behind_a_header() {
    let code = [&call_import(0)[..], &[0xC3]].concat();
    let blocks = |import, other| replayed(&code, 7, import, other, |run| run.allocated.len());
    assert_eq!(blocks("malloc", "C:\\Windows\\System32\\ucrtbase.dll"), 1);
    assert_eq!(blocks("malloc", "C:\\Windows\\System32\\ucrtbased.dll"), 0);
    assert_eq!(blocks("malloc", "C:\\Windows\\System32\\MSVCR120D.dll"), 0);
    assert_eq!(blocks("HeapAlloc", "C:\\Windows\\System32\\ucrtbased.dll"), 1);
}

/// `push rbx`, `xor ebx,ebx`, `call`, and 2Fh rounds of so many instructions.
pub(super) fn long_loop(call: &[u8], size: usize) -> Vec<u8> {
    let body = vec![0x90; size];
    let back = -i32::try_from(size + 11).unwrap();
    let end = [&[0xFF, 0xC3, 0x83, 0xFB, 0x2F, 0x0F, 0x85][..], &back.to_le_bytes()].concat();
    [&[0x53, 0x31, 0xDB][..], call, &body, &end].concat()
}

#[test]
fn what_costs_too_much_is_given_up() {
    let ends_in_call = |size: usize| [long_loop(&[], size), CALL_RAX.to_vec()].concat();
    assert!(reached_at(Cpu::Amd64, &ends_in_call(0x900), &[], ends_in_call(0x900).len()).is_none());
    assert_eq!(reached(Cpu::Amd64, &ends_in_call(0x100), &[]).len(), 1, "affordable");
}

#[test]
fn what_is_too_dear_can_have_run() {
    // call dear; call [import]; ret. dear: the import is called before the loop.
    let code = |size: usize| {
        let dear = long_loop(&call_import(0x23), size);
        let mut code = [&[0xE8, 0x1B, 0, 0, 0][..], &call_import(5), &[0xC3]].concat();
        code.resize(0x20, 0xCC);
        [code, dear, vec![0x5B, 0xC3]].concat()
    };
    let all = ["DeleteCriticalSection"; 2].map(str::to_owned).to_vec();
    assert_eq!(noted(&code(0x100), 12), (all.clone(), true), "affordable");
    let (mut names, is_whole) = noted(&code(0x300), 12);
    names.retain(|name| !name.is_empty());
    assert_eq!((names.len(), is_whole), (3, true), "on a way of its own, and as what can have run");
}

#[test]
fn what_does_not_come_back_is_not_replayed() {
    // test ecx,ecx; je end; call throw; end: ret. throw: call fatal; ret. fatal: call [abort]; ret.
    let mut code = vec![0x85, 0xC9, 0x74, 5, 0xE8, 0x17, 0, 0, 0, 0xC3];
    code.resize(0x20, 0xCC);
    code.extend([0xE8, 0x0B, 0, 0, 0, 0xC3]);
    code.resize(0x30, 0xCC);
    code.extend(call_import(0x30));
    code.push(0xC3);
    let comes_back = |import: &str| {
        replayed(&code, 10, import, "a.dll", |run| {
            assert_eq!(run.calls.len(), 1, "it is noted all the same");
            [0x1000, 0x1020, 0x1030].map(|rva| run.come_back.get(&(PeBuilder::BASE + rva)).copied())
        })
    };
    assert_eq!(comes_back("abort"), [None, Some(false), None]);
    assert_eq!(comes_back("GetLastError"), [None, Some(true), Some(true)]);
}

#[test]
fn a_function_that_has_not_returned_keeps_its_locals() {
    // sub rsp,28h; lea rcx,[rsp+20h]; call START+100h; test edx,edx; jne on; add rsp,28h; ret; on: call rax
    let code = [
        &[0x48, 0x83, 0xEC, 0x28, 0x48, 0x8D, 0x4C, 0x24, 0x20, 0xE8, 0xF2, 0, 0, 0][..],
        &[0x85, 0xD2, 0x75, 5, 0x48, 0x83, 0xC4, 0x28, 0xC3],
        &CALL_RAX,
    ]
    .concat();
    let noted = |stop: Option<u64>| {
        let file = Synth::new(Cpu::Amd64)
            .module(0x40_0000, 0x1_0000, APP, [1, 0, 0, 0])
            .memory(START, &code[..])
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(0x40_0000, 0x1_0000)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut run = Run::new(scene);
        let state = start_state(&mut run, 1, &[]);
        run.function_from(START, state, stop).unwrap();
        run.calls.iter().find(|call| call.at == START + 9).map(|call| call.arguments[0])
    };
    let place = START + code.len() as u64;
    assert!(matches!(noted(Some(place)), Some(Value::Symbol(..))));
    assert_eq!(noted(None), Some(Value::Unknown));
}

#[test]
fn a_part_of_a_number_that_was_stored_is_known() {
    // mov qword [rsp+8],5; mov ebx,[rsp+0Ch]; mov edx,[rsp+8]; call rax
    let code = [
        &[0x48, 0xC7, 0x44, 0x24, 8, 5, 0, 0, 0][..],
        &[0x8B, 0x5C, 0x24, 0x0C, 0x8B, 0x54, 0x24, 8],
        &CALL_RAX,
    ]
    .concat();
    let states = reached(Cpu::Amd64, &code, &[]);
    assert_eq!(constants(&states, RBX), [Some(0)]);
    assert_eq!(constants(&states, 2), [Some(5)]);
    // mov rbx,[rsp+0Ch] goes beyond it.
    let code = [&code[..9], &[0x48, 0x8B, 0x5C, 0x24, 0x0C], &CALL_RAX].concat();
    assert_eq!(constants(&reached(Cpu::Amd64, &code, &[]), RBX), [None]);
}

#[test]
fn a_register_is_set_to_minus_one() {
    // or ebx,-1; call rax, and or bl,-1
    let states = reached(Cpu::Amd64, &[&[0x83, 0xCB, 0xFF][..], &CALL_RAX].concat(), &[]);
    assert_eq!(constants(&states, RBX), [Some(0xffff_ffff)]);
    let states = reached(Cpu::Amd64, &[&[0x80, 0xCB, 0xFF][..], &CALL_RAX].concat(), &[]);
    assert_eq!(constants(&states, RBX), [None]);
}

#[test]
fn a_loop_is_what_leads_back_to_its_head() {
    // test ecx,ecx; je behind; again: dec ecx; jne again; jmp behind; nop..; behind: mov ebx,7; call rax
    let code = [
        &[0x85, 0xC9, 0x74, 0x06, 0xFF, 0xC9, 0x75, 0xFC, 0xEB, 0x00][..],
        &[0xBB, 7, 0, 0, 0],
        &CALL_RAX,
    ]
    .concat();
    assert!(constants(&reached(Cpu::Amd64, &code, &[]), RBX).iter().all(|held| *held == Some(7)));
    let decode = |code: &[u8]| {
        let file = Synth::new(Cpu::Amd64).memory(START, code).build();
        let dump = Dump::parse(&file).unwrap();
        let width = dump.system.pointer_width;
        Function::read(
            &dump.memory,
            START,
            width,
            || true,
            |_| false,
            |_| true,
            |_, _| BTreeSet::new(),
        )
        .unwrap()
    };
    let function = decode(&code);
    let in_loop = function.blocks.iter().filter(|block| block.is_in_loop).count();
    assert_eq!((function.blocks.len(), in_loop), (5, 1));
    // Jumps back from everywhere to everywhere are not looked at one by one.
    let many: Vec<u8> = (0..1000).flat_map(|_| [0x75, 0x80]).collect();
    let code = [&[0x90; 0x80][..], &many, &[0xC3]].concat();
    assert!(decode(&code).blocks.iter().filter(|block| block.is_in_loop).count() > 900);
}
