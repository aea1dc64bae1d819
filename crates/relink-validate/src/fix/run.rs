//! The course of a mending, inside the caller's transaction.

use std::collections::HashMap;

use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Catalog, ReferentialAction, Relation, RelationId, suggest};

use super::{
    Cure, Keep, Mended, Mending, Orders, Refusal, Statement, concern,
    merge::{self, Member},
    numbering,
    references::{self, Draft},
    rows::{Key, ROWS_MAX, RowNames, shown},
    totals,
};
use crate::{
    Check, CheckKind, Options,
    plan::test::Test,
    report::{CheckResult, Sample, Status},
};

/// Findings of one check that are mended at once.
const FINDINGS_MAX: usize = 1_000_000;

/// What ends a mending: a refusal, or an error after which nothing more can be done.
enum Stop {
    Refused(Refusal),
    Failed(DbError),
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Mends findings inside the caller's write transaction, one check after the other, and measures afterwards whether it worked and did no harm. The caller
/// commits where nothing is refused, or rolls back; then it moves [`Mended::counters`].
///
/// # Errors
/// The connection is lost, or the transaction is over.
pub async fn mend(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[Check],
    orders: &Orders,
    options: &Options,
) -> Result<Mended, DbError> {
    let mut course = Course { connection, catalog, orders, options, mended: Mended::default() };
    match course.run(checks).await {
        Ok(()) => {}
        Err(Stop::Refused(refusal)) => course.mended.refusal = Some(refusal),
        Err(Stop::Failed(error)) => return Err(error),
    }
    Ok(course.mended)
}

/// What an id means.
enum Ailment<'a> {
    Check(&'a Check),
    Counter(&'a str, RelationId),
}

struct Course<'a> {
    connection: &'a mut dyn Connection,
    catalog: &'a Catalog,
    orders: &'a Orders,
    options: &'a Options,
    mended: Mended,
}

impl Course<'_> {
    async fn run(&mut self, checks: &[Check]) -> Result<(), Stop> {
        let mut ailments = Vec::new();
        for id in &self.orders.ids {
            ailments.push(self.find(checks, id)?);
        }
        let mut touched: Vec<RelationId> = Vec::new();
        for ailment in &ailments {
            if let Ailment::Check(check) = ailment {
                touched.extend(self.touches(check)?);
            }
        }
        let concerned: Vec<Check> =
            checks.iter().filter(|check| concern::concerns(&check.test, &touched)).cloned().collect();
        let before = self.measure(&concerned).await?;
        for ailment in ailments {
            match ailment {
                Ailment::Check(check) => self.mend(check).await?,
                Ailment::Counter(id, relation) => {
                    let rehearsal = self.orders.rehearsal;
                    let (connection, mended) = (&mut *self.connection, &mut self.mended);
                    numbering::renumber(connection, self.catalog, relation, id, rehearsal, mended).await??;
                }
            }
        }
        if let Err(error) = self.connection.check_deferred().await {
            return Err(failed(error, |message| Refusal::Deferred { message }));
        }
        let after = self.measure(&concerned).await?;
        self.mended.measured = concerned.len();
        self.compare(&concerned, &before, &after)
    }

    /// What an id means, and whether the cure is one for it.
    fn find<'c>(&self, checks: &'c [Check], id: &'c str) -> Result<Ailment<'c>, Refusal> {
        let orders = self.orders;
        if orders.condition.is_some() && matches!(orders.cure, Cure::Renumber | Cure::Keep(_)) {
            return Err(Refusal::NoCondition { option: orders.cure.option() });
        }
        let found = match numbering::find(self.catalog, id) {
            Some(relation) => Some(Ailment::Counter(id, relation)),
            None => checks.iter().find(|check| check.id == id).map(Ailment::Check),
        };
        let Some(found) = found else {
            let counters: Vec<String> = numbering::ids(self.catalog).collect();
            let known = checks.iter().map(|check| check.id.as_str()).chain(counters.iter().map(String::as_str));
            let nearest = suggest::nearest(id, known).map(str::to_owned);
            return Err(Refusal::UnknownCheck { id: id.to_owned(), nearest });
        };
        let (fits, mends) = match (&orders.cure, &found) {
            (Cure::Renumber, Ailment::Counter(..)) => (true, ""),
            (Cure::Renumber, _) => (false, "counters (numbering:TABLE.COLUMN)"),
            (Cure::Delete | Cure::Null, Ailment::Check(check)) => {
                (matches!(check.test, Test::Reference(_)), "references without a target (ref:...)")
            }
            (Cure::Delete | Cure::Null, _) => (false, "references without a target (ref:...)"),
            (Cure::Recompute, Ailment::Check(check)) => (check.kind == CheckKind::Total, "totals (total:...)"),
            (Cure::Recompute, _) => (false, "totals (total:...)"),
            (Cure::Keep(_), Ailment::Check(check)) => {
                (matches!(check.test, Test::Unique(_)), "rows that share a key (unique:...)")
            }
            (Cure::Keep(_), _) => (false, "rows that share a key (unique:...)"),
        };
        if fits {
            Ok(found)
        } else {
            Err(Refusal::WrongCure { id: id.to_owned(), option: orders.cure.option(), mends })
        }
    }

