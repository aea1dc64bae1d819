//! What a restore knows while it runs: the keys of the export's records, what was looked up in the target, and the values under
//! which rows end up. References are resolved here, in memory; what memory cannot answer is named, so that
//! it can be looked up in bulk.

use std::collections::{HashMap, HashSet};

use dashmap::DashMap;
use relink_db::{Connection, DbError, Lookup};
use relink_export::LabelId;
use relink_model::{Catalog, RelationId, Value};

use crate::{
    index::{IndexId, IndexRegistry},
    key::{Found, Key, KeyMap, Ordinal},
    mapping::Mapping,
    natural::{KeyPart, NaturalKey, NaturalReference, ReferencePart, Tree},
};

/// What a lookup in the target found for a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum External {
    /// One row; the values of its relation's payload columns.
    Row(Vec<Value>),
    /// No row.
    Absent,
    /// Several rows.
    Several,
}

/// The keys of one index.
#[derive(Debug, Default)]
pub(crate) struct IndexState {
    /// Of the export's records.
    pub(crate) records: KeyMap,
    /// Of the target's rows, as far as they were looked up.
    pub(crate) external: DashMap<Key, External>,
}

/// The values of one column, by record.
#[derive(Clone, Debug)]
enum ColumnValues {
    /// Integers, as nearly every key is.
    Ints(Vec<i64>),
    /// Anything else.
    Values(Vec<Value>),
}

impl ColumnValues {
    fn set(&mut self, ordinal: Ordinal, value: &Value) {
        let at = ordinal as usize;
        if let (Self::Ints(ints), Value::Int(value)) = (&mut *self, value) {
            // A gap (a record whose value is bad or not settled yet) reads as 0 and is never resolved to.
            if ints.len() <= at {
                ints.resize(at + 1, 0);
            }
            ints[at] = *value;
            return;
        }
        if let Self::Ints(ints) = self {
            *self = Self::Values(ints.iter().map(|value| Value::Int(*value)).collect());
        }
        let Self::Values(values) = self else { unreachable!("made so just above") };
        if values.len() <= at {
            values.resize(at + 1, Value::Null);
        }
        values[at] = value.clone();
    }

    fn get(&self, ordinal: Ordinal) -> Value {
        match self {
            Self::Ints(ints) => ints.get(ordinal as usize).map_or(Value::Null, |value| Value::Int(*value)),
            Self::Values(values) => values.get(ordinal as usize).cloned().unwrap_or(Value::Null),
        }
    }
}

/// Where a record stands in the export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    pub(crate) file_ordinal: u64,
    pub(crate) label: LabelId,
}

/// A row of a tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TreeRow {
    /// A record of the export.
    Record(Ordinal),
    /// A row of the target; the values of its relation's payload columns.
    Target(Vec<Value>),
    /// Several rows.
    Several,
}

/// What is known of one relation.
#[derive(Debug, Default)]
pub(crate) struct RelationState {
    /// Whether the target holds rows of it.
    pub(crate) has_rows: bool,
    /// The column that the database numbers.
    pub(crate) numbered: Option<usize>,
    /// Whether all of its records have been read, so that a key that is not there will not come.
    pub(crate) scanned: bool,
    /// Columns whose final values other rows may need: single columns that foreign keys reference, and the primary key's.
    pub(crate) payload: Vec<usize>,
    finals: Vec<ColumnValues>,
    /// By ordinal.
    pub(crate) positions: Vec<Position>,
    /// Records whose row exists in the target.
    pub(crate) existing: HashSet<Ordinal>,
    /// Where the natural key goes along a tree: rows by the values from the root to them.
    pub(crate) tree: HashMap<Key, TreeRow>,
    /// Records without a primary key of their own, in file order.
    pub(crate) nameless: Vec<Ordinal>,
    /// Other records refer to such records by the ids that the export leaves out, and nothing tells which is which.
    pub(crate) unnamed: bool,
    /// The highest value that the export gives for the numbered column.
    pub(crate) highest_given: Option<i64>,
    /// Some record's row has another key than the record says.
    pub(crate) moved: bool,
    /// Rows of a join table that come from many-to-many lists: their ordinals follow those of its own records.
    pub(crate) join_rows: u64,
    /// The number that the first of them gets.
    pub(crate) first_join_number: i64,
}

impl RelationState {
    /// Notes the final value of a payload column.
    pub(crate) fn set_final(&mut self, column: usize, ordinal: Ordinal, value: &Value) {
        if let Some(at) = self.payload.iter().position(|candidate| *candidate == column) {
            self.finals[at].set(ordinal, value);
        }
    }

    /// The final value of a payload column.
    pub(crate) fn final_value(&self, column: usize, ordinal: Ordinal) -> Value {
        let at = self.payload.iter().position(|candidate| *candidate == column);
        at.map_or(Value::Null, |at| self.finals[at].get(ordinal))
    }

