//! What a restore knows while it runs: the keys of the export's records, what was looked up in the target, and the values under
//! which rows end up. References are resolved here, in memory; what memory cannot answer is named, so that
//! it can be looked up in bulk.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_db::{Connection, DbError, Lookup};
use relink_model::{Catalog, ExternalRefs, FindingCode, Mode, Relation, RelationId, TypeKind, Value};
use relink_records::{JoinField, Key, KeyPart, Mapping, NaturalKey, NaturalReference, ReferencePart, Tree};

use crate::{
    Error,
    id_map::IdMap,
    index::{IndexId, IndexRegistry},
    lookup,
    memory::{self, Budget, ColumnValues, ExternalRows, Found, KeyMap, Ordinal, OrdinalSet, Position, Positions},
    options::Policies,
    stream::Order,
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
    pub(crate) external: ExternalRows,
}

impl IndexState {
    fn new(budget: &Arc<Budget>) -> Self {
        Self { records: KeyMap::new(budget), external: ExternalRows::new(budget) }
    }
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

/// How a relation's rows get ids that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// The next numbers of this column, which is the whole primary key.
    Number(usize),
    /// UUIDs in this column, which is the whole primary key, made from the export's own so that the same record always gets the same.
    Uuid(usize),
}

impl Fresh {
    /// How the rows of this relation get them; `None` where the key says something (text, several columns) or is another row's.
    fn of(relation: &Relation) -> Option<Self> {
        let [only] = relation.primary_key_columns() else { return None };
        let (at, column) = relation.column(only)?;
        if relation.foreign_keys.iter().any(|key| key.columns.contains(only)) {
            return None;
        }
        match column.data_type.kind {
            TypeKind::Integer { .. } => Some(Self::Number(at)),
            TypeKind::Dynamic if column.is_numbered() => Some(Self::Number(at)),
            TypeKind::Uuid => Some(Self::Uuid(at)),
            TypeKind::Text { .. } if is_made_for_uuids(&column.data_type.declared) => Some(Self::Uuid(at)),
            _ => None,
        }
    }

    pub(crate) fn column(self) -> usize {
        match self {
            Self::Number(column) | Self::Uuid(column) => column,
        }
    }
}

/// Whether a text column is declared as one of UUIDs: by name, where the database knows no such type, or with just their length. Whether the
/// database pads it does not matter.
fn is_made_for_uuids(declared: &str) -> bool {
    let declared = declared.to_ascii_lowercase().replace(' ', "");
    let named = ["uuid", "guid", "uniqueidentifier"].contains(&declared.as_str());
    named
        || ["char", "character", "bpchar"]
            .iter()
            .any(|name| [32, 36].iter().any(|chars| declared == format!("{name}({chars})")))
}

/// Why a record is not restored.
#[derive(Clone, Debug)]
pub(crate) struct Reject {
    pub(crate) code: FindingCode,
    pub(crate) field: Option<String>,
    pub(crate) message: String,
    pub(crate) position: Position,
    /// The rejected record that it references.
    pub(crate) because_of: Option<(RelationId, Ordinal)>,
}

/// What is known of one relation.
#[derive(Debug, Default)]
pub(crate) struct RelationState {
    /// Whether the target holds rows of it, after those that are cleared first.
    pub(crate) has_rows: bool,
    /// The rows that the target holds are cleared before the first is written.
    pub(crate) cleared: bool,
    /// No record keeps the export's id before it is known whether it may.
    pub(crate) allots: bool,
    /// Columns whose values are ids that could have been allotted, or those of rows that they reference.
    pub(crate) ids: Vec<usize>,
    /// How rows get new ids, where the policy may ask for them.
    pub(crate) fresh: Option<Fresh>,
    /// Every record that is to be inserted has its final key.
    pub(crate) settled: bool,
    /// The numbers that were allotted: first record, how many follow each other, first number.
    pub(crate) allotted: Vec<(Ordinal, u32, i64)>,
    /// The next number to be allotted, once that is known.
    pub(crate) next_number: Option<i64>,
    /// Records that wait for a number, in file order once they are allotted.
    pub(crate) wanting: OrdinalSet,
    /// Rows of the target by primary key, with the record that is to change them.
    pub(crate) matched: KeyMap,
    /// Records that are not restored, and why.
    pub(crate) rejected: HashMap<Ordinal, Reject>,
    /// References that become NULL: record, and the foreign key's index in its relation.
    pub(crate) nulled: HashSet<(Ordinal, usize)>,
    /// The column that the database numbers.
    pub(crate) numbered: Option<usize>,
    /// Whether all of its records have been read, so that a key that is not there will not come.
    pub(crate) scanned: bool,
    /// Columns whose final values other rows may need: those that foreign keys reference, and the primary key's.
    pub(crate) payload: Vec<usize>,
    /// How many of them, from the first, are the primary key.
    pub(crate) primary_columns: usize,
    /// The columns of the natural keys that tell rows apart; looked up beside the payload, to compare them.
    pub(crate) identity: Vec<usize>,
    finals: Vec<ColumnValues>,
    pub(crate) positions: Positions,
    /// Records whose row exists in the target.
    pub(crate) existing: OrdinalSet,
    /// Where the natural key goes along a tree: rows by the values from the root to them.
    pub(crate) tree: HashMap<Key, TreeRow>,
    /// Records without a primary key of their own.
    pub(crate) nameless: OrdinalSet,
    /// Other records refer to such records by the ids that the export leaves out, and nothing tells which is which.
    pub(crate) unnamed: bool,
    /// The highest value that the export gives for the numbered column.
    pub(crate) highest_given: Option<i64>,
    /// Some record's row has another key than the record says.
    pub(crate) moved: bool,
    /// Elements of lists that are left out since their records are rejected: the relation and the record of the list, and the element's record.
    pub(crate) left_out: HashSet<(RelationId, Ordinal, Ordinal)>,
    /// Records were recognised as rows that have other ids.
    pub(crate) has_other_ids: bool,
    /// Rows of a join table that come from many-to-many lists: their ordinals follow those of its own records.
    pub(crate) join_rows: u64,
    /// Lists of rows that are updated may take rows of this join table away.
    pub(crate) unlists: bool,
    /// The number that the first of them gets.
    pub(crate) first_join_number: i64,
}

