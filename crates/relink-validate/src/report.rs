//! What a validation found, as plain data: the published contract `validation-report`. Renders nothing.

use indexmap::IndexMap;
use relink_model::{RelationName, ServerInfo, Severity};
use schemars::JsonSchema;
use serde::Serialize;

use crate::CheckKind;

/// The version of the report's format.
pub const REPORT_VERSION: u32 = 1;

/// The report of one validation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this format: 1.
    pub version: u32,
    /// Facts of the run.
    pub run: RunFacts,
    /// The results by status.
    pub summary: Summary,
    /// One entry per check, in the plan's order: by relation, the schema's own checks first, then the rules.
    pub checks: Vec<CheckResult>,
}

/// Facts of a run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunFacts {
    /// The program that wrote the report.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// The database, without credentials.
    pub target: ServerInfo,
    /// The instant that counted as now for rules about dates (RFC 3339).
    pub now: String,
    /// Samples per check at most.
    pub samples_max: usize,
    /// The relations looked at.
    pub relations: u64,
    /// The rows that these relations hold, each relation counted once.
    pub rows: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// The checks by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// All checks.
    pub checks: u64,
    /// Checks without a finding.
    pub passed: u64,
    /// Failed checks of severity `error`.
    pub errors: u64,
    /// Failed checks of severity `warning`.
    pub warnings: u64,
    /// Failed checks of severity `info`.
    pub infos: u64,
    /// Checks that could not be run: neither passed nor failed.
    pub not_run: u64,
}

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It ran and found nothing.
    Pass,
    /// It ran, and the data or the schema is wrong.
    Fail,
    /// It could not be run. That says nothing about the data.
    Error,
}

/// How many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowCounts {
    /// Rows that the check judged: `total` without `not_judged`.
    pub judged: u64,
    /// Rows that it has no opinion on: a NULL where the check wants a value, rows outside a partial index.
    pub not_judged: u64,
    /// Rows that fail it.
    pub failed: u64,
    /// Distinct causes: missing keys of orphans, groups of duplicates, values out of range; else the same as `failed`.
    pub failed_distinct: u64,
    /// Rows of the relation.
    pub total: u64,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CheckResult {
    /// The stable id, e.g. `ref:orders.customer_id`. Baselines may hang on it.
    pub id: String,
    /// What kind of check.
    pub kind: CheckKind,
    /// The relation concerned.
    pub relation: RelationName,
    /// The columns concerned; empty where the check concerns the whole relation.
    pub columns: Vec<String>,
    /// How bad a failure is.
    pub severity: Severity,
    /// What came of it.
    pub status: Status,
    /// The counts. All zero for facts of the schema, which concern no row.
    pub counts: RowCounts,
    /// What a failure means, in one line.
    pub message: String,
    /// Why it may have come about, or why the check could not be run.
    pub why: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// SQL that shows the failing rows.
    pub sql: Option<String>,
    /// Where several things can be wrong: rows by what is wrong with them.
    pub problems: IndexMap<String, u64>,
    /// The most frequent offending values with their rows (orphans: the missing keys).
    pub frequent: Vec<Frequent>,
    /// Rows that fail, by their key. Each value is exact text; `null` is SQL NULL.
    pub samples: Vec<Sample>,
    /// There are more failing rows than samples.
    pub truncated: bool,
    /// Remarks, e.g. that all orphans share one value, or how many line amounts were NULL.
    pub notes: Vec<String>,
    /// How long the check took (a scan shared by several checks counts for each in part).
    pub duration_ms: u64,
}

/// A row that fails a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sample {
    /// The row's key: the primary key, else a unique key, else the database's own row name (`row`), else all its columns.
    pub key: IndexMap<String, Option<String>>,
    /// The offending columns.
    pub values: IndexMap<String, Option<String>>,
    /// Duplicates: rows with the same number share a key.
    pub group: Option<u64>,
    /// What is wrong with this row, where the check knows several ways.
    pub problem: Option<String>,
}

/// A value that several failing rows share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Frequent {
    /// The columns and their values.
    pub values: IndexMap<String, Option<String>>,
    /// The failing rows that have them.
    pub rows: u64,
}

impl Report {
    /// The gravest severity among the failed checks; `None` where nothing failed.
    pub fn gravest(&self) -> Option<Severity> {
        self.checks.iter().filter(|check| check.status == Status::Fail).map(|check| check.severity).max()
    }

    /// Whether every check could be run.
    pub fn is_complete(&self) -> bool {
        self.summary.not_run == 0
    }
}

impl Summary {
    /// Counts results.
    pub(crate) fn of(results: &[CheckResult]) -> Self {
        let mut summary = Self { checks: results.len() as u64, ..Self::default() };
        for result in results {
            *match (result.status, result.severity) {
                (Status::Pass, _) => &mut summary.passed,
                (Status::Error, _) => &mut summary.not_run,
                (Status::Fail, Severity::Error) => &mut summary.errors,
                (Status::Fail, Severity::Warning) => &mut summary.warnings,
                (Status::Fail, Severity::Info) => &mut summary.infos,
            } += 1;
        }
        summary
    }
}
