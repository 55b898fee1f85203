//! A builder of small minidumps for tests; the layouts are those of minidumpapiset.h and critical-sections.md 7.5, 7.6.
//!
//! Strings, contexts and memory are laid down first, then the streams; the directory follows the header.
#![allow(clippy::arithmetic_side_effects)]

use super::header::stream_type;
pub use super::synth_state::{context, operation, operations, peb, teb};
use super::system::Cpu;

/// Directory entries reserved behind the header.
const RESERVED_STREAMS: usize = 32;

/// A minidump in the making.
#[derive(Debug, Clone)]
pub struct Synth {
    cpu: Cpu,
    version: Option<(u32, u32, u32)>,
    platform_id: u32,
    flags: u64,
    full: bool,
    descriptor_size: u32,
    out: Vec<u8>,
    modules: Vec<u8>,
    threads: Vec<u8>,
    names: Vec<u8>,
    infos: Vec<u8>,
    unloaded: Vec<u8>,
    handles: Option<Vec<u8>>,
    memory: Vec<(u64, Vec<u8>)>,
    raw: Vec<(u32, Vec<u8>)>,
}

/// A thread to be added.
#[derive(Debug, Clone, Default)]
pub struct SynthThread<'a> {
    /// ThreadId.
    pub id: u32,
    /// Address of the TEB; its bytes are added with [`Synth::memory`].
    pub teb: u64,
    /// Address of the lowest byte of the stack.
    pub stack_base: u64,
    /// The stack's bytes.
    pub stack: &'a [u8],
    /// The context's bytes; see [`context`].
    pub context: &'a [u8],
    /// Name for the ThreadNames stream.
    pub name: Option<&'a str>,
}

/// A handle to be added.
#[derive(Debug, Clone, Default)]
pub struct SynthHandle<'a> {
    /// Handle.
    pub value: u64,
    /// Name of the type.
    pub type_name: &'a str,
    /// Name of the object; empty for none.
    pub object_name: &'a str,
    /// GrantedAccess.
    pub granted_access: u32,
    /// Object informations: InfoType and payload; written for descriptors of 40 bytes and more.
    pub infos: &'a [(u32, Vec<u8>)],
}

pub(super) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(offset..offset + value.len()) {
        place.copy_from_slice(value);
    }
}

