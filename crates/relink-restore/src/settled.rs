//! Rows as they are to be written: every reference followed to the key under which its row ends up, every allotted id filled in. The
//! loader writes what stands here, and the proof afterwards compares with it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_export::LabelId;
use relink_graph::EdgeRef;
use relink_model::{RelationId, Value};

use crate::{
    Error,
    decode::{Cell, Decoder, Row, Shape},
    findings::Spot,
    memory::Ordinal,
    plan::Step,
    polymorphic::{Follower, in_form_of, nulled_key},
    prescan::nullable_slots,
    state::{Resolution, State},
};

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) label: LabelId,
    pub(crate) file_ordinal: u64,
    pub(crate) offset: u64,
    /// About what the row takes in memory.
    pub(crate) bytes: usize,
    /// The record, where the row is one (rows of many-to-many lists are none).
    pub(crate) record: Option<Ordinal>,
    /// The record whose list makes the row, where one does.
    pub(crate) listed_by: Option<(RelationId, Ordinal)>,
}

impl Origin {
    /// Of the record itself.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            label: row.label,
            file_ordinal: row.file_ordinal,
            offset: row.offset,
            bytes: row.bytes,
            record: Some(row.ordinal),
            listed_by: None,
        }
    }

    /// Of a row that a record's list makes.
    pub(crate) fn of_list(row: &Row) -> Self {
        let listed_by = Some((row.shape.relation, row.ordinal));
        Self { bytes: 0, record: None, listed_by, ..Self::of(row) }
    }

    pub(crate) fn spot(self) -> Spot<'static> {
        Spot { label: self.label, file_ordinal: self.file_ordinal, offset: self.offset, field: None }
    }
}

/// A row as it is to be written.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) shape: Arc<Shape>,
    pub(crate) origin: Origin,
    /// One for each slot.
    pub(crate) values: Vec<Value>,
    /// References to rows of the same cycle that are inserted later.
    later: Vec<EdgeRef>,
}

/// A reference that is set once the rows of its cycle are in: the values of the columns, then those of the primary key.
pub(crate) type Patch = (EdgeRef, Vec<Value>);

impl Settled {
    /// Makes NULL of the references that are set later, and gives what to set.
    pub(crate) fn postpone(&mut self, decoder: &Decoder, nulls: &HashMap<EdgeRef, Vec<String>>) -> Vec<Patch> {
        let relation = decoder.catalog.relation(self.shape.relation);
        let slot = |name: &String| self.shape.slot_of(relation.column(name)?.0);
        let key: Vec<usize> = relation.primary_key_columns().iter().filter_map(slot).collect();
        let mut nulled = Vec::new();
        let mut patches = Vec::new();
        // All patches are taken before anything is nulled: two keys may share a column.
        for edge in std::mem::take(&mut self.later) {
            let slots: Vec<usize> = nulls.get(&edge).into_iter().flatten().filter_map(slot).collect();
            patches.push((edge, slots.iter().chain(&key).map(|slot| self.values[*slot].clone()).collect()));
            nulled.extend(slots);
        }
        for slot in nulled {
            self.values[slot] = Value::Null;
        }
        patches
    }
}

