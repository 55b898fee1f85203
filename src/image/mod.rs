//! PE images read out of the dump's memory: headers, exports, imports, unwind data, call sites.
//!
//! Everything here is a pure function of [`AddressSpace`](crate::dump::memory::AddressSpace), which may have been filled up with what module
//! files hold ([`file`]). Only [`folders`] opens files of the host, and only in folders that it was given; a table whose pages the dump does not hold is a typed [`ImageError`], and the
//! tables beside it stay usable.

pub mod call_target;
pub mod call_target_arm64;
pub(crate) mod epilogue;
pub mod export_cache;
pub mod exports;
pub mod file;
pub mod flow;
pub mod folders;
pub mod guard;
pub mod images;
pub mod imports;
pub mod instruction_arm64;
mod layout;
pub mod pe;
pub mod registers;
mod relocation;
pub mod runtime_functions;
pub mod runtime_functions_arm64;
pub mod unwind_arm64;
pub mod unwind_codes_arm64;
pub mod unwind_info;
pub mod unwind_x64;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod real_dumps;
#[cfg(test)]
mod unwind_arm64_tests;
#[cfg(test)]
mod unwind_tests;

/// Why a part of an image cannot be used. Addresses are those of the dumped process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The dump does not hold the bytes.
    #[error("{what}: {len} bytes at {address:#x} are not in the dump's memory")]
    Missing {
        /// The structure that was wanted, by its name in the PE format.
        what: &'static str,
        /// Address of its first byte.
        address: u64,
        /// Bytes wanted.
        len: u64,
    },
    /// The bytes are there and are not what the format allows.
    #[error("{what} at {address:#x}: expected {expected}, found {found:#x}")]
    Invalid {
        /// The field, by its name in the PE format.
        what: &'static str,
        /// Address of the field.
        address: u64,
        /// What the format allows.
        expected: &'static str,
        /// What stands there.
        found: u64,
    },
    /// The image has no such table.
    #[error("the image at {base:#x} has no {what}")]
    Absent {
        /// The table.
        what: &'static str,
        /// Base address of the image.
        base: u64,
    },
}

/// What an instruction pointer of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpKind {
    /// The instruction about to run: a context's frame, or one below a machine frame.
    Exact,
    /// A return address: the byte before it belongs to the call.
    ReturnAddress,
}

impl IpKind {
    /// The address whose function is the frame's: a call may be the last instruction of its function,
    /// so a return address can stand behind that function's end.
    #[must_use]
    pub fn lookup_address(self, ip: u64) -> u64 {
        match self {
            Self::Exact => ip,
            Self::ReturnAddress => ip.saturating_sub(1),
        }
    }
}