    /// The relations that a mending of this check writes to.
    fn touches(&self, check: &Check) -> Result<Vec<RelationId>, Refusal> {
        let Some(id) = self.catalog.id(&check.relation) else { return Ok(Vec::new()) };
        let mut touched = vec![id];
        if matches!(self.orders.cure, Cure::Keep(_)) {
            touched.extend(self.catalog.referencing(id).map(|(from, _)| from));
        }
        let lasting = touched.iter().map(|id| self.catalog.relation(*id)).find(|one| !one.is_transactional());
        match lasting {
            Some(relation) => Err(Refusal::NotTransactional { relation: relation.name.clone() }),
            None => Ok(touched),
        }
    }

    /// Makes checks without samples.
    async fn measure(&mut self, checks: &[Check]) -> Result<HashMap<String, CheckResult>, DbError> {
        let options = Options { samples_max: 0, only: None, ..self.options.clone() };
        let report = crate::run(self.connection, self.catalog, checks, &options, &mut |_| {}).await?;
        Ok(report.checks.into_iter().map(|result| (result.id.clone(), result)).collect())
    }

    async fn mend(&mut self, check: &Check) -> Result<(), Stop> {
        let options = Options { samples_max: FINDINGS_MAX, only: None, ..self.options.clone() };
        let checks = std::slice::from_ref(check);
        let report = crate::run(self.connection, self.catalog, checks, &options, &mut |_| {}).await?;
        let Some(result) = report.checks.into_iter().next() else { return Ok(()) };
        if result.status == Status::Error {
            let why = result.why.unwrap_or_default();
            return Err(Refusal::NotMeasured { id: check.id.clone(), why }.into());
        }
        let found = result.counts.failed;
        let mending = Mending { id: check.id.clone(), found, chosen: found, statements: Vec::new(), remaining: None };
        self.mended.mendings.push(mending);
        let relation = self.catalog.id(&check.relation).map(|id| self.catalog.relation(id));
        let (Some(relation), true) = (relation, found > 0) else { return Ok(()) };
        let samples = self.chosen(relation, result.samples).await?;
        if let Some(mending) = self.mended.mendings.last_mut().filter(|_| self.orders.condition.is_some()) {
            mending.chosen = samples.len() as u64;
        } else if samples.len() as u64 != found {
            return Err(Refusal::TooMany { id: check.id.clone(), found }.into());
        }
        let keys = || samples.iter().map(|sample| sample.key.clone()).collect::<Vec<Key>>();
        let dialect = self.connection.dialect();
        match (&self.orders.cure, &check.test) {
            (Cure::Delete, _) => {
                let keys = keys();
                let drafts = references::delete(dialect, relation, &keys)?;
                self.refuse_referenced(relation, &keys, |_| true).await?;
                self.execute(relation, drafts).await?;
            }
            (Cure::Null, Test::Reference(test)) => {
                let drafts = references::null(dialect, relation, test, &keys())?;
                self.execute(relation, drafts).await?;
            }
            (Cure::Recompute, Test::Sums(test)) => {
                let drafts = totals::recompute(dialect, relation, test, &samples)?;
                self.execute(relation, drafts).await?;
            }
            (Cure::Keep(keep), _) => self.merge(relation, check, keep, samples).await?,
            _ => {}
        }
        Ok(())
    }

