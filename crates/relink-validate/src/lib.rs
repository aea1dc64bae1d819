//! The validation engine: checks pushed down into a live database.
//!
//! [`plan`] turns a catalog and a configuration into checks, each with a stable id and its SQL, without touching the database.
//! [`run`] carries them out inside the caller's transaction and returns a [`Report`]. Neither prints, reads the clock or the
//! environment, or knows which database it talks to: what differs is asked of [`relink_db::Dialect`].

mod checks;
mod expression;
mod plan;
mod report;
mod run;
mod sql;

pub use plan::{Census, Check, CheckKind, Probe, plan};
pub use report::{
    Allowance, BaselineState, CheckResult, Frequent, Occurred, REPORT_VERSION, Report, RowCounts, RulePlace, RunFacts,
    Sample, Status, Summary, Target, Threshold,
};
pub use run::{Event, Options, run};
