//! Polymorphic references, and ids inside documents, follow their rows to the keys under which those end up.

use relink_model::{Catalog, Relation, RelationId, Value};
use relink_records::Key;
use relink_records::{Embedded, Generic, IdColumn, Polymorphic, Types, coerce::uuid, content_type_label};

use crate::{
    decode::{Row, Shape},
    index::{IndexId, IndexRegistry},
    memory::{Found, Ordinal},
    state::{External, Resolution, State},
};

/// An id that does not lead to a row.
pub(crate) struct Unfollowed {
    pub(crate) column: usize,
    /// The generic reference that it belongs to; `None`: it stands in a document.
    pub(crate) generic: Option<usize>,
    pub(crate) target: RelationId,
    pub(crate) id: Value,
    pub(crate) why: Resolution,
    pub(crate) loose: bool,
}

/// A generic reference whose columns a shape fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GenericSlot {
    /// Index into [`Polymorphic::generics`].
    pub(crate) generic: usize,
    pub(crate) type_slot: usize,
    pub(crate) id_slot: usize,
}

/// The generic references that a shape fills.
pub(crate) fn slots(polymorphic: &Polymorphic, shape: &Shape) -> Vec<GenericSlot> {
    let slot = |(generic, of): (usize, &Generic)| {
        Some(GenericSlot { generic, type_slot: shape.slot_of(of.type_column)?, id_slot: shape.slot_of(of.id_column)? })
    };
    polymorphic.generics.iter().enumerate().filter_map(slot).collect()
}

/// What looks like a document with ids in a row and cannot be read.
pub(crate) fn unreadable<'a>(polymorphic: &'a Polymorphic, row: &Row) -> impl Iterator<Item = &'a Embedded> {
    let unreadable = move |embedded: &&Embedded| {
        let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
        matches!(value, Some(Value::Text(text)) if embedded.is_unreadable(text))
    };
    polymorphic.embedded.iter().filter(unreadable)
}

/// The polymorphic references of one relation beside all that is known of where they lead.
#[derive(Clone, Copy)]
pub(crate) struct Follower<'a> {
    pub(crate) polymorphic: &'a Polymorphic,
    pub(crate) state: &'a State,
    pub(crate) registry: &'a IndexRegistry,
    pub(crate) catalog: &'a Catalog,
}

