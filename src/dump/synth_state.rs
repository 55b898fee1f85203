//! The parts of a process's state that a test dump holds: contexts, TEB, PEB.
#![allow(clippy::arithmetic_side_effects)]

use super::memory::PointerWidth;
use super::synth::{put, words};
use super::system::Cpu;

/// Bytes of a TEB as built here: up to behind the last field that [`Teb`](super::Teb) reads.
const TEB_SIZE: usize = 0x1800;
/// Bytes of a PEB as built here.
const PEB_SIZE: usize = 0x800;

/// A context of the CPU with the named registers set, all others 0.
#[must_use]
pub fn context(cpu: Cpu, registers: &[(&str, u64)]) -> Vec<u8> {
    let (size, flags_at, flags, names, step): (usize, usize, u32, &[(&str, usize)], usize) =
        match cpu {
            Cpu::X86 => (716, 0, 0x0001_003f, &X86_REGISTERS, 4),
            Cpu::Arm64 => (912, 0, 0x0040_000f, &ARM64_REGISTERS, 8),
            _ => (1232, 48, 0x0010_000f, &AMD64_REGISTERS, 8),
        };
    let mut bytes = vec![0; size];
    put(&mut bytes, flags_at, &flags.to_le_bytes());
    for (register, value) in registers {
        if let Some((_, offset)) = names.iter().find(|(name, _)| name == register) {
            put(&mut bytes, *offset, value.to_le_bytes().get(..step).unwrap_or_default());
        }
    }
    bytes
}

/// Offsets in CONTEXT (winnt.h), in bytes.
const X86_REGISTERS: [(&str, usize); 9] = [
    ("edi", 156),
    ("esi", 160),
    ("ebx", 164),
    ("edx", 168),
    ("ecx", 172),
    ("eax", 176),
    ("ebp", 180),
    ("eip", 184),
    ("esp", 196),
];

/// Offsets in CONTEXT (winnt.h), in bytes.
const AMD64_REGISTERS: [(&str, usize); 17] = [
    ("rax", 120),
    ("rcx", 128),
    ("rdx", 136),
    ("rbx", 144),
    ("rsp", 152),
    ("rbp", 160),
    ("rsi", 168),
    ("rdi", 176),
    ("r8", 184),
    ("r9", 192),
    ("r10", 200),
    ("r11", 208),
    ("r12", 216),
    ("r13", 224),
    ("r14", 232),
    ("r15", 240),
    ("rip", 248),
];

/// Offsets in CONTEXT (winnt.h), in bytes.
const ARM64_REGISTERS: [(&str, usize); 7] =
    [("x0", 8), ("x1", 16), ("x19", 160), ("fp", 240), ("lr", 248), ("sp", 256), ("pc", 264)];

/// A TEB of [`TEB_SIZE`] bytes with Self, client id, PEB and stack bounds.
#[must_use]
pub fn teb(
    width: PointerWidth,
    address: u64,
    peb: u64,
    ids: (u64, u64),
    stack: (u64, u64),
) -> Vec<u8> {
    let mut bytes = vec![0; TEB_SIZE];
    let fields = match width {
        PointerWidth::Four => [0x18, 0x30, 0x20, 0x24, 0x08, 0x04],
        PointerWidth::Eight => [0x30, 0x60, 0x40, 0x48, 0x10, 0x08],
    };
    for (offset, value) in fields.into_iter().zip([address, peb, ids.0, ids.1, stack.0, stack.1]) {
        let value = value.to_le_bytes();
        put(&mut bytes, offset, value.get(..width.bytes() as usize).unwrap_or_default());
    }
    bytes
}

/// A PEB of [`PEB_SIZE`] bytes with a version and AppCompatFlags.
#[must_use]
pub fn peb(width: PointerWidth, version: (u32, u32, u16), app_compat_flags: u64) -> Vec<u8> {
    let mut bytes = vec![0; PEB_SIZE];
    let (processors, major, compat) = match width {
        PointerWidth::Four => (0x64, 0xa4, 0x1d8),
        PointerWidth::Eight => (0xb8, 0x118, 0x2c8),
    };
    put(&mut bytes, processors, &8u32.to_le_bytes());
    put(&mut bytes, major, &words(&[version.0, version.1]));
    put(&mut bytes, major + 8, &version.2.to_le_bytes());
    put(&mut bytes, compat, &app_compat_flags.to_le_bytes());
    bytes
}

/// An AVRF_HANDLE_OPERATION; `kind` is 1 open, 2 close, 3 bad reference.
#[must_use]
pub fn operation(
    handle: u64,
    process_id: u32,
    thread_id: u32,
    kind: u32,
    addresses: &[u64],
) -> Vec<u8> {
    let mut entry = vec![0; 288];
    put(&mut entry, 0, &handle.to_le_bytes());
    put(&mut entry, 8, &words(&[process_id, thread_id, kind, 0, addresses.len() as u32, 0]));
    for (index, address) in addresses.iter().take(32).enumerate() {
        put(&mut entry, 0x20 + index * 8, &address.to_le_bytes());
    }
    entry
}

/// A HandleOperationList stream of these header and entry sizes that claims `count` entries.
#[must_use]
pub fn operations(header: u32, size: u32, count: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = words(&[header, size, count, 0]);
    stream.resize((header as usize).max(16), 0);
    for entry in entries {
        let at = stream.len();
        stream.extend_from_slice(entry);
        stream.resize(at + (size as usize).max(entry.len()), 0);
    }
    stream
}
