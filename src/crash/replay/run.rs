//! What is known while functions are replayed: code, tables, what was called and handed out.

use super::function::{Code, Function};
use super::known;
use super::reach::Reach;
use super::threads::Started;
use super::value::{Origin, Spot, State, Symbol, Symbols, Value};
use super::written::Written;
use crate::crash::function_code;
use crate::crash::stack::Scene;
use crate::crash::tail_call;
use crate::dump::memory::PointerWidth;
use crate::dump::modules::Module;
use crate::image::pe::DirectoryKind;
use iced_x86::{FlowControl, Instruction, Mnemonic};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// Most instructions replayed for one dump.
const MAX_STEPS: usize = 100_000;
/// Functions deep.
pub(super) const MAX_DEPTH: usize = 12;
/// Bytes of a local whose address was given away.
const STRUCT: i64 = 0x100;
/// Most bytes of an instruction.
const LONGEST: usize = 15;
/// Bytes of an x86 function with a table of jumps that are looked at.
const MAX_CASES: u64 = 0x1000;
/// Longest instruction in bytes.
const MAX_LENGTH: u64 = 15;

/// A call of a function that has a name.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) name: String,
    /// The address of the call.
    pub(super) at: u64,
    pub(super) arguments: [Value; 4],
    /// The thread that made it, by its place; `None` in a callback.
    pub(super) root: Option<usize>,
    /// What was taken not to be 0 on the way to it.
    pub(super) assumed: BTreeSet<Symbol>,
    /// Another thread made it, whose end this one has waited for.
    pub(super) is_of_ended: bool,
    /// It is behind the place where the thread is: it has not been made yet.
    pub(super) is_ahead: bool,
    /// It leaves a section that was not entered before, on some way to it, or can do so: see [`Run::balance`].
    pub(super) is_unmatched: bool,
}

/// What is known while functions are replayed.
pub(super) struct Run<'s, 'd> {
    pub(super) scene: Scene<'s, 'd>,
    pub(super) width: PointerWidth,
    pub(super) symbols: Symbols,
    /// Symbols that are stack pointers.
    stacks: HashSet<Symbol>,
    /// The calls on the way to the function that is replayed, as a number.
    pub(super) path: usize,
    paths: HashMap<(usize, u64), usize>,
    /// The functions on that way.
    pub(super) depth: Vec<u64>,
    /// The registers that each of them was entered with.
    pub(super) entries: Vec<[Value; 16]>,
    pub(super) is_in_loop: bool,
    /// The thread whose functions are replayed, by its place.
    pub(super) root: Option<usize>,
    pub(super) calls: Vec<Called>,
    call_places: HashMap<(usize, u64), usize>,
    functions: HashMap<u64, Option<Rc<Function>>>,
    pub(super) popped: HashMap<u64, Option<u64>>,
    pub(super) steps: usize,
    /// The steps up to which the function that is replayed may go.
    pub(super) limit: usize,
    /// Functions that went beyond their limit.
    pub(super) dear: HashSet<u64>,
    /// What functions may do that are not replayed, by the thread, their starts and whether they come back.
    pub(super) reached: HashMap<(Option<usize>, u64, bool), Rc<Reach>>,
    /// Whether functions come back, by their starts.
    pub(super) come_back: HashMap<u64, bool>,
    /// The functions whose addresses were stored or passed, each with the first argument that it is to be called with.
    pub(super) handed_out: BTreeSet<(u64, Value)>,
    /// The places of the frames that were replayed.
    pub(super) places: HashSet<u64>,
    /// Where functions of x86 modules may start.
    pub(super) starts: HashMap<u64, Rc<BTreeSet<u64>>>,
    /// Functions whose handlers were looked for, and whether all of their code was.
    handled: HashMap<u64, bool>,
    /// Places on a stack whose addresses were stored or passed.
    pub(super) escaped: BTreeSet<Spot>,
    /// Constant addresses that functions use, each behind its function's.
    pub(super) tables: BTreeSet<(u64, u64)>,
    /// The threads that were started, by what the call gave back.
    pub(super) started: HashMap<Symbol, Started>,
    /// What the functions of threads write to, by their starts and arguments; `None` where that is not known.
    pub(super) written_by: HashMap<(u64, Value), Option<Rc<Written>>>,
    /// What runs is the function of a thread that has ended.
    pub(super) is_of_ended: bool,
    /// What functions that give out memory gave back.
    pub(super) allocated: HashSet<Symbol>,
    /// The sizes that were asked for, in bytes.
    pub(super) sizes: HashMap<Symbol, u64>,
    /// The calls that gave them out, by their places.
    pub(super) given_out_by: HashMap<Symbol, usize>,
    /// The failed call's first argument.
    pub(super) failed_argument: Option<Value>,
    /// Of the block that the failed call found the section in: the thread, and the call that gave it out, by their places.
    pub(super) block_of_failed: Option<(usize, usize)>,
    /// That block began as zeros.
    pub(super) is_block_zeroed: bool,
    /// What the failed call was called with had been entered, and not left since.
    pub(super) is_held: bool,
    /// Those of them that are so small that they were surely given out.
    pub(super) roomy: HashSet<Symbol>,
    /// The heaps that gave blocks out, by what they gave out.
    pub(super) heaps: HashMap<Symbol, Symbol>,
    /// Heaps that have a bound.
    pub(super) bounded: HashSet<Symbol>,
    /// Those blocks that began as zeros.
    pub(super) zeroed: HashSet<Symbol>,
    /// Static data of the program that began as zeros, from and to.
    pub(super) zeros: Vec<(u64, u64)>,
    /// What GetProcAddress gave back, with the names that it looked for.
    pub(super) looked_up: HashMap<Symbol, String>,
    /// What was read from import slots that the dump does not hold.
    pub(super) lost_imports: HashSet<Symbol>,
    /// No part of a stack was left out.
    pub(super) is_whole: bool,
}

