//! CPU and version of Windows, from the source that lies least.

use super::bytes::{Stream, u16_at, u32_at};
use super::error::{DumpError, Warnings};
use super::memory::PointerWidth;
use super::modules::Module;
use super::peb::Peb;
use super::text;

/// The processor that the dump's contexts belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// PROCESSOR_ARCHITECTURE_INTEL (0), and IA32_ON_WIN64 (10).
    X86,
    /// PROCESSOR_ARCHITECTURE_AMD64 (9).
    Amd64,
    /// PROCESSOR_ARCHITECTURE_ARM64 (12).
    Arm64,
    /// Any other ProcessorArchitecture.
    Other(u16),
}

impl Cpu {
    fn from_architecture(number: u16) -> Self {
        match number {
            0 | 10 => Self::X86,
            9 => Self::Amd64,
            12 => Self::Arm64,
            other => Self::Other(other),
        }
    }

    /// MINIDUMP_SYSTEM_INFO.ProcessorArchitecture.
    #[must_use]
    pub fn architecture(self) -> u16 {
        match self {
            Self::X86 => 0,
            Self::Amd64 => 9,
            Self::Arm64 => 12,
            Self::Other(number) => number,
        }
    }

    /// Width of a pointer: 4 on x86 and 32-bit ARM (5), else 8.
    #[must_use]
    pub fn pointer_width(self) -> PointerWidth {
        match self {
            Self::X86 | Self::Other(5) => PointerWidth::Four,
            _ => PointerWidth::Eight,
        }
    }

    /// `x86`, `x64`, `arm64` or `unknown`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::Amd64 => "x64",
            Self::Arm64 => "arm64",
            Self::Other(_) => "unknown",
        }
    }
}

/// Where the version was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OsSource {
    /// The process environment block.
    Peb,
    /// The SystemInfo stream.
    SystemInfo,
    /// The file version of ntdll.dll.
    NtdllVersion,
    /// Nothing in the dump says; all numbers are 0.
    Unknown,
}

/// A version of Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsVersion {
    /// Major version: 10 for Windows 10 and 11.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Build number.
    pub build: u32,
    /// Name of the service pack, sanitised.
    pub service_pack: Option<String>,
    /// Who says so.
    pub source: OsSource,
}

/// MINIDUMP_SYSTEM_INFO (minidumpapiset.h), as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemInfo {
    /// +0 ProcessorArchitecture.
    pub processor_architecture: u16,
    /// +6 NumberOfProcessors.
    pub number_of_processors: u8,
    /// +7 ProductType: 1 workstation, 2 domain controller, 3 server.
    pub product_type: u8,
    /// +8 MajorVersion.
    pub major_version: u32,
    /// +12 MinorVersion.
    pub minor_version: u32,
    /// +16 BuildNumber.
    pub build_number: u32,
    /// +20 PlatformId; 2 is VER_PLATFORM_WIN32_NT.
    pub platform_id: u32,
    /// +24 CSDVersionRva: the service pack's name, sanitised.
    pub csd_version: Option<String>,
}

impl SystemInfo {
    /// The processor it names.
    #[must_use]
    pub fn cpu(&self) -> Cpu {
        Cpu::from_architecture(self.processor_architecture)
    }
}

/// What the process ran on.
#[derive(Debug, Clone)]
pub struct System {
    /// The processor of the dump's contexts.
    pub cpu: Cpu,
    /// Width of a pointer of that processor.
    pub pointer_width: PointerWidth,
    /// The version, from the best source.
    pub os: OsVersion,
    /// The SystemInfo stream as it stands.
    pub system_info: Option<SystemInfo>,
    /// Major, minor and build of the SystemInfo stream.
    pub system_info_version: Option<(u32, u32, u32)>,
    /// A sentence, when two sources name different versions.
    pub disagreement: Option<String>,
    /// Number of logical processors.
    pub processors: Option<u32>,
    /// A 32-bit process seen by a 64-bit writer: contexts, TEBs and PEB here are those of the side that `cpu` names.
    pub wow64: bool,
    /// The process environment block, when it is in the dump.
    pub peb: Option<Peb>,
}