impl RelationState {
    fn new(budget: &Arc<Budget>) -> Self {
        let ordinals = || OrdinalSet::new(budget);
        let positions = Positions::new(budget);
        let matched = KeyMap::new(budget);
        let (existing, nameless, wanting) = (ordinals(), ordinals(), ordinals());
        Self { wanting, matched, positions, existing, nameless, ..Self::default() }
    }

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

    /// The primary key of a target's row, from its payload, which begins with it.
    pub(crate) fn primary_of<'v>(&self, payload: &'v [Value]) -> &'v [Value] {
        &payload[..self.primary_columns.min(payload.len())]
    }

    /// The primary key under which a record's row ends up; empty where the relation has none.
    pub(crate) fn row_name(&self, ordinal: Ordinal) -> Vec<Value> {
        let columns = &self.payload[..self.primary_columns];
        columns.iter().map(|column| self.final_value(*column, ordinal).unwrap_or(Value::Null)).collect()
    }

    /// Notes that a record got this number.
    pub(crate) fn allot(&mut self, ordinal: Ordinal, number: i64) {
        match self.allotted.last_mut() {
            Some((first, count, start)) if *first + *count == ordinal && *start + i64::from(*count) == number => {
                *count += 1;
            }
            _ => self.allotted.push((ordinal, 1, number)),
        }
    }

    /// Whether this record's row exists in the target.
    pub(crate) fn exists(&self, ordinal: Ordinal) -> bool {
        self.existing.contains(&ordinal)
    }

    /// These records in the order given, to be read.
    pub(crate) fn order_of(&self, rows: &[Ordinal]) -> Order {
        Order::Rows(rows.iter().map(|ordinal| (*ordinal, self.positions.get(*ordinal))).collect())
    }

    /// Whether rows are written, or those that lists no longer name deleted.
    pub(crate) fn is_loaded(&self) -> bool {
        self.records() + self.join_rows > 0 || self.unlists
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
    /// To this record, whose key is still to be allotted.
    Numbered(Ordinal),
    /// To a record whose referenced column the export does not give and the database will fill: nothing can refer to it.
    Unkeyed,
    /// To a row that the export does not hold, by an id that need not be the same row's in the target.
    External,
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
    pub(crate) policies: Arc<Policies>,
    /// Records may be rejected, or references become NULL.
    pub(crate) rejects: bool,
    pub(crate) indexes: Vec<IndexState>,
    pub(crate) relations: Vec<RelationState>,
    pub(crate) budget: Arc<Budget>,
    /// Where rows stand that no record of the export is.
    pub(crate) id_map: IdMap,
}

