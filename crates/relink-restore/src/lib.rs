//! The restore engine. [`restore`] reads an export and a target, fits the one to the other, reports every problem before it writes anything,
//! loads all rows in one transaction, accounts for every record, and hands the open transaction back: the caller
//! validates, then commits it, or rolls it back, which is a dry run.
//!
//! It prints nothing, reads no environment and no clock, and knows no dialect.

mod apply;
pub mod code;
mod coerce;
mod decode;
mod engine;
mod error;
mod event;
mod findings;
mod index;
mod key;
mod mapping;
mod natural;
mod per_relation;
mod plan;
mod prescan;
pub mod profile;
mod report;
mod rows;
mod state;
mod stream;

pub use engine::{Applied, Precheck, Request, SchemaScript, abilities, restore};
pub use error::Error;
pub use event::{Event, Mode, Phase};
pub use findings::{FindingGroup, SAMPLES_MAX};
pub use plan::{CyclePlan, Plan, PlanStep};
pub use report::{ExportFacts, IgnoredLabel, NaturalKeyFact, REPORT_VERSION, RelationReport, Report, Rungs, Status};