/// First platform id that is not Windows (Breakpad's extensions).
const FIRST_FOREIGN_PLATFORM: u32 = 0x8000;

/// Reads the SystemInfo stream; a platform other than Windows is the only error.
pub(crate) fn read_system_info(
    file: &[u8],
    stream: Stream<'_>,
    warnings: &mut Warnings,
) -> Result<Option<SystemInfo>, DumpError> {
    let Some(info) = decode(file, stream.bytes) else {
        let text = format!("expected at least 28 bytes, found {}", stream.bytes.len());
        warnings.push(stream.name, stream.rva, text);
        return Ok(None);
    };
    if info.platform_id >= FIRST_FOREIGN_PLATFORM {
        return Err(DumpError::ForeignPlatform {
            stream: stream.name,
            offset: stream.rva.saturating_add(20),
            found: platform_name(info.platform_id),
            platform_id: info.platform_id,
        });
    }
    Ok(Some(info))
}

fn decode(file: &[u8], raw: &[u8]) -> Option<SystemInfo> {
    let [number_of_processors, product_type] = u16_at(raw, 6)?.to_le_bytes();
    let csd_version = text::minidump_string(file, u32_at(raw, 24)?.into());
    Some(SystemInfo {
        processor_architecture: u16_at(raw, 0)?,
        number_of_processors,
        product_type,
        major_version: u32_at(raw, 8)?,
        minor_version: u32_at(raw, 12)?,
        build_number: u32_at(raw, 16)?,
        platform_id: u32_at(raw, 20)?,
        csd_version: csd_version.filter(|name| !name.is_empty()),
    })
}

/// Breakpad's platform ids (minidump_format.h).
fn platform_name(platform_id: u32) -> &'static str {
    match platform_id {
        0x8101 => "macOS",
        0x8102 => "iOS",
        0x8201 => "Linux",
        0x8202 => "Solaris",
        0x8203 => "Android",
        0x8204 => "PlayStation 3",
        0x8205 => "Native Client",
        0x8206 => "Fuchsia",
        0x8000 => "Unix",
        _ => "an unknown platform",
    }
}

impl System {
    /// The 64-bit side of a WoW64 process: the program's own code and sections belong to the other.
    #[must_use]
    pub fn is_wow64_from_64_bit(&self) -> bool {
        self.wow64 && self.cpu != Cpu::X86
    }

    /// The 32-bit side of a WoW64 process that a 64-bit writer dumped.
    #[must_use]
    pub fn is_wow64_from_32_bit(&self) -> bool {
        self.wow64 && self.cpu == Cpu::X86
    }

    /// Puts the sources together.
    pub(crate) fn new(
        info: Option<SystemInfo>,
        cpu: Cpu,
        peb: Option<Peb>,
        modules: &[Module],
    ) -> Self {
        let os = choose_version(peb.as_ref(), info.as_ref(), modules);
        let stream = info.as_ref().map(|info| u32::from(info.number_of_processors));
        Self {
            cpu,
            pointer_width: cpu.pointer_width(),
            disagreement: disagreement(&os, info.as_ref()),
            processors: peb.as_ref().and_then(|peb| peb.number_of_processors).or(stream),
            wow64: is_wow64(cpu, modules),
            system_info_version: info.as_ref().map(version_of),
            system_info: info,
            os,
            peb,
        }
    }
}

fn version_of(info: &SystemInfo) -> (u32, u32, u32) {
    (info.major_version, info.minor_version, info.build_number)
}

