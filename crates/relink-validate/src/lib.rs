//! The validation engine: what the schema and the rules promise, measured on rows.
//!
//! [`plan`] turns a catalog and a configuration into checks, each with a stable id, without touching anything. [`run`] carries them out inside the
//! caller's transaction and returns a [`Report`]. Neither prints, reads the clock or the environment, or knows which database it talks to: what differs
//! is asked of [`relink_db::Dialect`].

mod accept;
pub mod fix;
mod infer;
mod judge;
mod live;
mod mask;
mod missing;
mod offline;
mod plan;
mod report;
mod since;

pub use accept::{BASELINE_VERSION, Baseline, Known, accept, exhaustive};
pub use infer::{Family, Guess, Guessed, GuessedRule, Guesses, Inference, infer};
pub use live::{Census, Compiled, Event, Options, Probe, compile, run};
pub use mask::{MASKED, Mask};
pub use missing::{Missing, is_healable, is_reference, missing, referenced};
pub use offline::{Export, infer_catalog, run_export};
pub use plan::{Check, CheckKind, fits, plan, plan_export, test};
pub use report::{
    Allowance, BaselineState, CheckResult, Frequent, Occurred, REPORT_VERSION, Report, RowCounts, RulePlace, RunFacts,
    Sample, Status, Summary, Target, Threshold,
};
pub use since::{made_columns, restrict, since_column};