    /// The findings whose row meets the condition; all, without one.
    async fn chosen(&mut self, relation: &Relation, samples: Vec<Sample>) -> Result<Vec<Sample>, Stop> {
        let (Some(condition), Some(first)) = (&self.orders.condition, samples.first()) else { return Ok(samples) };
        let mut chosen = Vec::new();
        for chunk in samples.chunks(ROWS_MAX) {
            let dialect = self.connection.dialect();
            let names = RowNames::of(dialect, relation, &first.key)?;
            let among = names.condition(chunk.iter().map(|sample| &sample.key))?;
            let sql = format!(
                "SELECT {} FROM {} WHERE ({among}) AND ({condition}\n)",
                names.read().join(", "),
                dialect.own_rows(relation)
            );
            let rows = self.connection.query(&sql, &[]).await;
            let rows = rows.map_err(|error| {
                failed(error, |message| Refusal::Condition { condition: condition.clone(), message })
            })?;
            let rows: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
            chosen.extend(
                chunk.iter().filter(|sample| rows.iter().any(|row| row.iter().eq(sample.key.values()))).cloned(),
            );
        }
        Ok(chosen)
    }

    /// Refuses to delete rows that others refer to by one of these keys: they would go along, or refer to nothing.
    async fn refuse_referenced(
        &mut self,
        relation: &Relation,
        keys: &[Key],
        concerns: impl Fn(ReferentialAction) -> bool,
    ) -> Result<(), Stop> {
        let (Some(id), Some(first)) = (self.catalog.id(&relation.name), keys.first()) else { return Ok(()) };
        for (referencing, key) in merge::referring(self.catalog, id) {
            if !concerns(key.on_delete) {
                continue;
            }
            let mut rows = 0;
            for chunk in keys.chunks(ROWS_MAX) {
                let dialect = self.connection.dialect();
                let names = RowNames::of(dialect, relation, first)?;
                let gone = names.condition(chunk)?;
                let quote =
                    |names: &[String]| names.iter().map(|name| dialect.quote(name)).collect::<Vec<_>>().join(", ");
                let mut sql = format!(
                    "SELECT COUNT(*) FROM {} WHERE ({}) IN (SELECT {} FROM {} WHERE {gone})",
                    dialect.own_rows(referencing),
                    quote(&key.columns),
                    quote(&key.referenced_columns),
                    dialect.own_rows(relation)
                );
                if referencing.name == relation.name {
                    sql = format!("{sql} AND NOT ({gone})");
                }
                let found = self.connection.query(&sql, &[]).await?;
                if let Some(relink_model::Value::Int(count)) = found.first().and_then(|row| row.first()) {
                    rows += u64::try_from(*count).unwrap_or_default();
                }
            }
            if rows > 0 {
                return Err(Refusal::Referenced {
                    relation: relation.name.clone(),
                    referencing: referencing.name.clone(),
                    key: key.columns.join(", "),
                    rows,
                }
                .into());
            }
        }
        Ok(())
    }

    async fn merge(
        &mut self,
        relation: &Relation,
        check: &Check,
        keep: &Keep,
        samples: Vec<Sample>,
    ) -> Result<(), Stop> {
        let Some(id) = self.catalog.id(&relation.name) else { return Ok(()) };
        let referring = merge::referring(self.catalog, id);
        let groups = self.groups(relation, check, keep, &referring, &samples).await?;
        for group in &groups {
            merge::refuse_tie(relation, keep, group)?;
            for repointing in merge::repoint(self.connection.dialect(), relation, &referring, group)? {
                let done = self.connection.execute(&repointing.draft.sql, &[]).await;
                let touched = done.map_err(|error| {
                    let collides = error.kind == DbErrorKind::UniqueViolation;
                    failed(error, |message| {
                        if collides {
                            let (referencing, key) = (repointing.referencing.clone(), repointing.key.clone());
                            Refusal::Collision { referencing, key, message }
                        } else {
                            Refusal::Statement { sql: repointing.draft.sql.clone(), message }
                        }
                    })
                })?;
                if touched > 0 {
                    self.note(&repointing.referencing, repointing.draft.sql, touched);
                }
            }
        }
        let gone: Vec<Key> =
            groups.iter().flat_map(|group| group.iter().skip(1)).map(|member| member.key.clone()).collect();
        let drafts = references::delete(self.connection.dialect(), relation, &gone)?;
        // What refers to them by values that the kept row has, too, would still go along.
        let takes_along = |action| !matches!(action, ReferentialAction::NoAction | ReferentialAction::Restrict);
        self.refuse_referenced(relation, &gone, takes_along).await?;
        self.execute(relation, drafts).await
    }

