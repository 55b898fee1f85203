//! `csdump man`: the manual page, made from the arguments' own help.

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Cli, ManArgs};
use super::exit::Exit;
use super::output::Output;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = &args.command {
        let found = command.find_subcommand(name);
        command = found.with_context(|| format!("there is no subcommand {name}"))?.clone();
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Output::stdout().write(&String::from_utf8(page)?)?;
    Ok(Exit::Success)
}
