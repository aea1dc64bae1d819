//! Which checks there are to make, as plain values. Pure: no database is asked, and none has to be there.

mod conditions;
mod entries;
mod entry_keys;
mod fitting;
mod groups;
pub(crate) mod guessed;
pub(crate) mod ids;
mod mentioned;
mod names;
pub(crate) mod polymorphic;
mod references;
mod schema;
pub(crate) mod settings;
mod stated;
pub mod test;
mod trust;
mod unique;

use std::collections::HashMap;

use relink_db::Dialect;
use relink_model::config::{Config, ConfigError};
use relink_model::{Catalog, Relation, RelationId, RelationName, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::mentioned::mentioned;
use self::test::Test;
use crate::infer::Guess;
use crate::report::Threshold;
pub use relink_model::suggest::fits;

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
#[derive(Clone, Debug)]
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
    /// Failing rows up to which it passes.
    pub threshold: Option<Threshold>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where the configuration says it: `table.orders.rows.0`, `check.2`; `None` for what the schema promises.
    pub rule: Option<Vec<String>>,
    /// The rule as written, which tells it from others that would have the same id; `None` for what has an id of its own.
    pub(crate) said: Option<String>,
    /// What a failure means, in one line.
    pub message: String,
    /// How a failure may have come about.
    pub why: Option<String>,
    /// What to do about a failure.
    pub help: Option<String>,
    /// What is asked of the rows.
    pub test: Test,
    /// Why it is made although neither the schema nor the configuration says it; `None` where one of them does.
    pub inferred: Option<Guess>,
}

impl Check {
    /// A check of the schema's own promises.
    pub(crate) fn of(id: String, kind: CheckKind, relation: &Relation, columns: &[String], test: Test) -> Self {
        Self { columns: columns.to_vec(), ..Self::about(id, kind, relation.name.clone(), test) }
    }

    /// As [`Self::of`], of a relation that may not be in the catalog.
    pub(crate) fn about(id: String, kind: CheckKind, relation: RelationName, test: Test) -> Self {
        Self {
            id,
            kind,
            relation,
            columns: Vec::new(),
            severity: Severity::Error,
            threshold: None,
            owner: None,
            rule: None,
            said: None,
            message: String::new(),
            why: None,
            help: None,
            test,
            inferred: None,
        }
    }

    /// Whether the configuration asks for it, and not the schema.
    pub fn is_rule(&self) -> bool {
        self.rule.is_some()
    }
}

/// What planning one check needs to know.
pub(crate) struct Planning<'a> {
    /// The catalog, virtual references added.
    pub(crate) catalog: &'a Catalog,
    /// The database; `None` where the rows are an export's.
    pub(crate) dialect: Option<&'a dyn Dialect>,
    /// Settings of the run.
    pub(crate) config: &'a Config,
}

impl Planning<'_> {
    /// Whether declared types of this relation are enforced.
    pub(crate) fn enforces_types(&self, relation: &Relation) -> bool {
        self.dialect.is_some_and(|dialect| relation.strict || dialect.capabilities().enforces_types)
    }
}

/// A table of the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) id: RelationId,
    /// As written.
    pub(crate) name: &'a str,
    pub(crate) config: &'a relink_model::config::TableConfig,
}

impl Table<'_> {
    /// Where a rule of this table stands.
    pub(crate) fn at(&self, key: &str, part: &str) -> Vec<String> {
        vec!["table".to_owned(), self.name.to_owned(), key.to_owned(), part.to_owned()]
    }

    /// A value of a column's key that is none.
    pub(crate) fn value(&self, key: &str, column: &str, value: &str, expected: &str) -> ConfigError {
        ConfigError::Value {
            table: self.name.to_owned(),
            key: key.to_owned(),
            column: column.to_owned(),
            value: format!("{value:?}"),
            why: format!("expected {expected}"),
        }
    }

    /// A text that does not parse.
    pub(crate) fn syntax(&self, key: &str, text: &str, expected: impl Into<String>) -> ConfigError {
        ConfigError::Syntax {
            table: self.name.to_owned(),
            key: key.to_owned(),
            text: text.to_owned(),
            expected: expected.into(),
        }
    }
}

