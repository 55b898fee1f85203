//! `csdump handles`: the handle table, or one handle's slot and recorded history.

use csdump::report::model::Line;
use csdump::report::{json, text};

use super::args::{HandlesArgs, HandlesFormat};
use super::engine;
use super::exit::Exit;
use super::message;
use super::output::{self, Output};

pub(super) fn run(args: &HandlesArgs) -> anyhow::Result<Exit> {
    let mut output = Output::stdout();
    let images = engine::folders(&args.images)?;
    let report = match engine::handles(&args.dump, args.handle, images.as_ref()) {
        Ok(report) => report,
        Err(error) => {
            message::write(&text::error_sentence(&error));
            if args.format == HandlesFormat::Json {
                output.write(&json::render(&Line::Error(*error), args.pretty)?)?;
            }
            return Ok(Exit::Error);
        }
    };
    let width = output::columns().unwrap_or(text::DEFAULT_WIDTH);
    output.write(&match args.format {
        HandlesFormat::Text => text::render_handles(&report, text::Layout { width, colour: false }),
        HandlesFormat::Json => json::render_value(&report, args.pretty)?,
    })?;
    Ok(if report.found() { Exit::Success } else { Exit::NoneFound })
}
