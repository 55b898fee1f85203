//! Open handles: HandleData (12), with a bounded reader of our own.
//!
//! The minidump crate follows the chain of object informations for ever when it closes on itself
//! (minidump-crates.md 4.1); here a chain ends at its first repetition.

use std::collections::HashSet;
use std::sync::Arc;

use super::bytes::{Stream, located, u32_at, u64_at};
use super::error::Warnings;
use super::text;
use super::unloaded::sized_list;

/// Size of MINIDUMP_HANDLE_DESCRIPTOR in bytes, the smallest (critical-sections.md 7.5).
const DESCRIPTOR_SIZE: u32 = 32;
/// Size of the header in bytes: u32 SizeOfHeader, SizeOfDescriptor, NumberOfDescriptors, Reserved.
const HEADER_SIZE: u32 = 16;
/// Size of MINIDUMP_HANDLE_OBJECT_INFORMATION in bytes: u32 NextInfoRva, InfoType, SizeOfInfo.
const INFO_HEADER_SIZE: u64 = 12;
/// Most handles read; Windows allows 16 million, leaking processes reach some 100,000.
pub const MAX_HANDLES: u64 = 262_144;
/// Most object informations of one handle; the header knows 8 types.
const MAX_INFOS: usize = 16;
/// Most object informations of all handles.
const MAX_ALL_INFOS: usize = 262_144;
/// Most bytes of names decoded of all handles: a hostile dump can point all of them to one long string.
const MAX_NAME_BYTES: usize = 8 << 20;
/// Most payload bytes kept of one object information.
const MAX_PAYLOAD: u64 = 64;
/// MINIDUMP_HANDLE_OBJECT_INFORMATION_TYPE MiniEventInformation1.
const EVENT_INFORMATION: u32 = 6;

/// One open handle: MINIDUMP_HANDLE_DESCRIPTOR and _2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// +0 Handle.
    pub value: u64,
    /// +8 TypeNameRva: name of the object's type, such as `Event`, sanitised.
    pub type_name: Option<Arc<str>>,
    /// +12 ObjectNameRva: name of the object, sanitised.
    pub object_name: Option<Arc<str>>,
    /// +16 Attributes.
    pub attributes: u32,
    /// +20 GrantedAccess; 0x00100003 for the event of a critical section (critical-sections.md 7.5).
    pub granted_access: u32,
    /// +24 HandleCount.
    pub handle_count: u32,
    /// +28 PointerCount.
    pub pointer_count: u32,
    /// +32 ObjectInfoRva, followed; empty for descriptors of 32 bytes.
    pub object_infos: Vec<ObjectInfo>,
}

impl Handle {
    /// State of the event, when the dump says it.
    #[must_use]
    pub fn event(&self) -> Option<EventInfo> {
        self.object_infos.iter().find_map(ObjectInfo::event)
    }

    /// The type is `name`, without regard to case.
    #[must_use]
    pub fn is_type(&self, name: &str) -> bool {
        self.type_name.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(name))
    }
}

/// MINIDUMP_HANDLE_OBJECT_INFORMATION with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// +4 InfoType: 6 is MiniEventInformation1.
    pub info_type: u32,
    /// +8 SizeOfInfo in bytes, as it stands; writers count the 12 bytes of the header or not.
    pub size_of_info: u32,
    /// +12 the data, at most 64 bytes; empty when it is not in the file.
    pub payload: Vec<u8>,
}

/// EVENT_BASIC_INFORMATION (phnt; as payload of MiniEventInformation1 unverified, critical-sections.md 7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventInfo {
    /// +0 EventType: 0 notification (manual reset), 1 synchronization (auto reset).
    pub event_type: u32,
    /// +4 EventState: not 0 when signalled.
    pub event_state: i32,
}

impl ObjectInfo {
    /// The payload of MiniEventInformation1.
    #[must_use]
    pub fn event(&self) -> Option<EventInfo> {
        let wanted = self.info_type == EVENT_INFORMATION;
        let event_type = u32_at(&self.payload, 0).filter(|kind| wanted && *kind <= 1)?;
        Some(EventInfo { event_type, event_state: u32_at(&self.payload, 4)?.cast_signed() })
    }
}

/// The handles of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandleTable {
    /// The handles, sorted by value.
    pub handles: Vec<Handle>,
    /// NumberOfDescriptors as the stream says.
    pub declared: u32,
    /// SizeOfDescriptor in bytes: 32, 40 or more.
    pub descriptor_size: u32,
}

impl HandleTable {
    /// The handle in the slot of `value`: the two lowest bits are free for the program's use and never select a slot.
    #[must_use]
    pub fn get(&self, value: u64) -> Option<&Handle> {
        let slot = value & !3;
        let at = self.handles.partition_point(|handle| handle.value < slot);
        self.handles.get(at).filter(|handle| handle.value & !3 == slot)
    }

    /// All handles the stream announced were read: only then does absence mean that a slot was empty.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.handles.len() as u64 == u64::from(self.declared)
    }
}

