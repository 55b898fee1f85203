//! Results of a scan as CSV (RFC 4180), one row per dump.

use super::model::{ErrorLine, Line, Outcome, Report, Verdict};
use super::{escape, names};

/// The columns.
pub const HEADER: &str = "path,member,outcome,operation,mechanism,cause,probability,confidence,section,handle,caller,exception,process,process_version,os,cpu,time,signature,stack,statement,error\n";

/// A row with its line end; empty for a summary.
#[must_use]
pub fn row(line: &Line) -> String {
    match line {
        Line::Report(report) => joined(&of_report(report)),
        Line::Error(error) => joined(&of_error(error)),
        Line::Summary(_) => String::new(),
    }
}

fn joined(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\n", cells.join(","))
}

/// One cell: on one line, quoted where it must be, and never one that a spreadsheet takes for a formula.
///
/// A cell that begins with `=`, `+`, `-` or `@` is put behind a quote mark, as spreadsheets do themselves.
fn cell(text: &str) -> String {
    let line = escape::one_line(text, usize::MAX);
    let is_formula = line.trim_start().starts_with(['=', '+', '-', '@']);
    let line = if is_formula { format!("'{line}") } else { line };
    if line.contains([',', '"', '\'']) || line.starts_with(' ') || line.ends_with(' ') {
        format!("\"{}\"", line.replace('"', "\"\""))
    } else {
        line
    }
}

fn of_error(error: &ErrorLine) -> Vec<String> {
    let mut cells = vec![String::new(); HEADER.split(',').count()];
    let texts = [
        (0, error.path.clone()),
        (1, error.member.clone().unwrap_or_default()),
        (2, "error".into()),
        (20, error.error.clone()),
    ];
    for (index, text) in texts {
        if let Some(cell) = cells.get_mut(index) {
            *cell = text;
        }
    }
    cells
}

fn of_report(report: &Report) -> Vec<String> {
    let crash = report.crash.as_ref();
    let verdict = report.verdict.as_ref();
    let dump = &report.dump;
    let os = dump.os.as_ref().map(|os| format!("{}.{}", os.version, os.build));
    let signature = report.signature.as_ref();
    let outcome = match report.outcome {
        Outcome::Diagnosed => "diagnosed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable => "not-applicable",
    };
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    vec![
        dump.path.clone(),
        or_empty(dump.member.clone()),
        outcome.into(),
        or_empty(crash.and_then(|crash| crash.operation.clone())),
        or_empty(crash.and_then(|crash| crash.mechanism.clone())),
        or_empty(verdict.map(|verdict| verdict.named.join(" or "))),
        or_empty(verdict.map(probability)),
        or_empty(verdict.map(|verdict| verdict.confidence.clone())),
        or_empty(report.critical_section.as_ref().map(|section| section.name.clone())),
        or_empty(report.handle.as_ref().and_then(|handle| handle.value.clone())),
        or_empty(crash.and_then(|crash| crash.caller.clone())),
        or_empty(crash.map(|crash| crash.exception.code.clone())),
        or_empty(dump.process.name.clone()),
        or_empty(dump.process.version.clone()),
        or_empty(os),
        dump.cpu.clone(),
        or_empty(dump.time.clone()),
        or_empty(signature.map(|signature| signature.cause.clone())),
        or_empty(signature.map(|signature| signature.stack.clone())),
        or_empty(verdict.map(|verdict| verdict.statement.clone())),
        String::new(),
    ]
}

/// The share of the named causes together, 0 to 0.9999: a ranking is not a proof, and rounding must not make it one.
fn probability(verdict: &Verdict) -> String {
    format!("{:.4}", names::share(verdict).min(0.9999))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// Splits a row as RFC 4180 says.
    fn split(row: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        let mut chars = row.trim_end_matches('\n').chars().peekable();
        while let Some(c) = chars.next() {
            match (c, quoted) {
                ('"', true) if chars.peek() == Some(&'"') => {
                    cells.last_mut().unwrap().push(chars.next().unwrap())
                }
                ('"', _) => quoted = !quoted,
                (',', false) => cells.push(String::new()),
                (c, _) => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    }

    #[test]
    fn every_row_has_every_column() {
        let columns = split(HEADER).len();
        for line in fixture::lines() {
            assert_eq!(split(&row(&line)).len(), columns);
        }
    }

    #[test]
    fn the_probability_is_that_of_what_is_named() {
        let mut report = fixture::diagnosed();
        let mut cell = |named: usize, probabilities: &[f64]| {
            let verdict = report.verdict.as_mut().unwrap();
            verdict.named = vec!["x".into(); named];
            for (cause, probability) in verdict.causes.iter_mut().zip(probabilities) {
                cause.probability = *probability;
            }
            split(&row(&Line::Report(Box::new(report.clone())))).remove(6)
        };
        assert_eq!(cell(1, &[0.43, 0.4]), "0.4300");
        assert_eq!(cell(2, &[0.43, 0.4]), "0.8300");
        assert_eq!(cell(0, &[0.43, 0.4]), "0.4300");
        assert_eq!(cell(1, &[1.0, 0.0]), "0.9999");
    }

    #[test]
    fn formulas_and_line_ends_are_disarmed() {
        let mut report = fixture::diagnosed();
        for hostile in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "  =1"] {
            report.dump.path = format!("{hostile},\"x\"\nnext");
            let text = row(&Line::Report(Box::new(report.clone())));
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            let first = split(&text).remove(0);
            assert!(first.starts_with('\'') && first.contains(",\"x\" next"), "{first}");
        }
    }
}