    /// The records of the export.
    pub(crate) fn records(&self) -> u64 {
        self.positions.len() as u64
    }
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolution {
    /// To this record of the export; the value is the referenced column's final one (`None` for composite keys, which stay).
    Record(Ordinal, Option<Value>),
    /// To a row of the target.
    Target(Option<Value>),
    /// Nobody knows before this key has been looked up in the target.
    Need(IndexId, Vec<Value>),
    /// Perhaps to a record that has not been read yet.
    Pending,
    /// Nowhere.
    Missing,
    /// To several rows.
    Ambiguous,
    /// To a record whose id the export leaves out: which one is not known.
    Unnamed,
}

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) indexes: Vec<IndexState>,
    pub(crate) relations: Vec<RelationState>,
}

impl State {
    pub(crate) fn new(catalog: &Catalog, registry: &IndexRegistry, mapping: &Mapping) -> Self {
        let mut relations: Vec<RelationState> = catalog.relations.iter().map(|_| RelationState::default()).collect();
        for (id, relation) in catalog.iter() {
            let state = &mut relations[id.index()];
            let primary =
                relation.primary_key_columns().iter().filter_map(|name| relation.column(name).map(|(i, _)| i));
            state.payload = primary.collect();
            state.numbered = relation.columns.iter().position(relink_model::Column::is_numbered);
            for index in registry.of_relation(id) {
                let spec = registry.spec(*index);
                if let ([column], true) = (spec.columns.as_slice(), spec.roles.referenced)
                    && !state.payload.contains(column)
                {
                    state.payload.push(*column);
                }
            }
            if let Some(tree) = mapping.identity(id).and_then(|key| key.tree.as_ref()) {
                state.payload.extend([tree.path, tree.column]);
            }
            state.finals = vec![ColumnValues::Ints(Vec::new()); state.payload.len()];
        }
        let indexes = (0..registry.len()).map(|_| IndexState::default()).collect();
        Self { indexes, relations }
    }

    pub(crate) fn relation(&self, id: RelationId) -> &RelationState {
        &self.relations[id.index()]
    }

    pub(crate) fn relation_mut(&mut self, id: RelationId) -> &mut RelationState {
        &mut self.relations[id.index()]
    }

    /// Resolves a reference by key.
    pub(crate) fn by_key(
        &self,
        registry: &IndexRegistry,
        target: RelationId,
        index: IndexId,
        values: &[&Value],
    ) -> Resolution {
        let spec = registry.spec(index);
        let Some(key) = Key::of(values.iter().copied().zip(&spec.kinds)) else { return Resolution::Missing };
        let column = if let [column] = spec.columns[..] { Some(column) } else { None };
        match self.indexes[index.0].records.get(&key) {
            // Several records with one key are reported as duplicates; either is a target.
            Found::Several => Resolution::Target(None),
            Found::Record(ordinal) => {
                let relation = self.relation(target);
                let moved =
                    relation.moved.then(|| column.map(|column| relation.final_value(column, ordinal))).flatten();
                Resolution::Record(ordinal, moved)
            }
            Found::Nowhere => {
                self.external(target, index, &key, None, || values.iter().map(|value| (*value).clone()).collect())
            }
        }
    }

    /// Resolves a reference by natural key to the value of column `wanted`.
    pub(crate) fn by_natural_key(
        &self,
        registry: &IndexRegistry,
        mapping: &Mapping,
        relation: RelationId,
        wanted: usize,
        reference: &NaturalReference,
    ) -> Resolution {
        match mapping.natural_key(relation, reference.arity) {
            Ok(key) => self.natural_at(registry, key, wanted, reference),
            Err(_) => Resolution::Missing,
        }
    }

    fn natural_at(
        &self,
        registry: &IndexRegistry,
        natural: &NaturalKey,
        wanted: usize,
        reference: &NaturalReference,
    ) -> Resolution {
        let mut values = Vec::with_capacity(natural.parts.len());
        for (at, given) in reference.parts.iter().enumerate() {
            // Along a tree, every element is a value of the one part.
            let part = &natural.parts[if natural.tree.is_some() { 0 } else { at }];
            let nested = match given {
                ReferencePart::Value(value) => {
                    values.push(value.clone());
                    continue;
                }
                ReferencePart::Nested(nested) => nested,
            };
            let through = match part {
                KeyPart::Through { through, .. } | KeyPart::Column { nested: Some(through), .. } => through,
                KeyPart::Column { nested: None, .. } => return Resolution::Missing,
            };
            match self.natural_at(registry, &through.key, through.referenced_column, nested) {
                Resolution::Record(_, Some(value)) | Resolution::Target(Some(value)) => values.push(value),
                Resolution::Record(_, None) | Resolution::Target(None) => return Resolution::Missing,
                unresolved => return unresolved,
            }
        }
        if let Some(tree) = &natural.tree {
            return self.in_tree(natural.relation, tree, wanted, &values);
        }
        let spec = registry.spec(natural.index);
        let key = Key::with_nulls(values.iter().zip(&spec.kinds));
        match self.indexes[natural.index.0].records.get(&key) {
            Found::Several => Resolution::Ambiguous,
            Found::Record(ordinal) => {
                let value = self.relation(natural.relation).final_value(wanted, ordinal);
                Resolution::Record(ordinal, Some(value))
            }
            Found::Nowhere => self.external(natural.relation, natural.index, &key, Some(wanted), || values.clone()),
        }
    }

