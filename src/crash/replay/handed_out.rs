//! Functions that somebody else may call: those whose addresses the program uses, or has in its tables.

use super::run::Run;
use super::value::{Spot, State, Value};

/// Most words of a table of functions.
const MAX_TABLE: u64 = 64;
/// Most words between two functions of a table.
const MAX_GAP: u32 = 2;

impl Run<'_, '_> {
    /// Notes that a value is used: a function's address, or that of a table of functions.
    pub(super) fn hand_out(&mut self, value: Value) {
        if let Value::Symbol(symbol, offset) = value
            && self.is_stack(symbol)
        {
            self.escaped.insert((Some(symbol), offset));
        }
        let Value::Constant(address) = value else { return };
        if self.is_code(address) {
            if self.is_function(address) {
                self.handed_out.insert((address, Value::Unknown));
            }
            return;
        }
        if !address.is_multiple_of(self.width.bytes()) {
            return;
        }
        let mut gap = 0u32;
        for index in 0..MAX_TABLE {
            let offset = index.saturating_mul(self.width.bytes());
            match self.table_entry(address.saturating_add(offset)) {
                Some(entry) if self.is_code(entry) => {
                    self.handed_out.insert((entry, Value::Unknown));
                    gap = 0;
                }
                // A name or a number between; GCC's table of constructors begins with -1.
                Some(_) if gap < MAX_GAP => gap = gap.saturating_add(1),
                _ => return,
            }
        }
        self.is_whole = false;
    }

    /// A word of a table in a module of the program.
    ///
    /// - situation: programs have tables of functions that can be written to, and call what stands in them.
    /// - example: `modules[] = { { "log", log_start, log_end, false }, ... }`, ended one after another.
    /// - handling: taken as it stands now, for such tables are filled and seldom emptied; not from `.CRT`, whose tables are the runtime library's, which
    ///   names them to `_initterm`.
    /// - test: `what_a_table_of_functions_names_can_have_run` (tests/accuracy).
    fn table_entry(&self, address: u64) -> Option<u64> {
        let written = || {
            let image = self.scene.images.image_at(address)?;
            let is_of_runtime = image.section_at(image.rva(address)?)?.name == ".CRT";
            (!is_of_runtime && self.is_programs(address)).then_some(())?;
            self.scene.dump.memory.pointer(address, self.width)
        };
        self.fixed(address, self.width.bytes()).or_else(written)
    }

    /// Hands out the functions whose addresses stand in memory from a place on, so many bytes.
    pub(super) fn hand_out_held(&mut self, state: &State, (base, first): Spot, bytes: i64) {
        let range = (base, first)..(base, first.saturating_add(bytes));
        for (_, (value, _)) in state.memory.range(range) {
            if let Value::Constant(address) = value
                && self.is_function(*address)
            {
                self.handed_out.insert((*address, Value::Unknown));
            }
        }
    }

    /// Notes that the function that is replayed uses an address: that of a table of functions, perhaps, of which it calls one.
    pub(super) fn note_table(&mut self, value: Value) {
        if let (Value::Constant(address), Some(function)) = (value, self.depth.last())
            && !self.is_code(address)
            && self.table_entry(address).is_some()
        {
            self.tables.insert((*function, address));
        }
    }

    /// The function that is replayed has called what is not known: one of a table that it uses.
    pub(super) fn hand_out_tables(&mut self) {
        let Some(function) = self.depth.last().copied() else { return };
        let range = (function, 0)..=(function, u64::MAX);
        let tables: Vec<u64> = self.tables.range(range).map(|(_, table)| *table).collect();
        for table in tables {
            self.hand_out(Value::Constant(table));
        }
    }
}