/// Which arguments of a function are another function, which it starts, and that one's first argument (Windows API and C runtime library).
pub(super) fn started_by(name: &str) -> Option<(usize, usize)> {
    match name {
        "CreateThread" | "_beginthreadex" | "CreateTimerQueueTimer" => Some((2, 3)),
        "_beginthread" => Some((0, 2)),
        "QueueUserWorkItem" => Some((0, 1)),
        _ => None,
    }
}

impl<'s, 'd> Run<'s, 'd> {
    pub(super) fn new(scene: Scene<'s, 'd>) -> Self {
        Self {
            scene,
            width: scene.dump.system.pointer_width,
            symbols: Symbols::default(),
            stacks: HashSet::new(),
            path: 0,
            paths: HashMap::new(),
            depth: Vec::new(),
            entries: Vec::new(),
            is_in_loop: false,
            root: None,
            calls: Vec::new(),
            call_places: HashMap::new(),
            functions: HashMap::new(),
            popped: HashMap::new(),
            steps: 0,
            limit: MAX_STEPS,
            dear: HashSet::new(),
            reached: HashMap::new(),
            come_back: HashMap::new(),
            handed_out: BTreeSet::new(),
            handled: HashMap::new(),
            escaped: BTreeSet::new(),
            starts: HashMap::new(),
            places: HashSet::new(),
            tables: BTreeSet::new(),
            started: HashMap::new(),
            written_by: HashMap::new(),
            is_of_ended: false,
            allocated: HashSet::new(),
            sizes: HashMap::new(),
            given_out_by: HashMap::new(),
            failed_argument: None,
            block_of_failed: None,
            is_block_zeroed: false,
            is_held: false,
            roomy: HashSet::new(),
            heaps: HashMap::new(),
            bounded: HashSet::new(),
            zeroed: HashSet::new(),
            looked_up: HashMap::new(),
            lost_imports: HashSet::new(),
            zeros: Vec::new(),
            is_whole: true,
        }
    }

