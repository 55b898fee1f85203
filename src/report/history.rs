//! The history of a handle in the report's model.

use super::build::frame_info;
use super::model::{FrameInfo, OperationInfo};
use crate::dump::Dump;
use crate::dump::handle_trace::OperationKind;
use crate::findings::history::by_whom;
use crate::findings::operations::{HandleHistory, Operation, Purpose};

/// One readable line per operation.
pub(super) fn lines(history: &HandleHistory) -> Vec<String> {
    history.operations.iter().map(line).collect()
}

fn line(one: &Operation) -> String {
    let kind = match one.kind {
        OperationKind::Open => "OPEN",
        OperationKind::Close => "CLOSE",
        OperationKind::BadReference => "BAD REFERENCE",
        OperationKind::Other(_) => "OTHER",
    };
    let remark = match (one.is_failure, one.kind, one.purpose) {
        (true, ..) => ", the call that failed",
        (_, OperationKind::Open, Purpose::SectionEvent) => ", as the event of a section",
        (_, OperationKind::Close, Purpose::SectionDeleted) => ", deleting a section",
        _ => "",
    };
    format!("{kind}: {}{remark}", by_whom(one))
}

/// The order of the lines, when there are several.
pub(super) fn order(history: &HandleHistory) -> Option<String> {
    let order = if history.is_ordered { "oldest-first" } else { "unknown" };
    (!history.operations.is_empty()).then(|| order.to_owned())
}

/// The number of operations, when not all are shown.
pub(super) fn total(history: &HandleHistory) -> Option<usize> {
    history.is_cut().then_some(history.total)
}

/// The operations with their stacks.
pub(super) fn operations(dump: &Dump<'_>, history: &HandleHistory) -> Vec<OperationInfo> {
    let info = |one: &Operation| OperationInfo {
        operation: one.kind.as_str().into(),
        purpose: purpose(one.purpose).into(),
        thread_id: format!("{:#x}", one.thread_id),
        process_id: one.process_id,
        place: one.place.clone(),
        function: one.through.clone(),
        failing: one.is_failure,
        frames: one.frames.iter().map(|frame| brief(frame_info(dump, frame))).collect(),
    };
    history.operations.iter().map(info).collect()
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SectionEvent => "section-event",
        Purpose::SectionDeleted => "section-deleted",
        Purpose::OtherCode => "other-code",
        Purpose::WithinNtdll => "within-ntdll",
        Purpose::Unknown => "unknown",
    }
}

/// The module's identity stands in `crash.frames` and in the module list; a history repeats each module many times.
fn brief(frame: FrameInfo) -> FrameInfo {
    FrameInfo { module_version: None, debug_id: None, timestamp: None, ..frame }
}
