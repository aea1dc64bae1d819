//! Rows by their natural keys, as lists in an export name them: what a restore would resolve, of what the export itself holds.

use std::collections::HashMap;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use relink_export::{Fields, JsonKind, RawJson, Record, Run};
use relink_model::{RelationId, Value};
use relink_records::{
    Comparison, FieldTarget, Key, KeyPart, LabelTarget, NaturalKey, NaturalReference, ReferencePart, single_reference,
};

use super::records::{Records, Trouble, holds_lists, is_filled_in};
use crate::judge::{Odd, hash};

/// What lists name: rows of a relation by these of its columns, and of each row the value of another column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    relation: RelationId,
    columns: Vec<usize>,
    wanted: usize,
}

/// The rows that have been learnt, by the hashes of their natural keys. Most are numbered, and whole numbers take less.
#[derive(Debug, Default)]
struct Rows {
    numbers: HashMap<u128, i64>,
    others: HashMap<u128, Value>,
    /// The keys of some rows cannot be made here: what is not found may be one of those.
    has_more: bool,
}

/// Which row each natural key names.
#[derive(Debug, Default)]
pub(super) struct Naturals {
    rows: HashMap<Named, Rows>,
}

/// Where a list leads.
enum Led {
    /// To the row with this value.
    To(Value),
    /// To no row.
    Nowhere,
    /// Perhaps to a row that is not in the export.
    Beyond,
}

impl Naturals {
    /// Finds out which natural keys the lists of the export name, and learns the rows of those relations.
    pub(super) fn learn(records: &Records<'_>) -> Result<Self, Trouble> {
        let mut wanted: HashMap<Named, &NaturalKey> = HashMap::new();
        let runs: Vec<Run> = records.export.index.runs.iter().filter(|run| run.lists).flat_map(Run::pieces).collect();
        let found: Vec<Result<_, Trouble>> = runs.par_iter().map(|run| named_in(records, run)).collect();
        for found in found {
            wanted.extend(found?);
        }
        let mut naturals = Self::default();
        let mut order = Vec::new();
        let mut left: Vec<&Named> = wanted.keys().collect();
        left.sort_by_key(|named| (named.relation, named.columns.clone(), named.wanted));
        for named in left {
            before(&wanted, records, named, &mut order, &mut Vec::new());
        }
        for named in order {
            let rows = naturals.rows_of(records, wanted[&named], &named)?;
            naturals.rows.insert(named, rows);
        }
        Ok(naturals)
    }

    fn rows_of(&self, records: &Records<'_>, key: &NaturalKey, named: &Named) -> Result<Rows, Trouble> {
        let mut rows = Rows { has_more: !records.holds(named.relation) || key.tree.is_some(), ..Rows::default() };
        if key.tree.is_some() {
            return Ok(rows);
        }
        for run in records.runs(named.relation) {
            let mut reader = records.export.source.records(run);
            let mut kept = Fields::default();
            while let Some(record) = reader.next() {
                let mut fields = kept.recycle();
                record?.read_fields(&mut fields)?;
                match self.own_key(records, key, &fields) {
                    Some(values) => rows.add(hashed(records, key, &values), self.own(records, named, &fields, &values)),
                    None => rows.has_more = true,
                }
                kept = fields.recycle();
            }
        }
        Ok(rows)
    }

    /// The value that references to a row hold: that of the column that they refer to, or what stands for a row without an id.
    fn own(&self, records: &Records<'_>, named: &Named, fields: &Fields<'_>, key: &[Value]) -> Value {
        let own = records.given(self, fields, named.relation, named.wanted).map(|(value, _)| value);
        own.filter(|own| !own.is_null()).unwrap_or_else(|| in_words(key))
    }

    /// The values of a record's natural key; `None` where the database would fill one in.
    fn own_key(&self, records: &Records<'_>, key: &NaturalKey, fields: &Fields<'_>) -> Option<Vec<Value>> {
        let relation = records.catalog.relation(key.relation);
        let value = |column: &usize| {
            let given = records.given(self, fields, key.relation, *column).map(|(value, _)| value);
            given.or_else(|| (!is_filled_in(&relation.columns[*column])).then_some(Value::Null))
        };
        key.columns.iter().map(value).collect()
    }