impl State {
    pub(crate) fn new(
        catalog: &Catalog,
        registry: &IndexRegistry,
        mapping: &Mapping,
        policies: Arc<Policies>,
        budget: &Arc<Budget>,
    ) -> Self {
        let mut relations: Vec<RelationState> = catalog.relations.iter().map(|_| RelationState::new(budget)).collect();
        for (id, relation) in catalog.iter() {
            let state = &mut relations[id.index()];
            state.fresh = Fresh::of(relation);
            let primary =
                relation.primary_key_columns().iter().filter_map(|name| relation.column(name).map(|(i, _)| i));
            state.payload = primary.collect();
            state.primary_columns = state.payload.len();
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
            for (_, columns) in mapping.content_types().filter(|(types, _)| *types == id) {
                let missing = columns.into_iter().filter(|column| !state.payload.contains(column));
                let missing: Vec<usize> = missing.collect();
                state.payload.extend(missing);
            }
            state.finals = state.payload.iter().map(|_| ColumnValues::new(budget)).collect();
            for key in mapping.natural_keys(id) {
                let columns = key.columns.iter();
                let missing: Vec<usize> = columns.filter(|column| !state.identity.contains(column)).copied().collect();
                state.identity.extend(missing);
            }
        }
        mark_ids(catalog, &mut relations);
        let indexes = (0..registry.len()).map(|_| IndexState::new(budget)).collect();
        Self { rejects: false, indexes, relations, policies, budget: Arc::clone(budget), id_map: IdMap::default() }
    }

    /// Lets caches spill where they take more than their budget; to be called after each chunk of records. An error of the temporary
    /// file, also an earlier one, ends the restore: what was resolved since may be wrong.
    pub(crate) fn keep_within_budget(&mut self) -> Result<(), Error> {
        let of_indexes =
            self.indexes.iter_mut().flat_map(|index| index.records.parts().into_iter().chain(index.external.parts()));
        let of_relations = self.relations.iter_mut().flat_map(|relation| {
            let sets = relation.existing.parts().into_iter().chain(relation.nameless.parts());
            let sets = sets.chain(relation.wanting.parts()).chain(relation.matched.parts());
            let finals = relation.finals.iter_mut().flat_map(ColumnValues::parts);
            relation.positions.parts().into_iter().chain(sets).chain(finals)
        });
        memory::keep_within(&self.budget, of_indexes.chain(of_relations));
        self.budget.check()
    }

    /// Notes which join tables may lose rows: those whose rows come from lists alone, where records with such lists update rows that exist.
    pub(crate) fn note_lists(&mut self, joins: &HashMap<RelationId, Vec<(RelationId, JoinField)>>) {
        for (join, fields) in joins {
            let updates = |source: RelationId| {
                self.policies.of(source).mode == Mode::Upsert && !self.relation(source).existing.is_empty()
            };
            let known = self.relation(*join);
            let unlists = known.records() == 0 && known.has_rows && fields.iter().any(|(source, _)| updates(*source));
            self.relation_mut(*join).unlists = unlists;
        }
    }