    /// Whether an instruction more is allowed.
    pub(super) fn spend(&mut self) -> bool {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MAX_STEPS {
            self.scene.flows.cut("the replay of the program's functions (100,000 instructions)");
        }
        self.steps <= self.limit && self.scene.flows.spend(1)
    }

    pub(super) fn is_stack(&self, symbol: Symbol) -> bool {
        self.stacks.contains(&symbol)
    }

    pub(super) fn symbol(&mut self, origin: Origin) -> Value {
        Value::Symbol(self.symbols.of(origin, self.is_in_loop), 0)
    }

    pub(super) fn new_stack(&mut self, origin: Origin) -> Value {
        let symbol = self.symbols.of(origin, self.is_in_loop);
        self.stacks.insert(symbol);
        Value::Symbol(symbol, 0)
    }

    /// Takes the way of a call; to be undone with [`Self::path`].
    pub(super) fn enter(&mut self, call: u64) -> usize {
        let next = self.paths.len().saturating_add(1);
        let outer = self.path;
        self.path = *self.paths.entry((outer, call)).or_insert(next);
        outer
    }

    /// What stands at an address that the program cannot change: in a part of a module that is not written to, as its headers are, or an import
    /// slot.
    pub(super) fn fixed(&self, address: u64, size: u64) -> Option<u64> {
        let module = self.scene.images.module_at(address)?;
        let memory = &self.scene.dump.memory;
        let image = module.image().ok()?;
        let rva = image.rva(address)?;
        let is_header = || image.sections.iter().all(|part| rva < part.virtual_address);
        let is_constant = match image.section_at(rva) {
            Some(part) => !part.is_writable(),
            None => is_header(),
        };
        let is_slot = || size == self.width.bytes() && module.import_at(address).is_some();
        (is_constant || is_slot()).then_some(())?;
        match size {
            8 => memory.u64(address),
            4 => memory.u32(address).map(u64::from),
            2 => memory.u16(address).map(u64::from),
            1 => memory.u8(address).map(u64::from),
            _ => None,
        }
    }

    /// Whether others may write to a place in memory: to anything but a local whose address nobody was given.
    pub(super) fn is_others(&self, (base, offset): Spot) -> bool {
        let Some(stack) = base.filter(|base| self.is_stack(*base)) else { return true };
        let first = (Some(stack), offset.saturating_sub(STRUCT));
        self.escaped.range(first..=(Some(stack), offset)).next().is_some()
    }

    /// Whether a function of the program may begin at an address: not where a call returns to, as stands on every stack, unless a function that
    /// does not come back is called just before one that is aligned.
    pub(super) fn is_function(&self, address: u64) -> bool {
        let is_return = || self.scene.call_site(address).is_some();
        self.is_code(address) && (address.is_multiple_of(16) || !is_return())
    }

    /// Whether an address lies in code of the program that the dump holds.
    pub(super) fn is_code(&self, address: u64) -> bool {
        let is_code = || {
            let image = self.scene.images.image_at(address)?;
            Some(image.section_at(image.rva(address)?)?.is_executable())
        };
        is_code() == Some(true) && self.is_programs(address)
    }

    /// Whether a debug version of the C runtime is loaded: its `malloc` puts a header before what it gives out.
    pub(super) fn has_debug_runtime(&self) -> bool {
        let is_debug = |name: &str| {
            let stem = name.strip_suffix("d.dll").unwrap_or_default();
            let is_version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
            matches!(stem, "ucrtbase" | "msvcrt")
                || stem.strip_prefix("msvcr").is_some_and(is_version)
        };
        let mut modules = self.scene.dump.modules.iter();
        modules.any(|module| is_debug(&module.file_name().to_ascii_lowercase()))
    }

    /// Whether an address lies in a module of the program, in memory that the dump holds.
    pub(super) fn is_programs(&self, address: u64) -> bool {
        self.scene.dump.module_at(address).is_some_and(Module::is_of_program)
            && self.scene.dump.memory.u8(address).is_some()
    }

