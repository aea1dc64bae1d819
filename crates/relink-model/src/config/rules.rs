//! The parts of `relink.toml` that say what data has to be like.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Number, Scalar};
use crate::Severity;

/// What a condition that is unknown makes of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// The row is not judged, and counted.
    #[default]
    Count,
    /// The row fails.
    Fail,
    /// The row passes.
    Pass,
}

/// How a reference of several columns is judged, some of which are NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleMatch {
    /// It refers to nothing.
    #[default]
    Simple,
    /// All of them must be NULL or none: else the row fails.
    Full,
    /// As `full`, by relink's own word: also where the schema says `MATCH SIMPLE`.
    Strict,
}

/// What is taken on trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Nothing: everything is measured.
    #[default]
    Nothing,
    /// Constraints that the database enforces and says to have validated.
    Validated,
}

/// From which severity on findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// Errors only.
    Error,
    /// Warnings, too.
    Warning,
    /// Everything that is found.
    Info,
    /// Never.
    Never,
}

/// What a reference to a row that counts as deleted is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dead {
    /// An error, as if the row were gone.
    Orphan,
    /// A warning.
    Warn,
    /// Nothing.
    Ok,
}

/// A severity, or that a check is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityConfig {
    /// The check is not made.
    Off,
    /// Worth knowing.
    Info,
    /// Probably wrong.
    Warning,
    /// Wrong.
    Error,
}

impl SeverityConfig {
    /// The severity; `None` where the check is off.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// Which guesses are made about what nobody has declared, and how bad it is where the data breaks them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferConfig {
    /// References by the names of columns: `customer_id` names a row of `customers`. Default: `info`.
    pub refs: Option<SeverityConfig>,
    /// Quantities, prices and other amounts below zero. Default: `info`.
    pub negative: Option<SeverityConfig>,
    /// Dates in the future, in columns that say what has happened. Default: `info`.
    pub future: Option<SeverityConfig>,
    /// Names, addresses and codes that differ only in case, blanks or the form of accents. Default: `info`.
    pub duplicates: Option<SeverityConfig>,
    /// Totals that are not the sum of their lines. By default they are tried and suggested as rules, and are no findings.
    pub totals: Option<SeverityConfig>,
    /// Columns about which nothing is guessed: `"*.stripe_*_id"`, `"audit_log.*"`.
    pub ignore: Vec<String>,
}

/// The values that a column may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of values, or { table = \"table.column\" }")]
pub enum Domain {
    /// These.
    Values(Vec<Scalar>),
    /// Those of a column of another table.
    Table(TableDomain),
}

/// The values of a column of another table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableDomain {
    /// `table.column`.
    pub table: String,
}

/// What kind of rule a `[[check]]` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// A condition that every row of `on` meets: `condition`.
    Row,
    /// A reference of `on`: `rule = "customer_id -> customers.id"`.
    Ref,
    /// What no two rows of `on` may share: `rule = "ci(email) where active"`.
    Unique,
    /// `left`, a column of `on`, is `right`, a sum over lines, `by` their columns.
    Total,
    /// The rows of `on` that share `per` have amounts `sum` which come to nothing.
    Balance,
    /// `balance` of each row of `on` is that of the row before in `order`, per `per`, and `delta` added; the first one's is `start` and `delta`.
    Running,
    /// `left` equals `right`, per key: `"products.stock by products.id"`, `"sum(movements.quantity) by movements.product_id"`.
    Equal,
    /// The rows of `on` are as many as `rule` says: `">= 1000"`.
    Count,
    /// `rule = "created_at within 26h"`.
    Fresh,
    /// `rule = "room_id: starts_at..ends_at"`.
    NoOverlap,
    /// `rule = "parent_id"`.
    Acyclic,
    /// The tables `left` and `right` hold the same rows, compared by the columns `key`, in `columns` (by default all that both have).
    Same,
    /// The user's own SQL: `sql` and `expect`.
    Sql,
}

/// How a total is rounded before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Halves away from zero.
    HalfUp,
    /// Halves to the even neighbour.
    HalfEven,
    /// Toward zero.
    Down,
}

/// What a total without lines is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoLines {
    /// It has to be zero, or NULL.
    #[default]
    Zero,
    /// It is not judged.
    Skip,
    /// It fails.
    Finding,
}

/// What a total that is NULL is, beside lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NullLeft {
    /// It fails.
    #[default]
    Finding,
    /// It counts as zero.
    Zero,
    /// It is not judged.
    Skip,
}