    /// Whether rows of this relation that exist may change.
    pub(crate) fn changes(&self, id: RelationId) -> bool {
        let mode = self.policies.of(id).mode;
        matches!(mode, Mode::Upsert | Mode::Merge) && !self.relation(id).existing.is_empty()
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
            // Where records are rejected, one of the two is not there, and nobody knows whether it is the one that is meant.
            Found::Several if self.relation(target).moved || self.rejects => Resolution::Ambiguous,
            Found::Several => Resolution::Target(None),
            Found::Record(ordinal) => {
                let relation = self.relation(target);
                if !relation.moved {
                    return Resolution::Record(ordinal, None);
                }
                // Where rows end up under other keys than the export gives them, the reference follows.
                let values = spec.columns.iter().map(|column| relation.final_value(*column, ordinal));
                match values.collect::<Option<Vec<Value>>>() {
                    Some(values) => Resolution::Record(ordinal, Some(values)),
                    None if !relation.settled => Resolution::Numbered(ordinal),
                    None if relation.rejected.contains_key(&ordinal) => Resolution::Record(ordinal, None),
                    None => Resolution::Unkeyed,
                }
            }
            Found::Nowhere => {
                if let Some(now) = self.id_map.get(index, &key) {
                    // An earlier restore has put it there; whether it still is there, the target must say.
                    let there = Key::with_nulls(now.iter().zip(&spec.comparisons));
                    return match self.external(target, index, &there, None, || now.clone()) {
                        Resolution::Target(None) => Resolution::Target(Some(now.clone())),
                        other => other,
                    };
                }
                if self.is_foreign_id(registry, target, index) {
                    return Resolution::External;
                }
                self.external(target, index, &key, None, || values.iter().map(|value| (*value).clone()).collect())
            }
        }
    }

    /// Whether an id that no record of the export has says nothing in the target: the policy refuses such references, and the id is one that
    /// could have been allotted, not a code.
    fn is_foreign_id(&self, registry: &IndexRegistry, target: RelationId, index: IndexId) -> bool {
        let relation = self.relation(target);
        self.refuses(registry, target, index) && relation.scanned && !relation.unnamed
    }

    /// Whether an id that nobody knows is refused.
    pub(crate) fn refuses(&self, registry: &IndexRegistry, target: RelationId, index: IndexId) -> bool {
        let fresh = registry.spec(index).columns.iter().any(|column| self.relation(target).ids.contains(column));
        fresh && self.policies.of(target).external_refs == ExternalRefs::Refuse
    }

    /// Whether a row of the target to which an id led that no record has may be another than the export means: other rows of the relation have other ids
    /// in the target than in the export, and nobody said that ids of the export count all the same.
    pub(crate) fn is_doubtful(&self, registry: &IndexRegistry, target: RelationId, index: IndexId) -> bool {
        let relation = self.relation(target);
        let is_id = registry.spec(index).columns.iter().any(|column| relation.ids.contains(column));
        is_id && relation.has_other_ids && self.policies.of(target).trusts_ids
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
                    match self.own_part(registry, part, value) {
                        Ok(value) => values.push(value),
                        Err(unresolved) => return unresolved,
                    }
                    continue;
                }
                ReferencePart::Nested(nested) => nested,
            };
            let Some((inner, referenced)) = mapping.key_behind(part) else { return Resolution::Missing };
            match self.natural_at(registry, mapping, inner, referenced, nested) {
                Resolution::Record(_, Some(value)) | Resolution::Target(Some(value)) => values.extend(value),
                Resolution::Record(_, None) | Resolution::Target(None) => return Resolution::Missing,
                // A key can only be made of values that are known.
                Resolution::Numbered(_) => return Resolution::Pending,
                unresolved => return unresolved,
            }
        }
        if let Some(tree) = &natural.tree {
            return self.in_tree(natural.relation, tree, wanted, &values);
        }
        let index = registry.of_natural_key(natural);
        let key = Key::with_nulls(values.iter().zip(&registry.spec(index).comparisons));
        match self.indexes[index.0].records.get(&key) {
            Found::Several => Resolution::Ambiguous,
            Found::Record(ordinal) => self.record_value(natural.relation, wanted, ordinal),
            Found::Nowhere => self.external(natural.relation, index, &key, Some(wanted), || values.clone()),
        }
    }

    /// One part of a natural key that is given as a value: where it is an id of the export, the one that its row ends up under.
    fn own_part(&self, registry: &IndexRegistry, part: &KeyPart, value: &Value) -> Result<Value, Resolution> {
        let KeyPart::Column { nested: Some((target, referenced)), .. } = part else { return Ok(value.clone()) };
        let Some(index) = registry.find(*target, &[*referenced]) else { return Ok(value.clone()) };
        if value.is_null() {
            return Ok(Value::Null);
        }
        match self.by_key(registry, *target, index, &[value]) {
            Resolution::Record(_, Some(mut values)) => Ok(values.swap_remove(0)),
            Resolution::Numbered(_) => Err(Resolution::Pending),
            unresolved @ (Resolution::Pending | Resolution::External | Resolution::Unnamed) => Err(unresolved),
            _ => Ok(value.clone()),
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
            None if !self.relation(relation).settled => Resolution::Numbered(ordinal),
            None if self.relation(relation).rejected.contains_key(&ordinal) => Resolution::Record(ordinal, None),
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
        match self.indexes[index.0].external.get(key) {
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

/// Finds the columns that hold ids: those under which rows are numbered, and through foreign keys those that refer to them.
fn mark_ids(catalog: &Catalog, relations: &mut [RelationState]) {
    for state in relations.iter_mut() {
        state.ids = state.fresh.iter().map(|fresh| fresh.column()).collect();
    }
    loop {
        let mut found = Vec::new();
        for (id, relation) in catalog.iter() {
            for key in &relation.foreign_keys {
                let Some(target) = catalog.id(&key.referenced) else { continue };
                for (name, referenced) in key.columns.iter().zip(&key.referenced_columns) {
                    let (own, other) = (relation.column(name), catalog.relation(target).column(referenced));
                    if let (Some((own, _)), Some((other, _))) = (own, other)
                        && relations[target.index()].ids.contains(&other)
                        && !relations[id.index()].ids.contains(&own)
                    {
                        found.push((id, own));
                    }
                }
            }
        }
        if found.is_empty() {
            return;
        }
        for (id, column) in found {
            relations[id.index()].ids.push(column);
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
    let lookup = Lookup { predicate: spec.predicate.as_deref(), ..Lookup::new(relation, &spec.names, &select) };
    let lookup::Found { rows, by_key } = lookup::look_up(connection, &lookup, &spec.comparisons, keys).await?;
    let external = |found: &Vec<usize>| match found.as_slice() {
        [] => External::Absent,
        [row] => External::Row(rows[*row][spec.columns.len()..].to_vec()),
        _ => External::Several,
    };
    let key_of = |values: &[Value]| Key::with_nulls(values.iter().zip(&spec.comparisons));
    Ok(keys.iter().map(|values| key_of(values)).zip(by_key.iter().map(external)).collect())
}
