//! `csdump analyze`: the diagnosis of each dump.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use anstream::ColorChoice;
use anyhow::bail;
use csdump::report::model::{ErrorLine, Line};
use csdump::report::{escape, html, json, markdown, text};

use super::args::{AnalyzeArgs, Format, Source};
use super::engine::{self, Reading};
use super::exit::{Exit, Tally};
use super::message;
use super::output::{self, Output};
use super::protect;

/// What analyses one dump: it never fails, an unreadable dump is an error line.
pub(super) type Engine = fn(&Source, &Reading) -> Line;

/// Most warnings of one dump that standard error gets; the report has all.
const MAX_WARNINGS: usize = 16;

/// Analyses every dump, also after one that cannot be read.
pub(super) fn run(args: &AnalyzeArgs, analyze: Engine) -> anyhow::Result<Exit> {
    check(args)?;
    let reading = Reading { hash: args.hash, images: engine::folders(&args.images)? };
    let to_file = args.output_file().is_some();
    let choice = match args.format {
        Format::Text => output::choice(args.color, to_file),
        Format::Json | Format::Markdown | Format::Html => ColorChoice::Never,
    };
    let mut output = Output::open(args.output_file(), choice)?;
    let layout = output::layout(args.color, to_file);
    let mut tally = Tally::default();
    if args.format == Format::Html {
        let names: Vec<String> = args.dumps.iter().map(Source::name).collect();
        output.write(&html::opening(&names)?)?;
    }
    for (index, source) in args.dumps.iter().enumerate() {
        let line = guarded(analyze, source, &reading);
        tally.count(&line);
        tell(args, source, &line);
        output.write(&rendered(args, layout, index, source, &line)?)?;
    }
    if args.format == Format::Html {
        output.write(&html::closing()?)?;
    }
    // Standard error has the errors: an earlier result is worth more than an empty one.
    if args.format != Format::Text || tally.is_any_read() {
        output.finish()?;
    }
    Ok(tally.exit())
}

/// Refuses what would lose something: a second reading of standard input, and an output over a dump.
fn check(args: &AnalyzeArgs) -> anyhow::Result<()> {
    if args.dumps.iter().filter(|source| **source == Source::Stdin).count() > 1 {
        bail!("standard input (-) can be named only once");
    }
    protect::dumps(args.output_file(), args.dumps.iter().filter_map(Source::path))
}

/// A panic in one dump must not take the others with it.
fn guarded(analyze: Engine, source: &Source, reading: &Reading) -> Line {
    panic::catch_unwind(AssertUnwindSafe(|| analyze(source, reading))).unwrap_or_else(|payload| {
        let error = format!("bug in csdump: {}", panic_text(payload.as_ref()));
        Line::Error(ErrorLine {
            path: source.name(),
            error,
            stream: None,
            offset: None,
            member: None,
            file: None,
        })
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    escape::cell(text.unwrap_or("no message"))
}

fn rendered(
    args: &AnalyzeArgs,
    layout: text::Layout,
    index: usize,
    source: &Source,
    line: &Line,
) -> anyhow::Result<String> {
    Ok(match (args.format, line) {
        (Format::Json, line) => json::render(line, args.pretty)?,
        (Format::Markdown, line) => {
            let rule = if index == 0 { "" } else { markdown::RULE };
            format!("{rule}{}", markdown::render(line))
        }
        (Format::Html, line) => html::article(index, line)?,
        (Format::Text, Line::Report(report)) => {
            let text = text::render_report(report, layout);
            if args.dumps.len() > 1 { format!("{}{text}", title(index, source)) } else { text }
        }
        // Standard error has an error; summaries are a scan's.
        (Format::Text, Line::Error(_) | Line::Summary(_)) => String::new(),
    })
}

/// Parts the reports of several dumps.
fn title(index: usize, source: &Source) -> String {
    let space = if index == 0 { "" } else { "\n" };
    format!("{space}=== {} ===\n\n", escape::one_line(&source.name(), 200))
}

/// Errors always; warnings when the text that holds them does not go to the screen.
fn tell(args: &AnalyzeArgs, source: &Source, line: &Line) {
    let on_screen = args.format == Format::Text && args.output_file().is_none();
    match line {
        Line::Error(error) => message::write(&text::error_sentence(error)),
        Line::Report(report) if !args.quiet && !on_screen => {
            for warning in report.warnings.iter().take(MAX_WARNINGS) {
                message::write(&format!("{}: warning: {warning}", source.name()));
            }
        }
        Line::Report(_) | Line::Summary(_) => {}
    }
}

#[cfg(test)]
mod tests;
