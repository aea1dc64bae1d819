//! From what a check asks to how a database answers it: in one scan that the checks of a relation share, by a query of the check's own in the shape that is
//! fast there, or by rows that are read and judged here.

use relink_db::Dialect;
use relink_model::config::Unknown;
use relink_model::{Catalog, Relation, TypeKind};
use relink_rules::Part;
use relink_rules::expression::{Bound, BoundNode, Function, Moment};
use serde::Serialize;

use super::duplicates::{DuplicateProbe, KeySql};
use super::join::joins_as_here;
use super::orphans::OrphanProbe;
use super::push::Pusher;
use super::sql::{Shown, enclosed};
use super::total::TotalProbe;
use crate::plan::Check;
use crate::plan::test::{
    CountTest, FreshTest, Judge, ReferenceTest, RowTest, SchemaKey, StoredAs, StoredTest, Test, UniqueTest,
};

/// How a check is carried out on a database.
#[derive(Clone, Debug, Serialize)]
pub struct Compiled {
    /// The check's id.
    pub id: String,
    /// What the one shared scan of the relation counts for this check.
    pub census: Census,
    /// How the rest is found out.
    pub probe: Probe,
    /// SQL that shows the failing rows. A fact of the schema has none; where only relink can tell which they are, the report names them.
    pub sql: Option<String>,
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
    /// Totals against the sums of their lines; where the database cannot tell, rows are read after all.
    Total(TotalProbe),
    /// The number of rows that the scan judged.
    Count,
    /// Rows are read and judged here: all of them, or those for which this condition is true.
    Read {
        /// The condition.
        rows: Option<String>,
    },
    /// The user's own SQL.
    Sql(String),
    /// There is no way to tell, and why.
    Nowhere(String),
}

/// What compiling one check needs to know.
pub(crate) struct Compiler<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) dialect: &'a dyn Dialect,
    pub(crate) at: &'a Moment,
}

/// A compiled check without its id.
struct Made {
    census: Census,
    probe: Probe,
    sql: Option<String>,
}

/// Rows are read and judged here.
fn read(rows: Option<String>, sql: Option<String>) -> Made {
    Made { census: Census::default(), probe: Probe::Read { rows }, sql }
}

impl<'a> Compiler<'a> {
    pub(crate) fn compile(&self, check: &Check) -> Compiled {
        let made = self.made(check);
        Compiled { id: check.id.clone(), census: made.census, probe: made.probe, sql: made.sql }
    }

