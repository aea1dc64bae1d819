//! The ids under which a restore has put rows, for another restore that refers to them: what was rejected still names the rows that were
//! restored by the ids of the export, and those may be others by now.

use std::collections::{BTreeSet, HashMap};

use relink_export::{Run, Source};
use relink_model::{Catalog, RelationId, Value};
use relink_records::Key;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    decode::{Cell, Decoder, Row},
    index::{IndexId, IndexRegistry},
    memory::Ordinal,
    polymorphic::Follower,
    prescan::joins,
    state::{Resolution, State},
    stream,
};

/// A row that stands under another key than the export gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedId {
    /// Its table.
    pub table: String,
    /// The columns of the key.
    pub columns: Vec<String>,
    /// Their values in the export.
    pub given: Vec<KeyValue>,
    /// Their values in the target.
    pub now: Vec<KeyValue>,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyValue {
    /// A whole number.
    Int(i64),
    /// Anything else, in the database's input syntax.
    Text(String),
}

impl KeyValue {
    /// `None` for what is no part of a key that rows are moved to.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Text(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

/// Where rows stand that earlier restores have moved, by index and key.
#[derive(Debug, Default)]
pub(crate) struct IdMap {
    by_index: HashMap<IndexId, HashMap<Key, Vec<Value>>>,
}

impl IdMap {
    /// Fails at an entry that names no table or key of the target.
    pub(crate) fn new(entries: &[MovedId], catalog: &Catalog, registry: &IndexRegistry) -> Result<Self, Error> {
        let mut map = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            let wrong = |why: String| Error::IdMap { entry: at + 1, why };
            let id = catalog.find(&entry.table).ok_or_else(|| wrong(format!("there is no table {}", entry.table)))?;
            let column = |name: &String| catalog.relation(id).column(name).map(|(index, _)| index);
            let columns: Option<Vec<usize>> = entry.columns.iter().map(column).collect();
            let columns =
                columns.filter(|columns| columns.len() == entry.given.len() && columns.len() == entry.now.len());
            let columns = columns.ok_or_else(|| wrong(format!("this is no key of {}", entry.table)))?;
            // A key by which nothing is referred to is of no use here.
            let Some(index) = registry.find(id, &columns) else { continue };
            let given: Vec<Value> = entry.given.iter().map(KeyValue::value).collect();
            let Some(key) = Key::of(given.iter().zip(&registry.spec(index).comparisons)) else { continue };
            let now: Vec<Value> = entry.now.iter().map(KeyValue::value).collect();
            if let Some(before) = map.by_index.entry(index).or_default().insert(key, now.clone())
                && before != now
            {
                return Err(wrong("it says of a row of an entry before it that it is another".to_owned()));
            }
        }
        Ok(map)
    }

    pub(crate) fn get(&self, index: IndexId, key: &Key) -> Option<&Vec<Value>> {
        self.by_index.get(&index)?.get(key)
    }

    /// The relations of which it knows rows.
    pub(crate) fn relations<'a>(&'a self, registry: &'a IndexRegistry) -> impl Iterator<Item = RelationId> + 'a {
        self.by_index.keys().map(|index| registry.spec(*index).relation)
    }
}

/// The rows that rejected records refer to by keys under which they do not stand in the target: what restoring those records later has to know.
pub(crate) async fn of_rejected(
    source: &Source,
    decoder: &std::sync::Arc<Decoder>,
    runs: &[Vec<Run>],
    state: &State,
) -> Result<Vec<MovedId>, Error> {
    let mut found: BTreeSet<MovedId> = BTreeSet::new();
    for (id, _) in decoder.catalog.iter().filter(|(id, _)| !runs[id.index()].is_empty()) {
        let mut rejected: Vec<Ordinal> = state.relation(id).rejected.keys().copied().collect();
        rejected.sort_unstable();
        for piece in rejected.chunks(stream::PIECE_ROWS) {
            let mut rows = stream::rows(source, decoder, state.relation(id).order_of(piece));
            while let Some(chunk) = rows.recv().await {
                for (row, _) in chunk? {
                    found.extend(moved(decoder, state, &row));
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The rows that one record refers to by other keys than they have.
fn moved(decoder: &Decoder, state: &State, row: &Row) -> Vec<MovedId> {
    let Decoder { registry, mapping, catalog, .. } = decoder;
    let mut keys: Vec<(RelationId, IndexId, Vec<Value>)> = Vec::new();
    for reference in &row.shape.references {
        if let Some(values) = row.given_values(&reference.slots) {
            keys.push((reference.target, reference.index, values.into_iter().cloned().collect()));
        }
    }
    for (_, field) in &row.shape.joins {
        let Some(index) = registry.find(field.target, &[field.target_referenced]) else { continue };
        let ids = joins::list(row, field).iter().filter_map(Cell::value);
        keys.extend(ids.map(|id| (field.target, index, vec![id.clone()])));
    }
    if let Some(polymorphic) = mapping.polymorphic(row.shape.relation) {
        let ids = Follower { polymorphic, state, registry, catalog }.ids(row);
        keys.extend(ids.into_iter().map(|(target, index, id)| (target, index, vec![id])));
    }
    let entry = |(target, index, given): (RelationId, IndexId, Vec<Value>)| {
        let by_reference: Vec<&Value> = given.iter().collect();
        let key = Key::of(given.iter().zip(&registry.spec(index).comparisons))?;
        let known = state.id_map.get(index, &key).cloned();
        let now = match (known, state.by_key(registry, target, index, &by_reference)) {
            // What this restore was told, the next one has to be told, too.
            (Some(now), _) => now,
            (None, Resolution::Record(ordinal, now)) if !state.relation(target).rejected.contains_key(&ordinal) => {
                now.unwrap_or_else(|| given.clone())
            }
            _ => return None,
        };
        if now == given && !state.refuses(registry, target, index) {
            return None;
        }
        let values = |values: &[Value]| values.iter().map(KeyValue::of).collect::<Option<Vec<KeyValue>>>();
        let (given, now) = (values(&given)?, values(&now)?);
        let (table, columns) = (catalog.relation(target).name.to_string(), registry.spec(index).names.clone());
        Some(MovedId { table, columns, given, now })
    };
    keys.into_iter().filter(|(.., given)| given.iter().all(|value| !value.is_null())).filter_map(entry).collect()
}
