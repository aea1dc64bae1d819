//! What came of guessing, as the report has it.

use relink_model::RelationName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CheckKind;

/// What was guessed, and what the data says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inference {
    /// Guesses that the data bears out. They are among the checks, and findings where a row breaks them; totals are only suggested, unless the
    /// configuration asks for more.
    pub used: Vec<Guessed>,
    /// Guesses that the data refutes, or says too little about.
    pub rejected: Vec<Guessed>,
    /// References that might lead to one of several relations. They were not tried.
    pub ambiguous: Vec<Guessed>,
}

impl Inference {
    /// Whether nothing was guessed.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty() && self.rejected.is_empty() && self.ambiguous.is_empty()
    }
}

/// One guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guessed {
    /// The id of its check, which the rule's own would have as well.
    pub id: String,
    /// What kind of check.
    pub kind: CheckKind,
    /// The relation concerned.
    pub relation: RelationName,
    /// The columns concerned.
    pub columns: Vec<String>,
    /// The rules that would make it a promise: one, or where it is ambiguous, one for each that it may be.
    pub rules: Vec<GuessedRule>,
    /// What speaks for it: the name, the types, the key, the data.
    pub evidence: Vec<String>,
    /// How sure it is, out of 100: for a reference 40 for the name, 20 for the types, 20 for a unique key, 20 for the data.
    pub confidence: u8,
    /// It may be right, and wants a look: most of the data bears it out but not all, or there is too little of it.
    pub doubtful: bool,
    /// Why it is rejected or in doubt.
    pub why: Option<String>,
}

/// A rule of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuessedRule {
    /// The table, as `[table.x]` names it.
    pub table: String,
    /// The key there: `refs`, `generic`, `min`, `past`, `unique`, `totals`.
    pub key: String,
    /// The column, where the key has one for each: `min`.
    pub column: Option<String>,
    /// The rule, as it stands there: the text of it, and of `generic` the table.
    pub text: String,
}
