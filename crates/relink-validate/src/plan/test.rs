//! What checks ask of rows, as plain values that know no SQL.

use std::sync::Arc;

use bigdecimal::BigDecimal;
use jiff::{Timestamp, tz::TimeZone};
use relink_model::{
    RelationId,
    config::{NoLines, NullLeft, Rounding, Unknown},
};
use relink_records::Polymorphic;
use relink_rules::{
    Part,
    dates::Deadline,
    expression::{Bound, Bounds, Tolerance},
};

/// What a check asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Nothing: the catalog itself shows it.
    Stated,
    /// Something of every row.
    Row(RowTest),
    /// That a column is not NULL.
    NotNull(ColumnTest),
    /// A CHECK.
    Expression(ExpressionTest),
    /// That values are stored as their column declares.
    Stored(StoredTest),
    /// That no two rows share a key.
    Unique(UniqueTest),
    /// That what is referred to is there.
    Reference(ReferenceTest),
    /// That what is referred to is there, in the table that another column names.
    Polymorphic(Box<PolymorphicTest>),
    /// That amounts per key are equal.
    Sums(Box<SumsTest>),
    /// That a stored balance follows from the one before.
    Running(Box<RunningTest>),
    /// That spans do not overlap.
    NoOverlap(OverlapTest),
    /// That no row is its own ancestor.
    Acyclic(TreeTest),
    /// That there are so many rows.
    Count(CountTest),
    /// That the latest row is so recent.
    Fresh(FreshTest),
    /// That two tables hold the same.
    Same(SameTest),
    /// What the user's own SQL answers.
    Sql(SqlTest),
}

/// A rule about single rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RowTest {
    /// The relation.
    pub relation: RelationId,
    /// Which rows it is about.
    pub filter: Option<Bound>,
    /// The rule.
    pub judge: Judge,
    /// What an unknown condition comes to.
    pub unknown: Unknown,
    /// What is wrong with a row that fails, where reports tally that: `below 0`.
    pub wrong: Option<String>,
    /// Rows that fail with the same values are one cause.
    pub counts_values: bool,
}

/// How a row is judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Judge {
    /// It meets a condition.
    Condition(Bound),
    /// It does not break a condition of the schema's own. What is not of its column's type leaves that open, and is a finding of its own.
    Check(Bound),
    /// A date does not lie after now, or, if `future`, before.
    Moment {
        /// The column.
        column: usize,
        /// Allowed beyond now.
        slack_seconds: i64,
        /// Whether it must lie after now.
        future: bool,
        /// The zone of readings without one.
        timezone: Option<String>,
    },
    /// A column is not NULL.
    Present(usize),
    /// A value is stored so.
    Stored(usize, StoredAs),
}

impl Judge {
    /// The last moment that passes, or the first.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Deadline> {
        let Self::Moment { slack_seconds, future, timezone, .. } = self else { return None };
        let timezone = timezone.as_deref();
        Some(match future {
            true => deadline(now, -slack_seconds, timezone, Deadline::ahead),
            false => deadline(now, *slack_seconds, timezone, Deadline::of),
        })
    }
}

impl RowTest {
    /// Of all rows of a relation.
    pub(crate) fn of(relation: RelationId, judge: Judge) -> Self {
        Self { relation, filter: None, judge, unknown: Unknown::Count, wrong: None, counts_values: false }
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns = match &self.judge {
            Judge::Condition(bound) | Judge::Check(bound) => {
                bound.columns().into_iter().map(|(column, _)| column).collect()
            }
            Judge::Moment { column, .. } | Judge::Present(column) | Judge::Stored(column, _) => vec![*column],
        };
        columns.extend(self.filter.iter().flat_map(Bound::columns).map(|(column, _)| column));
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// A column that has to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnTest {
    /// The relation.
    pub relation: RelationId,
    /// The column.
    pub column: usize,
}

/// A CHECK.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionTest {
    /// The relation.
    pub relation: RelationId,
    /// The schema's own text.
    pub sql: String,
    /// The same in the rules' language; `None` where that cannot say it, so that only the database can tell.
    pub condition: Option<RowTest>,
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAs {
    /// As a whole number.
    Whole,
    /// As a number.
    Number,
    /// As a number, or as text that is one.
    Decimal,
    /// As text.
    Text,
    /// As bytes.
    Bytes,
    /// Whatever the declared type says: of an export each value is read by it.
    Declared,
}

/// A column whose values have to be of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTest {
    /// The relation.
    pub relation: RelationId,
    /// The column.
    pub column: usize,
    /// What fits.
    pub fits: StoredAs,
}

