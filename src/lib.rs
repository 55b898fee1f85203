//! Reads a Windows minidump and says why a critical-section call crashed.
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used
    )
)]

pub mod crash;
pub mod critsec;
pub mod diagnosis;
pub mod dump;
pub mod findings;
pub mod image;
