//! `csdump completions`: a script for a shell.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::output::Output;

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // Generated into memory first: clap_complete panics on a pipe that closes.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "csdump", &mut script);
    Output::stdout().write(&String::from_utf8(script)?)?;
    Ok(Exit::Success)
}
