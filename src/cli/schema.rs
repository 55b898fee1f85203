//! `csdump schema`: the JSON Schema of the JSON output.

use csdump::report::json;

use super::exit::Exit;
use super::output::Output;

pub(super) fn run() -> anyhow::Result<Exit> {
    let mut text = serde_json::to_string_pretty(&json::schema())?;
    text.push('\n');
    Output::stdout().write(&text)?;
    Ok(Exit::Success)
}