/// PEB first, because a manifest cannot change it; then SystemInfo unless ntdll shows that it lies.
fn choose_version(peb: Option<&Peb>, info: Option<&SystemInfo>, modules: &[Module]) -> OsVersion {
    let make = |(major, minor, build), service_pack, source| OsVersion {
        major,
        minor,
        build,
        service_pack,
        source,
    };
    let stream_pack = || info.and_then(|info| info.csd_version.clone());
    if let Some((peb, version)) = peb.and_then(|peb| Some((peb, peb.os_version()?))) {
        return make(version, peb.service_pack().or_else(stream_pack), OsSource::Peb);
    }
    let stream = info.map(version_of);
    let ntdll = ntdll_version(modules);
    match (stream, ntdll) {
        (Some(stream), Some(ntdll)) if lies(stream, ntdll) => {
            make(ntdll, None, OsSource::NtdllVersion)
        }
        (Some(stream), _) => make(stream, stream_pack(), OsSource::SystemInfo),
        (None, Some(ntdll)) => make(ntdll, None, OsSource::NtdllVersion),
        (None, None) => make((0, 0, 0), None, OsSource::Unknown),
    }
}

/// Whether the SystemInfo stream gives the answer Windows gives to programs without a manifest.
///
/// Situation: the writer asked GetVersionEx without a manifest for Windows 10 (dumps/INDEX.md, fact 10).
/// Example: 6.2.9200 in the stream, ntdll.dll of build 18362.
/// Handling: 6.2.9200 is not believed beside an ntdll.dll of a later build.
/// Test: `the_version_comes_from_ntdll_when_system_info_lies`.
fn lies(stream: (u32, u32, u32), ntdll: (u32, u32, u32)) -> bool {
    stream == (6, 2, 9200) && ntdll.2 > 9200
}

/// The version of Windows by the file version of the first ntdll.dll.
///
/// Situation: ntdll's file version says 6.2 for years after Windows 8; only its build word is right (dumps/INDEX.md, fact 10).
/// Example: 6.2.18362.1171 on Windows 10.
/// Handling: 6.2 with a build of 10240 or later is 10.0; 6.2 with 9600 is 6.3.
/// Test: `the_version_comes_from_ntdll_when_system_info_lies`.
pub(crate) fn ntdll_version(modules: &[Module]) -> Option<(u32, u32, u32)> {
    let ntdll = modules.iter().find(|module| module.is_named("ntdll.dll"))?;
    let [major, minor, build, _] = ntdll.version?.map(u32::from);
    Some(match (major, minor, build) {
        (6, 2, 10240..) => (10, 0, build),
        (6, 2, 9600) => (6, 3, build),
        version => version,
    })
}

fn disagreement(os: &OsVersion, info: Option<&SystemInfo>) -> Option<String> {
    let (major, minor, build) = version_of(info?);
    let differs = (os.major, os.minor, os.build) != (major, minor, build);
    let source = match os.source {
        OsSource::Peb => "the PEB",
        OsSource::NtdllVersion => "ntdll.dll",
        OsSource::SystemInfo | OsSource::Unknown => return None,
    };
    differs.then(|| {
        let (real_major, real_minor, real_build) = (os.major, os.minor, os.build);
        format!("SystemInfo says {major}.{minor}.{build}, {source} says {real_major}.{real_minor}.{real_build}")
    })
}

/// Whether a 64-bit writer saw a 32-bit process.
///
/// Situation: a 32-bit process on 64-bit Windows, dumped by a 64-bit debugger or WER (dumps/INDEX.md, fact 11).
/// Example: an x64 dump with wow64.dll, wow64cpu.dll and two modules named ntdll.dll.
/// Handling: wow64.dll, or two modules named ntdll.dll, in a dump of a 64-bit CPU.
/// Test: `wow64_is_flagged`.
fn is_wow64(cpu: Cpu, modules: &[Module]) -> bool {
    let named = |name| modules.iter().filter(move |module| module.is_named(name)).count();
    matches!(cpu, Cpu::Amd64 | Cpu::Arm64) && (named("wow64.dll") > 0 || named("ntdll.dll") > 1)
}