    /// The groups of rows that share a key, each with the row that is kept first.
    async fn groups(
        &mut self,
        relation: &Relation,
        check: &Check,
        keep: &Keep,
        referring: &[(&Relation, &relink_model::ForeignKey)],
        samples: &[Sample],
    ) -> Result<Vec<Vec<Member>>, Stop> {
        let Some(first) = samples.first() else { return Ok(Vec::new()) };
        let order = merge::order(self.connection.dialect(), relation, &check.columns, keep)?;
        let mut columns: Vec<String> = Vec::new();
        if let Keep::By { column, .. } = keep {
            columns.push(column.clone());
        }
        let ranked = columns.len();
        for name in referring.iter().flat_map(|(_, key)| &key.referenced_columns) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let mut by_number: Vec<(u64, Vec<&Sample>)> = Vec::new();
        for sample in samples {
            let number = sample.group.unwrap_or_default();
            match by_number.last_mut().filter(|(last, _)| *last == number) {
                Some((_, members)) => members.push(sample),
                None => by_number.push((number, vec![sample])),
            }
        }
        let mut groups = Vec::new();
        for (_, members) in by_number {
            let dialect = self.connection.dialect();
            let names = RowNames::of(dialect, relation, &first.key)?;
            let among = names.condition(members.iter().map(|sample| &sample.key))?;
            let sql = merge::select(dialect, relation, &names, &columns, &order, &among);
            let rows = self.connection.query(&sql, &[]).await?;
            let found = rows.len() as u64;
            if found != members.len() as u64 {
                return Err(Refusal::OtherRows { sql, expected: members.len() as u64, touched: found }.into());
            }
            let named = first.key.len();
            let member = |row: Vec<relink_model::Value>| {
                let texts: Vec<Option<String>> = row.iter().map(shown).collect();
                let key = first.key.keys().cloned().zip(texts[..named].iter().cloned()).collect();
                let values = columns.iter().cloned().zip(texts[named..].iter().cloned()).collect();
                Member { key, values, rank: texts.get(named).filter(|_| ranked > 0).cloned().flatten() }
            };
            groups.push(rows.into_iter().map(member).collect());
        }
        Ok(groups)
    }

    /// Runs statements that have to touch exactly the rows that were found.
    async fn execute(&mut self, relation: &Relation, drafts: Vec<Draft>) -> Result<(), Stop> {
        for Draft { sql, rows } in drafts {
            let done = self.connection.execute(&sql, &[]).await;
            let touched =
                done.map_err(|error| failed(error, |message| Refusal::Statement { sql: sql.clone(), message }))?;
            if let Some(expected) = rows.filter(|expected| *expected != touched) {
                return Err(Refusal::OtherRows { sql, expected, touched }.into());
            }
            self.note(&relation.name, sql, touched);
        }
        Ok(())
    }

    fn note(&mut self, relation: &relink_model::RelationName, sql: String, touched: u64) {
        let statement = Statement { relation: relation.clone(), sql, rows: Some(touched), after_commit: false };
        if let Some(mending) = self.mended.mendings.last_mut() {
            mending.statements.push(statement);
        }
    }

    /// Whether the findings are gone, and nothing else has come.
    fn compare(
        &mut self,
        checks: &[Check],
        before: &HashMap<String, CheckResult>,
        after: &HashMap<String, CheckResult>,
    ) -> Result<(), Stop> {
        for mending in &mut self.mended.mendings {
            if let Some(result) = after.get(&mending.id) {
                mending.remaining = Some(result.counts.failed);
            }
        }
        for mending in &self.mended.mendings {
            let (expected, remaining) = (mending.found - mending.chosen, mending.remaining.unwrap_or_default());
            if remaining != expected {
                return Err(Refusal::Remains { id: mending.id.clone(), remaining, expected }.into());
            }
        }
        for check in checks {
            let (Some(before), Some(after)) = (before.get(&check.id), after.get(&check.id)) else { continue };
            if after.status == Status::Error && before.status != Status::Error {
                let why = after.why.clone().unwrap_or_default();
                return Err(Refusal::NotMeasured { id: check.id.clone(), why }.into());
            }
            let (before, after) = (before.counts.failed, after.counts.failed);
            if after > before {
                return Err(Refusal::Worse { id: check.id.clone(), before, after }.into());
            }
        }
        Ok(())
    }
}

/// A statement that failed: the end of everything, or a refusal.
fn failed(error: DbError, refusal: impl FnOnce(String) -> Refusal) -> Stop {
    if matches!(error.kind, DbErrorKind::ConnectionLost | DbErrorKind::Contention) {
        return Stop::Failed(error);
    }
    Stop::Refused(refusal(error.to_string()))
}
