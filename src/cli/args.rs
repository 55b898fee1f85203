//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::since;

const EXIT_CODES: &str = "\
Exit codes:
  0  a critical-section failure was found in at least one dump
  1  every dump was read well, and none is a critical-section failure
  2  an error: an unreadable file or bad usage; the other dumps are finished first";

const HANDLES_EXIT_CODES: &str = "\
Exit codes:
  0  the dump has open handles; with HANDLE: its slot is taken, or its history is recorded
  1  the dump was read well, and has neither
  2  an error: an unreadable file or bad usage";

/// Says why a critical-section call crashed, from a Windows minidump.
#[derive(Debug, Parser)]
#[command(name = "csdump", version, about, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say why each dump's critical-section call failed
    #[command(after_help = EXIT_CODES)]
    Analyze(AnalyzeArgs),
    /// Scan folders and files, in parallel, and group what is found
    #[command(after_help = EXIT_CODES)]
    Scan(ScanArgs),
    /// Say what an id of a report means: a cause, a finding or a mechanism
    Explain(ExplainArgs),
    /// List the open handles, or show one handle's slot and recorded history
    #[command(after_help = HANDLES_EXIT_CODES)]
    Handles(HandlesArgs),
    /// Print the JSON Schema of the JSON output
    Schema,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, in roff
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(super) struct AnalyzeArgs {
    /// Minidump files; - is standard input
    #[arg(value_name = "DUMP", required = true)]
    pub(super) dumps: Vec<Source>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Write the result to FILE, which appears only when it is complete; text of no dump leaves FILE alone
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Indent the JSON, for people; without it each dump is one line
    #[arg(long)]
    pub(super) pretty: bool,
    /// Look for the files of the dump's modules in DIR, flat or as a symbol server keeps them (repeatable): they hold the code that a
    /// small dump lacks
    #[arg(long, value_name = "DIR")]
    pub(super) images: Vec<PathBuf>,
    /// Add the SHA-256 of each dump, which reads all of it
    #[arg(long)]
    pub(super) hash: bool,
    /// When to use colour in the text; auto minds the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
    /// No warnings on standard error; errors stay
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl AnalyzeArgs {
    /// The file that gets the result; `None` and `-` are standard output.
    pub(super) fn output_file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }
}

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Folders and files; what is no dump by its first bytes is passed over in a folder, and an error where it is named
    #[arg(value_name = "PATH", required_unless_present = "files_from")]
    pub(super) paths: Vec<PathBuf>,
    /// Scan the files named in FILE, one in each line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) files_from: Option<Source>,
    /// Paths in --files-from end in NUL, not in a line end
    #[arg(long, short = '0', requires = "files_from")]
    pub(super) null: bool,
    /// Only files whose name or path matches GLOB (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(super) include: Vec<String>,
    /// No files or folders whose name or path matches GLOB (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<String>,
    /// Only files changed since: 2026-11-24, 2026-11-24T09:30:00Z, or an age as 36h or 7d
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    pub(super) since: Option<std::time::SystemTime>,
    /// How to write the result; table on a terminal and with --resume, else jsonl
    #[arg(long, value_enum)]
    pub(super) format: Option<ScanFormat>,
    /// One line of text per dump instead of the table
    #[arg(long, conflicts_with = "format")]
    pub(super) brief: bool,
    /// Write the result to FILE
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Keep the results in FILE, as JSON lines, and pass over files whose results it has already
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// With --resume: examine also what has not changed
    #[arg(long, requires = "resume")]
    pub(super) rescan: bool,
    /// Results in the order of the files, not as they finish
    #[arg(long)]
    pub(super) sort: bool,
    /// Files examined at a time, at most 256; 0 is one per core
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    pub(super) jobs: usize,
    /// Give a file up after SECONDS; without it there is no limit but the work's own
    #[arg(long, value_name = "SECONDS", value_parser = since::seconds)]
    pub(super) timeout: Option<std::time::Duration>,
    /// Do not read files, packed or unpacked, larger than SIZE: bytes, or with K, M, G
    #[arg(long, value_name = "SIZE", value_parser = since::size)]
    pub(super) max_size: Option<u64>,
    /// Look for the files of the dump's modules in DIR, flat or as a symbol server keeps them (repeatable): they hold the code that a
    /// small dump lacks
    #[arg(long, value_name = "DIR")]
    pub(super) images: Vec<PathBuf>,
    /// Add the SHA-256 of each dump, which reads all of it
    #[arg(long)]
    pub(super) hash: bool,
    /// When to use colour in the text; auto minds the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
    /// No progress and no errors of single files on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl ScanArgs {
    /// The file that gets the result; `None` and `-` are standard output.
    pub(super) fn output_file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }
}

