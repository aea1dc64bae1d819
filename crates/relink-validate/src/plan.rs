//! Which checks there are to make, as plain values. Pure: no database is asked.

use std::collections::HashMap;

use relink_db::Dialect;
use relink_model::config::{Config, ConfigError};
use relink_model::{Catalog, Relation, RelationId, RelationName, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::{
    check, condition, duplicates, duplicates::DuplicateProbe, judge::JudgeProbe, not_null, orphans,
    orphans::OrphanProbe, past, past::PastProbe, range, scan::ScanProbe, storage, total, total::TotalProbe, trust,
};
use crate::sql::Shown;

/// What kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Orphans: references without a target.
    Ref,
    /// Polymorphic references without a target, or of a type that nothing maps.
    Poly,
    /// Duplicates of a unique or primary key, or of a rule's.
    Unique,
    /// NULL where the schema forbids it.
    NotNull,
    /// A CHECK constraint that a row does not satisfy.
    Check,
    /// A value stored otherwise than its column declares.
    Type,
    /// A constraint that the database itself does not vouch for.
    Trust,
    /// A mistake in the schema itself.
    Schema,
    /// A value below the lowest allowed.
    Min,
    /// A value above the highest allowed.
    Max,
    /// A value that is not greater than a limit.
    Gt,
    /// A value that is not less than a limit.
    Lt,
    /// A date after now.
    Past,
    /// A date before now.
    Future,
    /// A total that is not the sum of its lines.
    Total,
    /// A column that a rule wants filled in.
    Required,
    /// A column that a rule wants filled in under a condition.
    RequiredWhen,
    /// A value that is none of those allowed.
    In,
    /// A text that does not match its pattern.
    Match,
    /// Values out of order.
    Ascending,
    /// A condition that a row does not meet.
    Row,
    /// A group of rows whose amounts do not sum to what they should.
    Balance,
    /// A stored running balance that is not the one before plus the change.
    Running,
    /// Two amounts per key that differ: stock and the sum of its movements.
    Equal,
    /// Spans of one group that overlap.
    NoOverlap,
    /// Rows of a tree that are their own ancestors.
    Acyclic,
    /// A number of rows out of bounds.
    Count,
    /// No row that is recent enough.
    Fresh,
    /// Two tables that do not hold the same rows.
    Same,
    /// The answer of the user's own SQL.
    Sql,
    /// An export that is not whole: truncated, counts or sums that do not fit, a relation that is missing.
    Complete,
}

/// One check to make.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The stable id, unique within a plan: `ref:orders.customer_id`.
    pub id: String,
    /// What kind.
    pub kind: CheckKind,
    /// The relation concerned.
    pub relation: RelationName,
    /// The columns concerned.
    pub columns: Vec<String>,
    /// How bad a failure is.
    pub severity: Severity,
    /// What a failure means, in one line.
    pub message: String,
    /// How a failure may have come about.
    pub why: Option<String>,
    /// What to do about a failure.
    pub help: Option<String>,
    /// SQL that shows the failing rows; a fact of the schema has none.
    pub sql: Option<String>,
    /// What the one shared scan of the relation counts for this check.
    pub census: Census,
    /// How the rest is found out.
    pub probe: Probe,
}

/// Conditions over the relation's own rows (columns unqualified), counted in one scan that all checks of a relation share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Census {
    /// True of the rows that the check does not judge.
    pub not_judged: Option<String>,
    /// True of the rows that fail.
    pub failed: Option<String>,
}

/// How a check is carried out beyond the shared scan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// The catalog itself shows it: nothing is asked.
    Stated,
    /// The scan's `failed` decides.
    Rows(Shown),
    /// An anti-join.
    Orphans(OrphanProbe),
    /// Groups of more than one row.
    Duplicates(DuplicateProbe),
    /// A comparison with an instant, which is only known when the check runs.
    Past(PastProbe),
    /// The distinct values that SQL cannot judge are judged one by one.
    Scan(ScanProbe),
    /// Totals against the sums of their lines.
    Total(Box<TotalProbe>),
    /// Every row is judged one by one.
    Judge(Box<JudgeProbe>),
}

/// What planning one check needs to know.
pub(crate) struct Planning<'a> {
    /// The catalog, virtual references added.
    pub(crate) catalog: &'a Catalog,
    /// Writes the SQL.
    pub(crate) dialect: &'a dyn Dialect,
    /// Settings of the run.
    pub(crate) config: &'a Config,
}

impl Planning<'_> {
    /// Whether declared types of this relation are enforced.
    pub(crate) fn enforces_types(&self, relation: &Relation) -> bool {
        relation.strict || self.dialect.capabilities().enforces_types
    }
}

/// Plans every check that the schema and the configuration ask for: by relation in name order, the schema's own checks first, then the rules.
///
/// # Errors
/// Every rule that names a missing table or column, or does not parse.
pub fn plan(catalog: &Catalog, config: &Config, dialect: &dyn Dialect) -> Result<Vec<Check>, Vec<ConfigError>> {
    let planning = Planning { catalog, dialect, config };
    let mut errors = Vec::new();
    if let Err(error) = past::time_zone(config.run.timezone.as_deref()) {
        errors.push(error);
    }
    let tables = config.resolve_tables(catalog).unwrap_or_else(|unknown| {
        errors.extend(unknown);
        Vec::new()
    });
    let mut rules: HashMap<RelationId, Vec<Check>> = HashMap::new();
    for (id, table, table_config) in tables {
        let rules = rules.entry(id).or_default();
        range::plan(&planning, id, table, table_config, rules, &mut errors);
        past::plan(&planning, id, table, table_config, rules, &mut errors);
        total::plan(&planning, id, table, table_config, rules, &mut errors);
        condition::plan(&planning, id, table, table_config, rules, &mut errors);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut checks = Vec::new();
    for (id, relation) in catalog.iter() {
        orphans::plan(&planning, relation, &mut checks);
        duplicates::plan(&planning, relation, &mut checks);
        not_null::plan(&planning, relation, &mut checks);
        check::plan(&planning, relation, &mut checks);
        storage::plan(&planning, relation, &mut checks);
        trust::plan(&planning, relation, &mut checks);
        checks.extend(rules.remove(&id).unwrap_or_default());
    }
    make_ids_unique(&mut checks);
    Ok(checks)
}

/// Two unnamed constraints may look alike: the later ones get `#2`, `#3` ... in the catalog's order, which is stable.
fn make_ids_unique(checks: &mut [Check]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for check in checks {
        let times = seen.entry(check.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            check.id = format!("{}#{times}", check.id);
        }
    }
}

/// `orders.customer_id`, `orders(tenant_id,number)`: how ids name columns.
pub(crate) fn columns_id(relation: &RelationName, columns: &[String]) -> String {
    match columns {
        [column] => format!("{relation}.{column}"),
        columns => format!("{relation}({})", columns.join(",")),
    }
}
