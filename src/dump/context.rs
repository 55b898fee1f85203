//! CPU contexts, decoded by the minidump crate.

use minidump::{Endian, MinidumpContext, MinidumpStream, MinidumpSystemInfo};

use super::bytes::{Stream, clipped, u32_at};
use super::memory::AddressSpace;
use super::system::Cpu;

/// Size of CONTEXT on x86 in bytes (winnt.h).
const X86_SIZE: usize = 716;
/// Size of CONTEXT on x64 without extended state, in bytes (winnt.h).
const AMD64_SIZE: usize = 1232;
/// Size of CONTEXT on ARM64 in bytes (winnt.h).
const ARM64_SIZE: usize = 912;
/// x86 CONTEXT up to and with SegSs: the part that every writer fills.
const X86_MINIMUM: usize = 204;
/// x64 CONTEXT up to and with Rip.
const AMD64_MINIMUM: usize = 256;
/// ARM64 CONTEXT up to and with Pc.
const ARM64_MINIMUM: usize = 0x110;

/// Decodes contexts of one CPU.
#[derive(Debug)]
pub(crate) struct ContextReader {
    cpu: Cpu,
    /// What the crate wants to see to choose the layout.
    layout: Option<MinidumpSystemInfo>,
}

impl ContextReader {
    pub(crate) fn new(cpu: Cpu) -> Self {
        let mut raw = [0u8; 56];
        for (to, from) in raw.iter_mut().zip(cpu.architecture().to_le_bytes()) {
            *to = from;
        }
        let layout = MinidumpSystemInfo::read(&raw, &[], Endian::Little, None).ok();
        Self { cpu, layout }
    }

    /// A context from its bytes; `None` when too short or its ContextFlags name another CPU.
    ///
    /// Situation: a context without its tail (floating point, vectors).
    /// Example: an x86 context of 204 bytes, or one cut off with the file.
    /// Handling: the missing tail reads as zeros as long as the integer registers are there.
    /// Test: `a_context_without_its_tail_is_read`.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<MinidumpContext> {
        let (minimum, full) = match self.cpu {
            Cpu::X86 => (X86_MINIMUM, X86_SIZE),
            Cpu::Amd64 => (AMD64_MINIMUM, AMD64_SIZE),
            Cpu::Arm64 => (ARM64_MINIMUM, ARM64_SIZE),
            Cpu::Other(_) => return None,
        };
        if bytes.len() < minimum {
            return None;
        }
        let mut padded = [0u8; AMD64_SIZE];
        for (to, from) in padded.iter_mut().zip(bytes.iter().take(full)) {
            *to = *from;
        }
        let layout = self.layout.as_ref()?;
        MinidumpContext::read(padded.get(..full)?, Endian::Little, layout, None).ok()
    }

    /// The context a MINIDUMP_LOCATION_DESCRIPTOR names.
    pub(crate) fn at(&self, file: &[u8], location: Location) -> Option<MinidumpContext> {
        self.decode(clipped(file, u64::from(location.rva), u64::from(location.size)))
    }

    /// The CONTEXT at an address of the process.
    pub(crate) fn in_memory(
        &self,
        memory: &AddressSpace<'_>,
        address: u64,
    ) -> Option<MinidumpContext> {
        self.decode(&memory.read_up_to(address, AMD64_SIZE))
    }
}

/// MINIDUMP_LOCATION_DESCRIPTOR: +0 u32 DataSize in bytes, +4 u32 Rva.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Location {
    pub(crate) size: u32,
    pub(crate) rva: u32,
}

impl Location {
    /// The descriptor at `offset` of a record.
    pub(crate) fn read(record: &[u8], offset: usize) -> Option<Self> {
        let rva = u32_at(record, offset.checked_add(4)?)?;
        Some(Self { size: u32_at(record, offset)?, rva })
    }
}

/// The CPU guessed from the size of a context.
///
/// Situation: the dump has no SystemInfo stream.
/// Example: a thread list whose contexts have 716 bytes.
/// Handling: 716 is x86, 912 ARM64, 1232 and more x64; anything else no guess.
/// Test: `the_cpu_is_guessed_from_the_contexts`.
pub(crate) fn guess_cpu(threads: Option<Stream<'_>>, exception: Option<Stream<'_>>) -> Option<Cpu> {
    let from_exception = exception.and_then(|stream| Location::read(stream.bytes, 160));
    let first_thread = || {
        let stream = threads?;
        let layout = stream.counted_list(super::threads::ENTRY_SIZE)?;
        let (_, entry) = stream.entries(layout, 1).next()?;
        Location::read(entry, 40)
    };
    match from_exception.or_else(first_thread)?.size {
        716 => Some(Cpu::X86),
        912 => Some(Cpu::Arm64),
        1232.. => Some(Cpu::Amd64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_without_its_tail_is_read() {
        let mut bytes = vec![0; X86_MINIMUM];
        bytes[..4].copy_from_slice(&0x0001_0007_u32.to_le_bytes());
        bytes[184..188].copy_from_slice(&0x1234_u32.to_le_bytes());
        let reader = ContextReader::new(Cpu::X86);
        assert_eq!(reader.decode(&bytes).unwrap().get_instruction_pointer(), 0x1234);
        assert!(reader.decode(&bytes[..100]).is_none());
        assert!(ContextReader::new(Cpu::Amd64).decode(&[0; 1232]).is_none());
    }
}
