//! What a validation found, as plain data: the published contract `validation-report`. Renders nothing.

use std::fmt::Write as _;

use indexmap::IndexMap;
use relink_model::{Place, RelationName, ServerInfo, Severity, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{CheckKind, Inference};

/// The version of the report's format.
pub const REPORT_VERSION: u32 = 1;

/// The report of one validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this format: 1.
    pub version: u32,
    /// Facts of the run.
    pub run: RunFacts,
    /// The results by status.
    pub summary: Summary,
    /// One entry per check, in the plan's order: by relation, the schema's own checks first, then the rules.
    pub checks: Vec<CheckResult>,
    /// What is wrong with the run itself and with no check: a suppression that suppresses nothing or has lapsed, an entry of the baseline whose
    /// check is gone.
    pub warnings: Vec<String>,
    /// What could not be checked at all, and why: relations that may not be read, constraints that only a database can evaluate.
    pub not_checked: Vec<String>,
    /// What was guessed about what nobody has declared; `None` where nothing was to be guessed.
    #[serde(default)]
    pub inference: Option<Inference>,
}

/// Facts of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFacts {
    /// The program that wrote the report.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// What was looked at.
    pub target: Target,
    /// When the run began (RFC 3339).
    pub started: String,
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

/// What a validation looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Target {
    /// A live database, all of it seen in one snapshot.
    Database(ServerInfo),
    /// An export.
    Export {
        /// The file or folder as named.
        name: String,
        /// `Django dump`, `table map`, `row files`.
        format: String,
        /// Its records.
        records: u64,
        /// Where the schema comes from: a file, a database, or that it was inferred from the data.
        schema: String,
    },
}

impl Target {
    /// The database's or the export's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Database(server) => &server.database,
            Self::Export { name, .. } => name,
        }
    }
}

/// The checks by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Checks all of whose findings are allowed: by a threshold, a suppression, or the baseline.
    pub allowed: u64,
    /// Checks that could not be run: neither passed nor failed.
    pub not_run: u64,
}

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It ran and found nothing.
    Pass,
    /// It ran, and the data or the schema is wrong.
    Fail,
    /// It ran, and all that it found is allowed: by a threshold, a suppression, or the baseline.
    Allowed,
    /// It could not be run. That says nothing about the data.
    Error,
}

/// How many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowCounts {
    /// Rows that the check judged: `total` without `not_judged`.
    pub judged: u64,
    /// Rows that it has no opinion on: a NULL where the check wants a value, rows outside a partial index.
    pub not_judged: u64,
    /// Rows that fail it, those allowed among them.
    pub failed: u64,
    /// Distinct causes: missing keys of orphans, groups of duplicates, values out of range; else the same as `failed`.
    pub failed_distinct: u64,
    /// Failing rows that a suppression or the baseline allows.
    pub allowed: u64,
    /// Rows of the relation.
    pub total: u64,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// The stable id, e.g. `ref:orders.customer_id`. Baselines may hang on it.
    pub id: String,
    /// SHA-256 of the id in hexadecimal: the same in every run and for every database, whatever the counts.
    pub fingerprint: String,
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
    /// Failing rows up to which the check passes, where the rule allows some.
    pub threshold: Option<Threshold>,
    /// What a failure means, in one line.
    pub message: String,
    /// Why it may have come about, or why the check could not be run.
    pub why: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Who answers for this rule.
    pub owner: Option<String>,
    /// Where the rule stands; `None` for what the schema itself promises.
    pub rule: Option<RulePlace>,
    /// It was guessed from names and data: neither the schema nor a rule says it.
    #[serde(default)]
    pub inferred: bool,
    /// SQL that shows the failing rows.
    pub sql: Option<String>,
    /// Distinct keys among the rows judged, where these were counted: of references that were guessed, and of rows that were read.
    #[serde(default)]
    pub judged_distinct: Option<u64>,
    /// Where several things can be wrong: rows by what is wrong with them.
    pub problems: IndexMap<String, u64>,
    /// The most frequent offending values with their rows (orphans: the missing keys).
    pub frequent: Vec<Frequent>,
    /// When failing rows came about, by a column that says when a row was made.
    pub occurred: Option<Occurred>,
    /// Totals and balances: the sum of all differences, each without its sign; exact decimal text.
    pub difference: Option<String>,
    /// Rows that fail, by their key. Each value is exact text; `null` is SQL NULL.
    pub samples: Vec<Sample>,
    /// There are more failing rows than samples.
    pub truncated: bool,
    /// Remarks, e.g. that all orphans share one value, or how many line amounts were NULL.
    pub notes: Vec<String>,
    /// Why findings are allowed, where some are.
    pub allowances: Vec<Allowance>,
    /// Beside the baseline; `None` without one.
    pub baseline: Option<BaselineState>,
    /// How long the check took (a scan shared by several checks counts for each in part).
    pub duration_ms: u64,
}

