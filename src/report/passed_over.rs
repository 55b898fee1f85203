//! The report of a dump that a glance was enough for.

use super::build::{self, Origin};
use super::dump_info;
use super::model::{CrashInfo, FrameInfo, Outcome, Report, SCHEMA_VERSION};
use crate::dump::{Glance, Module};

/// Builds the report: not applicable, with the exception and the frame it was raised in, as far as the module list
/// says; no stack was walked.
#[must_use]
pub fn report(glance: &Glance<'_>, origin: &Origin) -> Report {
    let crash = glance.exception.as_ref().map(|exception| CrashInfo {
        operation: None,
        operation_source: None,
        mechanism: None,
        exception: build::exception_info(&exception.record),
        thread_id: format!("{:#x}", exception.thread_id),
        thread_name: None,
        caller: None,
        frames: vec![frame(glance, exception.record.address)],
    });
    let next_steps = match &crash {
        Some(_) => Vec::new(),
        None => vec![build::NO_EXCEPTION.into()],
    };
    let of_streams = glance.warnings.iter().map(ToString::to_string);
    Report {
        schema_version: SCHEMA_VERSION,
        tool: build::tool(),
        outcome: Outcome::NotApplicable,
        dump: dump_info::of_glance(glance, origin),
        file: origin.file.clone(),
        collected: origin.collected.clone(),
        crash,
        critical_section: None,
        handle: None,
        verdict: None,
        findings: Vec::new(),
        missing: Vec::new(),
        next_steps,
        signature: None,
        warnings: of_streams.chain(glance.system.disagreement.clone()).collect(),
    }
}

fn frame(glance: &Glance<'_>, address: u64) -> FrameInfo {
    let module = glance.module_at(address);
    FrameInfo {
        module: module.map(|module| module.file_name().to_owned()),
        module_version: module.and_then(|module| module.version).map(dump_info::version_text),
        module_offset: module.map(|module| offset(module, address)),
        debug_id: module.and_then(|module| module.debug_id.clone()),
        timestamp: module.map(|module| format!("0x{:08x}", module.time_date_stamp)),
        function: None,
        function_source: None,
        function_offset: None,
        address: format!("{address:#x}"),
        trust: "context".into(),
    }
}

fn offset(module: &Module, address: u64) -> String {
    format!("{:#x}", address.saturating_sub(module.base))
}
