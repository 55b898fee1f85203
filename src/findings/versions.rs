//! Where the dump contradicts itself about the version of Windows.

use super::{Case, Finding, FindingId};
use crate::dump::system::ntdll_version;
use crate::dump::{OsSource, System};

/// Builds that share their binaries are no farther apart (18362 and 18363, 19041 to 19045, 26100 and 26200).
const SHARED: u32 = 200;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let system = &case.scene.dump.system;
    if !case.platform.is_wine {
        sources(system, ntdll_version(&case.scene.dump.modules), findings);
    }
    encoding(case, findings);
}

type Version = (u32, u32, u32);

/// Two sources that name different versions.
///
/// - situation: GetVersionEx lies to a writer without a manifest; a PEB can be overwritten; modules can be another
///   machine's.
/// - example: SystemInfo 6.2.9200, PEB 10.0.18362, ntdll.dll 6.2.18362.
/// - handling: the PEB is believed, and a lie that ntdll.dll confirms as one is merely said; where the PEB, or
///   SystemInfo without a PEB, contradicts ntdll.dll too, the version is uncertain and the confidence is lowered.
/// - test: `versions_that_disagree_are_said`.
fn sources(system: &System, ntdll: Option<Version>, findings: &mut Vec<Finding>) {
    let os = &system.os;
    let chosen = (os.major, os.minor, os.build);
    let stream = system.system_info_version.filter(|version| *version != (0, 0, 0));
    if os.source == OsSource::Unknown {
        return;
    }
    let text = |(major, minor, build): Version| format!("{major}.{minor}.{build}");
    if let Some(ntdll) = ntdll.filter(|ntdll| differ(*ntdll, chosen)) {
        let statement = format!(
            "Windows says that it is {}, its ntdll.dll that it is {}.",
            text(chosen),
            text(ntdll)
        );
        let source = format!("{} and ModuleList", named(os.source));
        findings.push(Finding::new(FindingId::VersionUncertain, statement, source));
    } else if let Some(stream) = stream.filter(|stream| differ(*stream, chosen)) {
        let statement =
            format!("SystemInfo says {}, {} {}.", text(stream), named(os.source), text(chosen));
        findings.push(Finding::new(FindingId::VersionsDisagree, statement, "SystemInfo"));
    }
}

fn named(source: OsSource) -> &'static str {
    match source {
        OsSource::Peb => "the PEB",
        OsSource::NtdllVersion => "ntdll.dll",
        OsSource::SystemInfo | OsSource::Unknown => "SystemInfo",
    }
}

fn differ(one: Version, other: Version) -> bool {
    (one.0, one.1) != (other.0, other.1) || one.2.abs_diff(other.2) > SHARED
}

/// The section's LockCount is encoded in the other way than the version has it; see `analysis`.
fn encoding(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    if section.encoding != case.platform.encoding {
        findings.push(Finding::new(
            FindingId::EncodingOverrulesVersion,
            format!(
                "LockCount is encoded as {}, which the reported version does not use.",
                section.encoding.name()
            ),
            super::field_at(section, 0),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::memory::PointerWidth;
    use crate::dump::synth::{Synth, SynthThread, peb, teb};
    use crate::dump::{Cpu, Dump};

    fn ids(stream: Version, of_peb: Option<(u32, u32, u16)>, ntdll: [u16; 4]) -> Vec<FindingId> {
        let width = PointerWidth::Eight;
        let thread = SynthThread { id: 1, teb: 0x10_0000, ..SynthThread::default() };
        let mut synth = Synth::new(Cpu::Amd64).version(Some(stream)).thread(&thread).module(
            0x7000_0000,
            0x1000,
            "ntdll.dll",
            ntdll,
        );
        if let Some(version) = of_peb {
            synth = synth
                .memory(0x10_0000, teb(width, 0x10_0000, 0x20_0000, (1, 1), (0, 0)))
                .memory(0x20_0000, peb(width, version, 0));
        }
        let file = synth.build();
        let dump = Dump::parse(&file).unwrap();
        let mut findings = Vec::new();
        sources(&dump.system, ntdll_version(&dump.modules), &mut findings);
        findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn versions_that_disagree_are_said() {
        let real = Some((10, 0, 18362));
        let lie = (6, 2, 9200);
        assert_eq!(ids((10, 0, 18362), real, [6, 2, 18362, 1]), []);
        assert_eq!(ids(lie, real, [6, 2, 18362, 1]), [FindingId::VersionsDisagree]);
        assert_eq!(ids(lie, None, [6, 2, 18362, 1]), [FindingId::VersionsDisagree]);
        assert_eq!(ids((10, 0, 19045), None, [10, 0, 19041, 1]), [], "an enablement package");
        assert_eq!(ids((10, 0, 18362), real, [6, 1, 7601, 1]), [FindingId::VersionUncertain]);
        assert_eq!(ids((6, 1, 7601), None, [10, 0, 19041, 1]), [FindingId::VersionUncertain]);
    }
}