/// Failing rows up to which a check passes; where both are given, both hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// So many rows at most.
    pub max: Option<u64>,
    /// Such a part of the rows judged at most, in percent; exact decimal text.
    pub max_percent: Option<String>,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulePlace {
    /// The configuration file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

/// When failing rows came about: whether this is an old scar or still happening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Occurred {
    /// The column that tells.
    pub column: String,
    /// Its lowest value among the failing rows.
    pub first: String,
    /// Its highest.
    pub last: String,
}

/// Why findings of a check are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowance {
    /// The reason given; for the baseline, that it is known.
    pub why: String,
    /// The last day on which it holds (`YYYY-MM-DD`); `None`: without end.
    pub until: Option<String>,
    /// Days from now to its end.
    pub days_left: Option<i64>,
    /// Failing rows that it covers.
    pub rows: u64,
}

/// A check beside the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineState {
    /// It fails in a way that the baseline does not know.
    New,
    /// It fails, and the baseline knows all of it.
    Unchanged,
    /// It fails in fewer rows than the baseline knows.
    Fewer,
    /// The baseline knows findings of it, and there are none any more.
    Absent,
}

/// A row that fails a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// The row's key: the primary key, else a unique key, else the database's own row name (`row`), else all its columns.
    pub key: IndexMap<String, Option<String>>,
    /// The offending columns.
    pub values: IndexMap<String, Option<String>>,
    /// Duplicates: rows with the same number share a key.
    pub group: Option<u64>,
    /// What is wrong with this row, where the check knows several ways.
    pub problem: Option<String>,
    /// Where it stands in the export.
    pub place: Option<Place>,
    /// A print of all of the row, where `key` names it in this run alone (the database's own row name), or not at all.
    #[serde(skip)]
    pub content: Option<String>,
    /// A suppression or the baseline allows it.
    pub allowed: bool,
}

/// A value that several failing rows share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frequent {
    /// The columns and their values.
    pub values: IndexMap<String, Option<String>>,
    /// The failing rows that have them.
    pub rows: u64,
}

impl CheckResult {
    /// Whether what fails is one answer (a number of rows, a latest moment, the value of a query) and no row.
    pub fn is_answer(&self) -> bool {
        match self.kind {
            CheckKind::Count | CheckKind::Fresh => true,
            // A query that lists rows says of none of them what is wrong with it.
            CheckKind::Sql => !self.problems.is_empty(),
            _ => false,
        }
    }

    /// The result of a check about which nothing is known yet.
    pub fn new(id: &str, kind: CheckKind, relation: RelationName, severity: Severity) -> Self {
        Self {
            fingerprint: fingerprint(id),
            id: id.to_owned(),
            kind,
            relation,
            columns: Vec::new(),
            severity,
            status: Status::Pass,
            counts: RowCounts::default(),
            threshold: None,
            message: String::new(),
            why: None,
            help: None,
            owner: None,
            rule: None,
            inferred: false,
            sql: None,
            judged_distinct: None,
            problems: IndexMap::new(),
            frequent: Vec::new(),
            occurred: None,
            difference: None,
            samples: Vec::new(),
            truncated: false,
            notes: Vec::new(),
            allowances: Vec::new(),
            baseline: None,
            duration_ms: 0,
        }
    }
}

/// The fingerprint of a check's id.
pub(crate) fn fingerprint(id: &str) -> String {
    hexadecimal(&Sha256::digest(id.as_bytes()))
}

/// A print of the content of a row; `None` where none of it was read.
pub(crate) fn content_of<'n>(names: impl Iterator<Item = &'n str>, values: &[Value]) -> Option<String> {
    let text = |value: &Value| (!value.is_null()).then(|| value.to_string());
    (!values.is_empty()).then(|| print_of(names.zip(values.iter().map(text))))
}

/// The first sixteen hexadecimal digits of the SHA-256 of a row's names and values.
pub(crate) fn print_of<N: AsRef<str>, V: AsRef<str>>(row: impl Iterator<Item = (N, Option<V>)>) -> String {
    let mut written = String::new();
    for (name, value) in row {
        written.push_str(name.as_ref());
        written.push('\u{1f}');
        written.push_str(value.as_ref().map_or("\u{0}", AsRef::as_ref));
        written.push('\u{1e}');
    }
    hexadecimal(&Sha256::digest(written.as_bytes())[..8])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
                (Status::Allowed, _) => &mut summary.allowed,
                (Status::Error, _) => &mut summary.not_run,
                (Status::Fail, Severity::Error) => &mut summary.errors,
                (Status::Fail, Severity::Warning) => &mut summary.warnings,
                (Status::Fail, Severity::Info) => &mut summary.infos,
            } += 1;
        }
        summary
    }
}
