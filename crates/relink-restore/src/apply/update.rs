//! Rows that exist take their record's values: only the columns that differ are set. Where rows swap values of a unique key, those in each
//! other's way first get values that nobody has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use relink_db::{DbError, DbErrorKind, Lookup};
use relink_model::{Catalog, Column, Enforcement, ForeignKey, Mode, Outcome, Relation, RelationId, TypeKind, Value};
use relink_records::{Comparison, Key};

use super::{
    Loader,
    batch::{SAVEPOINT, Wait},
};
use crate::{
    Error, Event, Phase,
    compare::{self, Verdict},
    decode::Shape,
    plan::Step,
    settled::{self, Origin, Settled},
    stream::Order,
};

/// Rows that are updated together: they set the same columns.
#[derive(Default)]
struct Changes {
    /// The values set, then those of the key.
    rows: Vec<Vec<Value>>,
    origins: Vec<Origin>,
}

/// Changes by the columns that they set.
type ByColumns = BTreeMap<Vec<usize>, Changes>;

/// How the rows of a relation are named when they are changed.
struct RowKey {
    columns: Vec<usize>,
    names: Vec<String>,
    comparisons: Vec<Comparison>,
}

impl Loader<'_, '_> {
    /// Updates the rows of a relation that exist, where their records say otherwise.
    pub(super) async fn updates(
        &mut self,
        id: RelationId,
        step: &Step,
        events: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let Some(key) = self.row_key(id) else { return Ok(()) };
        let mut held = ByColumns::new();
        let mut before = self.done_before();
        let runs = self.runs[id.index()].clone();
        let mut rows = self.read(Order::File(runs));
        while let Some(chunk) = rows.recv().await {
            self.check_interrupted()?;
            let mut by_shape: Vec<(Arc<Shape>, Vec<Settled>)> = Vec::new();
            let chunk = chunk?;
            let skipped = before.min(chunk.len() as u64);
            before -= skipped;
            let fresh = chunk.len() as u64 - skipped;
            for (row, _) in chunk.into_iter().skip(skipped as usize) {
                let state = self.state.relation(id);
                if !state.exists(row.ordinal) || state.rejected.contains_key(&row.ordinal) {
                    continue;
                }
                let origin = Origin::of(&row);
                // Every row of the step is in: nothing has to be set later.
                let settled = settled::settle(&self.decoder, self.state, row, None, &self.refused_rows)?;
                let Some(settled) = settled else {
                    self.follows_refused(id, origin)?;
                    continue;
                };
                match by_shape.iter_mut().find(|(shape, _)| Arc::ptr_eq(shape, &settled.shape)) {
                    Some((_, rows)) => rows.push(settled),
                    None => by_shape.push((Arc::clone(&settled.shape), vec![settled])),
                }
            }
            for (shape, rows) in by_shape {
                let changes = self.differences(id, &key, &shape, rows).await?;
                for (columns, changes) in changes {
                    self.update(id, &key, &columns, changes, Some(&mut held)).await?;
                }
            }
            self.passed(fresh);
            if held.is_empty() && self.is_due() {
                self.checkpoint().await?;
            }
            events(Event::Progress { phase: Phase::Load, done: self.done });
        }
        let waiting = self.make_way(id, &key, step, &held).await?;
        for (columns, changes) in held {
            self.update(id, &key, &columns, changes, None).await?;
        }
        if waiting.is_some() {
            // Checked again when all rows are in.
            self.unordered.insert(id);
        }
        if waiting == Some(Wait::Suspended) {
            self.connection.resume().await?;
        }
        Ok(())
    }

    /// How rows of a relation are named: by primary key, else by the natural key that identified them.
    fn row_key(&self, id: RelationId) -> Option<RowKey> {
        let relation = self.decoder.catalog.relation(id);
        let primary = relation.primary_key_columns().iter().filter_map(|name| relation.column(name).map(|(at, _)| at));
        let mut columns: Vec<usize> = primary.collect();
        if columns.is_empty() {
            columns.clone_from(&self.decoder.mapping.identity(id)?.columns);
        }
        let names = columns.iter().map(|column| relation.columns[*column].name.clone()).collect();
        let comparisons = columns.iter().map(|column| Comparison::of(&relation.columns[*column])).collect();
        Some(RowKey { columns, names, comparisons })
    }

