//! What is known while no other thread of the program runs.

use super::block::Outcome;
use super::known::{arity, bytes_taken_by};
use super::run::Run;
use super::step::{RCX, RSP};
use super::tests::{APP, CALL_RAX, START, call_import, reached};
use super::value::{Origin, Value};
use super::{State, start_state};
use crate::crash::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::dump::synth::Synth;
use crate::dump::{Cpu, Dump};
use crate::image::fixtures::PeBuilder;
use crate::image::flow::FlowCache;
use crate::image::images::Images;

/// Static data, which begins as zeros but for a pointer to the code at +10h.
const DATA: u32 = 0x5000;
const POINTER: usize = 0x5010;
/// Where the size of `.rdata` stands, which is to end before the data.
const RDATA_SIZE: usize = 0x1B8;

/// What holds when a program's code at 1000h, which calls an import of this name, has run as its only thread, up to `stop` bytes on or to its end.
fn alone<T>(
    code: &[u8],
    import: &str,
    stop: Option<u64>,
    seen: impl FnOnce(&mut Run<'_, '_>, Outcome) -> T,
) -> T {
    let mut pe = PeBuilder::x64();
    // What fills the room behind a function ends it.
    let rest = vec![0xCC; code.len().next_multiple_of(16) + 16 - code.len()];
    pe.put(0x1000, &[code, &rest].concat());
    pe.imports("KERNEL32.dll", import);
    pe.put_u32(RDATA_SIZE, 0x2000);
    pe.put(POINTER, &(PeBuilder::BASE + 0x1000).to_le_bytes());
    let file = Synth::new(Cpu::Amd64)
        .module(PeBuilder::BASE, 0x1_0000, APP, [1, 0, 0, 0])
        .module(0x7000_0000, 0x1_0000, "C:\\Program Files\\Contoso\\a.dll", [1, 0, 0, 0])
        .memory(PeBuilder::BASE, pe.bytes())
        .build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, [(PeBuilder::BASE, PeBuilder::SIZE)]);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let mut run = Run::new(scene);
    let data = PeBuilder::BASE + u64::from(DATA);
    run.zeros.push((data, data + 0x10));
    let state = State { is_alone: true, ..start_state(&mut run, 1, &[]) };
    let start = PeBuilder::BASE + 0x1000;
    let outcome = run.function_from(start, state, stop.map(|bytes| start + bytes)).unwrap();
    seen(&mut run, outcome)
}

/// What such code leaves in rax.
fn result(code: &[u8], import: &str) -> Value {
    alone(code, import, None, |_, outcome| outcome.returned.unwrap().register(0))
}

/// An instruction with an operand relative to rip, at an offset from 1000h: its opcode, the operand's offset in the data, what follows.
fn of_data(at: u32, opcode: &[u8], offset: u32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(opcode.len() + 4 + rest.len()).unwrap();
    let operand = DATA + offset - (0x1000 + at + length);
    [opcode, &operand.to_le_bytes(), rest].concat()
}

const FIVE: [u8; 4] = [5, 0, 0, 0];

#[test]
fn an_element_lies_in_its_array() {
    // mov ecx,40h; call [malloc]; mov [data],5; mov [rax+rdx*8],rcx; mov eax,[data]; ret
    let code = |store: &[u8]| {
        let mut code = [&[0xB9, 0x40, 0, 0, 0][..], &call_import(5)].concat();
        code.extend(of_data(11, &[0xC7, 0x05], 0, &FIVE));
        code.extend(store);
        let at = u32::try_from(code.len()).unwrap();
        code.extend(of_data(at, &[0x8B, 0x05], 0, &[]));
        code.push(0xC3);
        code
    };
    assert_eq!(result(&code(&[0x48, 0x89, 0x0C, 0xD0]), "malloc"), Value::Constant(5));
    // mov [rdx],rcx, of which nothing is known.
    assert_ne!(result(&code(&[0x48, 0x89, 0x0A]), "malloc"), Value::Constant(5));
    // What a loop leaves of two places in one block is somewhere in it.
    let block = |run: &mut Run<'_, '_>| run.symbols.of(Origin::Result(0, 1), false);
    alone(&[0xC3], "malloc", None, |run, _| {
        let (symbol, mut state) = (block(run), State::default());
        state.set(RCX, Value::Symbol(symbol, 8));
        let mut other = State::default();
        other.set(RCX, Value::Symbol(symbol, 16));
        state.join(&other);
        assert_eq!(state.register(RCX), Value::Within(Some(symbol)));
        assert!(!run.put_within(&mut state, Value::Within(Some(symbol)), Value::Unknown));
        run.allocated.insert(symbol);
        assert!(run.put_within(&mut state, Value::Within(Some(symbol)), Value::Unknown));
        assert!(state.written.touches((Some(symbol), 0), 1) && !state.written.is_all());
    });
}

