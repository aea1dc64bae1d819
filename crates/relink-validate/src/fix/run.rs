//! The course of a mending, inside the caller's transaction.

use std::collections::{HashMap, HashSet};

use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Catalog, Config, ForeignKey, ReferentialAction, Relation, RelationId, Value, suggest};

use super::{
    Cure, Keep, Mended, Mending, Orders, Refusal, Statement,
    bound::{self, Change},
    compare::{self, Done, Results},
    concern,
    merge::{self, Member, Referring},
    numbering,
    references::{self, Draft},
    rows::{Key, ROWS_MAX, RowNames, Words, among, literal, shown},
    totals,
};
use crate::{
    Check, CheckKind, Options, accept,
    live::{count, qualified},
    mask::Mask,
    plan::test::Test,
    report::{Report, Sample, Status},
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
        match error.kind {
            DbErrorKind::Contention => Self::Refused(Refusal::Contended { message: error.to_string() }),
            _ => Self::Failed(error),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The relations that have to stay as they are while these orders are carried out, for [`Connection::begin_alone`]: those that are measured, those that are
/// written to, and those that refer to them.
pub fn relations<'c>(catalog: &'c Catalog, checks: &[Check], orders: &Orders) -> Vec<&'c Relation> {
    let mut found: HashSet<RelationId> = HashSet::new();
    for id in &orders.ids {
        found.extend(numbering::find(catalog, id));
        for check in checks.iter().filter(|check| check.id == *id) {
            found.extend(concern::reads(&check.test).into_iter().flatten());
            let Some(relation) = catalog.id(&check.relation) else { continue };
            found.insert(relation);
            // What is refused later may be locked all the same.
            if let Ok(columns) = written(catalog.relation(relation), check, &orders.cure) {
                found.extend(bound::reach(catalog, relation, change(columns.as_deref())));
            }
        }
    }
    // In one order, so that two of these wait for each other and do not block each other.
    catalog.iter().filter(|(id, _)| found.contains(id)).map(|(_, relation)| relation).collect()
}