    /// Resolves the values from the root of a tree to a row.
    fn in_tree(&self, relation: RelationId, tree: &Tree, wanted: usize, values: &[Value]) -> Resolution {
        let state = self.relation(relation);
        match state.tree.get(&tree.key(values)) {
            None if !state.scanned => Resolution::Pending,
            None => Resolution::Missing,
            Some(TreeRow::Several) => Resolution::Ambiguous,
            Some(TreeRow::Record(ordinal)) => Resolution::Record(*ordinal, Some(state.final_value(wanted, *ordinal))),
            Some(TreeRow::Target(payload)) => {
                let at = state.payload.iter().position(|candidate| *candidate == wanted);
                Resolution::Target(at.map(|at| payload[at].clone()))
            }
        }
    }

    /// What the target says about a key that no record has.
    fn external(
        &self,
        relation: RelationId,
        index: IndexId,
        key: &Key,
        wanted: Option<usize>,
        values: impl FnOnce() -> Vec<Value>,
    ) -> Resolution {
        let state = self.relation(relation);
        if !state.scanned {
            return Resolution::Pending;
        }
        if state.unnamed && wanted.is_none() {
            return Resolution::Unnamed;
        }
        if !state.has_rows {
            return Resolution::Missing;
        }
        match self.indexes[index.0].external.get(key).as_deref() {
            None => Resolution::Need(index, values()),
            Some(External::Absent) => Resolution::Missing,
            // A reference by key is satisfied by any row; one by natural key must not be guessed.
            Some(External::Several) if wanted.is_none() => Resolution::Target(None),
            Some(External::Several) => Resolution::Ambiguous,
            Some(External::Row(payload)) => {
                let at = wanted.and_then(|column| state.payload.iter().position(|candidate| *candidate == column));
                Resolution::Target(at.map(|at| payload[at].clone()))
            }
        }
    }
}

/// Looks keys up in the target: a handful of queries, however many keys.
pub(crate) async fn look_up(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    registry: &IndexRegistry,
    payload: &[usize],
    index: IndexId,
    keys: &[Vec<Value>],
) -> Result<Vec<(Key, External)>, DbError> {
    let spec = registry.spec(index);
    let relation = catalog.relation(spec.relation);
    let select: Vec<String> = payload.iter().map(|column| relation.columns[*column].name.clone()).collect();
    let lookup = Lookup { relation, match_columns: &spec.names, select: &select };
    let rows = connection.lookup(&lookup, keys).await?;
    let key_of = |values: &[Value]| Key::with_nulls(values.iter().zip(&spec.kinds));
    let loose = spec.columns.iter().any(|column| is_loose(&relation.columns[*column]));
    let mut exact: std::collections::HashMap<Key, External> = std::collections::HashMap::new();
    let mut folded: std::collections::HashMap<Key, External> = std::collections::HashMap::new();
    for mut row in rows {
        let payload = row.split_off(spec.columns.len());
        if loose {
            let values: Vec<Value> = row.iter().map(fold).collect();
            add(&mut folded, key_of(&values), payload.clone());
        }
        add(&mut exact, key_of(&row), payload);
    }
    Ok(keys
        .iter()
        .map(|values| {
            let key = key_of(values);
            let found = exact.get(&key).cloned().or_else(|| {
                let values: Vec<Value> = values.iter().map(fold).collect();
                folded.get(&key_of(&values)).cloned()
            });
            (key, found.unwrap_or(External::Absent))
        })
        .collect())
}

fn add(found: &mut std::collections::HashMap<Key, External>, key: Key, payload: Vec<Value>) {
    found.entry(key).and_modify(|external| *external = External::Several).or_insert(External::Row(payload));
}

/// Whether the database may find a row under a text that differs from the one asked for: by case, or by padding.
fn is_loose(column: &relink_model::Column) -> bool {
    column.case_insensitive || matches!(column.data_type.kind, relink_model::TypeKind::Text { fixed: true, .. })
}

fn fold(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.trim_end().to_lowercase()),
        other => other.clone(),
    }
}
