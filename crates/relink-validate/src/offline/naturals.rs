//! Rows by their natural keys, as Django's dumps name them.

use std::collections::{HashMap, HashSet};

use relink_export::{RawJson, Record};
use relink_model::{RelationId, Value};
use relink_records::{FieldTarget, KeyPart, NaturalKey, NaturalReference, ReferencePart, single_reference};

use super::records::{Records, Trouble};
use crate::judge::hash;

/// Which row each natural key names.
#[derive(Debug, Default)]
pub(super) struct Naturals {
    /// By relation and natural key: the value of the row's primary key.
    rows: HashMap<(RelationId, u128), Value>,
    /// By relation and primary key: the natural key in words.
    names: HashMap<(RelationId, String), String>,
    /// Relations some of whose rows have natural keys that cannot be made here.
    unknown: HashSet<RelationId>,
}

impl Naturals {
    /// Reads the records of every relation that may be named by its natural key.
    pub(super) fn learn(records: &Records<'_>) -> Result<Self, Trouble> {
        let mut naturals = Self::default();
        let mut order: Vec<RelationId> = Vec::new();
        for (id, _) in records.catalog.iter() {
            before(records, id, &mut order, &mut Vec::new());
        }
        for relation in order {
            let Some(key) = records.mapping.identity(relation).filter(|key| key.tree.is_none()) else {
                naturals.unknown.insert(relation);
                continue;
            };
            if !records.holds(relation) {
                naturals.unknown.insert(relation);
                continue;
            }
            for run in records.runs(relation) {
                let mut reader = records.export.source.records(run);
                while let Some(record) = reader.next() {
                    naturals.add(records, key, &record?, relation)?;
                }
            }
        }
        Ok(naturals)
    }

    fn add(
        &mut self,
        records: &Records<'_>,
        key: &NaturalKey,
        record: &Record<'_>,
        relation: RelationId,
    ) -> Result<(), Trouble> {
        let Some(name) = self.name(records, key, record, relation)? else {
            self.unknown.insert(relation);
            return Ok(());
        };
        let fields = record.fields()?;
        let definition = records.catalog.relation(relation);
        let own = match (&fields.pk, definition.primary_key_columns()) {
            (Some(pk), [only]) => {
                definition.column(only).map(|(column, _)| records.value_by(self, pk, relation, column).0)
            }
            (None, [only]) => {
                let (column, _) = definition.column(only).map_or((usize::MAX, None), |(at, c)| (at, Some(c)));
                let field = fields.fields.iter().find(|(field, _)| {
                    matches!(records.mapping.field(&records.catalog, relation, field), FieldTarget::Column(at) if at == column)
                });
                field.map(|(_, json)| records.value_by(self, json, relation, column).0)
            }
            _ => None,
        };
        let own = own.filter(|own| !own.is_null()).unwrap_or_else(|| synthetic(&name));
        self.names.insert((relation, own.to_string()), name.clone());
        self.rows.insert((relation, hash(name.as_bytes())), own);
        Ok(())
    }

    /// The natural key of a record, in words; `None` where a part is not known here.
    fn name(
        &self,
        records: &Records<'_>,
        key: &NaturalKey,
        record: &Record<'_>,
        relation: RelationId,
    ) -> Result<Option<String>, Trouble> {
        let fields = record.fields()?;
        let mut name = String::new();
        for part in &key.parts {
            let (KeyPart::Column { column, .. } | KeyPart::Through { column, .. }) = part;
            let field = fields.fields.iter().find(|(field, _)| {
                matches!(records.mapping.field(&records.catalog, relation, field), FieldTarget::Column(at) if at == *column)
            });
            let Some((_, json)) = field else { return Ok(None) };
            let (value, unfit) = records.value_by(self, json, relation, *column);
            if unfit.is_some() {
                return Ok(None);
            }
            match single_reference(&records.catalog, relation, *column) {
                Some((target, _)) => match self.names.get(&(target, value.to_string())) {
                    Some(nested) => push(&mut name, &format!("({nested})")),
                    None if matches!(part, KeyPart::Column { .. }) => push(&mut name, &written(&value)),
                    None => return Ok(None),
                },
                None => push(&mut name, &written(&value)),
            }
        }
        Ok(Some(name))
    }