    /// What of these rows differs from the target's.
    async fn differences(
        &mut self,
        id: RelationId,
        key: &RowKey,
        shape: &Arc<Shape>,
        rows: Vec<Settled>,
    ) -> Result<ByColumns, Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(id);
        let slots: Vec<usize> =
            (0..shape.columns.len()).filter(|slot| !key.columns.contains(&shape.columns[*slot])).collect();
        let columns: Vec<usize> = slots.iter().map(|slot| shape.columns[*slot]).collect();
        let select: Vec<String> = columns.iter().map(|column| relation.columns[*column].name.clone()).collect();
        let state = self.state.relation(id);
        let key_of = |row: &Settled| -> Option<Vec<Value>> {
            let value = |column: &usize| match row.origin.record.and_then(|ordinal| state.final_value(*column, ordinal))
            {
                Some(value) => Some(value),
                None => row.shape.slot_of(*column).map(|slot| row.values[slot].clone()),
            };
            key.columns.iter().map(value).collect()
        };
        let keys = rows.iter().map(|row| key_of(row).ok_or_else(|| unsettled(relation)));
        let keys: Vec<Vec<Value>> = keys.collect::<Result<_, _>>()?;
        let lookup = Lookup::new(relation, &key.names, &select);
        let compared = |values: &[Value]| Key::with_nulls(values.iter().zip(&key.comparisons));
        let mut there: HashMap<Key, Vec<Value>> = HashMap::new();
        for mut row in self.connection.lookup(&lookup, &keys).await? {
            let current = row.split_off(key.columns.len());
            there.insert(compared(&row), current);
        }
        let fills = self.state.policies.of(id).mode == Mode::Merge;
        let mut by_columns = ByColumns::new();
        let mut unsure: Vec<(usize, usize)> = Vec::new();
        let mut changed: Vec<Vec<usize>> = Vec::with_capacity(rows.len());
        let groups = whole_references(shape, &slots);
        for (at, (row, key)) in rows.iter().zip(&keys).enumerate() {
            let current = there.get(&compared(key)).ok_or_else(|| unsettled(relation))?;
            let mut differing = Vec::new();
            // Half of a reference would be another's: one of several columns is filled whole or not at all.
            let same = |position: &usize| {
                let own = &row.values[slots[*position]];
                let column = &relation.columns[columns[*position]];
                current[*position].is_null() || compare::same(column, own, &current[*position]) == Verdict::Same
            };
            let kept: Vec<usize> =
                groups.iter().filter(|group| fills && !group.iter().all(same)).flatten().copied().collect();
            for (position, (slot, current)) in slots.iter().zip(current).enumerate() {
                let own = &row.values[*slot];
                if fills && (!current.is_null() || own.is_null() || kept.contains(&position)) {
                    continue;
                }
                match compare::same(&relation.columns[columns[position]], own, current) {
                    Verdict::Same => {}
                    Verdict::Different => differing.push(position),
                    Verdict::Unsure => unsure.push((at, position)),
                }
            }
            changed.push(differing);
        }
        for (at, position) in
            self.really_different(relation, &columns, &slots, &rows, &keys, &there, key, unsure).await?
        {
            changed[at].push(position);
            changed[at].sort_unstable();
        }
        for ((row, key), differing) in rows.into_iter().zip(keys).zip(changed) {
            if differing.is_empty() {
                self.count_changed(id, Outcome::Unchanged, 1);
                continue;
            }
            let set: Vec<usize> = differing.iter().map(|position| columns[*position]).collect();
            let changes = by_columns.entry(set).or_default();
            let values = differing.iter().map(|position| row.values[slots[*position]].clone());
            changes.rows.push(values.chain(key).collect());
            changes.origins.push(row.origin);
        }
        Ok(by_columns)
    }

    /// Of values that cannot be compared by their text: those that the database itself reads differently.
    #[expect(clippy::too_many_arguments, reason = "one comparison, with all that it is made over")]
    async fn really_different(
        &mut self,
        relation: &Relation,
        columns: &[usize],
        slots: &[usize],
        rows: &[Settled],
        keys: &[Vec<Value>],
        there: &HashMap<Key, Vec<Value>>,
        key: &RowKey,
        unsure: Vec<(usize, usize)>,
    ) -> Result<Vec<(usize, usize)>, Error> {
        let mut different = Vec::new();
        let mut by_position: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, position) in unsure {
            by_position.entry(position).or_default().push(at);
        }
        for (position, rows_at) in by_position {
            let column = &relation.columns[columns[position]];
            let asked: Vec<Vec<Value>> =
                rows_at.iter().map(|at| vec![rows[*at].values[slots[position]].clone()]).collect();
            let expression = self.connection.dialect().read_expression("", column);
            let names = std::slice::from_ref(&column.name);
            let normal = self.connection.evaluate(relation, names, &asked, std::slice::from_ref(&expression)).await?;
            for (at, normal) in rows_at.into_iter().zip(normal) {
                let current = &there[&Key::with_nulls(keys[at].iter().zip(&key.comparisons))][position];
                if normal.first() != Some(current) {
                    different.push((at, position));
                }
            }
        }
        Ok(different)
    }

    fn count_changed(&mut self, id: RelationId, outcome: Outcome, rows: u64) {
        self.standing.loaded.entry(id).or_default().counts.add(outcome, rows);
    }

    /// Updates rows; where that is refused, halves of them, until the rows to blame stand alone. Those in whose way another row stands are held,
    /// where `held` is given.
    async fn update(
        &mut self,
        id: RelationId,
        key: &RowKey,
        columns: &[usize],
        changes: Changes,
        mut held: Option<&mut ByColumns>,
    ) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(id);
        let set: Vec<String> = columns.iter().map(|column| relation.columns[*column].name.clone()).collect();
        let mut parts: Vec<std::ops::Range<usize>> = Vec::new();
        parts.push(0..changes.rows.len());
        while let Some(part) = parts.pop() {
            if part.is_empty() || self.has_enough() {
                continue;
            }
            match self.try_update(relation, &set, &key.names, &changes.rows[part.clone()]).await? {
                Ok(()) => self.count_changed(id, Outcome::Updated, part.len() as u64),
                Err(error) if part.len() == 1 => match &mut held {
                    Some(held) if error.kind == DbErrorKind::UniqueViolation => {
                        let waiting = held.entry(columns.to_vec()).or_default();
                        waiting.rows.push(changes.rows[part.start].clone());
                        waiting.origins.push(changes.origins[part.start]);
                    }
                    _ => self.refuse(id, changes.origins[part.start], error)?,
                },
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
        }
        Ok(())
    }

    /// Updates under a savepoint. The inner error blames a row; the outer one ends the restore.
    async fn try_update(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<Result<(), DbError>, Error> {
        self.connection.savepoint(SAVEPOINT).await?;
        match self.connection.update_by_key(relation, set, key, rows).await {
            Ok(matched) if matched == rows.len() as u64 => {
                self.connection.release(SAVEPOINT).await?;
                Ok(Ok(()))
            }
            Ok(matched) => {
                Err(Error::Accounting { relation: relation.name.clone(), expected: rows.len() as u64, found: matched })
            }
            Err(error) if error.blames_rows() => {
                self.connection.rollback_to(SAVEPOINT).await?;
                self.connection.release(SAVEPOINT).await?;
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives rows that stand in each other's way values that nobody has, so that each can then take its own. Where only a reference can take
    /// such a value, its foreign key is put off: how.
    async fn make_way(
        &mut self,
        id: RelationId,
        key: &RowKey,
        step: &Step,
        held: &ByColumns,
    ) -> Result<Option<Wait>, Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(id);
        let mut waiting = None;
        for (columns, changes) in held {
            let moved = moved_columns(&catalog, relation, columns);
            if moved.is_empty() {
                continue;
            }
            let refers = |key: &&ForeignKey| {
                let moves = |column: &&usize| key.columns.contains(&relation.columns[**column].name);
                key.enforcement == Enforcement::Enforced
                    && moved.iter().filter(moves).any(|at| !relation.columns[*at].nullable)
            };
            let keys: Vec<_> = relation.foreign_keys.iter().filter(refers).map(|key| (relation, key)).collect();
            if !keys.is_empty() && step.way.is_none() {
                // What is pending on this table would keep its constraints from being altered.
                self.fire_deferred().await?;
                let wait = self.wait_for(&keys);
                match wait {
                    Some(Wait::Deferred) => self.connection.defer(&keys).await?,
                    Some(Wait::Suspended) => self.connection.suspend(&keys).await?,
                    None => continue,
                }
                waiting = wait;
            }
            let mut next = Vec::with_capacity(moved.len());
            for column in &moved {
                next.push(self.unused(relation, &relation.columns[*column]).await?);
            }
            let names: Vec<String> = moved.iter().map(|column| relation.columns[*column].name.clone()).collect();
            let own = columns.len();
            let rows: Vec<Vec<Value>> = changes
                .rows
                .iter()
                .enumerate()
                .map(|(at, row)| next.iter().map(|next| next.at(at)).chain(row[own..].iter().cloned()).collect())
                .collect();
            // What refuses this refuses the rows themselves, too: their own errors are the ones to report.
            let _ = self.try_update(relation, &names, &key.names, &rows).await?;
        }
        Ok(waiting)
    }

    /// Values of a column that no row has.
    async fn unused(&mut self, relation: &Relation, column: &Column) -> Result<Unused, Error> {
        if passes_as_null(&self.decoder.catalog, relation, column) {
            return Ok(Unused::Null);
        }
        Ok(match &column.data_type.kind {
            TypeKind::Integer { .. } => {
                let dialect = self.connection.dialect();
                let name = dialect.quote(&column.name);
                let sql = format!("SELECT max({name}), min({name}) FROM {}", dialect.quote_relation(&relation.name));
                let bounds = self.connection.query(&sql, &[]).await?;
                match bounds.first().map(Vec::as_slice) {
                    Some([Value::Int(highest), Value::Int(lowest)]) => {
                        Unused::past(&column.data_type.kind, *highest, *lowest)
                    }
                    _ => Unused::After(0),
                }
            }
            TypeKind::Uuid => Unused::Uuid,
            TypeKind::Date => Unused::Date,
            TypeKind::Timestamp { .. } => Unused::Midnight,
            TypeKind::Decimal { precision: Some(precision), scale, .. } => {
                Unused::Decimal { precision: *precision, scale: scale.unwrap_or(0) }
            }
            TypeKind::Text { max_chars: Some(chars), .. } if *chars < PASSING_CHARS => Unused::Character,
            _ => Unused::Text,
        })
    }
}

/// Characters of a passing text.
const PASSING_CHARS: u64 = 11;

/// One column of each unique key that is enough to make it differ, of those that are set: the one that takes a passing value best.
fn moved_columns(catalog: &Catalog, relation: &Relation, columns: &[usize]) -> Vec<usize> {
    let mut moved: Vec<usize> = Vec::new();
    for unique in &relation.unique_keys {
        let parts = unique.columns.iter().filter_map(|name| relation.column(name).map(|(at, _)| at));
        let parts: Vec<usize> = parts.filter(|part| columns.contains(part)).collect();
        if parts.iter().any(|part| moved.contains(part)) {
            continue;
        }
        let best = parts.into_iter().filter_map(|part| Some((rank(catalog, relation, part)?, part))).min();
        moved.extend(best.map(|(_, part)| part));
    }
    moved
}

/// The references of several columns, and those of a type and an id, as positions among these slots.
fn whole_references(shape: &Shape, slots: &[usize]) -> Vec<Vec<usize>> {
    let position = |slot: &usize| slots.iter().position(|candidate| candidate == slot);
    let keys =
        shape.references.iter().filter(|reference| reference.slots.len() > 1).map(|reference| reference.slots.clone());
    let generics = shape.generics.iter().map(|slot| vec![slot.type_slot, slot.id_slot]);
    keys.chain(generics).map(|group| group.iter().filter_map(position).collect()).collect()
}

/// How well a column takes a passing value; `None`: not at all.
fn rank(catalog: &Catalog, relation: &Relation, column: usize) -> Option<u8> {
    let definition = &relation.columns[column];
    let references = relation.foreign_keys.iter().any(|key| key.columns.contains(&definition.name));
    let of_type = match &definition.data_type.kind {
        _ if passes_as_null(catalog, relation, definition) => return Some(0),
        TypeKind::Integer { .. } => 1,
        TypeKind::Text { max_chars, .. } if max_chars.is_none_or(|chars| chars >= PASSING_CHARS) => 2,
        TypeKind::Uuid => 3,
        TypeKind::Dynamic => 4,
        TypeKind::Date | TypeKind::Timestamp { .. } | TypeKind::Decimal { precision: Some(_), .. } => 5,
        TypeKind::Text { .. } => 6,
        _ => return None,
    };
    // A passing value of a reference leads nowhere, so that its foreign key has to be put off.
    Some(if references { of_type + 10 } else { of_type })
}

/// Whether NULL may stand in a column for a moment: not where rows refer to it, which `ON UPDATE CASCADE` would make NULL for good.
fn passes_as_null(catalog: &Catalog, relation: &Relation, column: &Column) -> bool {
    let refers = |key: &relink_model::ForeignKey| {
        key.referenced == relation.name && key.referenced_columns.contains(&column.name)
    };
    column.nullable && !catalog.relations.iter().any(|other| other.foreign_keys.iter().any(refers))
}

/// Values that no row has; of dates, decimals and short texts, values that rows hardly have.
enum Unused {
    Null,
    After(i64),
    Before(i64),
    Uuid,
    Text,
    /// Days from the year 8000 on.
    Date,
    /// The same at midnight.
    Midnight,
    /// From the lowest on.
    Decimal {
        precision: u32,
        scale: i32,
    },
    /// One character for private use.
    Character,
}

impl Unused {
    /// Past the highest number where the column holds as many more, else before the lowest.
    fn past(kind: &TypeKind, highest: i64, lowest: i64) -> Self {
        let limit = match kind {
            TypeKind::Integer { bits: 8, unsigned: false } => i64::from(i8::MAX),
            TypeKind::Integer { bits: 8, .. } => i64::from(u8::MAX),
            TypeKind::Integer { bits: 16, unsigned: false } => i64::from(i16::MAX),
            TypeKind::Integer { bits: 16, .. } => i64::from(u16::MAX),
            TypeKind::Integer { bits: 24 | 32, unsigned: false } => i64::from(i32::MAX) / 2,
            TypeKind::Integer { bits: 24 | 32, .. } => i64::from(i32::MAX),
            _ => i64::MAX / 2,
        };
        if highest < limit / 2 { Self::After(highest) } else { Self::Before(lowest) }
    }

    fn at(&self, row: usize) -> Value {
        let row = row as i64 + 1;
        match self {
            Self::Null => Value::Null,
            Self::After(highest) => Value::Int(highest.saturating_add(row)),
            Self::Before(lowest) => Value::Int(lowest.saturating_sub(row)),
            Self::Uuid => Value::Text(format!("00000000-0000-0000-0000-{row:012x}")),
            Self::Text => Value::Text(format!("\u{7f}~{row:09x}")),
            Self::Date => Value::Text(passing_day(row)),
            Self::Midnight => Value::Text(format!("{} 00:00:00", passing_day(row))),
            Self::Decimal { precision, scale } => {
                let digits = i128::pow(10, (*precision).min(37)) - i128::from(row);
                let digits = format!("{digits:0>width$}", width = *precision as usize);
                let point = digits.len().saturating_sub(usize::try_from(*scale).unwrap_or(0));
                Value::Text(format!("-{}.{}", &digits[..point], &digits[point..]).trim_end_matches('.').to_owned())
            }
            Self::Character => {
                let character = u32::try_from(row).ok().and_then(|row| char::from_u32(0xE000 + row % 0x1900));
                Value::Text(character.map_or_else(String::new, String::from))
            }
        }
    }
}

/// A day of its own for each row.
fn passing_day(row: i64) -> String {
    format!("{:04}-{:02}-{:02}", 8_000 + (row / 336) % 1_900, 1 + row / 28 % 12, 1 + row % 28)
}

fn unsettled(relation: &Relation) -> Error {
    Error::Unsettled { relation: relation.name.clone() }
}