    /// What a row without an id is called.
    pub(super) fn own_name(&self, records: &Records<'_>, fields: &Fields<'_>, relation: RelationId) -> Option<Value> {
        let key = records.mapping.identity(relation).filter(|key| key.tree.is_none())?;
        if !records.export.is_django() && !self.rows.keys().any(|named| named.relation == relation) {
            return None;
        }
        Some(in_words(&self.own_key(records, key, fields)?))
    }

    /// The value of the row that a list names. What names none is in its own words, which no row has for a key.
    pub(super) fn find(
        &self,
        records: &Records<'_>,
        json: &RawJson<'_>,
        (target, wanted): (RelationId, usize),
    ) -> (Value, Option<Odd>) {
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        let unfit = |why: String| (Value::Text(json.compact()), Some(Odd::Unfit(why)));
        let Ok(key) = records.mapping.natural_key(target, elements.len()) else {
            return unfit("is a list, and the row that it names cannot be told".to_owned());
        };
        let reference = match records.reader().natural(key, &elements, &mut |_, _, _| {}) {
            Ok(reference) => reference,
            Err(why) => return unfit(why),
        };
        match self.lead(records, key, wanted, &reference) {
            Led::To(value) => (value, None),
            Led::Nowhere => (words_of(&reference), None),
            Led::Beyond => (words_of(&reference), Some(Odd::Unresolved)),
        }
    }

    fn lead(&self, records: &Records<'_>, key: &NaturalKey, wanted: usize, reference: &NaturalReference) -> Led {
        let named = Named { relation: key.relation, columns: key.columns.clone(), wanted };
        let Some(rows) = self.rows.get(&named).filter(|_| key.tree.is_none()) else { return Led::Beyond };
        let mut values = Vec::with_capacity(reference.parts.len());
        for (part, given) in key.parts.iter().zip(&reference.parts) {
            values.push(match given {
                ReferencePart::Value(value) => value.clone(),
                ReferencePart::Nested(nested) => match records.mapping.key_behind(part) {
                    // A record that names the same row does so in the same words.
                    Some((inner, referenced)) => match self.lead(records, inner, referenced, nested) {
                        Led::To(value) => value,
                        Led::Nowhere | Led::Beyond => words_of(nested),
                    },
                    None => words_of(nested),
                },
            });
        }
        match rows.get(hashed(records, key, &values)) {
            Some(value) => Led::To(value),
            None if rows.has_more => Led::Beyond,
            None => Led::Nowhere,
        }
    }
}

impl Rows {
    fn add(&mut self, key: u128, value: Value) {
        match value {
            Value::Int(number) => drop(self.numbers.entry(key).or_insert(number)),
            other => drop(self.others.entry(key).or_insert(other)),
        }
    }

    fn get(&self, key: u128) -> Option<Value> {
        self.numbers.get(&key).map(|number| Value::Int(*number)).or_else(|| self.others.get(&key).cloned())
    }
}

/// The hash of a natural key, its values compared as their columns do.
fn hashed(records: &Records<'_>, key: &NaturalKey, values: &[Value]) -> u128 {
    let relation = records.catalog.relation(key.relation);
    let comparisons: Vec<Comparison> =
        key.columns.iter().map(|column| Comparison::of(&relation.columns[*column])).collect();
    match Key::with_nulls(values.iter().zip(&comparisons)) {
        Key::Int(number) => hash(&number.to_le_bytes()),
        Key::Bytes(bytes) => hash(&bytes),
    }
}