/// Reads the stream; `None` when its header says nothing usable.
pub(crate) fn read(
    file: &[u8],
    stream: Stream<'_>,
    warnings: &mut Warnings,
) -> Option<HandleTable> {
    let layout = sized_list(stream, HEADER_SIZE, DESCRIPTOR_SIZE, warnings)?;
    let held = stream.held(layout, MAX_HANDLES);
    if held < layout.count {
        let text = format!("{} handles announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let mut reader = Reader { file, stream, names: Names::default(), infos: 0, warnings };
    let mut handles: Vec<Handle> = stream
        .entries(layout, held)
        .filter_map(|(offset, entry)| reader.descriptor(offset, entry))
        .collect();
    handles.sort_by_key(|handle| handle.value);
    let (declared, descriptor_size) = (stream.u32(8)?, stream.u32(4)?);
    Some(HandleTable { handles, declared, descriptor_size })
}

struct Reader<'a, 'w> {
    file: &'a [u8],
    stream: Stream<'a>,
    names: Names,
    infos: usize,
    warnings: &'w mut Warnings,
}

impl Reader<'_, '_> {
    fn descriptor(&mut self, offset: u64, entry: &[u8]) -> Option<Handle> {
        Some(Handle {
            value: u64_at(entry, 0)?,
            type_name: self.name(offset, u32_at(entry, 8)?),
            object_name: self.name(offset, u32_at(entry, 12)?),
            attributes: u32_at(entry, 16)?,
            granted_access: u32_at(entry, 20)?,
            handle_count: u32_at(entry, 24)?,
            pointer_count: u32_at(entry, 28)?,
            // Descriptors of 40 bytes and more go on with ObjectInfoRva; 33 to 35 bytes cannot.
            object_infos: u32_at(entry, 32).map(|rva| self.infos(offset, rva)).unwrap_or_default(),
        })
    }

    /// The MINIDUMP_STRING at `rva`; an rva of 0 means no name.
    fn name(&mut self, offset: u64, rva: u32) -> Option<Arc<str>> {
        if rva == 0 || self.names.full() {
            return None;
        }
        let Some(name) = text::minidump_string(self.file, rva.into()) else {
            let text = format!("the name at {rva:#x} is not inside the file");
            self.warnings.push(self.stream.name, offset, text);
            return None;
        };
        let name = self.names.keep(name);
        if self.names.full() {
            let text = format!("names of more than {MAX_NAME_BYTES} bytes; the rest is left out");
            self.warnings.push(self.stream.name, offset, text);
        }
        name
    }

    /// Follows NextInfoRva from `first` until 0, a repetition or a bad offset.
    fn infos(&mut self, offset: u64, first: u32) -> Vec<ObjectInfo> {
        let mut infos = Vec::new();
        let mut visited: Vec<u32> = Vec::new();
        let mut rva = first;
        while rva != 0 && self.infos < MAX_ALL_INFOS {
            if visited.contains(&rva) || visited.len() >= MAX_INFOS {
                let text = format!("the object informations repeat at {rva:#x}");
                self.warnings.push(self.stream.name, offset, text);
                break;
            }
            visited.push(rva);
            let Some((next, info)) = self.info(rva) else {
                let text = format!("the object information at {rva:#x} is not inside the file");
                self.warnings.push(self.stream.name, offset, text);
                break;
            };
            infos.push(info);
            self.infos = self.infos.saturating_add(1);
            rva = next;
        }
        infos
    }

    /// The record at `rva`, and the next one's.
    ///
    /// Situation: writers disagree on whether SizeOfInfo counts the 12 bytes of the record's header (critical-sections.md 7.5).
    /// Example: an event of 8 bytes with SizeOfInfo 8, or 20.
    /// Handling: SizeOfInfo bytes behind the header are kept, clipped to the file; readers use the first ones.
    /// Test: `both_readings_of_size_of_info_give_the_event`.
    fn info(&self, rva: u32) -> Option<(u32, ObjectInfo)> {
        let rva = u64::from(rva);
        let header = located(self.file, rva, INFO_HEADER_SIZE)?;
        let size_of_info = u32_at(header, 8)?;
        let length = u64::from(size_of_info).min(MAX_PAYLOAD);
        let payload = super::bytes::clipped(self.file, rva.checked_add(INFO_HEADER_SIZE)?, length);
        let info_type = u32_at(header, 4)?;
        Some((
            u32_at(header, 0)?,
            ObjectInfo { info_type, size_of_info, payload: payload.to_vec() },
        ))
    }
}

/// Names, each kept once: a process has thousands of handles and some 30 types.
#[derive(Default)]
struct Names {
    known: HashSet<Arc<str>>,
    bytes: usize,
}

impl Names {
    fn full(&self) -> bool {
        self.bytes > MAX_NAME_BYTES
    }

    fn keep(&mut self, name: String) -> Option<Arc<str>> {
        self.bytes = self.bytes.saturating_add(name.len());
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.known.get(name.as_str()) {
            return Some(Arc::clone(known));
        }
        let name: Arc<str> = name.into();
        self.known.insert(Arc::clone(&name));
        Some(name)
    }
}
