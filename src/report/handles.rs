//! The handle table of a dump, and one handle's slot and history: the model of `csdump handles`.

use super::history;
use super::model::{OperationInfo, SCHEMA_VERSION};
use crate::analysis;
use crate::critsec::handle::{self, HandleState};
use crate::dump::Dump;
use crate::dump::handles::{Handle, HandleTable};
use schemars::JsonSchema;
use serde::Serialize;

/// What `csdump handles` says of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HandlesReport {
    /// Always `handles`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "handles"))]
    pub kind: &'static str,
    /// Version of the JSON.
    pub schema_version: u32,
    /// The dump as it was named.
    pub path: String,
    /// Number of open handles in the handle stream; absent without that stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<usize>,
    /// Number of operations in the handle trace; absent without that stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traced: Option<u64>,
    /// The open handles, sorted by value; of a single handle only its slot.
    pub handles: Vec<HandleRow>,
    /// The handle that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AskedHandle>,
    /// What was odd.
    pub warnings: Vec<String>,
}

/// An open handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HandleRow {
    /// Its value.
    pub value: String,
    /// Type of the object.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Name of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `GrantedAccess`.
    pub granted_access: String,
    /// `Attributes`.
    pub attributes: String,
    /// `HandleCount` of the object.
    pub handle_count: u32,
    /// `PointerCount` of the object.
    pub pointer_count: u32,
    /// Of an event whose state the dump has: `auto-reset` or `manual-reset`, then `set` or `not set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// A handle that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AskedHandle {
    /// Its value as it was asked for.
    pub value: String,
    /// The value that was looked up, where it is another: without the two lowest bits, which Windows ignores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// As `handle.state` of a report.
    pub state: String,
    /// As `handle.history` of a report.
    pub history: Vec<String>,
    /// As `handle.history_order` of a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_order: Option<String>,
    /// As `handle.history_total` of a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_total: Option<usize>,
    /// As `handle.operations` of a report.
    pub operations: Vec<OperationInfo>,
}

impl HandlesReport {
    /// There is what was asked for: a handle at all, or the handle in its slot or its history.
    #[must_use]
    pub fn found(&self) -> bool {
        let history = self.asked.as_ref().is_some_and(|asked| !asked.history.is_empty());
        history || !self.handles.is_empty()
    }
}

/// Reads the table, or one handle's slot and history.
#[must_use]
pub fn report(dump: &Dump<'_>, path: String, asked: Option<u64>) -> HandlesReport {
    let table = dump.handles.as_ref();
    let handles = match asked {
        Some(value) => table.and_then(|table| table.get(value)).into_iter().map(row).collect(),
        None => table.map_or_else(Vec::new, |table| table.handles.iter().map(row).collect()),
    };
    HandlesReport {
        kind: "handles",
        schema_version: SCHEMA_VERSION,
        path,
        open: table.map(|table: &HandleTable| table.handles.len()),
        traced: dump.handle_trace.map(|trace| trace.len()),
        handles,
        asked: asked.map(|value| asked_handle(dump, value)),
        warnings: dump.warnings.iter().map(ToString::to_string).collect(),
    }
}

fn asked_handle(dump: &Dump<'_>, value: u64) -> AskedHandle {
    let slot = slot_of(dump, value);
    let found = analysis::handle_history(dump, slot);
    let found = found.as_ref();
    AskedHandle {
        value: format!("{value:#x}"),
        slot: (slot != value).then(|| format!("{slot:#x}")),
        state: state(dump, slot).as_str().into(),
        history: found.map_or_else(Vec::new, history::lines),
        history_order: found.and_then(history::order),
        history_total: found.and_then(history::total),
        operations: found.map_or_else(Vec::new, |found| history::operations(dump, found)),
    }
}

/// The value without the two lowest bits, which the program may use and the kernel ignores; -1 is looked up as it is.
fn slot_of(dump: &Dump<'_>, value: u64) -> u64 {
    let is_special = value == dump.system.pointer_width.all_ones();
    if is_special { value } else { value & !3 }
}

/// As of a section's handle; but 0, which in a section stands for no event yet, is no handle.
fn state(dump: &Dump<'_>, slot: u64) -> HandleState {
    if slot == 0 { HandleState::NotAHandle } else { handle::check(dump, slot) }
}

fn row(handle: &Handle) -> HandleRow {
    let event = handle.event().map(|event| {
        let reset = if event.event_type == 0 { "manual-reset" } else { "auto-reset" };
        let state = if event.event_state == 0 { "not set" } else { "set" };
        format!("{reset}, {state}")
    });
    HandleRow {
        value: format!("{:#x}", handle.value),
        type_name: handle.type_name.as_deref().map(str::to_owned),
        name: handle.object_name.as_deref().map(str::to_owned),
        granted_access: format!("{:#x}", handle.granted_access),
        attributes: format!("{:#x}", handle.attributes),
        handle_count: handle.handle_count,
        pointer_count: handle.pointer_count,
        event,
    }
}
