//! Chosen records: those of rows that are missing, and of what these need in turn. They are found before the pre-scan, which then leaves out every other record of
//! the export, so that whatever holds of a restore holds of this one, too.
//!
//! A key for which no row is there is looked for among the records of its relation; what the record found refers to is looked up in the target, and is
//! looked for in the export where the target lacks it. Relations are read in the opposite of the load order, so that one round is enough
//! unless rows refer to others of their own relation, or of a cycle. References by natural key are left to the pre-scan: it finds their rows in
//! the target, or rejects the record.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use indexmap::IndexMap;
use relink_db::{Connection, Lookup};
use relink_export::{Run, Source};
use relink_graph::LoadOrder;
use relink_model::{RelationId, RelationName, TypeKind, Value};
use relink_records::{Comparison, Key};

use crate::{
    Error,
    decode::{Decoder, Row},
    lookup,
    memory::{Ordinal, Position},
    stream::{self, Order},
};

/// Rows that are missing. Only the records of these are restored, and of those that they refer to and that are missing, too. A record that has an id is the row
/// of that id and no other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Keys that no row has.
    pub keys: Vec<WantedKeys>,
    /// Relations of which every record is restored whose primary key no row has.
    pub rows: Vec<RelationName>,
}

/// Keys of one relation that no row has.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedKeys {
    /// The relation.
    pub relation: RelationName,
    /// The columns of the keys.
    pub columns: Vec<String>,
    /// Their values.
    pub keys: Vec<Vec<Value>>,
}

/// A record that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenRecord {
    /// Its table.
    pub relation: RelationName,
    /// Its primary key, by column; empty where the record has none.
    pub key: Vec<(String, Value)>,
    /// Its label in the export.
    pub label: relink_export::LabelId,
    /// Its number in the export, from 0.
    pub file_ordinal: u64,
    /// Where it stands.
    pub offset: u64,
}

/// What was found of the rows that are missing.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    ordinals: HashMap<RelationId, HashSet<Ordinal>>,
    pub(crate) records: Vec<ChosenRecord>,
    /// Keys that no record of the export has.
    pub(crate) unfound: Vec<WantedKeys>,
}

impl Chosen {
    /// Whether a record is restored.
    pub(crate) fn holds(&self, relation: RelationId, ordinal: Ordinal) -> bool {
        self.ordinals.get(&relation).is_some_and(|ordinals| ordinals.contains(&ordinal))
    }

    /// Whether any record of a relation is restored.
    pub(crate) fn has_any(&self, relation: RelationId) -> bool {
        self.ordinals.get(&relation).is_some_and(|ordinals| !ordinals.is_empty())
    }
}

/// The columns of a key, by their indexes.
type Columns = Vec<usize>;

/// Keys that are looked for, with their values.
type Keys = IndexMap<Key, Vec<Value>>;

/// Finds the records of rows that are missing.
pub(crate) async fn find(
    connection: &mut dyn Connection,
    decoder: &Arc<Decoder>,
    source: &Source,
    runs: &[Vec<Run>],
    order: &LoadOrder,
    wanted: &Wanted,
) -> Result<Chosen, Error> {
    let mut search = Search {
        connection,
        decoder,
        source,
        runs,
        seen: HashMap::new(),
        open: BTreeMap::new(),
        vanished: wanted.rows.iter().filter_map(|name| decoder.catalog.id(name)).collect(),
        chosen: Chosen::default(),
    };
    for keys in &wanted.keys {
        search.want(keys);
    }
    let backwards: Vec<RelationId> =
        order.steps.iter().rev().flat_map(|step| step.relations.iter().rev().copied()).collect();
    loop {
        let mut searched = false;
        for relation in &backwards {
            searched |= search.relation(*relation).await?;
        }
        if !searched {
            break;
        }
    }
    let mut chosen = search.chosen;
    chosen.records.sort_by_key(|record| record.offset);
    Ok(chosen)
}