/// The natural keys that the lists of some records name.
fn named_in<'r>(records: &'r Records<'_>, run: &Run) -> Result<HashMap<Named, &'r NaturalKey>, Trouble> {
    let mut found = HashMap::new();
    let LabelTarget::Relation(relation) = records.mapping.target(run.label) else { return Ok(found) };
    let mut targets: HashMap<String, Option<(RelationId, usize, bool)>> = HashMap::new();
    let mut reader = records.export.source.records(run);
    let mut kept = Fields::default();
    while let Some(record) = reader.next() {
        let record: Record<'_> = record?;
        // Most records hold no list at all.
        if !record.bytes().contains(&b'[') {
            continue;
        }
        let mut fields = kept.recycle();
        record.read_fields(&mut fields)?;
        for (name, json) in fields.fields.iter().filter(|(_, json)| json.kind() == JsonKind::Array) {
            let target = match targets.get(name.as_ref()) {
                Some(target) => *target,
                None => *targets.entry(name.to_string()).or_insert(target_of(records, *relation, name)),
            };
            match target {
                Some((target, wanted, false)) => collect(records, json, (target, wanted), &mut found),
                Some((target, wanted, true)) => {
                    let lists = json.elements().filter(|element| element.kind() == JsonKind::Array);
                    lists.for_each(|element| collect(records, &element, (target, wanted), &mut found));
                }
                None => {}
            }
        }
        kept = fields.recycle();
    }
    Ok(found)
}

/// The relation and column that a field's list refers to, and whether each element does so by itself.
fn target_of(records: &Records<'_>, relation: RelationId, name: &str) -> Option<(RelationId, usize, bool)> {
    match records.mapping.field(&records.catalog, relation, name) {
        FieldTarget::Column(column) if !holds_lists(&records.catalog.relation(relation).columns[column]) => {
            single_reference(&records.catalog, relation, column).map(|(target, wanted)| (target, wanted, false))
        }
        FieldTarget::Join(list) => Some((list.target, list.target_referenced, true)),
        _ => None,
    }
}

/// Takes down which natural key a list names rows by, and those behind it.
fn collect<'r>(
    records: &'r Records<'_>,
    json: &RawJson<'_>,
    (target, wanted): (RelationId, usize),
    found: &mut HashMap<Named, &'r NaturalKey>,
) {
    let elements: Vec<RawJson<'_>> = json.elements().collect();
    let Ok(key) = records.mapping.natural_key(target, elements.len()) else { return };
    if let Ok(reference) = records.reader().natural(key, &elements, &mut |_, _, _| {}) {
        take_down(records, key, wanted, &reference, found);
    }
}

fn take_down<'r>(
    records: &'r Records<'_>,
    key: &'r NaturalKey,
    wanted: usize,
    reference: &NaturalReference,
    found: &mut HashMap<Named, &'r NaturalKey>,
) {
    found.insert(Named { relation: key.relation, columns: key.columns.clone(), wanted }, key);
    for (part, given) in key.parts.iter().zip(&reference.parts) {
        if let (ReferencePart::Nested(nested), Some((inner, referenced))) = (given, records.mapping.key_behind(part)) {
            take_down(records, inner, referenced, nested, found);
        }
    }
}

/// The relations that the keys of others are made of come before these.
fn before(
    wanted: &HashMap<Named, &NaturalKey>,
    records: &Records<'_>,
    named: &Named,
    order: &mut Vec<Named>,
    above: &mut Vec<Named>,
) {
    if order.contains(named) || above.contains(named) {
        return;
    }
    above.push(named.clone());
    for column in wanted[named].parts.iter().map(KeyPart::column) {
        let Some((target, referenced)) = single_reference(&records.catalog, named.relation, column) else { continue };
        let mut behind: Vec<&Named> =
            wanted.keys().filter(|other| other.relation == target && other.wanted == referenced).collect();
        behind.sort_by_key(|other| other.columns.clone());
        for other in behind {
            before(wanted, records, other, order, above);
        }
    }
    above.pop();
    order.push(named.clone());
}

/// A list that leads to no row here, as the value of its column.
fn words_of(reference: &NaturalReference) -> Value {
    Value::Text(reference.to_string())
}

/// The key of a row that has none in the export: what its natural key holds.
fn in_words(key: &[Value]) -> Value {
    let parts = key.iter().map(|value| ReferencePart::Value(value.clone())).collect();
    words_of(&NaturalReference { arity: key.len(), parts })
}
