//! What functions of the system, and string instructions, do to the program's memory; and what of it is known for that.

use super::known::{FILLERS, KEEPERS, PLAIN, READERS, freed, gives_out, writes_to_first};
use super::run::{Run, started_by};
use super::step::RCX;
use super::value::{Origin, Spot, State, Symbol, Value};
use crate::crash::operation::{self, Operation};
use crate::image::pe::Image;
use iced_x86::{Instruction, Mnemonic};
use std::rc::Rc;

/// Number of rsi.
const RSI: usize = 6;
/// Number of rdi.
const RDI: usize = 7;
/// Bytes that a string instruction may write when its count is not known.
const STRING: u64 = 0x1000;
/// Bytes that a function may write to which an address is passed.
const PASSED: u64 = 0x100;
/// Bytes that a function may write which fills buffers.
const FILLED: u64 = 0x1000;
/// Most bytes that are copied or filled word by word.
const COPIED: u64 = 0x200;
/// Bytes of a block that a heap always has room for, as far as it is known.
const SMALL: u64 = 0x10_0000;
/// Ways of the blocks that go with their heap.
const BLOCKS: u64 = u64::MAX / 4;
/// HEAP_ZERO_MEMORY (HeapAlloc), GMEM_ZEROINIT and LMEM_ZEROINIT (GlobalAlloc, LocalAlloc; Windows API reference).
const HEAP_ZERO: u64 = 8;
const LOCAL_ZERO: u64 = 0x40;

impl Run<'_, '_> {
    /// Whether a value is a number, not the address of something in a module.
    pub(super) fn is_number(&self, value: Value) -> bool {
        matches!(value, Value::Constant(value) if self.scene.images.module_at(value).is_none())
    }

    /// Whether what was stored in a place that others may write to is there still.
    ///
    /// - situation: a queue of work, a count or a flag in static data or in an object says what runs next.
    /// - example: `jobs[last++ % 8] = job;` and later `while (first != last) jobs[first++ % 8].run();`.
    /// - handling: as long as no other thread of the program has run since the process began, or those that have are waited for. What is
    ///   stored through a pointer that may be the address of anything makes all of it unknown.
    /// - test: `a_queue_of_the_only_thread_is_followed`.
    pub(super) fn is_kept(&self, state: &State, spot: Spot) -> bool {
        state.is_single()
            && !state.raced.touches(spot, self.width.bytes())
            && !spot.0.is_some_and(|base| self.symbols.is_many(base))
    }

    /// Whether a place holds the zeros that it began with.
    pub(super) fn is_zero(&self, state: &State, spot: Spot, size: u64) -> bool {
        let (base, offset) = spot;
        let is_zeroed = match base {
            Some(base) => self.zeroed.contains(&base) && offset >= 0,
            None => {
                let address = offset.cast_unsigned();
                let end = address.saturating_add(size);
                self.zeros.iter().any(|(start, stop)| *start <= address && end <= *stop)
            }
        };
        is_zeroed && self.is_kept(state, spot) && !state.written.touches(spot, size)
    }

    /// The pointer that a variable of the program has held from the start.
    ///
    /// - situation: objects in static data have tables of functions, and variables hold the addresses of others, by the file.
    /// - example: `static Channel channel(…)`, made by the compiler: its first word is that of its table.
    /// - handling: of what the file holds, what leads into the program's module now, as long as nothing that was seen has written to it.
    /// - test: `a_pointer_stands_there_from_the_start`.
    pub(super) fn pointer_from_start(&self, state: &State, spot: Spot, size: u64) -> Option<u64> {
        let (None, address) = spot else { return None };
        let address = address.cast_unsigned();
        let is_read = size == self.width.bytes() && !self.zeros.is_empty();
        (is_read && !self.is_librarys(address)).then_some(())?;
        (self.is_kept(state, spot) && !state.written.touches(spot, size)).then_some(())?;
        let module = self.scene.images.module_at(address)?;
        let pointer = self.scene.dump.memory.pointer(address, self.width)?;
        let is_program = |address| {
            let module = self.scene.images.module_at(address).map(|module| module.base);
            module.is_some() && !self.is_librarys(address)
        };
        (module.image().is_ok() && is_program(address) && is_program(pointer)).then_some(pointer)
    }