impl Follower<'_> {
    /// Where a row's generic reference leads; `None` where it is no reference, or its type is not known.
    pub(crate) fn resolve(&self, row: &Row, slot: GenericSlot) -> Option<(IdColumn, Resolution)> {
        let given = row.given_value(slot.id_slot).filter(|value| !value.is_null())?;
        let target = self.polymorphic.target(&self.label(row, slot)?)?;
        let key = target.value(self.catalog, given)?;
        Some((target, self.by_id(target, &key)))
    }

    fn by_id(&self, target: IdColumn, id: &Value) -> Resolution {
        self.state.by_key(self.registry, target.relation, self.registry.of_ids(target), &[id])
    }

    /// See [`State::is_doubtful`].
    pub(crate) fn is_doubtful(&self, target: IdColumn) -> bool {
        self.state.is_doubtful(self.registry, target.relation, self.registry.of_ids(target))
    }

    /// The type that a row's generic reference names, where no table is known for it.
    pub(crate) fn unknown_type(&self, row: &Row, slot: GenericSlot) -> Option<String> {
        row.given_value(slot.id_slot).filter(|value| !value.is_null())?;
        let label = self.label(row, slot)?;
        self.polymorphic.target(&label).is_none().then_some(label)
    }

    /// What the type column of a generic reference says.
    fn label(&self, row: &Row, slot: GenericSlot) -> Option<String> {
        match self.polymorphic.generics[slot.generic].types {
            Types::Name => match row.cells[slot.type_slot].value() {
                Some(Value::Text(name)) => Some(name.clone()),
                _ => None,
            },
            Types::ContentType { relation, referenced, app_label, model } => {
                let index = self.registry.find(relation, &[referenced])?;
                content_type(self.state, self.registry, row, slot.type_slot, (relation, index), [app_label, model])
            }
        }
    }

    /// Follows the ids inside a value: what it becomes, if anything changes. Ids that lead nowhere are added to `unfollowed`, keys that have to be looked up
    /// first to `needs`.
    pub(crate) fn follow_embedded(
        &self,
        column: usize,
        value: &Value,
        unfollowed: &mut Vec<Unfollowed>,
        needs: &mut Vec<(IndexId, Vec<Value>)>,
    ) -> Option<Value> {
        let Value::Text(text) = value else { return None };
        // All ids are read from the text as it is given: what one path has followed is none of another's.
        let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for embedded in self.polymorphic.embedded.iter().filter(|embedded| embedded.column == column) {
            let target = embedded.target;
            for (span, id) in embedded.ids(text) {
                let Some(key) = target.value(self.catalog, &id) else { continue };
                match self.by_id(target, &key) {
                    Resolution::Record(_, Some(new)) | Resolution::Target(Some(new)) if new[0] != key => {
                        let quoted = text.as_bytes()[span.start] == b'"';
                        let new = in_form_of(&id, new[0].clone());
                        edits.push((span, if quoted { format!("\"{new}\"") } else { new.to_string() }));
                    }
                    Resolution::Need(index, values) => needs.push((index, values)),
                    why
                    @ (Resolution::Missing | Resolution::External | Resolution::Unnamed | Resolution::Ambiguous) => {
                        let (target, loose) = (target.relation, embedded.loose);
                        unfollowed.push(Unfollowed { column, generic: None, target, id, why, loose });
                    }
                    why @ Resolution::Target(None) if self.is_doubtful(target) => {
                        let target = target.relation;
                        unfollowed.push(Unfollowed { column, generic: None, target, id, why, loose: true });
                    }
                    _ => {}
                }
            }
        }
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        edits.dedup_by_key(|(span, _)| span.start);
        let changed = !edits.is_empty();
        let mut text = text.clone();
        for (span, new) in edits {
            text.replace_range(span, &new);
        }
        changed.then_some(Value::Text(text))
    }
}

/// A record that a polymorphic reference leads to.
pub(crate) struct Led {
    /// The column of the id.
    pub(crate) column: usize,
    /// The generic reference; `None`: the id stands in a document.
    pub(crate) generic: Option<usize>,
    pub(crate) record: (RelationId, Ordinal),
}

impl Follower<'_> {
    /// The records to which a row's polymorphic references lead, save for those that may name what is gone.
    pub(crate) fn records(&self, row: &Row) -> Vec<Led> {
        let mut led = Vec::new();
        for slot in &row.shape.generics {
            let generic = &self.polymorphic.generics[slot.generic];
            if let Some((target, Resolution::Record(ordinal, _))) = self.resolve(row, *slot) {
                // Where ids stay, what is found by its names alone may name a row that comes later, as a log may; where they move, the id would be another's.
                if generic.loose && !(generic.guessed && self.state.relation(target.relation).moved) {
                    continue;
                }
                let record = (target.relation, ordinal);
                led.push(Led { column: generic.id_column, generic: Some(slot.generic), record });
            }
        }
        for embedded in self.polymorphic.embedded.iter().filter(|embedded| !embedded.loose) {
            let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
            let Some(Value::Text(text)) = value else { continue };
            for (_, id) in embedded.ids(text) {
                let key = embedded.target.value(self.catalog, &id);
                let resolution = key.map(|key| self.by_id(embedded.target, &key));
                if let Some(Resolution::Record(ordinal, _)) = resolution {
                    let record = (embedded.target.relation, ordinal);
                    led.push(Led { column: embedded.column, generic: None, record });
                }
            }
        }
        led
    }

    /// The rows that a row's polymorphic references name by id, whether they are there or not.
    pub(crate) fn ids(&self, row: &Row) -> Vec<(RelationId, IndexId, Value)> {
        let mut ids = Vec::new();
        let named = |target: IdColumn, id: &Value| {
            let key = target.value(self.catalog, id)?;
            Some((target.relation, self.registry.of_ids(target), key))
        };
        for slot in &row.shape.generics {
            let target = self.label(row, *slot).and_then(|label| self.polymorphic.target(&label));
            let (Some(given), Some(target)) = (row.given_value(slot.id_slot), target) else { continue };
            ids.extend(named(target, given));
        }
        for embedded in &self.polymorphic.embedded {
            let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
            let Some(Value::Text(text)) = value else { continue };
            ids.extend(embedded.ids(text).iter().filter_map(|(_, id)| named(embedded.target, id)));
        }
        ids
    }
}

