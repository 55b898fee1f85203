//! The HTML renderings: a page of reports (`analyze`) and a page of a whole scan.
//!
//! One file, nothing loaded from anywhere, and a policy in it that forbids loading. The views below hold ready strings:
//! [`escape`](super::escape) has dropped what misleads a reader, and the templates (templates/*.html) escape all text
//! for HTML as they lay it out; none of them has a way round that.

mod bars;
#[cfg(test)]
mod check;
mod days;
mod report;
mod scan;

use std::fmt;

use askama::Template;

use self::report::ReportView;
use super::escape;
use super::model::{Line, Report, Summary};

/// The policy's name for the one script of a scan's page: SHA-256 of its text.
const SCRIPT_HASH: &str = "sha256-m7OKNhwcXd/tlULj4Ei9nriXCpAAAiAHd8g6FylBwPI=";

/// Most dumps that a page's list of contents names.
const MAX_CONTENTS: usize = 200;

/// The beginning of a page of reports on `dumps`, one [`article`] each; [`closing`] ends it.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn opening(dumps: &[String]) -> Result<String, fmt::Error> {
    let title = match dumps {
        [one] => format!("csdump: {}", escape::name(one)),
        all => format!("csdump: {} dumps", all.len()),
    };
    let contents = if dumps.len() > 1 { dumps } else { &[] };
    let contents = contents.iter().take(MAX_CONTENTS).map(|name| escape::one_line(name, 200));
    rendered(&Opening { title, script: None, contents: contents.collect() })
}

/// The report on one dump, or why there is none; `index` counts the dumps of the page from 0.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn article(index: usize, line: &Line) -> Result<String, fmt::Error> {
    let number = index.saturating_add(1);
    match line {
        Line::Report(report) => rendered(&Article { number, report: ReportView::of(report, 2) }),
        Line::Error(error) => {
            rendered(&ErrorArticle { number, sentence: super::text::error_sentence(error) })
        }
        Line::Summary(_) => Ok(String::new()),
    }
}

/// The end of a page.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn closing() -> Result<String, fmt::Error> {
    rendered(&Closing { tool: tool() })
}

/// The page of a scan. `example` gives the report on a group's example, where it was kept.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn scan<'r>(
    summary: &Summary,
    example: impl Fn(&super::model::GroupInfo) -> Option<&'r Report>,
) -> Result<String, fmt::Error> {
    rendered(&scan::ScanPage::of(summary, example))
}

fn rendered(template: &impl Template) -> Result<String, fmt::Error> {
    template.render().map_err(|_| fmt::Error)
}

fn tool() -> String {
    let tool = super::build::tool();
    format!("{} {}, weights {}", tool.name, tool.version, tool.model_version)
}

#[derive(Template)]
#[template(path = "opening.html")]
struct Opening {
    title: String,
    script: Option<&'static str>,
    contents: Vec<String>,
}

#[derive(Template)]
#[template(path = "article.html")]
struct Article {
    number: usize,
    report: ReportView,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorArticle {
    number: usize,
    sentence: String,
}

#[derive(Template)]
#[template(path = "closing.html")]
struct Closing {
    tool: String,
}

#[cfg(test)]
mod tests;
