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

/// The values of one column, by record. A record whose value is not known (it is bad, or the database will make it) has none.
#[derive(Clone, Debug)]
enum ColumnValues {
    /// Integers, as nearly every key is, and which of them are set.
    Ints(Vec<i64>, Vec<u64>),
    /// Anything else; NULL where none is set.
    Values(Vec<Value>),
}

impl Default for ColumnValues {
    fn default() -> Self {
        Self::Ints(Vec::new(), Vec::new())
    }
}

impl ColumnValues {
    fn set(&mut self, ordinal: Ordinal, value: &Value) {
        let at = ordinal as usize;
        if let (Self::Ints(ints, known), Value::Int(value)) = (&mut *self, value) {
            if ints.len() <= at {
                ints.resize(at + 1, 0);
                known.resize(at / 64 + 1, 0);
            }
            ints[at] = *value;
            known[at / 64] |= 1 << (at % 64);
            return;
        }
        if let Self::Ints(ints, _) = self {
            let values = (0..ints.len() as Ordinal).map(|ordinal| self.get(ordinal).unwrap_or(Value::Null)).collect();
            *self = Self::Values(values);
        }
        let Self::Values(values) = self else { unreachable!("made so just above") };
        if values.len() <= at {
            values.resize(at + 1, Value::Null);
        }
        values[at] = value.clone();
    }

    /// The value, where one is known that is not NULL.
    fn get(&self, ordinal: Ordinal) -> Option<Value> {
        let at = ordinal as usize;
        match self {
            Self::Ints(ints, known) => {
                let set = known.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
                set.then(|| Value::Int(ints[at]))
            }
            Self::Values(values) => values.get(at).filter(|value| !value.is_null()).cloned(),
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
    /// Columns whose final values other rows may need: those that foreign keys reference, and the primary key's.
    pub(crate) payload: Vec<usize>,
    /// The columns of the natural keys that tell rows apart; looked up beside the payload, to compare them.
    pub(crate) identity: Vec<usize>,
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

    /// The final value of a payload column; `None` where it is NULL or not known.
    pub(crate) fn final_value(&self, column: usize, ordinal: Ordinal) -> Option<Value> {
        let at = self.payload.iter().position(|candidate| *candidate == column)?;
        self.finals[at].get(ordinal)
    }

    /// The records of the export.
    pub(crate) fn records(&self) -> u64 {
        self.positions.len() as u64
    }
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolution {
    /// To this record of the export. The values are those of the referenced columns, in the key's order; `None` where the
    /// reference itself has them already.
    Record(Ordinal, Option<Vec<Value>>),
    /// To a row of the target; values as above.
    Target(Option<Vec<Value>>),
    /// To a record whose referenced column the export does not give and the database will fill: nothing can refer to it.
    Unkeyed,
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
                if spec.roles.referenced {
                    let missing = spec.columns.iter().filter(|column| !state.payload.contains(column));
                    let missing: Vec<usize> = missing.copied().collect();
                    state.payload.extend(missing);
                }
            }
            if let Some(tree) = mapping.identity(id).and_then(|key| key.tree.as_ref()) {
                state.payload.extend([tree.path, tree.column]);
            }
            state.finals = vec![ColumnValues::default(); state.payload.len()];
            for key in mapping.natural_keys.get(&id).into_iter().flatten() {
                let columns = registry.spec(key.index).columns.iter();
                let missing: Vec<usize> = columns.filter(|column| !state.identity.contains(column)).copied().collect();
                state.identity.extend(missing);
            }
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
        let Some(key) = Key::of(values.iter().copied().zip(&spec.comparisons)) else { return Resolution::Missing };
        match self.indexes[index.0].records.get(&key) {
            // Several records with one key are reported as duplicates; either is a target.
            Found::Several => Resolution::Target(None),
            Found::Record(ordinal) => {
                let relation = self.relation(target);
                let values = || spec.columns.iter().map(|column| relation.final_value(*column, ordinal)).collect();
                // Where rows end up under other keys than the export gives them, the reference follows.
                Resolution::Record(ordinal, if relation.moved { values() } else { None })
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
            Ok(key) => self.natural_at(registry, mapping, key, wanted, reference),
            Err(_) => Resolution::Missing,
        }
    }

    fn natural_at(
        &self,
        registry: &IndexRegistry,
        mapping: &Mapping,
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
            let (inner, referenced) = match part {
                KeyPart::Through { through, .. } => (Some(through.key.as_ref()), through.referenced_column),
                KeyPart::Column { nested: Some((target, referenced)), .. } => (mapping.identity(*target), *referenced),
                KeyPart::Column { nested: None, .. } => (None, 0),
            };
            let Some(inner) = inner else { return Resolution::Missing };
            match self.natural_at(registry, mapping, inner, referenced, nested) {
                Resolution::Record(_, Some(value)) | Resolution::Target(Some(value)) => values.extend(value),
                Resolution::Record(_, None) | Resolution::Target(None) => return Resolution::Missing,
                unresolved => return unresolved,
            }
        }
        if let Some(tree) = &natural.tree {
            return self.in_tree(natural.relation, tree, wanted, &values);
        }
        let spec = registry.spec(natural.index);
        let key = Key::with_nulls(values.iter().zip(&spec.comparisons));
        match self.indexes[natural.index.0].records.get(&key) {
            Found::Several => Resolution::Ambiguous,
            Found::Record(ordinal) => self.record_value(natural.relation, wanted, ordinal),
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
            Some(TreeRow::Record(ordinal)) => self.record_value(relation, wanted, *ordinal),
            Some(TreeRow::Target(payload)) => {
                let at = state.payload.iter().position(|candidate| *candidate == wanted);
                target_value(at.map(|at| &payload[at]))
            }
        }
    }

    /// A record as the target of a reference to its column `wanted`.
    fn record_value(&self, relation: RelationId, wanted: usize, ordinal: Ordinal) -> Resolution {
        match self.relation(relation).final_value(wanted, ordinal) {
            Some(value) => Resolution::Record(ordinal, Some(vec![value])),
            // Ids are allotted once all records of the relation have been read.
            None if !self.relation(relation).scanned => Resolution::Pending,
            None => Resolution::Unkeyed,
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
                let Some(wanted) = wanted else { return Resolution::Target(None) };
                let at = state.payload.iter().position(|candidate| *candidate == wanted);
                target_value(at.map(|at| &payload[at]))
            }
        }
    }
}

/// A row of the target as the target of a reference by natural key.
fn target_value(value: Option<&Value>) -> Resolution {
    match value {
        Some(value) if !value.is_null() => Resolution::Target(Some(vec![value.clone()])),
        _ => Resolution::Unkeyed,
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
    let key_of = |values: &[Value]| Key::with_nulls(values.iter().zip(&spec.comparisons));
    let mut found: HashMap<Key, External> = HashMap::new();
    for mut row in rows {
        let payload = row.split_off(spec.columns.len());
        found.entry(key_of(&row)).and_modify(|known| *known = External::Several).or_insert(External::Row(payload));
    }
    Ok(keys
        .iter()
        .map(|values| key_of(values))
        .map(|key| (key.clone(), found.get(&key).cloned().unwrap_or(External::Absent)))
        .collect())
}