    /// Whether an address is that of an import slot that the dump does not hold: another module's function, whichever.
    pub(super) fn is_lost_import(&self, slot: u64) -> bool {
        let is_slot = || {
            let image = self.scene.images.image_at(slot)?;
            let table = image.directory(DirectoryKind::ImportAddressTable).ok()?;
            let offset = image.rva(slot)?.checked_sub(table.rva)?;
            Some(offset < table.size)
        };
        is_slot() == Some(true) && self.scene.dump.memory.u8(slot).is_none()
    }

    /// Whether an address lies in another module than some code.
    pub(super) fn is_elsewhere(&self, address: u64, code: u64) -> bool {
        let module = |address| self.scene.dump.module_at(address).map(|module| module.base);
        module(address).is_some() && module(address) != module(code)
    }

    /// Notes a call of a function that has a name.
    pub(super) fn note(
        &mut self,
        state: &mut State,
        name: &str,
        at: u64,
        arguments: [Value; 4],
    ) -> usize {
        match started_by(name) {
            Some((function, argument)) => self.start(arguments, function, argument),
            None => arguments.into_iter().for_each(|argument| self.hand_out(argument)),
        }
        let next = self.calls.len();
        let place = *self.call_places.entry((self.path, at)).or_insert(next);
        match self.calls.get_mut(place) {
            Some(known) => {
                known.is_ahead = false;
                known.assumed.extend(state.assumed.iter());
                for (mine, theirs) in known.arguments.iter_mut().zip(arguments) {
                    if *mine != theirs {
                        *mine = Value::Unknown;
                    }
                }
            }
            None => {
                let assumed = state.assumed.as_ref().clone();
                let (name, root) = (name.to_owned(), self.root);
                let is_of_ended = self.is_of_ended;
                let (is_ahead, is_unmatched) = (false, false);
                self.calls.push(Called {
                    name,
                    at,
                    arguments,
                    root,
                    assumed,
                    is_of_ended,
                    is_ahead,
                    is_unmatched,
                });
            }
        }
        self.balance(state, name, arguments, place);
        if !state.calls.contains(&place) {
            Rc::make_mut(&mut state.calls).push(place);
        }
        place
    }

    /// The calls from a number on were come to only behind the place where the thread is.
    ///
    /// - situation: a thread is in a loop, and goes on with what the rest of it, and what lies behind it, would do.
    /// - example: `for (…) seal(peer);` and then `for (…) end_session(peer);`, which deletes the sections; it has failed in the first.
    /// - handling: what is replayed behind the last time that the place was come to has not run. Where some way cannot be followed, all counts.
    /// - test: `what_lies_ahead_has_not_run`.
    pub(super) fn put_ahead(&mut self, noted: usize) {
        for call in self.calls.iter_mut().skip(noted) {
            call.is_ahead = true;
        }
    }

    /// Code of a function with an exception handler that only the handler leads to can have run: its calls.
    ///
    /// - situation: `catch (...) { DeleteCriticalSection(&lock); }` is in no way through the function.
    /// - example: GCC's landing pads behind the function's last return (x64).
    /// - handling: what the unwind data counts to the function, or lies before the next one, and no way reaches: its direct calls are handed out, its calls of imports are
    ///   noted with arguments that are not known.
    /// - test: `what_only_a_handler_leads_to_can_have_run`.
    ///
    /// Whether these are all: what a table of jumps leads to is among them.
    pub(super) fn handlers(&mut self, start: u64, function: &Function) -> bool {
        if let Some(known) = self.handled.get(&start) {
            return *known;
        }
        let code = match self.width {
            PointerWidth::Eight => match function_code::has_table(self.scene, start) {
                true => function_code::whole_function(self.scene, start.saturating_add(1))
                    .filter(|code| begins(code, start)),
                false => self.up_to_padding(function),
            },
            // Nothing says how far it goes: this far, and into the next ones.
            PointerWidth::Four => {
                let end = start.saturating_add(MAX_CASES).saturating_sub(MAX_LENGTH);
                Some(function_code::decode_up_to(self.scene, start, MAX_CASES))
                    .filter(|code| code.last().is_some_and(|last| last.next_ip() > end))
            }
        };
        self.handled.insert(start, code.is_some());
        let Some(code) = code else { return false };
        let reached: HashSet<u64> = function.addresses().collect();
        let unreached = code.iter().filter(|one| !reached.contains(&one.ip()));
        for one in unreached {
            let site = match one.flow_control() {
                FlowControl::IndirectBranch => tail_call::jump_of(self.scene, one),
                _ if function_code::is_call(one) => self.scene.call_site(one.next_ip()),
                _ => None,
            };
            let Some(site) = site else { continue };
            match self.scene.target(&site).filter(|target| self.is_programs(*target)) {
                Some(target) => {
                    self.handed_out.insert((target, Value::Unknown));
                }
                None => {
                    let callee = self.scene.callee(&site);
                    let name = callee.as_ref().and_then(|callee| callee.name()).unwrap_or("");
                    self.note(&mut State::default(), name, one.ip(), [Value::Unknown; 4]);
                }
            }
        }
        true
    }