/// Follows the references of a row; `None` where one of them leads to a record that the database refused.
pub(crate) fn settle(
    decoder: &Decoder,
    state: &State,
    mut row: Row,
    step: Option<&Step>,
    refused: &HashSet<(RelationId, Ordinal)>,
) -> Result<Option<Settled>, Error> {
    let shape = Arc::clone(&row.shape);
    let own = state.relation(shape.relation);
    let relation = decoder.catalog.relation(shape.relation);
    let unsettled = || Error::Unsettled { relation: relation.name.clone() };
    let postponed = step.map_or(&[][..], Step::nulled);
    let mut later = Vec::new();
    for reference in &shape.references {
        if !own.nulled.is_empty() && own.nulled.contains(&(row.ordinal, reference.key)) {
            for slot in nullable_slots(relation, &shape, reference) {
                row.follow(slot, Value::Null);
                row.cells[slot] = Cell::Value(Value::Null);
            }
            continue;
        }
        let natural = match (&reference.slots[..], &row.cells[reference.slots[0]]) {
            ([_], Cell::Natural(natural)) => Some(natural),
            _ => None,
        };
        let resolution = if let Some(natural) = natural {
            let wanted = decoder.registry.spec(reference.index).columns[0];
            state.by_natural_key(&decoder.registry, &decoder.mapping, reference.target, wanted, natural)
        } else {
            // A key stays as it is, unless the row it names ends up under another or is loaded later.
            if postponed.is_empty() && refused.is_empty() && !state.relation(reference.target).moved {
                continue;
            }
            let Some(values) = row.given_values(&reference.slots) else { continue };
            if values.iter().any(|value| value.is_null()) {
                continue;
            }
            state.by_key(&decoder.registry, reference.target, reference.index, &values)
        };
        let (record, value) = match resolution {
            Resolution::Record(ordinal, value) => (Some(ordinal), value),
            Resolution::Target(value) => (None, value),
            // Only a key that nobody enforces gets here unresolved: it was reported as a warning and stays as it is.
            _ if natural.is_none() => continue,
            _ => return Err(unsettled()),
        };
        if record.is_some_and(|ordinal| refused.contains(&(reference.target, ordinal))) {
            return Ok(None);
        }
        for (slot, value) in reference.slots.iter().zip(value.into_iter().flatten()) {
            row.follow(*slot, value);
        }
        let edge = EdgeRef { referencing: shape.relation, key: reference.key };
        let itself = reference.target == shape.relation && record == Some(row.ordinal);
        let there = record.is_none_or(|ordinal| state.relation(reference.target).exists(ordinal));
        if postponed.contains(&edge) && !itself && !there {
            later.push(edge);
        }
    }
    follow_polymorphic(decoder, state, &mut row);
    let origin = Origin::of(&row);
    let allotted = own.allots.then_some(own.fresh).flatten().map(crate::state::Fresh::column);
    let mut values: Vec<Value> = Vec::with_capacity(row.cells.len());
    for (cell, column) in row.cells.into_iter().zip(&shape.columns) {
        values.push(match cell {
            _ if allotted == Some(*column) => own.final_value(*column, row.ordinal).ok_or_else(unsettled)?,
            Cell::Value(value) => value,
            Cell::Allotted => own.final_value(*column, row.ordinal).ok_or_else(unsettled)?,
            Cell::Natural(_) | Cell::Bad => return Err(unsettled()),
        });
    }
    Ok(Some(Settled { shape, origin, values, later }))
}

/// Follows polymorphic references and ids inside documents.
fn follow_polymorphic(decoder: &Decoder, state: &State, row: &mut Row) {
    let shape = Arc::clone(&row.shape);
    let Some(polymorphic) = decoder.mapping.polymorphic(shape.relation) else { return };
    let follower = Follower { polymorphic, state, registry: &decoder.registry, catalog: &decoder.catalog };
    let relation = decoder.catalog.relation(shape.relation);
    let nulled = &state.relation(shape.relation).nulled;
    for slot in &shape.generics {
        if nulled.contains(&(row.ordinal, nulled_key(relation, slot.generic))) {
            row.follow(slot.id_slot, Value::Null);
            continue;
        }
        // The type is told by what the export gives, which `follow` keeps beside the value that it becomes.
        let resolved = follower.resolve(row, *slot);
        if let Some((_, Resolution::Record(_, Some(mut value)) | Resolution::Target(Some(mut value)))) = resolved
            && let Some(old) = row.given_value(slot.id_slot)
        {
            let value = in_form_of(old, value.swap_remove(0));
            row.follow(slot.id_slot, value);
        }
    }
    for (slot, column) in shape.columns.iter().enumerate() {
        if !polymorphic.embedded.iter().any(|embedded| embedded.column == *column) {
            continue;
        }
        let Some(value) = row.cells[slot].value() else { continue };
        let followed = follower.follow_embedded(*column, value, &mut Vec::new(), &mut Vec::new());
        if let Some(followed) = followed {
            row.cells[slot] = Cell::Value(followed);
        }
    }
}