struct Search<'a> {
    connection: &'a mut dyn Connection,
    decoder: &'a Arc<Decoder>,
    source: &'a Source,
    runs: &'a [Vec<Run>],
    /// Keys that were looked for, or looked up in the target.
    seen: HashMap<(RelationId, Columns), HashSet<Key>>,
    /// Keys that are still to be looked for.
    open: BTreeMap<(RelationId, Columns), Keys>,
    /// Relations all of whose missing rows are wanted, until they have been read.
    vanished: HashSet<RelationId>,
    chosen: Chosen,
}

impl Search<'_> {
    /// Takes in keys without a row.
    fn want(&mut self, wanted: &WantedKeys) {
        let Some(id) = self.decoder.catalog.id(&wanted.relation) else { return };
        let relation = self.decoder.catalog.relation(id);
        let position = |name: &String| relation.column(name).map(|(index, _)| index);
        let Some(columns) = wanted.columns.iter().map(position).collect::<Option<Columns>>() else { return };
        let comparisons = self.comparisons(id, &columns);
        for values in &wanted.keys {
            let fit = |(value, column): (&Value, &usize)| match (value, &relation.columns[*column].data_type.kind) {
                // A number that refers to a text.
                (Value::Int(number), TypeKind::Text { .. }) => Value::Text(number.to_string()),
                _ => value.clone(),
            };
            let values: Vec<Value> = values.iter().zip(&columns).map(fit).collect();
            let Some(key) = Key::of(values.iter().zip(&comparisons)) else { continue };
            if self.seen.entry((id, columns.clone())).or_default().insert(key.clone()) {
                self.open.entry((id, columns.clone())).or_default().insert(key, values);
            }
        }
    }

    fn comparisons(&self, relation: RelationId, columns: &[usize]) -> Vec<Comparison> {
        let relation = self.decoder.catalog.relation(relation);
        columns.iter().map(|column| Comparison::of(&relation.columns[*column])).collect()
    }

    /// Looks for what is wanted of a relation among its records; whether anything was wanted.
    async fn relation(&mut self, id: RelationId) -> Result<bool, Error> {
        let sets: Vec<Columns> =
            self.open.keys().filter(|(relation, _)| *relation == id).map(|(_, columns)| columns.clone()).collect();
        let vanished = self.vanished.remove(&id);
        let wanted = |search: &Self, columns: &Columns| {
            search.open.get(&(id, columns.clone())).is_some_and(|keys| !keys.is_empty())
        };
        if !vanished && !sets.iter().any(|columns| wanted(self, columns)) {
            return Ok(false);
        }
        let mut looked_for: Vec<(Columns, Vec<Comparison>, Keys)> = Vec::new();
        for columns in sets {
            let keys = self.open.remove(&(id, columns.clone())).unwrap_or_default();
            looked_for.push((columns.clone(), self.comparisons(id, &columns), keys));
        }
        let mut rows = stream::rows(self.source, self.decoder, Order::File(self.runs[id.index()].clone()));
        while let Some(chunk) = rows.recv().await {
            let rows: Vec<Row> = chunk?.into_iter().map(|(row, _)| row).collect();
            let mut hits: Vec<bool> = vec![false; rows.len()];
            for (row, hit) in rows.iter().zip(&mut hits) {
                for (columns, comparisons, keys) in &mut looked_for {
                    let Some(key) = key_of(row, columns, comparisons) else { continue };
                    // Also what was found to be missing while this relation is read: a parent may stand behind its child.
                    let later = self.open.get_mut(&(id, columns.clone()));
                    let found = keys.shift_remove(&key).is_some();
                    *hit |= later.is_some_and(|keys| keys.shift_remove(&key).is_some()) || found;
                }
            }
            if vanished {
                self.without_row(id, &rows, &mut hits).await?;
            }
            let hits: Vec<&Row> = rows.iter().zip(hits).filter(|(_, hit)| *hit).map(|(row, _)| row).collect();
            self.take(id, &hits).await?;
        }
        for (columns, _, keys) in looked_for.into_iter().filter(|(_, _, keys)| !keys.is_empty()) {
            let relation = self.decoder.catalog.relation(id);
            self.chosen.unfound.push(WantedKeys {
                relation: relation.name.clone(),
                columns: columns.iter().map(|column| relation.columns[*column].name.clone()).collect(),
                keys: keys.into_values().collect(),
            });
        }
        Ok(true)
    }

    /// Marks the records whose primary key no row has.
    async fn without_row(&mut self, id: RelationId, rows: &[Row], hits: &mut [bool]) -> Result<(), Error> {
        let relation = self.decoder.catalog.relation(id);
        let names = relation.primary_key_columns();
        let columns: Columns = names.iter().filter_map(|name| relation.column(name)).map(|(index, _)| index).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let mut keys: Vec<Vec<Value>> = Vec::new();
        let mut at: Vec<usize> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            if let Some(values) = values_of(row, &columns) {
                keys.push(values);
                at.push(number);
            }
        }
        for (found, at) in self.look_up(id, &columns, &keys).await?.into_iter().zip(at) {
            hits[at] |= !found;
        }
        Ok(())
    }

    /// Which of these keys a row of the target has.
    async fn look_up(&mut self, id: RelationId, columns: &[usize], keys: &[Vec<Value>]) -> Result<Vec<bool>, Error> {
        let relation = self.decoder.catalog.relation(id);
        let names: Vec<String> = columns.iter().map(|column| relation.columns[*column].name.clone()).collect();
        let comparisons = self.comparisons(id, columns);
        let found = lookup::look_up(self.connection, &Lookup::new(relation, &names, &[]), &comparisons, keys).await?;
        Ok(found.by_key.iter().map(|rows| !rows.is_empty()).collect())
    }

    /// Chooses records, and finds out what they need.
    async fn take(&mut self, id: RelationId, rows: &[&Row]) -> Result<(), Error> {
        let mut needs: BTreeMap<(RelationId, Columns), Keys> = BTreeMap::new();
        for row in rows {
            if !self.chosen.ordinals.entry(id).or_default().insert(row.ordinal) {
                continue;
            }
            self.note(id, row);
            for reference in &row.shape.references {
                let columns = self.decoder.registry.spec(reference.index).columns.clone();
                let Some(values) = row.values(&reference.slots) else { continue };
                let values: Vec<Value> = values.into_iter().cloned().collect();
                let comparisons = self.comparisons(reference.target, &columns);
                let Some(key) = Key::of(values.iter().zip(&comparisons)) else { continue };
                let place = (reference.target, columns);
                if self.seen.entry(place.clone()).or_default().insert(key.clone()) {
                    needs.entry(place).or_default().insert(key, values);
                }
            }
        }
        for ((target, columns), keys) in needs {
            let values: Vec<Vec<Value>> = keys.values().cloned().collect();
            let there = self.look_up(target, &columns, &values).await?;
            let missing: Vec<(Key, Vec<Value>)> =
                keys.into_iter().zip(there).filter(|(_, there)| !there).map(|(key, _)| key).collect();
            if !missing.is_empty() {
                self.open.entry((target, columns)).or_default().extend(missing);
            }
        }
        Ok(())
    }

    fn note(&mut self, id: RelationId, row: &Row) {
        let relation = self.decoder.catalog.relation(id);
        let part = |name: &String| {
            let (index, column) = relation.column(name)?;
            let value = row.cells[row.shape.slot_of(index)?].value()?;
            Some((column.name.clone(), value.clone()))
        };
        let Position { offset, file_ordinal, label } = row.position();
        let key = relation.primary_key_columns().iter().filter_map(part).collect();
        self.chosen.records.push(ChosenRecord { relation: relation.name.clone(), key, label, file_ordinal, offset });
    }
}

/// The values of a record in these columns; `None` where one is no value.
fn values_of(row: &Row, columns: &[usize]) -> Option<Vec<Value>> {
    let value = |column: &usize| row.cells[row.shape.slot_of(*column)?].value().cloned();
    columns.iter().map(value).collect()
}

fn key_of(row: &Row, columns: &[usize], comparisons: &[Comparison]) -> Option<Key> {
    let values = values_of(row, columns)?;
    Key::of(values.iter().zip(comparisons))
}