    /// Notes the data of a program that begins as zeros: the loader fills what the file does not hold (PE Format, "SizeOfRawData").
    pub(super) fn begin(&mut self, image: &Image) {
        for part in image.sections.iter().filter(|part| part.is_writable()) {
            let first = part.virtual_address.checked_add(part.raw_size);
            let end = part.virtual_address.checked_add(part.virtual_size);
            let first = first.and_then(|first| image.address(first));
            if let Some((first, end)) = first.zip(end.and_then(|end| image.address(end))) {
                self.zeros.push((first, end));
            }
        }
    }

    /// Forgets the numbers that a store through a pointer may change which may be the address of anything.
    pub(super) fn forget_aliases(&self, state: &mut State, place: Option<Spot>) {
        if self.forget_aliased_numbers(state, place) {
            Rc::make_mut(&mut state.written).all();
        }
    }

    /// The same of numbers only, and whether there is such a pointer.
    fn forget_aliased_numbers(&self, state: &mut State, place: Option<Spot>) -> bool {
        let is_wild = |base| !self.is_stack(base) && self.symbols.is_wild(base);
        let has_pointer = state.is_alone
            && !self.is_in_library()
            && place.and_then(|(base, _)| base).is_some_and(is_wild);
        if has_pointer {
            self.forget_numbers(state, |_| true);
        }
        has_pointer
    }

    /// Forgets the numbers that others may write to, in some places.
    fn forget_numbers(&self, state: &mut State, is_among: impl Fn(Spot) -> bool) {
        let is_lost = |(spot, (value, _)): (&Spot, &(Value, u64))| {
            is_among(*spot) && self.is_number(*value) && self.is_others(*spot)
        };
        let lost: Vec<Spot> =
            state.memory.iter().filter(|held| is_lost(*held)).map(|(spot, _)| *spot).collect();
        if !lost.is_empty() {
            let memory = Rc::make_mut(&mut state.memory);
            lost.iter().for_each(|spot| {
                memory.remove(spot);
            });
        }
    }

    /// Forgets the numbers in so many bytes from a place on, which is on no stack.
    fn passed(&self, state: &mut State, place: Spot, size: u64) {
        let (base, first) = place;
        let end = first.saturating_add_unsigned(size);
        self.forget_numbers(state, |(theirs, at)| theirs == base && (first..end).contains(&at));
        state.mark(place, size);
    }

    /// Whether an address lies in another module than the program whose data is known from the start: what runs there does not know where
    /// that data is.
    pub(super) fn is_librarys(&self, address: u64) -> bool {
        let first = self.zeros.first();
        let module = first.and_then(|(start, _)| self.scene.dump.module_at(*start));
        module.is_some_and(|module| !(module.base..module.end()).contains(&address))
    }

    /// Whether such a module's code is replayed.
    pub(super) fn is_in_library(&self) -> bool {
        self.depth.last().is_some_and(|function| self.is_librarys(*function))
    }