#[test]
fn a_pointer_comes_to_the_end_of_its_array() {
    // lea rdx,[rcx+20h]; again: add rcx,8; cmp rcx,rdx; jne again; call rax
    let code = [
        &[0x48, 0x8D, 0x51, 0x20, 0x48, 0x83, 0xC1, 8, 0x48, 0x39, 0xD1, 0x75, 0xF7][..],
        &CALL_RAX,
    ];
    let states = reached(Cpu::Amd64, &code.concat(), &[]);
    let places: Vec<Value> = states.iter().map(|state| state.register(RCX)).collect();
    assert!(matches!(places.as_slice(), [Value::Symbol(_, 0x20)]), "{places:?}");
}

#[test]
fn what_lies_ahead_has_not_run() {
    // xor ebx,ebx; again: call rdx; inc ebx; cmp ebx,3; jne again; call [DeleteCriticalSection]; ret
    let code = [
        &[0x31, 0xDB, 0xFF, 0xD2, 0xFF, 0xC3, 0x83, 0xFB, 3, 0x75, 0xF7][..],
        &call_import(11),
        &[0xC3],
    ];
    alone(&code.concat(), "DeleteCriticalSection", Some(4), |run, outcome| {
        let last = outcome.reached.iter().map(|reached| reached.noted).max().unwrap();
        run.put_ahead(last);
        let ahead = |name: &str| {
            let of_name = run.calls.iter().filter(|call| call.name == name);
            of_name.map(|call| call.is_ahead).collect::<Vec<_>>()
        };
        assert_eq!(ahead("DeleteCriticalSection"), [true]);
        assert_eq!(
            ahead(""),
            [false, false, true],
            "the third round's call is the one that has failed"
        );
    });
}

#[test]
fn an_entry_point_may_jump_to_the_rest() {
    let jumps = |code: &[u8]| {
        let file = Synth::new(Cpu::X86).memory(START, code).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        Run::new(scene).jumps_to(START, START + 0x100)
    };
    // mov dword ptr [4070C8h],0; jmp START+100h
    let set = [0xC7, 0x05, 0xC8, 0x70, 0x40, 0, 0, 0, 0, 0];
    assert!(jumps(&[&set[..], &[0xE9, 0xF1, 0, 0, 0]].concat()));
    // call; jmp START+100h
    assert!(jumps(&[0xE8, 0, 2, 0, 0, 0xE9, 0xF6, 0, 0, 0]));
    // jne; jmp START+100h, and a jump elsewhere
    assert!(!jumps(&[0x75, 0, 0xE9, 0xF9, 0, 0, 0]));
    assert!(!jumps(&[0xE9, 0xF0, 0, 0, 0]));
}

#[test]
fn a_module_that_is_not_there_is_not_found() {
    // lea rcx,[text]; call [GetModuleHandleA]; test rax,rax; je out; call rax; out: ret
    let calls = |name: &str| {
        let code = [
            &[0x48, 0x8D, 0x0D, 25, 0, 0, 0][..],
            &call_import(7),
            &[0x48, 0x85, 0xC0, 0x74, 2, 0xFF, 0xD0, 0xC3],
            &[0xCC; 11],
            name.as_bytes(),
            &[0],
        ];
        alone(&code.concat(), "GetModuleHandleA", None, |run, _| run.calls.len())
    };
    assert_eq!(calls("b.dll"), 1);
    assert_eq!(calls("B"), 1, "without its extension");
    assert_eq!(calls("A.DLL"), 2, "it is there now");
    assert_eq!(calls(""), 2, "the program itself");
    assert_eq!(calls("API-ms-win-core-synch-l1-2-0.dll"), 2, "another file stands for it");
    assert_eq!(calls("b."), 2, "a file without an extension");
}

#[test]
fn a_thread_that_writes_elsewhere_is_no_race() {
    // mov [data],5; lea r8,[thread]; xor r9d,r9d; call [CreateThread]; mov eax,[data]; ret; thread: mov [data+offset],1; ret
    let code = |offset: u32| {
        let mut code = of_data(0, &[0xC7, 0x05], 0, &FIVE);
        code.extend([0x4C, 0x8D, 0x05, 0x2F, 0, 0, 0, 0x45, 0x31, 0xC9]);
        code.extend(call_import(20));
        code.extend(of_data(26, &[0x8B, 0x05], 0, &[]));
        code.push(0xC3);
        code.resize(0x40, 0xCC);
        code.extend(of_data(0x40, &[0xC7, 0x05], offset, &[1, 0, 0, 0]));
        code.push(0xC3);
        code
    };
    assert_eq!(result(&code(8), "CreateThread"), Value::Constant(5));
    assert_eq!(result(&code(0), "CreateThread"), Value::Unknown);
}