/// Mends findings inside the caller's write transaction, one check after the other, and measures afterwards whether it worked and did no harm. The caller
/// begins with [`Connection::begin_alone`] on [`relations`], and commits where nothing is refused, or rolls back; then it moves [`Mended::counters`].
///
/// # Errors
/// The connection is lost, or the transaction is over.
pub async fn mend(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[Check],
    config: &Config,
    orders: &Orders,
    options: &Options,
) -> Result<Mended, DbError> {
    let options = Options { only: None, exhaustive: Vec::new(), whole_values: true, ..options.clone() };
    let words = Words { mask: Mask::of(config, catalog) };
    let (done, mended) = (Done::default(), Mended::default());
    let mut course = Course { connection, catalog, checks, config, orders, options, words, done, mended };
    match course.run().await {
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
    checks: &'a [Check],
    config: &'a Config,
    orders: &'a Orders,
    options: Options,
    words: Words<'a>,
    done: Done,
    mended: Mended,
}

impl Course<'_> {
    async fn run(&mut self) -> Result<(), Stop> {
        let checks = self.checks;
        let mut ailments = Vec::new();
        for id in &self.orders.ids {
            ailments.push(self.find(checks, id)?);
        }
        self.refuse_other_schema().await?;
        let mut touched: Vec<RelationId> = Vec::new();
        for ailment in &ailments {
            if let Ailment::Check(check) = ailment {
                touched.extend(self.touches(check)?);
            }
        }
        let concerned: Vec<Check> =
            checks.iter().filter(|check| concern::concerns(&check.test, &touched)).cloned().collect();
        let before = self.measure(&concerned).await?;
        compare::measured(&concerned, &before)?;
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
        let (catalog, done, mendings) = (self.catalog, &self.done, &mut self.mended.mendings);
        Ok(compare::compare(catalog, &concerned, mendings, done, &before, &after, self.words)?)
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

    /// Refuses where the schema is not any more what the checks were made for: it was read before the transaction began.
    async fn refuse_other_schema(&mut self) -> Result<(), Stop> {
        let mut now = self.connection.introspect().await?;
        let changed = Stop::Refused(Refusal::OtherSchema);
        if self.config.add_virtual_references(&mut now).is_err() || now.relations.len() != self.catalog.relations.len()
        {
            return Err(changed);
        }
        let lasting = |relation: &Relation| Relation { estimated_rows: None, ..relation.clone() };
        let same = now.relations.iter().zip(&self.catalog.relations).all(|(now, then)| lasting(now) == lasting(then));
        if same { Ok(()) } else { Err(changed) }
    }

    /// The relations that a mending of this check writes to, what follows by itself included.
    fn touches(&self, check: &Check) -> Result<Vec<RelationId>, Refusal> {
        let Some(id) = self.catalog.id(&check.relation) else { return Ok(Vec::new()) };
        let mut touched = vec![id];
        if matches!(self.orders.cure, Cure::Keep(_)) {
            let mut open: Vec<RelationId> = self.catalog.referencing(id).map(|(from, _)| from).collect();
            while let Some(next) = open.pop() {
                if !touched.contains(&next) {
                    touched.push(next);
                    let follows = |key: &ForeignKey| key.on_update == ReferentialAction::Cascade;
                    open.extend(self.catalog.referencing(next).filter(|(_, key)| follows(key)).map(|(from, _)| from));
                }
            }
        }
        let lasting = touched.iter().map(|id| self.catalog.relation(*id)).find(|one| !one.is_transactional());
        match lasting {
            Some(relation) => Err(Refusal::NotTransactional { relation: relation.name.clone() }),
            None => Ok(touched),
        }
    }

    /// Makes checks, and names as many failing rows as can be told apart.
    async fn measure(&mut self, checks: &[Check]) -> Result<Results, Stop> {
        let options = Options { samples_max: accept::ROWS_MAX, ..self.options.clone() };
        let report = crate::run(self.connection, self.catalog, checks, &options, &mut |_| {}).await?;
        Ok(report.checks.into_iter().map(|result| (result.id.clone(), result)).collect())
    }

    async fn mend(&mut self, check: &Check) -> Result<(), Stop> {
        let options = Options { samples_max: FINDINGS_MAX, ..self.options.clone() };
        let only = std::slice::from_ref(check);
        let mut report = crate::run(self.connection, self.catalog, only, &options, &mut |_| {}).await?;
        self.allow(&mut report)?;
        let Some(result) = report.checks.into_iter().next() else { return Ok(()) };
        if result.status == Status::Error {
            let why = result.why.unwrap_or_default();
            return Err(Refusal::NotMeasured { id: check.id.clone(), why }.into());
        }
        let found = result.counts.failed;
        let mending = Mending { found, chosen: found, ..Mending::new(&check.id) };
        self.mended.mendings.push(mending);
        let relation = self.catalog.id(&check.relation).map(|id| (id, self.catalog.relation(id)));
        let (Some((id, relation)), true) = (relation, found > 0) else { return Ok(()) };
        if self.orders.condition.is_none() && result.samples.len() as u64 != found {
            return Err(Refusal::TooMany { id: check.id.clone(), found }.into());
        }
        let shown = result.samples.len() as u64;
        let open = open(result.samples);
        let allowed = shown - open.len() as u64;
        let samples = self.chosen(relation, open).await?;
        if let Some(mending) = self.mended.mendings.last_mut() {
            (mending.allowed, mending.chosen) = (allowed, samples.len() as u64);
        }
        if samples.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = samples.iter().map(|sample| sample.key.clone()).collect();
        self.done.mended.entry(check.id.clone()).or_default().extend(keys.iter().map(compare::name));
        let columns = written(relation, check, &self.orders.cure)?;
        let change = change(columns.as_deref());
        let mut counted = bound::reach(self.catalog, id, change);
        counted.retain(|other| *other != id);
        counted.push(id);
        let before = bound::tally(self.connection, self.catalog, &counted).await?;
        let gone = match (&self.orders.cure, &check.test) {
            (Cure::Delete, _) => self.delete(relation, &keys).await?,
            (Cure::Null, _) => {
                self.refuse_referenced(relation, &keys, change, |_| true).await?;
                let columns = columns.unwrap_or_default();
                let drafts = references::null(self.connection.dialect(), relation, &columns, &keys)?;
                self.update(relation, &columns, drafts).await?;
                0
            }
            (Cure::Recompute, Test::Sums(test)) => {
                self.refuse_referenced(relation, &keys, change, |_| true).await?;
                let drafts = totals::recompute(self.connection.dialect(), relation, test, &samples, self.words)?;
                self.update(relation, &columns.unwrap_or_default(), drafts).await?;
                0
            }
            (Cure::Keep(keep), _) => self.merge(relation, check, keep, samples).await?,
            _ => 0,
        };
        let after = bound::tally(self.connection, self.catalog, &counted).await?;
        Ok(bound::compare(self.catalog, &before, &after, id, gone)?)
    }

    /// Marks findings that the configuration allows to stay: as `relink validate` does. A lapsed allowance is said.
    fn allow(&mut self, report: &mut Report) -> Result<(), Refusal> {
        let allowed = accept::allow(report, self.checks, self.catalog, self.config, &self.options);
        let first = |errors: Vec<_>| errors.into_iter().next();
        if let Some(error) = allowed.err().and_then(first) {
            return Err(Refusal::Allowance { error });
        }
        let new = report.warnings.iter().filter(|warning| !self.mended.warnings.contains(warning));
        let new: Vec<String> = new.cloned().collect();
        self.mended.warnings.extend(new);
        Ok(())
    }

    /// The findings whose row meets the condition; all, without one.
    async fn chosen(&mut self, relation: &Relation, samples: Vec<Sample>) -> Result<Vec<Sample>, Stop> {
        let (Some(condition), Some(first)) = (&self.orders.condition, samples.first()) else { return Ok(samples) };
        let mut chosen = Vec::new();
        for chunk in samples.chunks(ROWS_MAX) {
            let dialect = self.connection.dialect();
            let names = RowNames::of(dialect, "", relation, &first.key)?;
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

    /// Deletes rows that nothing else refers to. Returns how many.
    async fn delete(&mut self, relation: &Relation, keys: &[Key]) -> Result<u64, Stop> {
        let among_them = self.refuse_referenced(relation, keys, Change::Rows, |_| true).await?;
        let drafts = references::delete(self.connection.dialect(), relation, keys, &among_them)?;
        self.execute(relation, drafts).await?;
        Ok(keys.len() as u64)
    }

    /// The foreign keys through which rows of a relation are referred to, those of tables that the catalog does not hold among them.
    async fn referring(&mut self, relation: &Relation) -> Result<Vec<(Relation, ForeignKey)>, Stop> {
        let Some(id) = self.catalog.id(&relation.name) else { return Ok(Vec::new()) };
        let inside = bound::referring(self.catalog, id).into_iter();
        let mut all: Vec<_> = inside.map(|(referencing, key)| (referencing.clone(), key.clone())).collect();
        all.extend(self.connection.referenced_from_outside(relation).await?);
        Ok(all)
    }

    /// Refuses to change rows that others refer to by one of these keys: they would go along, or refer to nothing. Of rows that go, what refers to
    /// them may go with them: returned are the pairs of such a row and the one that it refers to, by their places in the list.
    async fn refuse_referenced(
        &mut self,
        relation: &Relation,
        keys: &[Key],
        change: Change<'_>,
        concerns: impl Fn(&ForeignKey) -> bool,
    ) -> Result<Vec<(usize, usize)>, Stop> {
        let mut among_them = Vec::new();
        let Some(first) = keys.first() else { return Ok(among_them) };
        let moves = |(_, key): &(Relation, ForeignKey)| change.moves(key) && concerns(key);
        for (referencing, key) in &self.referring(relation).await?.into_iter().filter(moves).collect::<Vec<_>>() {
            let may_go_along = matches!(change, Change::Rows) && referencing.name == relation.name;
            let places: HashMap<Vec<&Option<String>>, usize> = if may_go_along {
                keys.iter().enumerate().map(|(place, key)| (key.values().collect(), place)).collect()
            } else {
                HashMap::new()
            };
            let mut rows = 0;
            for chunk in keys.chunks(ROWS_MAX) {
                let dialect = self.connection.dialect();
                let names = RowNames::of(dialect, "p", relation, first)?;
                let references =
                    bound::references(dialect, referencing, key, relation, &format!("({})", names.condition(chunk)?));
                if !may_go_along {
                    rows += count(self.connection, &format!("SELECT COUNT(*) {references}"), &[]).await?;
                    continue;
                }
                let mut read = RowNames::of(dialect, "c", relation, first)?.read();
                read.extend(names.read());
                let found = self.connection.query(&format!("SELECT {} {references}", read.join(", ")), &[]).await?;
                for row in found {
                    let row: Vec<Option<String>> = row.iter().map(shown).collect();
                    let (from, to) = row.split_at(row.len() / 2);
                    let place = |name: &[Option<String>]| places.get(&name.iter().collect::<Vec<_>>()).copied();
                    match (place(from), place(to)) {
                        (Some(from), Some(to)) => among_them.push((from, to)),
                        _ => rows += 1,
                    }
                }
            }
            if rows > 0 {
                return Err(Refusal::Referenced {
                    relation: relation.name.clone(),
                    referencing: referencing.name.clone(),
                    key: key.columns.join(", "),
                    rows,
                    how: if matches!(change, Change::Rows) { "deleted" } else { "changed" },
                }
                .into());
            }
        }
        Ok(among_them)
    }

    /// Of rows that share a key all but one go, and what refers to them refers to that one. Returns how many go.
    async fn merge(
        &mut self,
        relation: &Relation,
        check: &Check,
        keep: &Keep,
        samples: Vec<Sample>,
    ) -> Result<u64, Stop> {
        let Some(id) = self.catalog.id(&relation.name) else { return Ok(0) };
        let referring = bound::referring(self.catalog, id);
        let groups = self.groups(relation, check, keep, &referring, &samples).await?;
        for group in &groups {
            merge::refuse_tie(relation, keep, group, self.words)?;
            for (referencing, key) in &referring {
                self.repoint(relation, referencing, key, group).await?;
            }
        }
        let gone: Vec<Key> =
            groups.iter().flat_map(|group| group.iter().skip(1)).map(|member| member.key.clone()).collect();
        // What refers to them by values that the kept row has, too, would still go along.
        let takes_along = |key: &ForeignKey| takes_along(key.on_delete);
        let among_them = self.refuse_referenced(relation, &gone, Change::Rows, takes_along).await?;
        let drafts = references::delete(self.connection.dialect(), relation, &gone, &among_them)?;
        self.execute(relation, drafts).await?;
        Ok(gone.len() as u64)
    }

    /// Points what refers to rows of a group by this key at the one that is kept.
    async fn repoint(
        &mut self,
        relation: &Relation,
        referencing: &Relation,
        key: &ForeignKey,
        group: &[Member],
    ) -> Result<(), Stop> {
        let dialect = self.connection.dialect();
        let sql = merge::select_referring(dialect, referencing, key, relation, group)?;
        let mut found = Vec::new();
        for row in self.connection.query(&sql, &[]).await? {
            let Some((Value::Int(rows), values)) = row.split_last() else { continue };
            let rows = u64::try_from(*rows).unwrap_or_default();
            found.push(Referring { values: values.iter().map(shown).collect(), rows });
        }
        let (Some(kept), false) = (group.first(), found.is_empty()) else { return Ok(()) };
        let dialect = self.connection.dialect();
        let (columns, drafts) = merge::repoint(dialect, referencing, key, relation, kept, &found, self.words)?;
        self.refuse_unfollowed(referencing, key, &columns, &found).await?;
        for draft in drafts {
            let done = self.connection.execute(&draft.sql, &[]).await;
            let touched = done.map_err(|error| {
                if error.kind != DbErrorKind::UniqueViolation {
                    return self.refused(error, referencing, &draft.sql);
                }
                let message = self.words.of_database(referencing, error.to_string());
                let (referencing, key) = (referencing.name.clone(), key.columns.join(", "));
                Stop::Refused(Refusal::Collision { referencing, key, message })
            })?;
            self.note(referencing, draft, touched)?;
        }
        self.rewritten(referencing, &columns);
        Ok(())
    }

    /// Refuses where something refers to the rows that are pointed elsewhere, by these very columns, and would not follow.
    async fn refuse_unfollowed(
        &mut self,
        relation: &Relation,
        key: &ForeignKey,
        columns: &[String],
        found: &[Referring],
    ) -> Result<(), Stop> {
        let lost = |other: &ForeignKey| takes_along(other.on_update) && other.on_update != ReferentialAction::Cascade;
        let moves = |(_, other): &(Relation, ForeignKey)| Change::Columns(columns).moves(other) && lost(other);
        for (referencing, other) in &self.referring(relation).await?.into_iter().filter(moves).collect::<Vec<_>>() {
            let mut rows = 0;
            for chunk in found.chunks(ROWS_MAX) {
                let dialect = self.connection.dialect();
                let written = |referring: &Referring| -> Option<Vec<String>> {
                    let one = |(name, value): (&String, &Option<String>)| {
                        literal(dialect, relation.column(name).map(|(_, column)| column), value.as_deref()?)
                    };
                    key.columns.iter().zip(&referring.values).map(one).collect()
                };
                let named: Vec<String> = key.columns.iter().map(|name| qualified(dialect, "p", name)).collect();
                let values: Vec<Vec<String>> = chunk.iter().filter_map(written).collect();
                let condition = format!("({})", among(&named, &values));
                let references = bound::references(dialect, referencing, other, relation, &condition);
                rows += count(self.connection, &format!("SELECT COUNT(*) {references}"), &[]).await?;
            }
            if rows > 0 {
                return Err(Refusal::Referenced {
                    relation: relation.name.clone(),
                    referencing: referencing.name.clone(),
                    key: other.columns.join(", "),
                    rows,
                    how: "changed",
                }
                .into());
            }
        }
        Ok(())
    }

    /// The groups of rows that share a key, each with the row that is kept first.
    async fn groups(
        &mut self,
        relation: &Relation,
        check: &Check,
        keep: &Keep,
        referring: &[(&Relation, &ForeignKey)],
        samples: &[Sample],
    ) -> Result<Vec<Vec<Member>>, Stop> {
        let Some(first) = samples.first() else { return Ok(Vec::new()) };
        let order = merge::order(self.connection.dialect(), relation, &check.columns, keep)?;
        let mut columns: Vec<String> = Vec::new();
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
            let names = RowNames::of(dialect, "", relation, &first.key)?;
            let among = names.condition(members.iter().map(|sample| &sample.key))?;
            let sql = merge::select(dialect, relation, &names, &columns, &order, &among);
            let rows = self.connection.query(&sql, &[]).await?;
            let found = rows.len() as u64;
            if found != members.len() as u64 {
                return Err(Refusal::OtherRows { sql, expected: members.len() as u64, touched: found }.into());
            }
            let named = first.key.len();
            let member = |row: Vec<Value>| {
                let texts: Vec<Option<String>> = row.iter().map(shown).collect();
                let key = first.key.keys().cloned().zip(texts[..named].iter().cloned()).collect();
                let values = columns.iter().cloned().zip(texts[named..].iter().cloned()).collect();
                Member { key, values, is_first: row.last() == Some(&Value::Int(1)) }
            };
            groups.push(rows.into_iter().map(member).collect());
        }
        Ok(groups)
    }

    /// Runs statements that change these columns of exactly the rows that were found.
    async fn update(&mut self, relation: &Relation, columns: &[String], drafts: Vec<Draft>) -> Result<(), Stop> {
        self.rewritten(relation, columns);
        self.execute(relation, drafts).await
    }

    /// Runs statements that have to touch exactly the rows that were found.
    async fn execute(&mut self, relation: &Relation, drafts: Vec<Draft>) -> Result<(), Stop> {
        for draft in drafts {
            let done = self.connection.execute(&draft.sql, &[]).await;
            let touched = done.map_err(|error| self.refused(error, relation, &draft.sql))?;
            self.note(relation, draft, touched)?;
        }
        Ok(())
    }

    fn refused(&self, error: DbError, relation: &Relation, sql: &str) -> Stop {
        let words = self.words;
        failed(error, |message| Refusal::Statement {
            sql: sql.to_owned(),
            message: words.of_database(relation, message),
        })
    }

    /// Notes a statement that was run.
    fn note(&mut self, relation: &Relation, draft: Draft, touched: u64) -> Result<(), Refusal> {
        let Draft { sql, rows } = draft;
        if touched != rows {
            return Err(Refusal::OtherRows { sql, expected: rows, touched });
        }
        let statement = Statement { relation: relation.name.clone(), sql, rows: Some(touched), after_commit: false };
        if let Some(mending) = self.mended.mendings.last_mut() {
            mending.statements.push(statement);
        }
        Ok(())
    }

    fn rewritten(&mut self, relation: &Relation, columns: &[String]) {
        self.done.rewritten.entry(relation.name.clone()).or_default().extend(columns.iter().cloned());
    }
}

/// The columns of a check's own relation that a cure writes; `None` where its rows go.
fn written(relation: &Relation, check: &Check, cure: &Cure) -> Result<Option<Vec<String>>, Refusal> {
    match (cure, &check.test) {
        (Cure::Null, Test::Reference(test)) => references::nullable(relation, test).map(Some),
        (Cure::Recompute, Test::Sums(test)) => Ok(Some(vec![totals::column(relation, test)?.name.clone()])),
        _ => Ok(None),
    }
}

/// The findings that nothing allows. Of rows that share a key all stay where one may: which of them go is one question.
fn open(samples: Vec<Sample>) -> Vec<Sample> {
    let together: HashSet<u64> =
        samples.iter().filter(|sample| sample.allowed).filter_map(|sample| sample.group).collect();
    let stays = |sample: &Sample| sample.allowed || sample.group.is_some_and(|group| together.contains(&group));
    samples.into_iter().filter(|sample| !stays(sample)).collect()
}

fn change(columns: Option<&[String]>) -> Change<'_> {
    columns.map_or(Change::Rows, Change::Columns)
}

/// Whether rows that refer are changed with what they refer to.
fn takes_along(action: ReferentialAction) -> bool {
    !matches!(action, ReferentialAction::NoAction | ReferentialAction::Restrict)
}

/// A statement that failed: the end of everything, or a refusal.
fn failed(error: DbError, refusal: impl FnOnce(String) -> Refusal) -> Stop {
    if matches!(error.kind, DbErrorKind::ConnectionLost | DbErrorKind::Contention) {
        return error.into();
    }
    Stop::Refused(refusal(error.to_string()))
}