/// SQL, for every database or by its kind (`sqlite`, `postgres`, `mysql`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected SQL, or { postgres = \"...\", sqlite = \"...\", mysql = \"...\" }")]
pub enum SqlText {
    /// The same for each.
    All(String),
    /// By the database's kind.
    Each(BTreeMap<String, String>),
}

/// A rule in its long form; or, without `kind`, what is particular to the check of this `id`: its severity, how many failures pass, whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckConfig {
    /// The id, which baselines and suppressions hang on: it should never change.
    pub id: Option<String>,
    /// What kind of rule it is.
    pub kind: Option<RuleKind>,
    /// The table that it is about.
    pub on: Option<String>,
    /// Which of its rows are judged: a condition.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// How bad a failure is. Default: error.
    pub severity: Option<SeverityConfig>,
    /// So many failing rows pass.
    pub max: Option<u64>,
    /// Such a part of the rows judged may fail: `"0.1%"`.
    pub max_percent: Option<String>,
    /// Who answers for this rule.
    pub owner: Option<String>,
    /// Why there is this rule.
    pub why: Option<String>,
    /// The rule is left out where a table or column that it names is not there.
    pub if_exists: bool,
    /// `ref`, `unique`, `count`, `fresh`, `no-overlap`, `acyclic`: the rule as the table's own keys have it.
    pub rule: Option<String>,
    /// `row`: the condition.
    pub condition: Option<String>,
    /// `total`: the column; `equal`: an amount and its key; `same`: a table.
    pub left: Option<String>,
    /// `total`: the sum; `equal`: an amount and its key; `same`: a table.
    pub right: Option<String>,
    /// `total`: the column, or columns, of the lines that name the header.
    pub by: Option<OneOrMany>,
    /// `total`, `equal`, `balance`, `running`: so much may be off: `"0.01"`, `"0.5%"`.
    pub tolerance: Option<Number>,
    /// `total`: how the sum is rounded, to as many digits as the total's column has.
    pub rounding: Option<Rounding>,
    /// `total`, `equal`: what is said of headers without lines.
    pub no_lines: Option<NoLines>,
    /// `total`, `equal`: what is said of headers whose total is NULL, although there are lines.
    pub null_left: Option<NullLeft>,
    /// `total`, `equal`: lines whose amount is NULL make their header fail; otherwise they are left out, and counted.
    pub null_lines_fail: bool,
    /// `balance`: the amount.
    pub sum: Option<String>,
    /// `balance`, `running`: the columns that make a group.
    pub per: Vec<String>,
    /// `running`: the column of the stored balance.
    pub balance: Option<String>,
    /// `running`: the change that a row makes.
    pub delta: Option<String>,
    /// `running`: the columns that put the rows of a group in order, no two the same.
    pub order: Vec<String>,
    /// `running`: the balance before the first row. Default: 0.
    pub start: Option<Number>,
    /// `same`: the columns that name a row. Default: the primary key.
    pub key: Vec<String>,
    /// `same`: the columns compared.
    pub columns: Vec<String>,
    /// `sql`: a query. What it answers is what fails, unless `expect` says otherwise.
    pub sql: Option<SqlText>,
    /// `sql`: `no rows` (the default), or `value = 0`: what its only value has to be.
    pub expect: Option<String>,
}

/// One text, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a name, or a list of names")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many.iter().map(String::as_str).collect(),
        }
    }
}

/// Findings that are allowed, for a reason, and for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AllowConfig {
    /// The check's id, or a pattern with `*`.
    pub check: String,
    /// The rows, by their key (a list for each of several columns). Without `keys`, `where` and `max` all findings of the check are allowed.
    pub keys: Vec<AllowedKey>,
    /// The rows, by a condition over their columns.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// As many failing rows as this.
    pub max: Option<u64>,
    /// The last day on which they are allowed: `2027-03-31`.
    pub until: Option<Day>,
    /// The reason.
    pub why: String,
}

/// The key of a row that is allowed to fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a key, or a list of its parts")]
pub enum AllowedKey {
    /// Of one column.
    One(Scalar),
    /// Of several.
    Many(Vec<Scalar>),
}

/// A day: a TOML date, or text that should be one. What cannot be read counts as past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Day(pub String);

impl<'de> Deserialize<'de> for Day {
    /// TOML's own dates come as a map of one text, under a name that begins with `$`.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Day;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a day such as 2027-03-31")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Day, E> {
                Ok(Day(text.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Day, A::Error> {
                let (_, text): (String, String) =
                    map.next_entry()?.ok_or_else(|| serde::de::Error::custom("expected a day such as 2027-03-31"))?;
                Ok(Day(text))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