#[test]
fn a_function_that_is_called_back_may_only_read() {
    // mov [data],5; lea r9,[compare]; call [qsort]; mov eax,[data]; ret; compare: mov eax,[data]; mov [data+offset],eax; ret
    let code = |offset: u32| {
        let mut code = of_data(0, &[0xC7, 0x05], 0, &FIVE);
        code.extend([0x31, 0xC9, 0x4C, 0x8D, 0x0D, 0x2D, 0, 0, 0]);
        code.extend(call_import(19));
        code.extend(of_data(25, &[0x8B, 0x05], 0, &[]));
        code.push(0xC3);
        code.resize(0x40, 0xCC);
        code.extend(of_data(0x40, &[0x8B, 0x05], 0, &[]));
        code.extend(of_data(0x46, &[0x89, 0x05], offset, &[]));
        code.push(0xC3);
        code
    };
    assert_eq!(result(&code(8), "qsort"), Value::Constant(5));
    assert_eq!(result(&code(0), "qsort"), Value::Unknown);
}

#[test]
fn a_timers_handle_is_written() {
    // lea rcx,[data]; lea r8,[timer]; xor r9d,r9d; call; mov eax,[data]; ret; timer: mov [data+8],1; ret
    let mut code = of_data(0, &[0x48, 0x8D, 0x0D], 0, &[]);
    code.extend([0x4C, 0x8D, 0x05, 0x32, 0, 0, 0, 0x45, 0x31, 0xC9]);
    code.extend(call_import(17));
    code.extend(of_data(23, &[0x8B, 0x05], 0, &[]));
    code.push(0xC3);
    code.resize(0x40, 0xCC);
    code.extend(of_data(0x40, &[0xC7, 0x05], 8, &[1, 0, 0, 0]));
    code.push(0xC3);
    assert_eq!(result(&code, "CreateThread"), Value::Constant(0), "it writes no such thing");
    assert_eq!(result(&code, "CreateTimerQueueTimer"), Value::Unknown);
}

#[test]
fn a_pointer_stands_there_from_the_start() {
    // mov rax,[data+10h]; ret
    let load = [of_data(0, &[0x48, 0x8B, 0x05], 0x10, &[]), vec![0xC3]].concat();
    assert_eq!(result(&load, "malloc"), Value::Constant(PeBuilder::BASE + 0x1000));
    // call rdx before, which may write to it.
    let called = [&[0xFF, 0xD2][..], &of_data(2, &[0x48, 0x8B, 0x05], 0x10, &[]), &[0xC3]].concat();
    assert!(matches!(result(&called, "malloc"), Value::Symbol(..)));
}

#[test]
fn a_heap_takes_its_blocks_along() {
    alone(&[0xC3], "HeapDestroy", None, |run, _| {
        let heap = run.symbols.of(Origin::Result(0, 1), false);
        let block = run.symbols.of(Origin::Result(0, 2), false);
        let arguments = [Value::Symbol(heap, 0), Value::Unknown, Value::Unknown, Value::Unknown];
        run.note_heap_of("HeapAlloc", arguments, block);
        let mut state = State::default();
        run.destroy_heap(&mut state, "HeapFree", arguments, START);
        assert!(run.calls.is_empty());
        run.destroy_heap(&mut state, "HeapDestroy", arguments, START);
        let freed: Vec<Value> = run.calls.iter().map(|call| call.arguments[2]).collect();
        assert_eq!((freed, state.calls.len()), (vec![Value::Symbol(block, 0)], 1));
    });
}

#[test]
fn an_earlier_calls_arguments_are_none_of_the_next() {
    assert_eq!(bytes_taken_by("CreateThread"), Some(24));
    assert_eq!((bytes_taken_by("memcpy"), bytes_taken_by("GetProcessHeap")), (Some(0), Some(0)));
    assert_eq!((bytes_taken_by("lstrlenA"), bytes_taken_by("Contoso")), (Some(4), None));
    let mut state = State::default();
    alone(&[0xC3], "malloc", None, |run, _| {
        let top = run.new_stack(Origin::Rounded(0, 1));
        state.set(RSP, top);
        let place = |offset: i64| top.place().map(|(base, at)| (base, at + offset));
        state.store(place(4), 4, Value::Constant(7), |_| true);
        Run::mark_passed(&mut state, 8);
        assert_eq!(run.load_argument(&mut state, place(4), 0), Value::Unknown);
        state.store(place(4), 4, Value::Constant(8), |_| true);
        assert_eq!(run.load_argument(&mut state, place(4), 0), Value::Constant(8));
    });
}