/// Plans every check of a database that the schema and the configuration ask for: by relation in name order, the schema's own checks first, then
/// the rules.
///
/// # Errors
/// Every rule that names a missing table or column, or does not parse.
pub fn plan(catalog: &Catalog, config: &Config, dialect: &dyn Dialect) -> Result<Vec<Check>, Vec<ConfigError>> {
    planned(&Planning { catalog, dialect: Some(dialect), config })
}

/// As [`plan`], for the rows of an export: the same checks under the same ids, save for those that only a database can answer.
pub fn plan_export(catalog: &Catalog, config: &Config) -> Result<Vec<Check>, Vec<ConfigError>> {
    planned(&Planning { catalog, dialect: None, config })
}

fn planned(planning: &Planning<'_>) -> Result<Vec<Check>, Vec<ConfigError>> {
    let (catalog, config) = (planning.catalog, planning.config);
    let mut errors = Vec::new();
    errors.extend(conditions::time_zone(config.run.timezone.as_deref()).err());
    errors.extend(crate::accept::mistakes(config));
    let mut rules: HashMap<RelationId, Vec<Check>> = HashMap::new();
    for (id, name, table) in config.resolve_tables(catalog)? {
        let table = Table { id, name, config: table };
        let (checks, mut found) = of_table(planning, table);
        if table.config.if_exists {
            found.retain(|error| !error.is_of_a_name());
        }
        errors.append(&mut found);
        rules.entry(id).or_default().extend(checks);
    }
    let mut entries = entries::plan(planning, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut checks = Vec::new();
    let mapping = polymorphic::mapping(planning);
    for (id, relation) in catalog.iter() {
        schema::plan(planning, id, relation, &mut checks);
        if let Some(mapping) = &mapping {
            polymorphic::plan(planning, mapping, id, &mut checks);
        }
        trust::plan(planning, relation, &mut checks);
        for rule in rules.remove(&id).unwrap_or_default() {
            // A rule that says again what the schema promises already is that check.
            if !checks.iter().any(|check: &Check| check.id == rule.id && same_key(check, &rule)) {
                checks.push(rule);
            }
        }
        let (of_relation, rest) = entries.into_iter().partition(|check: &Check| check.relation == relation.name);
        entries = rest;
        checks.extend(of_relation);
    }
    // What is about no relation comes last.
    checks.append(&mut entries);
    errors.extend(ids::taken(config, &checks));
    ids::tell_apart(&mut checks);
    errors.extend(fitting::mistakes(planning, &checks));
    errors.extend(settings::apply(config, &mut checks).err().into_iter().flatten());
    if errors.is_empty() { Ok(checks) } else { Err(errors) }
}

/// A condition over a relation's rows; `None` where it does not parse or fit.
pub(crate) fn condition_of(
    planning: &Planning<'_>,
    id: RelationId,
    text: &str,
) -> Option<relink_rules::expression::Bound> {
    names::Names::new(planning, id, "", "").parsed(text).ok()
}

/// Whether two checks say that the same columns make a key.
fn same_key(one: &Check, other: &Check) -> bool {
    match (&one.test, &other.test) {
        (Test::Unique(one), Test::Unique(other)) => {
            one.parts == other.parts && one.filter == other.filter && one.nulls_equal == other.nulls_equal
        }
        _ => false,
    }
}

fn of_table(planning: &Planning<'_>, table: Table<'_>) -> (Vec<Check>, Vec<ConfigError>) {
    let (mut checks, mut errors) = (Vec::new(), Vec::new());
    references::plan(planning, table, &mut checks, &mut errors);
    unique::plan(planning, table, &mut checks, &mut errors);
    conditions::plan(planning, table, &mut checks, &mut errors);
    groups::plan(planning, table, &mut checks, &mut errors);
    (checks, errors)
}

/// `orders.customer_id`, `orders(tenant_id,number)`: how ids name columns.
pub(crate) fn columns_id(relation: &RelationName, columns: &[String]) -> String {
    match columns {
        [column] => format!("{relation}.{column}"),
        columns => format!("{relation}({})", columns.join(",")),
    }
}
