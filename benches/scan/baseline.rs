//! Reads header, directory, system information, exception and module list of every file named on standard input, with
//! the minidump crate, and nothing else: the least that any scan of dumps must do.

use minidump::{MinidumpException, MinidumpModuleList, MinidumpSystemInfo, Module};
use std::io::BufRead;

fn main() {
    let (mut dumps, mut modules, mut codes) = (0usize, 0usize, 0u64);
    for path in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(dump) = minidump::Minidump::read_path(&path) else { continue };
        dumps = dumps.saturating_add(1);
        if let Ok(exception) = dump.get_stream::<MinidumpException<'_>>() {
            codes ^= u64::from(exception.raw.exception_record.exception_code);
        }
        let _ = dump.get_stream::<MinidumpSystemInfo>();
        if let Ok(list) = dump.get_stream::<MinidumpModuleList>() {
            modules =
                modules.saturating_add(list.iter().filter(|module| module.size() > 0).count());
        }
    }
    let text = format!("{dumps} dumps, {modules} modules, {codes:#x}\n");
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