#[test]
fn what_is_found_in_a_known_text() {
    alone(&[0xC3], "malloc", None, |run, outcome| {
        let mut state = outcome.returned.unwrap();
        let place = run.new_stack(Origin::Rounded(0, 1));
        let (base, at) = place.place().unwrap();
        for (index, byte) in (0..).zip(b"QUIT now -12\0") {
            state.store(Some((base, at + index)), 1, Value::Constant((*byte).into()), |_| true);
        }
        let mut found = |name: &str, second: Value, third: u64| {
            let arguments = [place, second, Value::Constant(third), Value::Unknown];
            run.found_in_text(&mut state, name, arguments)
        };
        let width = PointerWidth::Eight;
        assert_eq!(found("strlen", Value::Unknown, 0), Some(Value::Constant(12)));
        assert_eq!(found("strchr", Value::Constant(0x20), 0), Some(place.plus(4, width)));
        assert_eq!(found("strrchr", Value::Constant(0x20), 0), Some(place.plus(8, width)));
        assert_eq!(found("strchr", Value::Constant(0x7A), 0), Some(Value::Constant(0)));
        assert_eq!(found("strstr", place.plus(5, width), 0), Some(place.plus(5, width)));
        assert_eq!(found("strcmp", place, 0), Some(Value::Constant(0)));
        assert_eq!(found("strcmp", place.plus(1, width), 0), Some(Value::Constant(0xFFFF_FFFF)));
        assert_eq!(found("strncmp", place.plus(1, width), 0), Some(Value::Constant(0)));
        assert_eq!(found("memcmp", place.plus(9, width), 3), Some(Value::Constant(1)));
        assert_eq!(found("lstrcmpiA", place.plus(9, width), 0), None, "by the language");
        assert_eq!(found("strlen", Value::Unknown, 0), Some(Value::Constant(12)));
        assert_eq!(found("strcmp", Value::Unknown, 0), None);
        assert_eq!(found("memcpy", Value::Unknown, 0), Some(place));
        let number = [place.plus(9, width), Value::Unknown, Value::Unknown, Value::Unknown];
        let minus_twelve = Value::Constant(u64::from((-12i32).cast_unsigned()));
        assert_eq!(run.found_in_text(&mut state, "atoi", number), Some(minus_twelve));
    });
}

#[test]
fn the_arguments_of_main_lead_to_nothing_of_the_programs() {
    // mov [data],5; lea rdx,[data+18h]; lea r8,[data+20h]; call; mov rcx,[data+20h]; mov [rcx],1; mov eax,[data]; ret
    let code = [
        of_data(0, &[0xC7, 0x05], 0, &FIVE),
        of_data(10, &[0x48, 0x8D, 0x15], 0x18, &[]),
        of_data(17, &[0x4C, 0x8D, 0x05], 0x20, &[]),
        call_import(24).to_vec(),
        of_data(30, &[0x48, 0x8B, 0x0D], 0x20, &[]),
        vec![0xC7, 0x01, 1, 0, 0, 0],
        of_data(43, &[0x8B, 0x05], 0, &[]),
        vec![0xC3],
    ]
    .concat();
    assert_eq!(result(&code, "__getmainargs"), Value::Constant(5));
    assert_eq!(result(&code, "GetSystemInfo"), Value::Unknown, "a pointer to anything");
}

#[test]
fn what_is_behind_the_last_argument_is_none() {
    assert_eq!(
        (arity("GetLastError"), arity("CreateThread"), arity("fputc")),
        (Some(0), Some(6), Some(2))
    );
    assert_eq!(arity("printf"), None);
    // mov [data],5; lea r8,[data]; call [import]; mov eax,[data]; ret
    let code = [
        of_data(0, &[0xC7, 0x05], 0, &FIVE),
        of_data(10, &[0x4C, 0x8D, 0x05], 0, &[]),
        call_import(17).to_vec(),
        of_data(23, &[0x8B, 0x05], 0, &[]),
        vec![0xC3],
    ]
    .concat();
    assert_eq!(result(&code, "SetErrorMode"), Value::Constant(5));
    assert_eq!(result(&code, "contoso_write"), Value::Unknown);
}
