//! How a restore is to go: what is done with rows that exist, with ids, with what is wrong. Each is an option of `relink restore`, a key
//! of `[restore]` in `relink.toml`, and part of the report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How records are treated whose rows exist already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A row that exists is a conflict.
    #[default]
    Insert,
    /// A row that exists is left as it is.
    Skip,
    /// A row that exists takes the record's values; its many-to-many lists become the record's.
    Upsert,
    /// A row that exists takes the record's values where it holds NULL; its many-to-many lists gain what they lack.
    Merge,
    /// The tables concerned are cleared first, children before parents.
    Replace,
}

/// Under which ids rows are inserted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// Under the export's; one that another row has is a conflict.
    #[default]
    Keep,
    /// Under the export's, or a new one where another row has it.
    Remap,
    /// Always under new ones.
    New,
}

/// What becomes of references by id to rows that the export does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalRefs {
    /// They are errors: an id of the source need not be the same row's in the target. The default where ids are remapped or new.
    Refuse,
    /// They lead to the target's row of that id, which must exist. The default where ids are kept.
    Key,
}

/// What becomes of references that lead nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDangling {
    /// Nothing is restored.
    #[default]
    Fail,
    /// The record goes to the reject file, with all that references it.
    Reject,
    /// The reference becomes NULL where the column takes it (else the record is rejected or refused, as `on_error` says).
    Null,
}

/// What becomes of records that cannot be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// Nothing is restored.
    #[default]
    Fail,
    /// They go to the reject file, with all that references them.
    Reject,
}

/// Which differences between the export and the schema are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowDrift {
    /// None: everything that the export holds must have its place.
    #[default]
    None,
    /// Fields without a column are left out.
    Fields,
    /// So are models without a table.
    Models,
}

/// Which rung of the ladder loads rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The highest that takes them.
    #[default]
    Auto,
    /// The database's bulk path only.
    Bulk,
    /// Typed multi-row statements only.
    Insert,
    /// Typed statements of one row.
    Row,
    /// Literal SQL, one statement for each row.
    Raw,
}

/// What becomes of a table's own triggers while it is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerPolicy {
    /// They fire.
    #[default]
    Fire,
    /// They are switched off for the transaction; an error where the role or the database cannot.
    Disable,
}

/// What is compared after loading, beside the counts, which always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// References, and whatever triggers may have changed.
    #[default]
    References,
    /// Every column of every row.
    Full,
}
