//! What a result must not replace: a dump is evidence, and nothing brings it back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use csdump::dump::container;

/// Refuses an `output` that is one of `inputs`, or that begins as a dump does: a folder or a list, which is not known
/// yet, may lead to it.
pub(super) fn dumps<'p>(
    output: Option<&'p Path>,
    inputs: impl IntoIterator<Item = &'p Path>,
) -> anyhow::Result<()> {
    let Some(output) = output.filter(|output| !output.is_dir()) else { return Ok(()) };
    let Ok(place) = fs::canonicalize(output) else { return Ok(()) };
    let same = |input: &&Path| fs::canonicalize(input).is_ok_and(|input| input == place);
    let named = inputs.into_iter().find(same);
    match named.or_else(|| is_evidence(output).then_some(output)) {
        Some(dump) => bail!("{}: the output would replace this dump", dump.display()),
        None => Ok(()),
    }
}

/// Refuses an `output` that is `kept`, which holds what `what` says; none of the two need exist yet.
pub(super) fn kept(output: Option<&Path>, kept: Option<&Path>, what: &str) -> anyhow::Result<()> {
    match (output, kept) {
        (Some(output), Some(kept)) if place(output).is_some_and(|at| place(kept) == Some(at)) => {
            bail!("{}: the output would replace {what}", output.display())
        }
        _ => Ok(()),
    }
}

/// A pipe is not asked: reading would wait, and take what it has.
fn is_evidence(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file()) && container::is_evidence(path)
}

/// Where a file is or would be, however it is spelled.
fn place(path: &Path) -> Option<PathBuf> {
    let to_be = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    fs::canonicalize(path).ok().or_else(to_be)
}
