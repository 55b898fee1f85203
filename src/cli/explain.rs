//! `csdump explain`: what an id of a report means.

use anstream::ColorChoice;
use anyhow::bail;
use csdump::explain::{self, Explanation};
use csdump::report::text::Layout;
use csdump::report::{escape, markdown, text};

use super::args::{ExplainArgs, PageFormat};
use super::exit::Exit;
use super::output::{self, Output};

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let choice = output::choice(args.color, false);
    let layout = Layout {
        width: output::columns().unwrap_or(text::DEFAULT_WIDTH),
        colour: choice != ColorChoice::Never,
    };
    let page = match (&args.id, args.format) {
        (None, PageFormat::Text) => text::index(layout),
        (None, PageFormat::Markdown) => markdown::index(|_| None),
        (Some(id), PageFormat::Text) => text::explanations(&found(id)?, layout),
        (Some(id), PageFormat::Markdown) => markdown::explanations(&found(id)?),
    };
    let mut output = match args.format {
        PageFormat::Text => Output::stdout_with(choice),
        PageFormat::Markdown => Output::stdout(),
    };
    output.write(&page)?;
    Ok(Exit::Success)
}

fn found(id: &str) -> anyhow::Result<Vec<&'static Explanation>> {
    let found = explain::of(id);
    if !found.is_empty() {
        return Ok(found);
    }
    let typed = escape::name(id);
    match explain::nearest(id).as_slice() {
        [] => bail!("there is no id {typed}; csdump explain lists all"),
        near => bail!("there is no id {typed}; near it are: {}", near.join(", ")),
    }
}