/// A rendering of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScanFormat {
    /// A summary for eyes
    Table,
    /// One JSON object per dump as it is done, then a summary
    Jsonl,
    /// One row per dump
    Csv,
    /// A page for a browser: the summary and one report per group
    Html,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The id, as it stands in a report; without it all ids are listed
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,
    /// How to write the page
    #[arg(long, value_enum, default_value_t = PageFormat::Text)]
    pub(super) format: PageFormat,
    /// When to use colour in the text; auto minds the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
pub(super) struct HandlesArgs {
    /// A minidump file; - is standard input
    #[arg(value_name = "DUMP")]
    pub(super) dump: Source,
    /// The handle: hexadecimal with 0x before it, else decimal
    #[arg(value_name = "HANDLE", value_parser = handle_value)]
    pub(super) handle: Option<u64>,
    /// Look for the files of the dump's modules in DIR, flat or as a symbol server keeps them (repeatable): they name the callers that
    /// a small dump cannot
    #[arg(long, value_name = "DIR")]
    pub(super) images: Vec<PathBuf>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = HandlesFormat::Text)]
    pub(super) format: HandlesFormat,
    /// Indent the JSON, for people
    #[arg(long)]
    pub(super) pretty: bool,
}

/// `0x164`, or `356`.
fn handle_value(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let value = match digits {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    };
    value.ok_or_else(|| "expected a number such as 0x164 or 356".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The subcommand whose page is wanted
    #[arg(value_name = "COMMAND")]
    pub(super) command: Option<String>,
}

/// A rendering of a handle table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HandlesFormat {
    /// For eyes
    Text,
    /// One line, for programs
    Json,
}

/// A rendering of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For eyes
    Text,
    /// One line per dump, for programs
    Json,
    /// To paste into an issue tracker; GitHub-flavoured
    Markdown,
    /// A page for a browser
    Html,
}

/// A rendering of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PageFormat {
    /// For eyes
    Text,
    /// For a wiki or an issue tracker
    Markdown,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// When it goes to a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where a dump is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// `-`: standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The name for messages and for `dump.path`; what is not Unicode is replaced.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) => Some(path),
        }
    }
}

impl From<std::ffi::OsString> for Source {
    fn from(text: std::ffi::OsString) -> Self {
        if text == "-" { Self::Stdin } else { Self::File(text.into()) }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_handle_is_hexadecimal_or_decimal() {
        assert_eq!(handle_value("0x164"), Ok(0x164));
        assert_eq!(handle_value("0XfC"), Ok(0xfc));
        assert_eq!(handle_value("356"), Ok(356));
        for bad in ["", "0x", "164h", "fc", "-4", "+4", "0x+4", "0x10000000000000000"] {
            assert!(handle_value(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dash_is_standard_input_and_a_path_with_one_is_a_file() {
        let cli = Cli::try_parse_from(["csdump", "analyze", "-", "./-"]).unwrap();
        let Command::Analyze(args) = cli.command else { panic!("not analyze") };
        assert_eq!(args.dumps, [Source::Stdin, Source::File("./-".into())]);
    }
}
