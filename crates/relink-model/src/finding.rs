//! A finding: the work was done, and the data is wrong. An error is something else: the work could not be done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Place, RelationName};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Probably wrong, or not to be trusted.
    Warning,
    /// Wrong.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The stable code of a kind of finding, e.g. `restore::dangling-reference`. Codes are never renamed once published:
/// baselines and CI filters hang on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct FindingCode(pub &'static str);

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One finding about a record of an export.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// What kind of finding.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// The relation, where one is concerned and known.
    pub relation: Option<RelationName>,
    /// The column or field, where one is concerned.
    pub field: Option<String>,
    /// The constraint or key that is broken, where there is one.
    pub constraint: Option<String>,
    /// Where it stands in the export.
    pub place: Option<Place>,
    /// A further place, e.g. of the first record with the same key.
    pub other_place: Option<Place>,
    /// What is wrong, with the values that show it.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}