    /// What a function of the system does to the memory whose addresses it was given, and whether others run from then on. Whether that is
    /// all that it does to it, locals included.
    pub(super) fn effects(&mut self, state: &mut State, name: &str, arguments: [Value; 4]) -> bool {
        if !state.is_alone {
            return false;
        }
        let is_of_section = Operation::of_function(name).is_some() || operation::initialises(name);
        let is_plain =
            is_of_section || freed(name).is_some() || gives_out(name) || PLAIN.contains(&name);
        let is_keeper = KEEPERS.contains(&name) || started_by(name).is_some();
        let is_plain = is_plain || is_keeper;
        if !is_plain && !self.calls_back_quietly(state, arguments) {
            state.is_alone = false;
            return false;
        }
        if READERS.contains(&name) {
            return true;
        }
        if let Some(Value::Symbol(block, _)) = freed(name).and_then(|at| arguments.get(at)) {
            // What comes there next has another name.
            self.passed(state, (Some(*block), i64::MIN), u64::MAX);
            return false;
        }
        let size = match name {
            _ if is_of_section => self.width.bytes().saturating_mul(5),
            "__getmainargs" | "__wgetmainargs" | "__dllonexit" | "CreateTimerQueueTimer" => {
                self.width.bytes()
            }
            "QueryPerformanceCounter" => 8,
            _ if is_plain => return false,
            _ if FILLERS.contains(&name) => FILLED,
            _ => PASSED,
        };
        let count = if writes_to_first(name) { 1 } else { arguments.len() };
        let places = arguments.into_iter().take(count).filter_map(Value::place);
        let is_data = |(base, at): &Spot| match base {
            Some(base) => !self.is_stack(*base),
            None => self.scene.images.module_at(at.cast_unsigned()).is_some(),
        };
        let places: Vec<Spot> = places.filter(is_data).collect();
        // What it writes through such a pointer may be anything's.
        for place in places.iter().filter(|_| !is_plain) {
            // Most others only read: what nobody has written to is not what they would be given.
            let is_anything = self.forget_aliased_numbers(state, Some(*place));
            if is_anything && (writes_to_first(name) || FILLERS.contains(&name)) {
                Rc::make_mut(&mut state.written).all();
            }
        }
        match (name, arguments) {
            ("__getmainargs" | "__wgetmainargs", [_, argv, environment, _]) => {
                places.into_iter().for_each(|place| self.passed(state, place, size));
                self.give_pointers(state, [argv, environment]);
            }
            ("memset", [to, with, Value::Constant(size), _]) if size <= COPIED => {
                self.fill(state, to.place(), size, with);
                return to.place().is_some();
            }
            ("memcpy" | "memmove", [to, from, Value::Constant(size), _]) if size <= COPIED => {
                self.copy(state, to.place(), from.place(), size);
                return to.place().is_some();
            }
            ("strcpy" | "lstrcpyA" | "lstrcpy", [to, Value::Constant(text), ..]) => {
                let size = self.text_size(text).unwrap_or(FILLED);
                match size <= COPIED {
                    true => {
                        self.copy(state, to.place(), Value::Constant(text).place(), size);
                        return to.place().is_some();
                    }
                    false => places.into_iter().for_each(|place| self.passed(state, place, size)),
                }
            }
            _ => places.into_iter().for_each(|place| self.passed(state, place, size)),
        }
        false
    }

    /// A function of the runtime library has put pointers to data of its own into places.
    ///
    /// - situation: what leads nobody knows where may lead to anything of the program's; what the library has made for it does not.
    /// - example: `main(argc, argv, envp)` has all three in registers, and calls a function of one argument.
    /// - handling: such a pointer is no pointer to what the program has.
    /// - test: `the_arguments_of_main_lead_to_nothing_of_the_programs`.
    fn give_pointers(&mut self, state: &mut State, places: [Value; 2]) {
        for spot in places.into_iter().filter_map(Value::place) {
            let pointer = self.symbol(Origin::Result(self.path, spot.1.cast_unsigned()));
            let word = self.width.bytes();
            state.store(Some(spot), word, pointer, |symbol| self.is_stack(symbol));
        }
    }