    /// What a row without an id is called.
    pub(super) fn own_name(
        &self,
        records: &Records<'_>,
        record: &Record<'_>,
        relation: RelationId,
    ) -> Result<Option<Value>, Trouble> {
        let Some(key) = records.mapping.identity(relation).filter(|_| records.export.is_django()) else {
            return Ok(None);
        };
        Ok(self.name(records, key, record, relation)?.map(|name| synthetic(&name)))
    }

    /// The key of the row that a list names. What names none is its own text, which no row has for a key.
    pub(super) fn find(
        &self,
        records: &Records<'_>,
        json: &RawJson<'_>,
        target: RelationId,
    ) -> (Value, Option<String>) {
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        let own_words = || Value::Text(json.compact());
        let Ok(key) = records.mapping.natural_key(target, elements.len()) else {
            return (own_words(), Some("is a list, and the row that it names cannot be told".to_owned()));
        };
        let reference = match records.reader().natural(key, &elements, &mut |_, _, _| {}) {
            Ok(reference) => reference,
            Err(why) => return (own_words(), Some(why)),
        };
        let name = self.said(records, key, &reference);
        match self.rows.get(&(target, hash(name.as_bytes()))) {
            Some(value) => (value.clone(), None),
            // Not all of that relation's rows are known by their natural keys: this may be one of the others.
            None if self.unknown.contains(&target) => (Value::Null, None),
            None => (own_words(), None),
        }
    }

    /// A reference in words.
    fn said(&self, records: &Records<'_>, key: &NaturalKey, reference: &NaturalReference) -> String {
        let mut name = String::new();
        for (part, value) in key.parts.iter().zip(&reference.parts) {
            let (KeyPart::Column { column, .. } | KeyPart::Through { column, .. }) = part;
            let target = single_reference(&records.catalog, key.relation, *column).map(|(target, _)| target);
            match (value, target) {
                (ReferencePart::Nested(nested), Some(target)) => {
                    let inner = records.mapping.natural_key(target, nested.arity).ok();
                    let said = match (inner, part) {
                        (Some(inner), _) => self.said(records, inner, nested),
                        (None, KeyPart::Through { through, .. }) => self.said(records, &through.key, nested),
                        (None, KeyPart::Column { .. }) => nested.to_string(),
                    };
                    push(&mut name, &format!("({said})"));
                }
                (ReferencePart::Nested(nested), None) => push(&mut name, &nested.to_string()),
                (ReferencePart::Value(value), Some(target)) => match self.names.get(&(target, value.to_string())) {
                    Some(nested) => push(&mut name, &format!("({nested})")),
                    None => push(&mut name, &written(value)),
                },
                (ReferencePart::Value(value), None) => push(&mut name, &written(value)),
            }
        }
        name
    }
}

/// Relations whose natural keys others are made of come before these.
fn before(records: &Records<'_>, relation: RelationId, order: &mut Vec<RelationId>, above: &mut Vec<RelationId>) {
    if order.contains(&relation) || above.contains(&relation) {
        return;
    }
    let Some(key) = records.mapping.identity(relation) else { return };
    above.push(relation);
    for part in &key.parts {
        let (KeyPart::Column { column, .. } | KeyPart::Through { column, .. }) = part;
        if let Some((target, _)) = single_reference(&records.catalog, relation, *column) {
            before(records, target, order, above);
        }
    }
    above.pop();
    order.push(relation);
}

fn push(name: &mut String, part: &str) {
    name.push_str(part);
    name.push('\u{1f}');
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => "\u{0}".to_owned(),
        other => other.to_string(),
    }
}

/// The key of a row that has none in the export.
fn synthetic(name: &str) -> Value {
    let said: Vec<&str> = name.split('\u{1f}').filter(|part| !part.is_empty()).collect();
    Value::Text(format!("[{}]", said.join(", ")))
}
