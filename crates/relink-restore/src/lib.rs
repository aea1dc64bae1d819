//! The restore engine. [`restore`] reads an export and a target, fits the one to the other, reports every problem before it writes anything,
//! loads all rows in one transaction, accounts for every record, and hands the open transaction back: the caller
//! validates, then commits it, or rolls it back, which is a dry run.
//!
//! It prints nothing, reads no environment and no clock, and knows no dialect.

mod account;
mod apply;
mod chosen;
mod clear;
pub mod code;
mod compare;
mod decode;
mod drift;
mod engine;
mod error;
mod event;
mod findings;
mod id_map;
mod index;
mod journal;
mod labels;
mod lanes;
mod load;
mod lookup;
mod memory;
mod notes;
mod options;
mod per_relation;
mod plan;
mod polymorphic;
mod prescan;
mod privileges;
mod rejects;
mod report;
mod rows;
mod selection;
mod settled;
mod shape;
mod state;
mod stream;
mod verify;

pub use chosen::{ChosenRecord, Wanted, WantedKeys};
pub use drift::{Basis, DRIFT_ITEMS_MAX, Drift, DriftItem, DriftKind, RemovedLabel, Suggestion, Transformed};
pub use engine::{Applied, Precheck, Request, SchemaScript, abilities, restore};
pub use error::Error;
pub use event::{Event, Phase};
pub use findings::{FindingGroup, Handling, SAMPLES_MAX};
pub use id_map::{KeyValue, MovedId};
pub use options::{Options, Selection};
pub use plan::{CyclePlan, Plan, PlanStep};
pub use rejects::{Reason, Rejected};
pub use relink_model::Mode;
pub use report::{
    ExportFacts, IgnoredLabel, LeftOutBy, MemoryFacts, NaturalKeyFact, REPORT_VERSION, RelationReport, Report, Rungs,
    Status,
};
pub use verify::{RelationVerification, Verification};