/// Stands for a generic reference where references that become NULL are noted, after the relation's foreign keys.
pub(crate) fn nulled_key(relation: &Relation, generic: usize) -> usize {
    relation.foreign_keys.len() + generic
}

/// The application and model that a content type names, as `application.model`.
fn content_type(
    state: &State,
    registry: &IndexRegistry,
    row: &Row,
    slot: usize,
    (relation, index): (RelationId, IndexId),
    columns: [usize; 2],
) -> Option<String> {
    let joined = |parts: [Value; 2]| match parts {
        [Value::Text(app), Value::Text(model)] => Some(content_type_label(&app, &model)),
        _ => None,
    };
    if let Some(natural) = row.given_natural(slot) {
        return natural.content_type_label();
    }
    let known = state.relation(relation);
    let given = row.given_value(slot)?;
    let key = Key::of(std::iter::once((given, &registry.spec(index).comparisons[0])))?;
    match state.indexes[index.0].records.get(&key) {
        Found::Record(ordinal) => {
            joined([known.final_value(columns[0], ordinal)?, known.final_value(columns[1], ordinal)?])
        }
        Found::Several => None,
        Found::Nowhere => {
            // Where an earlier restore has moved the type, what is known of it is known by its key there.
            let comparisons = &registry.spec(index).comparisons;
            let there = state.id_map.get(index, &key).map(|now| Key::with_nulls(now.iter().zip(comparisons)));
            let key = there.unwrap_or(key);
            let Some(External::Row(payload)) = state.indexes[index.0].external.get(&key) else { return None };
            let of = |column: usize| {
                let at = known.payload.iter().position(|candidate| *candidate == column)?;
                payload.get(at).cloned()
            };
            joined([of(columns[0])?, of(columns[1])?])
        }
    }
}

/// A new id in the form in which the old one stood.
pub(crate) fn in_form_of(old: &Value, new: Value) -> Value {
    let Value::Text(old) = old else { return new };
    let new = new.to_string();
    Value::Text(match (uuid(old), uuid(&new)) {
        (Ok(_), Ok(hyphened)) if old.contains('-') && !new.contains('-') => hyphened,
        (Ok(_), Ok(_)) if !old.contains('-') => new.replace('-', ""),
        _ => new,
    })
}

/// The steps of a load order with those last that hold polymorphic references, so that what they may refer to is known when
/// they are read; what depends on them comes after them.
pub(crate) fn postpone(
    catalog: &Catalog,
    order: relink_graph::LoadOrder,
    holds: &dyn Fn(RelationId) -> bool,
) -> relink_graph::LoadOrder {
    let mut late: std::collections::HashSet<RelationId> = std::collections::HashSet::new();
    let mut order = order;
    let refers = |relation: &Relation, late: &std::collections::HashSet<RelationId>| {
        relation.foreign_keys.iter().filter_map(|key| catalog.id(&key.referenced)).any(|target| late.contains(&target))
    };
    let mut now = Vec::new();
    let mut later = Vec::new();
    for step in order.steps {
        let waits = step.relations.iter().any(|id| holds(*id) || refers(catalog.relation(*id), &late));
        if waits {
            late.extend(step.relations.iter().copied());
            later.push(step);
        } else {
            now.push(step);
        }
    }
    now.extend(later);
    order.steps = now;
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_uuid_takes_the_form_of_the_old() {
        let (plain, hyphens) = ("0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(in_form_of(&text("FEED0000-0000-4000-8000-000000000001"), text(plain)), text(hyphens));
        assert_eq!(in_form_of(&text("feed0000000040008000000000000001"), text(hyphens)), text(plain));
        assert_eq!(in_form_of(&text("7"), Value::Int(12)), text("12"));
        assert_eq!(in_form_of(&Value::Int(7), Value::Int(12)), Value::Int(12));
    }
}