    /// Notes that a block is so small that there was room for it, as far as its heap has no bound.
    pub(super) fn note_room(&mut self, name: &str, arguments: [Value; 4], given: Symbol) {
        let [first, second, third, _] = arguments;
        let is_bounded =
            |heap: Value| matches!(heap, Value::Symbol(heap, _) if self.bounded.contains(&heap));
        let size = match (name, first, second, third) {
            ("HeapAlloc" | "RtlAllocateHeap", _, _, Value::Constant(size))
            | ("LocalAlloc" | "GlobalAlloc", _, Value::Constant(size), _) => size,
            ("calloc", Value::Constant(count), Value::Constant(size), _) => {
                count.saturating_mul(size)
            }
            ("HeapAlloc" | "RtlAllocateHeap" | "LocalAlloc" | "GlobalAlloc" | "calloc", ..) => {
                return;
            }
            (_, Value::Constant(size), ..) => size,
            _ => return,
        };
        self.sizes.insert(given, size);
        let is_of_heap = matches!(name, "HeapAlloc" | "RtlAllocateHeap");
        if size <= SMALL && !(is_of_heap && is_bounded(first)) {
            self.roomy.insert(given);
        }
    }

    /// Notes which heap a block was given out by.
    pub(super) fn note_heap_of(&mut self, name: &str, [heap, ..]: [Value; 4], given: Symbol) {
        if let Value::Symbol(heap, 0) = heap
            && matches!(name, "HeapAlloc" | "RtlAllocateHeap")
        {
            self.heaps.insert(given, heap);
        }
    }

    /// A heap that is destroyed gives all of its blocks back (HeapDestroy).
    ///
    /// - situation: what belongs together has a heap of its own, which goes with it.
    /// - example: `HeapDestroy(document->heap)`, with the document and its lock in that heap; a view uses the lock once more.
    /// - handling: each block that was seen to be given out by it counts as given back by the same call.
    /// - test: `a_heap_takes_its_blocks_along`.
    pub(super) fn destroy_heap(
        &mut self,
        state: &mut State,
        name: &str,
        [heap, ..]: [Value; 4],
        at: u64,
    ) {
        let Value::Symbol(heap, 0) = heap else { return };
        if !matches!(name, "HeapDestroy" | "RtlDestroyHeap") {
            return;
        }
        let mut blocks: Vec<Symbol> =
            self.heaps.iter().filter(|(_, of)| **of == heap).map(|(block, _)| *block).collect();
        blocks.sort();
        for (index, block) in (0u64..).zip(blocks) {
            let outer = self.enter(BLOCKS.saturating_add(index));
            let given =
                [Value::Symbol(heap, 0), Value::Unknown, Value::Symbol(block, 0), Value::Unknown];
            self.note(state, "HeapFree", at, given);
            self.path = outer;
            self.passed(state, (Some(block), i64::MIN), u64::MAX);
        }
    }

    /// Notes a heap that has a bound (HeapCreate, `dwMaximumSize`).
    pub(super) fn note_heap(&mut self, name: &str, arguments: [Value; 4], given: Value) {
        let [.., bound, _] = arguments;
        if let Value::Symbol(heap, _) = given
            && name == "HeapCreate"
            && bound != Value::Constant(0)
        {
            self.bounded.insert(heap);
        }
    }

    /// Notes that what a function gave back begins as zeros.
    pub(super) fn note_zeros(&mut self, name: &str, arguments: [Value; 4], given: Value) {
        let [first, second, ..] = arguments;
        let has =
            |flags: Value, flag: u64| matches!(flags, Value::Constant(flags) if flags & flag != 0);
        let is_zeroed = match name {
            "calloc" => true,
            "HeapAlloc" | "RtlAllocateHeap" => has(second, HEAP_ZERO),
            "LocalAlloc" | "GlobalAlloc" => has(first, LOCAL_ZERO),
            "VirtualAlloc" => first == Value::Constant(0),
            _ => false,
        };
        if let Value::Symbol(symbol, 0) = given
            && is_zeroed
        {
            self.zeroed.insert(symbol);
        }
    }