    /// The code behind a function's last instruction, up to what fills the room before the next function.
    ///
    /// - situation: without a table of unwind data nothing says how far a function goes; GCC puts landing pads behind its last return.
    /// - example: `ret`, a landing pad that leaves the section and ends in `call _Unwind_Resume`, `nop`, and the next function at a multiple of 16.
    /// - handling: up to a run of `nop` or `int3` that ends at a multiple of 16, as compilers align functions; a `nop` behind a call is none. Where the dump
    ///   has none, what is there may call anything.
    /// - test: `small_dumps_are_walked_by_code` (tests/accuracy).
    fn up_to_padding(&mut self, function: &Function) -> Option<Vec<Instruction>> {
        let end = function.addresses_behind().max()?;
        let mut code = function_code::decode_up_to(self.scene, end, MAX_CASES);
        let is_filler =
            |one: &Instruction| matches!(one.mnemonic(), Mnemonic::Nop | Mnemonic::Int3);
        let (mut start, mut padding) = (0usize, None);
        for run in code.chunk_by(|one, next| is_filler(one) && is_filler(next)) {
            let ends_aligned = run.last().is_some_and(|last| last.next_ip().is_multiple_of(16));
            if run.first().is_some_and(is_filler) && ends_aligned {
                padding = Some(start);
                break;
            }
            start = start.saturating_add(run.len());
        }
        let Some(padding) = padding else {
            self.note_lost(end);
            return None;
        };
        code.truncate(padding);
        Some(code)
    }

    /// Notes that a function was started with an argument.
    fn start(&mut self, arguments: [Value; 4], function: usize, argument: usize) {
        match (arguments.get(function), arguments.get(argument)) {
            (Some(Value::Constant(function)), Some(argument)) if self.is_code(*function) => {
                self.handed_out.insert((*function, *argument));
            }
            _ => {}
        }
    }

    pub(super) fn function(&mut self, start: u64) -> Option<Rc<Function>> {
        if let Some(known) = self.functions.get(&start) {
            return known.clone();
        }
        let (scene, width) = (self.scene, self.width);
        let spend = || scene.flows.spend(1);
        let comes_back = |one: &Instruction| {
            let site = scene.call_site(one.next_ip());
            let callee = site.as_ref().and_then(|site| scene.callee(site));
            !callee.as_ref().and_then(|callee| callee.name()).is_some_and(known::ends)
        };
        let memory = &scene.dump.memory;
        // What a full dump lacks could not be read, nor have run. An instruction that a piece of code ends in is missing, too.
        let is_part = self.is_part();
        let is_missing = |at| is_part && memory.read_up_to(at, LONGEST).len() < LONGEST;
        let cases = |code: &Code, jump: &Instruction| self.cases(code, jump);
        let read = Function::read(memory, start, width, spend, is_missing, comes_back, cases);
        let read = read.map(Rc::new);
        self.functions.insert(start, read.clone());
        read
    }
}

fn begins(code: &[Instruction], start: u64) -> bool {
    code.first().is_some_and(|first| first.ip() == start)
}
