//! A stack frame as csdump sees it: where it is, how it was found, and what is known of its registers.

use crate::image::IpKind;
use crate::image::registers::RegisterFile;

/// How a frame was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// The registers of the exception or of the thread.
    Context,
    /// Named by the call that raised the exception; its own frame is already gone.
    RaisedBy,
    /// The callee's unwind data.
    UnwindData,
    /// The callee has no unwind data and so never moved the stack pointer.
    Leaf,
    /// The frame's call instruction leads to a function whose control flow reaches the callee's address.
    CallTarget,
    /// The callee's code: what is left to run, followed to its return; on x86 what it did with the frame pointer.
    Code,
    /// The call before it waits, as the thread does, and its callers are proven.
    Waiting,
    /// A return address that the kernel recorded in the handle trace.
    Recorded,
    /// A frame pointer whose return address follows a call instruction.
    FramePointer,
    /// A word of the stack that follows a call instruction, or looks as if it did.
    Scan,
}

impl Trust {
    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::RaisedBy => "raised-by",
            Self::UnwindData => "unwind-data",
            Self::Leaf => "leaf",
            Self::CallTarget => "call-target",
            Self::Code => "code",
            Self::Waiting => "waiting",
            Self::Recorded => "recorded",
            Self::FramePointer => "frame-pointer",
            Self::Scan => "scan",
        }
    }

    /// Whether the frame is certain enough to rest an operation on: everything but a scan.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self != Self::Scan
    }
}

/// How the name of a frame's function is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameSource {
    /// The function's start, by its unwind data or (x86) its code, is an exported one.
    Export,
    /// The call instruction in the frame above goes to an exported start.
    CallTarget,
    /// The call instruction in the frame above goes through an import of that name.
    Import,
}

impl NameSource {
    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::CallTarget => "call-target",
            Self::Import => "import",
        }
    }
}

/// The name of a frame's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// The name as the export or import table has it.
    pub name: String,
    /// How it is known.
    pub source: NameSource,
    /// Address of the function's start, when known.
    pub start: Option<u64>,
}

/// A stack frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The registers in this frame.
    pub registers: RegisterFile,
    /// Whether `registers.ip()` is a return address.
    pub ip_kind: IpKind,
    /// How the frame was found.
    pub trust: Trust,
    /// Address of the stack slot that held the return address into this frame.
    pub return_slot: Option<u64>,
    /// Base address of the module.
    pub module: Option<u64>,
    /// Address of the start of the function, where the step to the caller proved it.
    pub start: Option<u64>,
    /// The function.
    pub function: Option<FunctionName>,
}

impl Frame {
    /// The address whose function is the frame's.
    #[must_use]
    pub fn lookup_address(&self) -> u64 {
        self.ip_kind.lookup_address(self.registers.ip())
    }
}