    fn pusher(&self, relation: &'a Relation, alias: &'a str) -> Pusher<'a> {
        Pusher { dialect: self.dialect, relation, alias, at: self.at }
    }

    fn made(&self, check: &Check) -> Made {
        let own = |id| self.catalog.relation(id);
        match &check.test {
            Test::Stated => Made { census: Census::default(), probe: Probe::Stated, sql: None },
            Test::Row(test) => self.row(check, own(test.relation), test),
            Test::NotNull(test) => self.not_null(own(test.relation), test.column),
            Test::Expression(test) => self.expression(check, own(test.relation), &test.sql),
            Test::Stored(test) => self.stored(own(test.relation), test),
            Test::Unique(test) => self.unique(check, own(test.relation), test),
            Test::Reference(test) => {
                self.reference(check, own(test.relation), test).unwrap_or_else(|| read(None, None))
            }
            Test::Sums(test) => match super::total::compile(self.catalog, self.dialect, test) {
                Some((probe, sql)) => Made { census: Census::default(), probe: Probe::Total(probe), sql: Some(sql) },
                None => read(None, None),
            },
            Test::Count(test) => self.count(own(test.relation), test),
            Test::Fresh(test) => self.fresh(own(test.relation), test),
            Test::Polymorphic(_) | Test::Running(_) | Test::NoOverlap(_) | Test::Acyclic(_) | Test::Same(_) => {
                read(None, None)
            }
            Test::Sql(test) => {
                if let Some(sql) = &test.sql {
                    Made { census: Census::default(), probe: Probe::Sql(sql.clone()), sql: Some(sql.clone()) }
                } else {
                    let why = format!("the rule has no SQL for {}", self.dialect.name());
                    Made { census: Census::default(), probe: Probe::Nowhere(why), sql: None }
                }
            }
        }
    }

    /// A rule over single rows: all of it in SQL, or what SQL leaves in doubt.
    fn row(&self, check: &Check, relation: &'a Relation, test: &RowTest) -> Made {
        let pusher = self.pusher(relation, "");
        let from = self.dialect.own_rows(relation);
        let filter = test.filter.as_ref().map(|filter| pusher.exact(filter));
        let (exact, sure) = match &test.judge {
            Judge::Condition(bound) => match pusher.exact(bound) {
                Some(exact) => (Some(exact), None),
                None => (None, pusher.sure(bound, true)),
            },
            Judge::Moment { column, future, .. } => {
                let deadline = test.judge.deadline(self.at.now).expect("a rule about now has a deadline");
                pusher.deadline(*column, &deadline, *future)
            }
            Judge::Present(_) | Judge::Check(_) | Judge::Stored(..) => (None, None),
        };
        let Some(filter) = filter.map_or(Some(None), |filter| filter.map(Some)) else {
            // Which rows the rule is about only relink can tell.
            return read(None, None);
        };
        let outside = filter.as_ref().map(|filter| format!("CASE WHEN {filter} THEN 0 ELSE 1 END = 1"));
        let within = filter.as_ref().map(|filter| format!("{filter} AND ")).unwrap_or_default();
        if let Some(exact) = exact {
            let unknown = (test.unknown == Unknown::Count).then(|| format!("{exact} IS NULL"));
            let failed = match test.unknown {
                Unknown::Fail => format!("{within}CASE WHEN {exact} THEN 0 ELSE 1 END = 1"),
                _ => format!("{within}NOT {exact}"),
            };
            let not_judged: Vec<String> = outside.into_iter().chain(unknown).collect();
            let census = Census {
                not_judged: Some(not_judged.join(" OR ")).filter(|text| !text.is_empty()),
                failed: Some(failed.clone()),
            };
            let shown = Shown::of(self.dialect, "", relation, &check.columns, &[]);
            let sql = Some(format!("SELECT * FROM {from} WHERE {failed}"));
            return Made { census, probe: Probe::Rows(shown), sql };
        }
        // Of a single column NULL leaves everything open, which a count can say.
        let nulls = match (&test.judge, test.columns().as_slice()) {
            (Judge::Condition(bound), [column]) if test.unknown == Unknown::Count && is_strict(bound) => Some(*column),
            (Judge::Moment { column, .. }, _) if test.unknown == Unknown::Count => Some(*column),
            _ => None,
        };
        let nulls = nulls.map(|column| format!("{} IS NULL", self.dialect.quote(&relation.columns[column].name)));
        let mut rest: Vec<String> = filter.into_iter().collect();
        rest.extend(nulls.iter().map(|nulls| format!("NOT ({nulls})")));
        rest.extend(sure.map(|sure| format!("CASE WHEN {sure} THEN 0 ELSE 1 END = 1")));
        let rows = Some(rest.join(" AND ")).filter(|text| !text.is_empty());
        let not_judged: Vec<String> = outside.into_iter().chain(nulls).collect();
        let census = Census { not_judged: Some(not_judged.join(" OR ")).filter(|text| !text.is_empty()), failed: None };
        Made { census, probe: Probe::Read { rows }, sql: None }
    }

    fn not_null(&self, relation: &Relation, column: usize) -> Made {
        let column = &relation.columns[column];
        let quoted = self.dialect.quote(&column.name);
        // Not the bare column: planners take `IS NULL` on a NOT NULL column for false without looking (SQLite, PostgreSQL from 17), and
        // MySQL lets it match the zero date in such a column, which is a finding of its own.
        let unless_blank =
            self.dialect.blank("", column).map(|blank| format!(" AND CASE WHEN {blank} THEN 0 ELSE 1 END = 1"));
        let unless_blank = unless_blank.unwrap_or_default();
        let failed = format!("COALESCE({quoted}, NULL) IS NULL{unless_blank}");
        let columns = [column.name.clone()];
        // A key column that is NULL does not name its row.
        let key = relation.primary_key_columns();
        let suspect = if key.contains(&column.name) { key.to_vec() } else { Vec::new() };
        Made {
            sql: Some(format!("SELECT * FROM {} WHERE {failed}", self.dialect.own_rows(relation))),
            census: Census { not_judged: None, failed: Some(failed) },
            probe: Probe::Rows(Shown::of(self.dialect, "", relation, &columns, &suspect)),
        }
    }

    /// A CHECK is the schema's own text: the database evaluates it, nothing is interpreted here. As in SQL, NULL passes; it is counted.
    fn expression(&self, check: &Check, relation: &Relation, sql: &str) -> Made {
        let expression = enclosed(sql);
        let failed = format!("NOT {expression}");
        Made {
            sql: Some(format!("SELECT * FROM {} WHERE {failed}", self.dialect.own_rows(relation))),
            census: Census { not_judged: Some(format!("{expression} IS NULL")), failed: Some(failed) },
            probe: Probe::Rows(Shown::of(self.dialect, "", relation, &check.columns, &[])),
        }
    }

    fn stored(&self, relation: &Relation, test: &StoredTest) -> Made {
        let column = &relation.columns[test.column];
        let quoted = self.dialect.quote(&column.name);
        let null = format!("{quoted} IS NULL");
        let from = self.dialect.own_rows(relation);
        let failed = match (self.dialect.blank("", column), self.dialect.storage_class(&quoted)) {
            (Some(blank), _) => blank,
            (None, Some(class)) => {
                let fitting = match test.fits {
                    StoredAs::Whole => "'null', 'integer'",
                    StoredAs::Number | StoredAs::Decimal => "'null', 'integer', 'real'",
                    StoredAs::Text => "'null', 'text'",
                    StoredAs::Bytes => "'null', 'blob'",
                    // That is asked of exports only.
                    StoredAs::Declared => "'null', 'integer', 'real', 'text', 'blob'",
                };
                format!("{class} NOT IN ({fitting})")
            }
            (None, None) => "1 = 0".to_owned(),
        };
        let sql = Some(format!("SELECT * FROM {from} WHERE {failed}"));
        if test.fits == StoredAs::Decimal {
            // Text that is a number fits, which only relink can tell.
            let census = Census { not_judged: Some(null.clone()), failed: None };
            return Made { census, probe: Probe::Read { rows: Some(failed) }, sql: None };
        }
        let shown = Shown::of(self.dialect, "", relation, std::slice::from_ref(&column.name), &[]);
        Made { census: Census { not_judged: Some(null), failed: Some(failed) }, probe: Probe::Rows(shown), sql }
    }

    fn unique(&self, check: &Check, relation: &'a Relation, test: &UniqueTest) -> Made {
        let quote = |names: &[String]| names.iter().map(|name| self.dialect.quote(name)).collect::<Vec<_>>();
        let mut own = self.dialect.own_rows(relation);
        let (parts, predicate) = match test.key {
            Some(SchemaKey::Unique(index)) => {
                let unique = &relation.unique_keys[index];
                let parts = match &unique.expressions {
                    Some(expressions) => expressions.iter().map(|text| enclosed(text)).collect(),
                    None => quote(&unique.columns),
                };
                (parts, unique.predicate.as_deref().map(enclosed))
            }
            Some(key) => {
                if key == SchemaKey::Inherited {
                    own = self.dialect.quote_relation(&relation.name);
                }
                (quote(relation.primary_key_columns()), None)
            }
            None => match self.grouped(relation, test) {
                Some(found) => found,
                None => return read(None, None),
            },
        };
        // An expression may be NULL; so may a rule's part, which is read otherwise than the column is.
        let names = match test.key {
            Some(SchemaKey::Unique(index)) => {
                let unique = &relation.unique_keys[index];
                unique.expressions.is_none().then_some(unique.columns.as_slice())
            }
            Some(_) => Some(relation.primary_key_columns()),
            None => None,
        };
        let nullable = match names {
            Some(names) => super::sql::nullable(self.dialect, relation, names),
            None => parts.clone(),
        };
        let key = KeySql { parts, nullable, predicate, nulls_equal: test.nulls_equal, from: own };
        let (mut census, probe, sql) = super::duplicates::compile(self.dialect, relation, &check.columns, &key);
        if test.key == Some(SchemaKey::Inherited) {
            // The shared scan reads the relation's own rows, this check also those of its heirs.
            census = Census::default();
        }
        Made { census, probe: Probe::Duplicates(probe), sql: Some(sql) }
    }

    /// The parts of a rule's key and its condition, where the database groups rows as the rule does.
    fn grouped(&self, relation: &'a Relation, test: &UniqueTest) -> Option<(Vec<String>, Option<String>)> {
        let enforced = relation.strict || self.dialect.capabilities().enforces_types;
        let part = |part: &Part| {
            let Part::Column { index, loose: false, padded: false, ci: false, .. } = part else { return None };
            let column = &relation.columns[*index];
            let quoted = self.dialect.quote(&column.name);
            match &column.data_type.kind {
                TypeKind::Integer { .. } => Some(quoted),
                TypeKind::Decimal { .. } | TypeKind::Uuid | TypeKind::Boolean if enforced => Some(quoted),
                TypeKind::Date | TypeKind::Timestamp { .. }
                    if enforced && !self.dialect.capabilities().stores_temporals_as_text =>
                {
                    Some(quoted)
                }
                TypeKind::Text { .. } => self.dialect.by_letter(&quoted, column),
                _ => None,
            }
        };
        let parts = test.parts.iter().map(part).collect::<Option<Vec<_>>>()?;
        let filter = match &test.filter {
            Some(filter) => Some(self.pusher(relation, "").exact(filter)?),
            None => None,
        };
        Some((parts, filter))
    }

    /// An anti-join, where both sides are columns that the database compares as a foreign key would.
    fn reference(&self, check: &Check, relation: &'a Relation, test: &ReferenceTest) -> Option<Made> {
        let key = if let Some(index) = test.key {
            relation.foreign_keys[index].clone()
        } else {
            let target = self.catalog.relation(test.target?);
            let mut pairs = test.parts.iter().zip(&test.target_parts);
            // A text beside a number has no equality that all databases share.
            let loose = |part: &Part| matches!(part, Part::Column { loose: true, .. });
            if pairs.clone().any(|(here, there)| loose(here) || loose(there)) {
                return None;
            }
            let alike = |(here, there)| joins_as_here(self.dialect, (relation, here), (target, there));
            if test.by_letter && !pairs.all(alike) {
                return None;
            }
            super::orphans::key_of(self.catalog, relation, test)?
        };
        let filter = match &test.filter {
            Some(filter) => Some(self.pusher(relation, "c").exact(filter)?),
            None => None,
        };
        let plain = match &test.filter {
            Some(filter) => Some(self.pusher(relation, "").exact(filter)?),
            None => None,
        };
        let (census, mut probe, sql) = super::orphans::compile(
            self.catalog,
            self.dialect,
            relation,
            &key,
            test,
            filter.as_deref(),
            plain.as_deref(),
        )?;
        if check.inferred.is_some() {
            probe.count_judged(self.dialect, relation, plain.as_deref());
        }
        Some(Made { census, probe: Probe::Orphans(probe), sql: Some(sql) })
    }

    fn count(&self, relation: &'a Relation, test: &CountTest) -> Made {
        let filter = test.filter.as_ref().map(|filter| self.pusher(relation, "").exact(filter));
        match filter {
            None => Made { census: Census::default(), probe: Probe::Count, sql: None },
            Some(Some(filter)) => {
                let not_judged = Some(format!("CASE WHEN {filter} THEN 0 ELSE 1 END = 1"));
                Made { census: Census { not_judged, failed: None }, probe: Probe::Count, sql: None }
            }
            Some(None) => read(None, None),
        }
    }

    /// Of a column of dates only the rows with the latest are read, where the database knows which that is.
    fn fresh(&self, relation: &'a Relation, test: &FreshTest) -> Made {
        let column = &relation.columns[test.column];
        let dated = matches!(column.data_type.kind, TypeKind::Date | TypeKind::Timestamp { .. });
        let enforced = relation.strict || self.dialect.capabilities().enforces_types;
        let pusher = self.pusher(relation, "");
        let filter = test.filter.as_ref().map(|filter| pusher.exact(filter));
        let (past, _) = pusher.deadline(test.column, &test.deadline(self.at.now), false);
        let Some(past) = past.filter(|_| dated && enforced && filter != Some(None)) else {
            return read(None, None);
        };
        let (name, from) = (self.dialect.quote(&column.name), self.dialect.own_rows(relation));
        let filter = filter.flatten().map(|filter| format!(" AND {filter}")).unwrap_or_default();
        let within = format!(" WHERE {past}{filter}");
        let latest = format!("(SELECT MAX({name}) FROM {from}{within})");
        read(Some(format!("{name} = {latest}")), Some(format!("SELECT MAX({name}) FROM {from}{within}")))
    }
}

/// Whether a condition over one column is unknown wherever that column is NULL.
fn is_strict(bound: &Bound) -> bool {
    match &bound.node {
        BoundNode::Comparison(_, a, b) | BoundNode::Arithmetic(_, a, b) => is_strict(a) || is_strict(b),
        BoundNode::In(a, _) | BoundNode::Matches(a, _) | BoundNode::Not(a) | BoundNode::Negative(a) => is_strict(a),
        BoundNode::And(a, b) | BoundNode::Or(a, b) => is_strict(a) && is_strict(b),
        BoundNode::Call(function, arguments) if *function != Function::Coalesce => {
            arguments.first().is_some_and(is_strict)
        }
        BoundNode::Column(_) => true,
        BoundNode::Call(..) | BoundNode::Constant(_) | BoundNode::Now | BoundNode::IsNull(_) => false,
    }
}
