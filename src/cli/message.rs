//! Standard error: one line per message, safe for a terminal.

use std::io::{self, Write};
use std::panic;

use csdump::report::escape;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 1000;

/// Writes `csdump: SENTENCE` to standard error.
pub(super) fn write(sentence: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "csdump: {}", escape::one_line(sentence, MAX_MESSAGE));
}

/// A panic is a bug of csdump. Its place helps to mend it; its text can come from a dump and is reported
/// with the dump's error.
pub(super) fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        let place =
            info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        write(&format!("bug in csdump at {place}; please report it"));
    }));
}
