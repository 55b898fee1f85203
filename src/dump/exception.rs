//! The exception: Exception stream (6), and records and contexts in process memory.

use minidump::MinidumpContext;

use super::bytes::{Stream, u32_at, u64_at};
use super::context::{ContextReader, Location};
use super::error::Warnings;
use super::memory::{AddressSpace, PointerWidth};

/// EXCEPTION_MAXIMUM_PARAMETERS (winnt.h).
pub const MAX_PARAMETERS: usize = 15;
/// Size in bytes of EXCEPTION_RECORD on 64-bit Windows: ExceptionInformation at +32.
const RECORD64_SIZE: usize = 152;
/// Size in bytes of EXCEPTION_RECORD on 32-bit Windows: ExceptionInformation at +20.
const RECORD32_SIZE: usize = 80;
/// Offset of MINIDUMP_EXCEPTION in MINIDUMP_EXCEPTION_STREAM: behind u32 ThreadId and padding.
const RECORD_OFFSET: usize = 8;
/// Offset of ThreadContext in MINIDUMP_EXCEPTION_STREAM.
const CONTEXT_OFFSET: usize = 160;

/// EXCEPTION_RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionRecord {
    /// +0 ExceptionCode, an NTSTATUS.
    pub code: u32,
    /// +4 ExceptionFlags; 1 is EXCEPTION_NONCONTINUABLE.
    pub flags: u32,
    /// ExceptionRecord, +8: address of the record this one is nested in; 0 for none.
    pub nested_record_address: u64,
    /// ExceptionAddress, 64-bit +16, 32-bit +12.
    pub address: u64,
    /// ExceptionInformation, as many as NumberParameters says, at most 15.
    pub parameters: Vec<u64>,
}

impl ExceptionRecord {
    /// The record at `address` in process memory.
    #[must_use]
    pub fn read(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Self> {
        match width {
            PointerWidth::Eight => {
                let mut raw = [0; RECORD64_SIZE];
                memory.read(address, &mut raw)?;
                Self::decode64(&raw, width)
            }
            PointerWidth::Four => {
                let mut raw = [0; RECORD32_SIZE];
                memory.read(address, &mut raw)?;
                Self::decode32(&raw)
            }
        }
    }

    /// The 64-bit layout, which MINIDUMP_EXCEPTION has for every CPU.
    ///
    /// Situation: a 32-bit process in the 64-bit record.
    /// Example: ExceptionAddress 0xffffffff_8000_1000 for 0x8000_1000: some writers extend the sign.
    /// Handling: addresses and parameters are cut to the pointer's width.
    /// Test: `sign_extended_addresses_are_cut`.
    fn decode64(raw: &[u8], width: PointerWidth) -> Option<Self> {
        let parameters = raw.get(32..)?.chunks_exact(8).map(|chunk| u64_at(chunk, 0));
        Some(Self {
            code: u32_at(raw, 0)?,
            flags: u32_at(raw, 4)?,
            nested_record_address: width.truncate(u64_at(raw, 8)?),
            address: width.truncate(u64_at(raw, 16)?),
            parameters: parameters
                .take(parameter_count(u32_at(raw, 24)?))
                .map_while(|value| value.map(|value| width.truncate(value)))
                .collect(),
        })
    }

    fn decode32(raw: &[u8]) -> Option<Self> {
        let parameters = raw.get(20..)?.chunks_exact(4).map(|chunk| u32_at(chunk, 0));
        Some(Self {
            code: u32_at(raw, 0)?,
            flags: u32_at(raw, 4)?,
            nested_record_address: u32_at(raw, 8)?.into(),
            address: u32_at(raw, 12)?.into(),
            parameters: parameters
                .take(parameter_count(u32_at(raw, 16)?))
                .map_while(|value| value.map(u64::from))
                .collect(),
        })
    }
}

/// NumberParameters, never more than the record has room for.
fn parameter_count(number_parameters: u32) -> usize {
    usize::try_from(number_parameters).map_or(MAX_PARAMETERS, |count| count.min(MAX_PARAMETERS))
}

/// MINIDUMP_EXCEPTION_STREAM.
#[derive(Debug, Clone)]
pub struct ExceptionStream {
    /// +0 ThreadId.
    pub thread_id: u32,
    /// +8 ExceptionRecord.
    pub record: ExceptionRecord,
    /// +160 ThreadContext, decoded.
    pub context: Option<MinidumpContext>,
}

/// Reads the exception stream.
pub(crate) fn read(
    file: &[u8],
    stream: Stream<'_>,
    width: PointerWidth,
    contexts: &ContextReader,
    warnings: &mut Warnings,
) -> Option<ExceptionStream> {
    let record = stream.bytes.get(RECORD_OFFSET..).and_then(|raw| {
        let raw = raw.get(..RECORD64_SIZE).unwrap_or(raw);
        ExceptionRecord::decode64(raw, width)
    });
    let (Some(thread_id), Some(record)) = (stream.u32(0), record) else {
        let text = format!("expected 168 bytes, found {}", stream.bytes.len());
        warnings.push(stream.name, stream.rva, text);
        return None;
    };
    if let Some(count) = stream.u32(32).filter(|count| *count > 15) {
        let text = format!("expected at most 15 parameters, found {count}");
        warnings.push(stream.name, stream.rva.saturating_add(32), text);
    }
    let location = Location::read(stream.bytes, CONTEXT_OFFSET);
    let context = location.and_then(|location| contexts.at(file, location));
    if context.is_none() {
        let offset = stream.rva.saturating_add(CONTEXT_OFFSET as u64);
        warnings.push(stream.name, offset, "expected a context of the dump's CPU, found none");
    }
    Some(ExceptionStream { thread_id, record, context })
}
