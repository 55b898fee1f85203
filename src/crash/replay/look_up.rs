//! What a program looks up by names while it runs: modules, and functions in them.

use super::call::Target;
use super::run::Run;
use super::value::{State, Symbol, Value};
use crate::image::exports::ExportTarget;
use crate::image::images::ModuleImage;

/// Most characters of a module's name.
const MAX_NAME: u64 = 260;

impl Run<'_, '_> {
    /// Notes what a call of the system has looked up.
    pub(super) fn look_up(&mut self, state: &mut State, name: &str, arguments: [Value; 4]) {
        self.note_look_up(name, arguments, state.register(0));
        if self.finds_no_module(name, arguments) {
            state.set(0, Value::Constant(0));
        }
    }

    /// Whether a call asks for a module that was not there.
    ///
    /// - situation: start-up code has a way for each library that may be loaded, and registers something with it.
    /// - example: `if (GetModuleHandleA("libgcc_s_dw2-1.dll")) …` in every x86 program of GCC, and a call of what it looks up there.
    /// - handling: by a name that stands in memory which cannot change; no module of that name is loaded, and none is known to have been
    ///   unloaded. That one is loaded does not tell since when. Not API sets, which are in no list.
    /// - test: `a_module_that_is_not_there_is_not_found`.
    fn finds_no_module(&self, name: &str, [sought, ..]: [Value; 4]) -> bool {
        let Value::Constant(text) = sought else { return false };
        let sought = match name {
            "GetModuleHandleA" => self.text(text),
            "GetModuleHandleW" => self.wide_text(text),
            _ => None,
        };
        let Some(sought) = sought else { return false };
        let file = sought.rsplit(['\\', '/']).next().unwrap_or_default();
        // The loader has another file for an API set (Windows API sets), and no extension for a name that ends in a dot.
        let starts = |set: &str| file.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(set));
        if file.is_empty() || file.ends_with('.') || starts("api-") || starts("ext-") {
            return false;
        }
        let with_extension =
            if file.contains('.') { file.to_owned() } else { format!("{file}.dll") };
        let dump = self.scene.dump;
        let is_it = |name: &str| name.eq_ignore_ascii_case(&with_extension);
        let is_loaded = dump.modules.iter().any(|module| is_it(module.file_name()));
        !is_loaded && !dump.unloaded.iter().any(|module| is_it(module.file_name()))
    }

    /// A text of 16-bit characters that cannot change, if it is ASCII.
    fn wide_text(&self, text: u64) -> Option<String> {
        let mut found = String::new();
        for index in 0..MAX_NAME {
            let at = text.checked_add(index.checked_mul(2)?)?;
            match u8::try_from(self.fixed(at, 2)?).ok()? {
                0 => return Some(found),
                letter if letter.is_ascii() => found.push(char::from(letter)),
                _ => return None,
            }
        }
        None
    }

    /// Notes that a function was looked up by its name.
    fn note_look_up(&mut self, name: &str, [_, sought, ..]: [Value; 4], found: Value) {
        if let (Value::Symbol(symbol, 0), Value::Constant(text)) = (found, sought)
            && name == "GetProcAddress"
            && let Some(sought) = self.text(text)
        {
            self.looked_up.insert(symbol, sought);
        }
    }

    /// What a function that was looked up is.
    ///
    /// - situation: a program loads a library and calls what it looked up there.
    /// - example: `open = GetProcAddress(library, "codec_open"); open(&codec);`.
    /// - handling: of the modules that are loaded, the first that exports the name, the program's before the system's; a name alone where none does.
    /// - test: `what_was_looked_up_is_called`.
    pub(super) fn looked_up_target(&self, symbol: Symbol) -> Target {
        let Some(name) = self.looked_up.get(&symbol) else { return Target::Unknown };
        let memory = &self.scene.dump.memory;
        let export = |module: &ModuleImage<'_, '_>| {
            let image = module.image().ok()?;
            match module.exports().ok()?.find(memory, image, name)? {
                ExportTarget::Rva(rva) => image.address(rva),
                ExportTarget::Forwarder(_) => None,
            }
        };
        let mut found = self.scene.images.modules().iter().filter_map(export);
        match found.find(|address| self.is_programs(*address)) {
            Some(address) => Target::Code(address),
            None => Target::Named(name.clone(), None),
        }
    }
}