/// A key that rows must not share.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueTest {
    /// The relation.
    pub relation: RelationId,
    /// Its parts.
    pub parts: Vec<Part>,
    /// NULL equals NULL.
    pub nulls_equal: bool,
    /// Which rows it is about.
    pub filter: Option<Bound>,
    /// A key of the schema, which the database compares by its own collations.
    pub key: Option<SchemaKey>,
    /// Something of the key cannot be said in the rules' language, so that only the database can tell.
    pub database_only: bool,
}

/// A key of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKey {
    /// The primary key.
    Primary,
    /// The primary key, among the relation's own rows and those that inherit from it.
    Inherited,
    /// A unique key, by its index.
    Unique(usize),
}

/// How references with NULL parts are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// They refer to nothing.
    Simple,
    /// All parts are NULL, or none.
    Full,
}

/// A reference.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceTest {
    /// The relation that refers.
    pub relation: RelationId,
    /// What refers.
    pub parts: Vec<Part>,
    /// Which rows refer.
    pub filter: Option<Bound>,
    /// What is referred to; `None` where there is no such relation.
    pub target: Option<RelationId>,
    /// Its parts.
    pub target_parts: Vec<Part>,
    /// Which of its rows count.
    pub target_filter: Option<Bound>,
    /// How NULL parts are judged.
    pub matching: Matching,
    /// A row that is found is what is wrong: it counts as deleted.
    pub dead: bool,
    /// A foreign key of the catalog, by its index: the database compares by its own collations.
    pub key: Option<usize>,
    /// Letters count, whatever the columns' collations say.
    pub by_letter: bool,
}

/// The table whose rows type columns refer to (`django_content_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeTable {
    /// The relation.
    pub relation: RelationId,
    /// Its column whose values type columns hold.
    pub referenced: usize,
    /// Its column of the application.
    pub app_label: usize,
    /// Its column of the model.
    pub model: usize,
}

/// A reference whose table stands in another column.
#[derive(Clone, Debug)]
pub struct PolymorphicTest {
    /// The relation that refers.
    pub relation: RelationId,
    /// The column that says which table.
    pub type_column: usize,
    /// What says which row.
    pub id_part: Part,
    /// Where types are rows of a table.
    pub types: Option<TypeTable>,
    /// Which table a type names.
    pub known: Arc<Polymorphic>,
    /// The tables that may be meant, with the key of their rows.
    pub targets: Vec<(RelationId, Vec<Part>)>,
    /// Rows that are gone may be named.
    pub loose: bool,
    /// Which rows refer.
    pub filter: Option<Bound>,
}

impl PartialEq for PolymorphicTest {
    /// By what they are about: what is known of types is the same for a whole plan.
    fn eq(&self, other: &Self) -> bool {
        (self.relation, self.type_column, &self.id_part) == (other.relation, other.type_column, &other.id_part)
    }
}

/// One side of a comparison of amounts.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The relation.
    pub relation: RelationId,
    /// The key.
    pub key: Vec<Part>,
    /// The amount of a row.
    pub amount: Bound,
    /// The amount were it rounded elsewhere.
    pub other: Option<Bound>,
    /// The rows of a key are summed.
    pub summed: bool,
    /// Which rows count.
    pub filter: Option<Bound>,
}

/// Amounts that have to be equal per key.
#[derive(Clone, Debug, PartialEq)]
pub struct SumsTest {
    /// What is judged.
    pub left: Side,
    /// What it is compared with; `None`: zero.
    pub right: Option<Side>,
    /// Digits that the right sum is rounded to.
    pub digits: Option<i64>,
    /// How.
    pub rounding: Rounding,
    /// What the rule would mean were it rounded elsewhere, in words.
    pub elsewhere: &'static str,
    /// To how many digits then.
    pub other_digits: i64,
    /// By how much they may differ.
    pub tolerance: Tolerance,
    /// What a key without rows on the right comes to.
    pub no_lines: NoLines,
    /// What a NULL on the left comes to.
    pub null_left: NullLeft,
    /// A NULL amount on the right fails.
    pub null_lines_fail: bool,
    /// What reports call the right side.
    pub sum_name: &'static str,
    /// Written as SQL where that is sure to agree: the columns of the amount, of the key, and what they are called.
    pub plain: bool,
    /// What the parts of the key are called where findings stand for groups of rows.
    pub key_names: Vec<String>,
}

