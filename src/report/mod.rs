//! Step 7, report: one data model and its renderings.

pub mod build;
pub mod dump_info;
pub mod escape;
#[cfg(test)]
pub(crate) mod fixture;
pub mod handles;
mod history;
pub mod html;
pub mod json;
pub mod markdown;
pub mod model;
pub mod names;
pub mod passed_over;
pub mod scan_csv;
mod scan_model;
pub mod scan_table;
pub mod signature;
pub mod text;
pub mod time;
mod wording;