pub(super) fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Synth {
    /// A dump with nothing but a SystemInfo stream: Windows 7 SP1.
    #[must_use]
    pub fn new(cpu: Cpu) -> Self {
        Self {
            cpu,
            version: Some((6, 1, 7601)),
            platform_id: 2,
            flags: 0,
            full: false,
            descriptor_size: 40,
            out: vec![0; 32 + RESERVED_STREAMS * 12],
            modules: Vec::new(),
            threads: Vec::new(),
            names: Vec::new(),
            infos: Vec::new(),
            unloaded: Vec::new(),
            handles: None,
            memory: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// Version in SystemInfo; `None` leaves the stream out.
    #[must_use]
    pub fn version(mut self, version: Option<(u32, u32, u32)>) -> Self {
        self.version = version;
        self
    }

    /// PlatformId in SystemInfo.
    #[must_use]
    pub fn platform(mut self, platform_id: u32) -> Self {
        self.platform_id = platform_id;
        self
    }

    /// Flags of the header.
    #[must_use]
    pub fn flags(mut self, flags: u64) -> Self {
        self.flags = flags;
        self
    }

    /// Memory goes to Memory64List instead of MemoryList.
    #[must_use]
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// SizeOfDescriptor of handles added from here on; call it before [`Synth::handle`].
    #[must_use]
    pub fn descriptor_size(mut self, size: u32) -> Self {
        self.descriptor_size = size;
        self
    }

    fn blob(&mut self, bytes: &[u8]) -> u32 {
        while !self.out.len().is_multiple_of(8) {
            self.out.push(0);
        }
        let rva = self.out.len() as u32;
        self.out.extend_from_slice(bytes);
        rva
    }

    fn string(&mut self, text: &str) -> u32 {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = units.len() as u32;
        self.blob(&[&length.to_le_bytes()[..], &units, &[0, 0]].concat())
    }

    /// A module with a CodeView record of GUID 0 and age 1.
    #[must_use]
    pub fn module(mut self, base: u64, size: u32, name: &str, version: [u16; 4]) -> Self {
        let rva = self.string(name);
        let codeview = [&b"RSDS"[..], &[7; 16], &1u32.to_le_bytes(), b"a.pdb\0"].concat();
        let codeview_rva = self.blob(&codeview);
        let mut entry = [0u8; 108];
        put(&mut entry, 0, &base.to_le_bytes());
        put(&mut entry, 8, &words(&[size, 0, 0x5000_0000, rva, 0xfeef_04bd, 0x1_0000]));
        for (offset, part) in [34, 32, 38, 36].into_iter().zip(version) {
            put(&mut entry, offset, &part.to_le_bytes());
        }
        put(&mut entry, 76, &words(&[codeview.len() as u32, codeview_rva]));
        self.modules.extend_from_slice(&entry);
        self
    }

    /// A thread; its stack is not added to the memory lists.
    #[must_use]
    pub fn thread(mut self, thread: &SynthThread<'_>) -> Self {
        let stack = self.blob(thread.stack);
        let context = self.blob(thread.context);
        let mut entry = [0u8; 48];
        put(&mut entry, 0, &thread.id.to_le_bytes());
        put(&mut entry, 16, &thread.teb.to_le_bytes());
        put(&mut entry, 24, &thread.stack_base.to_le_bytes());
        let sizes = [thread.stack.len() as u32, stack, thread.context.len() as u32, context];
        put(&mut entry, 32, &words(&sizes));
        self.threads.extend_from_slice(&entry);
        if let Some(name) = thread.name {
            let rva = self.string(name);
            self.names.extend_from_slice(&words(&[thread.id, rva, 0]));
        }
        self
    }

    /// Memory of the process.
    #[must_use]
    pub fn memory(mut self, base: u64, bytes: impl Into<Vec<u8>>) -> Self {
        self.memory.push((base, bytes.into()));
        self
    }

    /// The exception stream.
    #[must_use]
    pub fn exception(
        mut self,
        thread_id: u32,
        code: u32,
        nested: u64,
        address: u64,
        parameters: &[u64],
        context: &[u8],
    ) -> Self {
        let rva = self.blob(context);
        let mut stream = [0u8; 168];
        put(&mut stream, 0, &words(&[thread_id, 0, code, 0]));
        put(&mut stream, 16, &nested.to_le_bytes());
        put(&mut stream, 24, &address.to_le_bytes());
        put(&mut stream, 32, &words(&[parameters.len() as u32]));
        for (index, parameter) in parameters.iter().take(15).enumerate() {
            put(&mut stream, 40 + index * 8, &parameter.to_le_bytes());
        }
        put(&mut stream, 160, &words(&[context.len() as u32, rva]));
        self.stream(stream_type::EXCEPTION, stream)
    }

    /// A handle.
    #[must_use]
    pub fn handle(mut self, handle: &SynthHandle<'_>) -> Self {
        let type_name = self.string(handle.type_name);
        let named = !handle.object_name.is_empty();
        let object_name = if named { self.string(handle.object_name) } else { 0 };
        let mut next = 0;
        for (info_type, payload) in handle.infos.iter().rev() {
            let header = words(&[next, *info_type, payload.len() as u32]);
            next = self.blob(&[header, payload.clone()].concat());
        }
        let mut entry = vec![0u8; self.descriptor_size as usize];
        put(&mut entry, 0, &handle.value.to_le_bytes());
        let fields = [type_name, object_name, 0, handle.granted_access, 1, 2];
        put(&mut entry, 8, &words(&fields));
        put(&mut entry, 32, &next.to_le_bytes());
        self.handles.get_or_insert_default().extend_from_slice(&entry);
        self
    }

    /// A handle stream even when no handle is added.
    #[must_use]
    pub fn empty_handles(mut self) -> Self {
        self.handles.get_or_insert_default();
        self
    }

    /// A region of the MemoryInfoList stream.
    #[must_use]
    pub fn memory_info(
        mut self,
        base: u64,
        size: u64,
        state: u32,
        protect: u32,
        kind: u32,
    ) -> Self {
        let mut entry = [0u8; 48];
        put(&mut entry, 0, &base.to_le_bytes());
        put(&mut entry, 8, &base.to_le_bytes());
        put(&mut entry, 16, &protect.to_le_bytes());
        put(&mut entry, 24, &size.to_le_bytes());
        put(&mut entry, 32, &words(&[state, protect, kind]));
        self.infos.extend_from_slice(&entry);
        self
    }

    /// An unloaded module.
    #[must_use]
    pub fn unloaded(mut self, base: u64, size: u32, name: &str) -> Self {
        let rva = self.string(name);
        self.unloaded.extend_from_slice(&base.to_le_bytes());
        self.unloaded.extend_from_slice(&words(&[size, 0, 0x5000_0000, rva]));
        self
    }

    /// A stream of any type.
    #[must_use]
    pub fn stream(mut self, number: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw.push((number, bytes.into()));
        self
    }

    /// The file.
    #[must_use]
    pub fn build(mut self) -> Vec<u8> {
        let mut streams = std::mem::take(&mut self.raw);
        if let Some((major, minor, build)) = self.version {
            let mut info = vec![0u8; 56];
            put(&mut info, 0, &self.cpu.architecture().to_le_bytes());
            put(&mut info, 6, &[4, 1]);
            put(&mut info, 8, &words(&[major, minor, build, self.platform_id]));
            streams.push((stream_type::SYSTEM_INFO, info));
        }
        let counted = |entries: &[u8], size: usize| {
            [&((entries.len() / size) as u32).to_le_bytes()[..], entries].concat()
        };
        streams.push((stream_type::MODULE_LIST, counted(&self.modules, 108)));
        streams.push((stream_type::THREAD_LIST, counted(&self.threads, 48)));
        if !self.names.is_empty() {
            streams.push((stream_type::THREAD_NAMES, counted(&self.names, 12)));
        }
        if !self.unloaded.is_empty() {
            let header = words(&[12, 24, (self.unloaded.len() / 24) as u32]);
            streams.push((
                stream_type::UNLOADED_MODULE_LIST,
                [header, self.unloaded.clone()].concat(),
            ));
        }
        if !self.infos.is_empty() {
            let header = words(&[16, 48, (self.infos.len() / 48) as u32, 0]);
            streams.push((stream_type::MEMORY_INFO_LIST, [header, self.infos.clone()].concat()));
        }
        if let Some(handles) = self.handles.take() {
            let size = self.descriptor_size;
            let header = words(&[16, size, (handles.len() / size as usize) as u32, 0]);
            streams.push((stream_type::HANDLE_DATA, [header, handles].concat()));
        }
        streams.push(self.memory_stream());
        self.finish(&streams)
    }

    fn memory_stream(&mut self) -> (u32, Vec<u8>) {
        let memory = std::mem::take(&mut self.memory);
        let mut entries = Vec::new();
        if self.full {
            let bytes: Vec<u8> = memory.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            let rva = self.blob(&bytes);
            entries.extend_from_slice(&(memory.len() as u64).to_le_bytes());
            entries.extend_from_slice(&u64::from(rva).to_le_bytes());
            for (base, bytes) in &memory {
                entries.extend_from_slice(&base.to_le_bytes());
                entries.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            }
            return (stream_type::MEMORY64_LIST, entries);
        }
        entries.extend_from_slice(&(memory.len() as u32).to_le_bytes());
        for (base, bytes) in &memory {
            let rva = self.blob(bytes);
            entries.extend_from_slice(&base.to_le_bytes());
            entries.extend_from_slice(&words(&[bytes.len() as u32, rva]));
        }
        (stream_type::MEMORY_LIST, entries)
    }

    fn finish(mut self, streams: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let count = streams.len().min(RESERVED_STREAMS);
        for (index, (number, bytes)) in streams.iter().take(count).enumerate() {
            let rva = self.blob(bytes);
            let entry = words(&[*number, bytes.len() as u32, rva]);
            put(&mut self.out, 32 + index * 12, &entry);
        }
        put(&mut self.out, 0, b"MDMP");
        put(&mut self.out, 4, &words(&[0xa793, count as u32, 32, 0, 0x6000_0000]));
        put(&mut self.out, 24, &self.flags.to_le_bytes());
        self.out
    }
}