impl SumsTest {
    /// Whether headers are compared with their lines.
    pub(crate) fn is_total(&self) -> bool {
        self.sum_name == SUM_OF_LINES
    }

    /// How a problem is called: of two amounts neither is a line.
    pub(crate) fn problem_name(&self, problem: &str) -> String {
        use crate::judge::{DIFFERS, MISSING};
        match problem {
            DIFFERS if !self.is_total() => format!("differs from {}", self.sum_name),
            MISSING if !self.is_total() => "NULL on one side".to_owned(),
            other => other.to_owned(),
        }
    }
}

/// What reports call the sum that a total is compared with.
pub(crate) const SUM_OF_LINES: &str = "sum of lines";

/// A running balance.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningTest {
    /// The relation.
    pub relation: RelationId,
    /// What makes a group.
    pub per: Vec<Bound>,
    /// What puts its rows in order.
    pub order: Vec<Bound>,
    /// The stored balance.
    pub balance: Bound,
    /// The change.
    pub delta: Bound,
    /// The balance before the first row.
    pub start: BigDecimal,
    /// By how much it may differ.
    pub tolerance: BigDecimal,
    /// Which rows count.
    pub filter: Option<Bound>,
}

/// Spans.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlapTest {
    /// The relation.
    pub relation: RelationId,
    /// What makes a group.
    pub per: Vec<Bound>,
    /// Where a span begins.
    pub start: Bound,
    /// Where it ends; the end is not a part of it.
    pub end: Bound,
    /// Which rows count.
    pub filter: Option<Bound>,
}

/// A tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeTest {
    /// The relation.
    pub relation: RelationId,
    /// What a row is called by.
    pub own: Vec<Part>,
    /// What names its parent.
    pub parent: Vec<Part>,
}

/// A number of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct CountTest {
    /// The relation.
    pub relation: RelationId,
    /// Which rows are counted.
    pub filter: Option<Bound>,
    /// How many.
    pub bounds: Bounds,
}

/// How recent rows are.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshTest {
    /// The relation.
    pub relation: RelationId,
    /// The column of dates.
    pub column: usize,
    /// How long before now the latest may lie.
    pub seconds: i64,
    /// The zone of readings without one.
    pub timezone: Option<String>,
    /// Which rows count.
    pub filter: Option<Bound>,
}

impl FreshTest {
    /// The last moment that counts: what lies in the future says nothing of when rows were last made.
    pub(crate) fn deadline(&self, now: Timestamp) -> Deadline {
        deadline(now, SLACK_SECONDS, self.timezone.as_deref(), Deadline::of)
    }
}

/// Clocks of different machines differ: so much beyond now still passes where a rule says nothing.
pub(crate) const SLACK_SECONDS: i64 = 5 * 60;

/// So long after now, in a zone that was checked when the plan was made.
fn deadline(
    now: Timestamp,
    slack_seconds: i64,
    timezone: Option<&str>,
    of: fn(Timestamp, Option<&TimeZone>) -> Deadline,
) -> Deadline {
    let instant = now.checked_add(jiff::SignedDuration::from_secs(slack_seconds)).unwrap_or(Timestamp::MAX);
    of(instant, zone(timezone).as_ref())
}

/// The zone that readings without one are in, by a name that was checked when the plan was made.
pub(crate) fn zone(name: Option<&str>) -> Option<TimeZone> {
    name.and_then(|name| TimeZone::get(name).ok())
}

/// One of two tables that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct SameSide {
    /// The relation.
    pub relation: RelationId,
    /// What names a row.
    pub key: Vec<Part>,
    /// What is compared.
    pub content: Vec<Part>,
    /// Columns of JSON documents, which are compared by what they say.
    pub documents: Vec<usize>,
    /// Which rows count.
    pub filter: Option<Bound>,
}

/// Two tables.
#[derive(Clone, Debug, PartialEq)]
pub struct SameTest {
    /// Both.
    pub sides: [SameSide; 2],
    /// Their names.
    pub names: [String; 2],
}

/// The user's own SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlTest {
    /// The query for this database; `None` where the rule has none for it.
    pub sql: Option<String>,
    /// What its only value has to be; `None`: it answers no rows.
    pub value: Option<String>,
}
