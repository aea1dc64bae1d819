//! The restore report: versioned, complete, and the same for a dry run and a real one.

use relink_model::{Counts, Ids, Mode, RelationName, ServerInfo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{drift::Drift, findings::FindingGroup, plan::Plan, verify::Verification};

/// The version of the report's format.
pub const REPORT_VERSION: u32 = 1;

/// What a restore did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// The version of relink.
    pub tool_version: String,
    /// How it ended.
    pub status: Status,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// `--mode`.
    pub mode: Mode,
    /// `--ids`.
    pub ids: Ids,
    /// The export.
    pub export: ExportFacts,
    /// The target's server.
    pub server: ServerInfo,
    /// What became of the schema script, where one was given.
    pub schema: Option<String>,
    /// What the caches took.
    pub memory: MemoryFacts,
    /// Connections over which relations were loaded side by side (`--jobs`).
    pub connections: usize,
    /// The natural keys that references of the export went by, and where relink has them from.
    pub natural_keys: Vec<NaturalKeyFact>,
    /// The steps in their order, with reasons.
    pub plan: Plan,
    /// Rows by relation, in load order.
    pub relations: Vec<RelationReport>,
    /// Rows in all.
    pub totals: Counts,
    /// What was read back and compared; `None` where nothing was loaded.
    pub verification: Option<Verification>,
    /// Records of labels that the configuration leaves out.
    pub ignored: Vec<IgnoredLabel>,
    /// How the export differs from the schema: known before anything was written.
    pub drift: Drift,
    /// What is wrong, by cause.
    pub findings: Vec<FindingGroup>,
}

/// How a restore ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All rows are in the target, or would be.
    Restored,
    /// Problems were found; the target is as it was.
    Refused,
    /// Some batches are committed; what came after them is not. `--resume` goes on.
    Stopped,
    /// All rows were loaded, and the validation found errors in them: all was rolled back, the target is as it was.
    Invalid,
}

/// The export.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ExportFacts {
    /// As the user named it.
    pub name: String,
    /// The format that was read.
    pub format: String,
    /// Records in it.
    pub records: u64,
}

/// The caches' memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryFacts {
    /// `--memory`, in bytes; null: no limit.
    pub budget: Option<u64>,
    /// Bytes of the temporary file to which went what was beyond it.
    pub spilled_bytes: u64,
}

/// A natural key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NaturalKeyFact {
    /// Of this relation.
    pub relation: RelationName,
    /// Its columns.
    pub columns: String,
    /// Configuration, profile, or a unique key.
    pub source: String,
}

/// Rows of one relation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RelationReport {
    /// The relation.
    pub relation: RelationName,
    /// By outcome.
    pub counts: Counts,
    /// Inserted rows by the rung of the ladder that took them.
    pub rungs: Rungs,
    /// Rows whose reference was inserted as NULL and then updated.
    pub patched: u64,
    /// Rows of the target that were deleted: cleared before, or named by no list any more.
    pub deleted: u64,
    /// The number that the database hands out next, read back after loading.
    pub next_number: Option<i64>,
}

/// Rows by rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rungs {
    /// The database's bulk path.
    pub bulk: u64,
    /// Typed multi-row statements.
    pub insert: u64,
    /// In parts of a batch that had failed.
    pub row: u64,
    /// As literal SQL.
    pub raw: u64,
}

/// Records that were left out.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct IgnoredLabel {
    /// The label.
    pub label: String,
    /// Its records.
    pub records: u64,
    /// Who says so.
    pub by: LeftOutBy,
}

/// Why records are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOutBy {
    /// `ignore_models`, or a profile's suggestion that was taken.
    Configuration,
    /// `--only`, `--exclude` or `--where`.
    Selection,
    /// `--allow-drift models`.
    Drift,
}
