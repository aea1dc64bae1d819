//! What no report shows: the values of the columns that `[run] mask` names, and what would give them away.

use indexmap::IndexMap;
use relink_model::{Catalog, Config, RelationName};

use crate::judge;
use crate::live::Options;
use crate::plan::{Check, CheckKind};
use crate::report::{CheckResult, Report};

/// What stands for a value that no report shows.
pub const MASKED: &str = "•••";

/// The columns whose values no report shows.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    patterns: &'a [String],
    catalog: &'a Catalog,
}

impl<'a> Mask<'a> {
    /// Those that the configuration names.
    pub fn of(config: &'a Config, catalog: &'a Catalog) -> Self {
        Self { patterns: &config.run.mask, catalog }
    }

    /// Whether a column's values are hidden.
    pub fn hides(self, relation: &RelationName, column: &str) -> bool {
        self.patterns.iter().any(|pattern| self.catalog.means_column(pattern, relation, column))
    }

    /// Whether any column of a relation is hidden.
    pub fn concerns(self, catalog: &Catalog, relation: &RelationName) -> bool {
        let columns = catalog.id(relation).map(|id| catalog.relation(id).columns.iter());
        columns.into_iter().flatten().any(|column| self.hides(relation, &column.name))
    }

    /// Hides them in a report. `checks` are those that it was made of.
    pub(crate) fn cover(self, report: &mut Report, checks: &[Check], catalog: &Catalog, options: &Options) {
        if self.patterns.is_empty() {
            return;
        }
        for result in &mut report.checks {
            if result.kind == CheckKind::Sql {
                self.cover_query(result, catalog);
                continue;
            }
            let check = checks.iter().find(|check| check.id == result.id);
            let reads = check.is_some_and(|check| self.reads(check, catalog, options));
            self.cover_check(result, reads);
        }
    }

    /// Whether a check reads hidden columns, be it of another relation than its own.
    fn reads(self, check: &Check, catalog: &Catalog, options: &Options) -> bool {
        let feeds = judge::evaluator(&check.test, &options.setting(check)).map(|evaluator| evaluator.feeds());
        feeds.into_iter().flatten().any(|feed| {
            let relation = catalog.relation(feed.relation);
            feed.columns.iter().any(|column| self.hides(&relation.name, &relation.columns[*column].name))
        })
    }

    fn cover_check(self, check: &mut CheckResult, reads: bool) {
        let relation = check.relation.clone();
        let hides = |name: &str| self.hides(&relation, name);
        for sample in &mut check.samples {
            cover_values(&mut sample.key, hides);
            cover_values(&mut sample.values, hides);
        }
        for frequent in &mut check.frequent {
            cover_values(&mut frequent.values, hides);
        }
        check.occurred = check.occurred.take().filter(|occurred| !hides(&occurred.column));
        if !reads && !check.columns.iter().any(|column| hides(column)) {
            return;
        }
        // Remarks may quote a value, and so may what is wrong with one.
        check.notes.retain(|note| !note.contains("value \"") && !note.starts_with("the latest is "));
        if matches!(check.kind, CheckKind::Type | CheckKind::Fresh | CheckKind::Poly) {
            cover_problems(check);
        }
        // What stands beside a value tells it: a sum, the difference from it, and of a single row the difference of all.
        check.difference = None;
        let own = check.columns.clone();
        for sample in &mut check.samples {
            cover_values(&mut sample.values, |name| !own.iter().any(|column| column == name));
        }
    }

    /// A query may read any table, and give its columns names of its own. One without a name may hold anything.
    fn cover_query(self, check: &mut CheckResult, catalog: &Catalog) {
        if !catalog.relations.iter().any(|relation| self.concerns(catalog, &relation.name)) {
            return;
        }
        let hides = |name: &str| {
            let named = |relation: &&relink_model::Relation| relation.column(name).is_some();
            let mut of = catalog.relations.iter().filter(named).peekable();
            of.peek().is_none() || of.any(|relation| self.hides(&relation.name, name))
        };
        for sample in &mut check.samples {
            cover_values(&mut sample.key, hides);
            cover_values(&mut sample.values, hides);
        }
        cover_problems(check);
    }
}

fn cover_values(values: &mut IndexMap<String, Option<String>>, hides: impl Fn(&str) -> bool) {
    for (_, value) in values.iter_mut().filter(|(name, value)| value.is_some() && hides(name)) {
        *value = Some(MASKED.to_owned());
    }
}

fn cover_problems(check: &mut CheckResult) {
    if !check.problems.is_empty() {
        let rows = check.problems.values().sum();
        check.problems = [(MASKED.to_owned(), rows)].into_iter().collect();
    }
    for sample in check.samples.iter_mut().filter(|sample| sample.problem.is_some()) {
        sample.problem = Some(MASKED.to_owned());
    }
}
