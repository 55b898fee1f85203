//! The command line: one file per subcommand.

mod analyze;
mod args;
mod completions;
mod engine;
mod exit;
mod explain;
mod handles;
mod man;
mod message;
mod output;
mod progress;
mod protect;
mod scan;
mod schema;
mod since;

use std::ffi::OsString;
use std::io;

use clap::Parser;

use self::args::{Cli, Command};
use self::exit::Exit;

/// Parses `args`, runs the subcommand, and says how it ended.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    message::install_panic_hook();
    match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(cli.command).unwrap_or_else(|error| failed(&error)),
        Err(error) => usage(&error),
    }
}

fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Analyze(args) => analyze::run(&args, engine::analyze),
        Command::Scan(args) => scan::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Handles(args) => handles::run(&args),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Help and version are no error to clap either; all else is bad usage.
fn usage(error: &clap::Error) -> Exit {
    // Nobody is left to tell when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { Exit::Error } else { Exit::Success }
}

/// A reader that closed the pipe has what it wanted: that ends quietly.
fn failed(error: &anyhow::Error) -> Exit {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return Exit::Success;
    }
    message::write(&format!("{error:#}"));
    Exit::Error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_error_and_another_is() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failed(&closed.context("cannot write")), Exit::Success);
        let full = anyhow::Error::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(failed(&full), Exit::Error);
    }
}