    /// `rep movs` and `rep stos`.
    pub(super) fn string(&mut self, state: &mut State, one: &Instruction) {
        let count = match state.register(RCX) {
            Value::Constant(count) if one.has_rep_prefix() => count,
            _ if one.has_rep_prefix() => STRING,
            _ => 1,
        };
        let unit = u64::try_from(one.memory_size().size()).unwrap_or(8);
        let size = count.saturating_mul(unit);
        let place = state.register(RDI).place();
        let is_counted = !one.has_rep_prefix() || matches!(state.register(RCX), Value::Constant(_));
        match one.mnemonic() {
            Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsd | Mnemonic::Movsq
                if is_counted && size <= COPIED =>
            {
                self.copy(state, place, state.register(RSI).place(), size);
            }
            Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq
                if is_counted && size <= COPIED && state.register(0) == Value::Constant(0) =>
            {
                self.fill(state, place, size, Value::Constant(0));
            }
            _ if self.put_within(state, state.register(RDI), Value::Unknown) => {}
            _ => {
                self.forget_aliases(state, place);
                state.clobber(place, size.min(1 << 20), |symbol| self.is_stack(symbol));
            }
        }
    }

    /// Sets so many bytes to one.
    fn fill(&mut self, state: &mut State, to: Option<Spot>, size: u64, with: Value) {
        let word = match with {
            Value::Constant(byte) => {
                Value::Constant((byte & 0xff).wrapping_mul(0x0101_0101_0101_0101))
            }
            _ => Value::Unknown,
        };
        self.forget_aliases(state, to);
        state.clobber(to, size, |symbol| self.is_stack(symbol));
        for (spot, bytes) in self.pieces(to, size) {
            self.put(state, Some(spot), bytes, word);
        }
    }

    /// Copies so many bytes.
    fn copy(&mut self, state: &mut State, to: Option<Spot>, from: Option<Spot>, size: u64) {
        let source = self.pieces(from, size);
        let values: Vec<Value> =
            source.into_iter().map(|(spot, bytes)| self.held(state, spot, bytes)).collect();
        self.forget_aliases(state, to);
        state.clobber(to, size, |symbol| self.is_stack(symbol));
        for ((spot, bytes), value) in self.pieces(to, size).into_iter().zip(values) {
            self.put(state, Some(spot), bytes, value);
        }
    }

    /// Bytes of a text that cannot change, with the zero at its end.
    fn text_size(&self, text: u64) -> Option<u64> {
        let ends = |size: &u64| self.fixed(text.saturating_add(*size), 1) == Some(0);
        Some((0..COPIED).find(ends)?.saturating_add(1))
    }

    /// A text that cannot change, if it is ASCII.
    pub(super) fn text(&self, text: u64) -> Option<String> {
        let size = self.text_size(text)?.checked_sub(1)?;
        let bytes: Option<Vec<u8>> =
            (0..size).map(|at| u8::try_from(self.fixed(text.checked_add(at)?, 1)?).ok()).collect();
        bytes.filter(|bytes| bytes.is_ascii()).and_then(|bytes| String::from_utf8(bytes).ok())
    }

    /// What is known of a place, without giving it a name.
    fn held(&mut self, state: &State, spot: Spot, size: u64) -> Value {
        let is_known = state.memory.contains_key(&spot)
            || self.is_zero(state, spot, size)
            || matches!(spot, (None, at) if self.fixed(at.cast_unsigned(), size).is_some());
        let mut state = state.clone();
        match is_known {
            true => self.load(&mut state, Some(spot), size, 0),
            false => Value::Unknown,
        }
    }

    /// So many bytes from a place on in words, and what is left of them in smaller numbers.
    fn pieces(&self, place: Option<Spot>, size: u64) -> Vec<(Spot, u64)> {
        let Some((base, first)) = place else { return Vec::new() };
        let mut found = Vec::new();
        let mut at = 0u64;
        while at < size {
            let left = size.saturating_sub(at);
            let bytes = [self.width.bytes(), 4, 2].into_iter().find(|bytes| *bytes <= left);
            let bytes = bytes.unwrap_or(1);
            found.push(((base, first.saturating_add_unsigned(at)), bytes));
            at = at.saturating_add(bytes);
        }
        found
    }
}
