//! References of records, as they are read: each is resolved in the export or in the target, what leads to records not read yet waits for the end of
//! the component, and what leads nowhere is reported.

use std::sync::{Arc, atomic::Ordering};

use relink_graph::EdgeRef;
use relink_model::{Enforcement, Finding, MatchKind, OnDangling, Relation, RelationId, RelationName, Severity, Value};
use relink_records::Key;

use super::{Needs, Scanner, Work};
use crate::{
    Error, code,
    decode::{Cell, Problem, Row, excerpt},
    findings::{Handling, Spot, finding},
    memory::Ordinal,
    polymorphic::in_form_of,
    rows::RowEdge,
    shape::{ReferenceSlot, Shape},
    state::Resolution,
    stream,
};

impl Scanner<'_> {
    /// Ends what is left of a component: what leads nowhere now is reported.
    pub(super) async fn conclude(&mut self, works: &mut [Work]) -> Result<(), Error> {
        if works.iter().all(Work::is_done) {
            return Ok(());
        }
        self.resolve_all(works, true).await?;
        for work in works.iter_mut() {
            work.settled.fill(true);
            self.file(work, false)?;
        }
        self.identify(works).await
    }

    /// Whether all that is left of a row are references whose values nothing else goes by: it can be read again for them, and need not stay in memory.
    pub(super) fn is_read_again(&self, work: &Work) -> bool {
        let shape = &work.row.shape;
        let payload = &self.state.relation(shape.relation).payload;
        let (references, generics) = work.settled.split_at(shape.references.len());
        let shared = |slot: &usize, key: usize| {
            shape.references.iter().any(|other| other.key != key && other.slots.contains(slot))
        };
        let alone = |(reference, settled): (&ReferenceSlot, &bool)| {
            *settled
                || !keyed(shape, &reference.slots)
                    // What another reference has made of a column would have to be made again.
                    && !reference.slots.iter().any(|slot| shared(slot, reference.key))
                    && !reference.slots.iter().any(|slot| payload.contains(&shape.columns[*slot]))
        };
        work.identified && !generics.contains(&false) && shape.references.iter().zip(references).all(alone)
    }

    /// Resolves the references of records that waited for the end of the component.
    pub(super) async fn conclude_waiting(&mut self) -> Result<(), Error> {
        for ((relation, settled), records) in std::mem::take(&mut self.waiting) {
            for piece in records.chunks(stream::PIECE_ROWS) {
                let order = self.state.relation(relation).order_of(piece);
                let mut rows = stream::rows(&self.source, &self.decoder, order);
                while let Some(chunk) = rows.recv().await {
                    if self.interrupted.load(Ordering::Relaxed) {
                        return Err(Error::Interrupted);
                    }
                    let again = |(row, _): (Row, Vec<Problem>)| Work {
                        settled: settled.clone(),
                        filed: vec![true; row.shape.indexes.len()],
                        identified: true,
                        row,
                    };
                    let mut works: Vec<Work> = chunk?.into_iter().map(again).collect();
                    self.resolve_all(&mut works, true).await?;
                    self.state.keep_within_budget()?;
                }
            }
        }
        Ok(())
    }

    /// Resolves what can be resolved, with as many rounds of lookups as natural keys are nested; `report`: what leads nowhere
    /// inside the component will not come any more.
    pub(super) async fn resolve_all(&mut self, works: &mut [Work], report: bool) -> Result<(), Error> {
        loop {
            let mut needs = Needs::new();
            for work in works.iter_mut().filter(|work| work.settled.contains(&false)) {
                self.resolve(work, report, &mut needs)?;
            }
            if needs.is_empty() {
                return Ok(());
            }
            self.fetch(needs).await?;
        }
    }

    /// Settles what can be settled of a row's references.
    pub(super) fn resolve(&mut self, work: &mut Work, report: bool, needs: &mut Needs) -> Result<(), Error> {
        let shape = Arc::clone(&work.row.shape);
        let catalog = Arc::clone(&self.catalog);
        for (at, reference) in shape.references.iter().enumerate() {
            if work.settled[at] {
                continue;
            }
            let natural = match (&reference.slots[..], &work.row.cells[reference.slots[0]]) {
                ([slot], Cell::Natural(natural)) => Some((*slot, natural.clone())),
                _ => None,
            };
            let resolution = if let Some((_, natural)) = &natural {
                let wanted = self.registry.spec(reference.index).columns[0];
                self.state.by_natural_key(&self.registry, &self.mapping, reference.target, wanted, natural)
            } else {
                let Some(values) = work.row.given_values(&reference.slots) else {
                    // A part that is a natural key itself is resolved on its own first.
                    let waits = reference.slots.iter().any(|slot| matches!(work.row.cells[*slot], Cell::Natural(_)));
                    work.settled[at] = !waits;
                    continue;
                };
                let foreign_key = &catalog.relation(shape.relation).foreign_keys[reference.key];
                let nulls = values.iter().filter(|value| value.is_null()).count();
                if nulls == values.len() || nulls > 0 && foreign_key.match_kind == MatchKind::Simple {
                    work.settled[at] = true;
                    continue;
                }
                if nulls > 0 {
                    Resolution::Missing
                } else {
                    self.state.by_key(&self.registry, reference.target, reference.index, &values)
                }
            };
            let inside = self.component.contains(&reference.target);
            match resolution {
                Resolution::Pending => continue,
                // The number matters only where the reference is part of a key.
                Resolution::Numbered(_) if keyed(&shape, &reference.slots) => {
                    if report {
                        self.unresolved(&mut work.row, at, &Resolution::Unkeyed)?;
                    }
                    continue;
                }
                Resolution::Numbered(ordinal) => self.note_edge(&work.row, reference.key, reference.target, ordinal),
                Resolution::Missing if inside && !report => continue,
                Resolution::Need(index, values) => {
                    let comparisons = &self.registry.spec(index).comparisons;
                    let key = Key::with_nulls(values.iter().zip(comparisons));
                    needs.entry(index).or_default().insert(key, values);
                    continue;
                }
                Resolution::Record(ordinal, value) => {
                    self.note_edge(&work.row, reference.key, reference.target, ordinal);
                    self.follow(work, &reference.slots, natural.is_some(), value);
                }
                Resolution::Target(value) => {
                    if natural.is_none()
                        && value.is_none()
                        && self.state.is_doubtful(&self.registry, reference.target, reference.index)
                    {
                        self.doubt(&work.row, at)?;
                    }
                    self.follow(work, &reference.slots, natural.is_some(), value);
                }
                Resolution::Missing
                | Resolution::External
                | Resolution::Ambiguous
                | Resolution::Unnamed
                | Resolution::Unkeyed => self.unresolved(&mut work.row, at, &resolution)?,
            }
            work.settled[at] = true;
        }
        self.resolve_generics(work, report, needs);
        Ok(())
    }

    /// Follows the polymorphic references that are part of a key; the others are looked at when everything has been read.
    pub(super) fn resolve_generics(&mut self, work: &mut Work, report: bool, needs: &mut Needs) {
        let shape = Arc::clone(&work.row.shape);
        let mapping = Arc::clone(&self.mapping);
        let Some(polymorphic) = mapping.polymorphic(shape.relation) else { return };
        for (at, slot) in (shape.references.len()..).zip(&shape.generics) {
            if work.settled[at] {
                continue;
            }
            let of_type = |reference: &&ReferenceSlot| reference.slots.contains(&slot.type_slot);
            let waits =
                shape.references.iter().enumerate().any(|(at, reference)| of_type(&reference) && !work.settled[at]);
            if keyed(&shape, &[slot.id_slot]) && !report {
                if waits {
                    continue;
                }
                match self.follower(polymorphic).resolve(&work.row, *slot) {
                    Some((_, Resolution::Pending | Resolution::Numbered(_))) => continue,
                    Some((_, Resolution::Need(index, values))) => {
                        let key = Key::with_nulls(values.iter().zip(&self.registry.spec(index).comparisons));
                        needs.entry(index).or_default().insert(key, values);
                        continue;
                    }
                    Some((_, Resolution::Record(_, Some(value)) | Resolution::Target(Some(value)))) => {
                        let value = match work.row.given_value(slot.id_slot) {
                            Some(old) => in_form_of(old, value[0].clone()),
                            None => value[0].clone(),
                        };
                        self.follow(work, &[slot.id_slot], false, Some(vec![value]));
                    }
                    _ => {}
                }
            }
            work.settled[at] = true;
        }
    }

    /// Puts the referenced row's own values in place of the reference, where they are others.
    pub(super) fn follow(&mut self, work: &mut Work, slots: &[usize], natural: bool, values: Option<Vec<Value>>) {
        let shape = Arc::clone(&work.row.shape);
        for (slot, value) in slots.iter().zip(values.into_iter().flatten()) {
            if work.row.cells[*slot].value() == Some(&value) {
                continue;
            }
            let state = &mut self.state.relations[shape.relation.index()];
            state.moved |= !natural && state.payload.contains(&shape.columns[*slot]);
            work.row.follow(*slot, value);
        }
    }

    pub(super) fn note_edge(&mut self, row: &Row, key: usize, target: RelationId, ordinal: Ordinal) {
        if !self.component.contains(&target) {
            return;
        }
        let enforcement = self.catalog.relation(row.shape.relation).foreign_keys[key].enforcement;
        if matches!(enforcement, Enforcement::Enforced | Enforcement::NotValidated) {
            let edge = EdgeRef { referencing: row.shape.relation, key };
            self.edges.push(RowEdge { edge, from: (row.shape.relation, row.ordinal), to: (target, ordinal) });
        }
    }

    /// Warns of a reference by id to a row of the target that may be another than the export means.
    pub(super) fn doubt(&mut self, row: &Row, at: usize) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let reference = &row.shape.references[at];
        let relation = &catalog.relation(row.shape.relation).name;
        let shown: Vec<String> = reference.slots.iter().map(|slot| describe(&row.cells[*slot])).collect();
        let field = reference.slots.first().and_then(|slot| row.shape.field_of(*slot)).map(str::to_owned);
        let mut found = doubtful_finding(relation, &catalog.relation(reference.target).name, &shown.join(", "));
        found.field.clone_from(&field);
        // There may be one for each record: the place is only looked for where it is kept.
        let offset = if self.findings.keeps(&found) { self.value_offset(row, field.as_deref())? } else { row.offset };
        let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
        Ok(self.findings.add(found, Some(spot), None)?)
    }

    /// Reports a reference that leads nowhere, or to several rows.
    pub(super) fn unresolved(&mut self, row: &mut Row, at: usize, resolution: &Resolution) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let shape = Arc::clone(&row.shape);
        let reference = &shape.references[at];
        let relation = catalog.relation(shape.relation);
        let foreign_key = &relation.foreign_keys[reference.key];
        let target = &catalog.relation(reference.target).name;
        let shown: Vec<String> = reference.slots.iter().map(|slot| describe(&row.cells[*slot])).collect();
        let field = reference.slots.first().and_then(|slot| shape.field_of(*slot)).map(str::to_owned);
        let shown = shown.join(", ");
        let mut found = unresolved_finding(&relation.name, target, &shown, resolution);
        self.name_filter(reference.target, &mut found);
        found.constraint =
            Some(foreign_key.name.as_ref().map_or_else(|| foreign_key.describe(&relation.name), ToString::to_string));
        found.field.clone_from(&field);
        // Without the row that a natural key names there is no value to write, whoever enforces the key.
        let natural = reference.slots.iter().any(|slot| matches!(row.cells[*slot], Cell::Natural(_)));
        if foreign_key.enforcement == Enforcement::NotEnforced && !natural {
            found.severity = Severity::Warning;
        }
        let offset = self.value_offset(row, field.as_deref())?;
        let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
        let dangling = matches!(resolution, Resolution::Missing | Resolution::External);
        let nulled = nullable_slots(relation, &shape, reference);
        if dangling && self.on_dangling == OnDangling::Null && found.severity == Severity::Error && !nulled.is_empty() {
            self.state.relations[shape.relation.index()].nulled.insert((row.ordinal, reference.key));
            for slot in nulled {
                row.cells[slot] = Cell::Value(Value::Null);
            }
            return Ok(self.findings.add_handled(found, Handling::Nulls, Some(spot), None)?);
        }
        if dangling && self.on_dangling == OnDangling::Reject && found.severity == Severity::Error {
            self.reject(row, &found);
            self.findings.add_handled(found, Handling::Rejects, Some(spot), None)?;
        } else {
            self.fault(row, found, Some(spot), None)?;
        }
        if natural {
            row.cells[reference.slots[0]] = Cell::Bad;
        }
        Ok(())
    }

    /// Says which option leaves out records of the table that a reference leads to.
    pub(super) fn name_filter(&self, target: RelationId, found: &mut Finding) {
        if let (Some(filter), Some(help)) = (self.decoder.selected.filter(target), &mut found.help) {
            *help = format!("{filter} leaves out records of {}; {help}", self.catalog.relation(target).name);
        }
    }
}

/// Whether one of these slots is part of a key.
pub(super) fn keyed(shape: &Shape, slots: &[usize]) -> bool {
    shape.indexes.iter().any(|(_, key)| key.iter().any(|slot| slots.contains(slot)))
}

/// The slots of a reference that can be NULL, save for those that another reference or the primary key needs.
pub(crate) fn nullable_slots(relation: &Relation, shape: &Shape, reference: &ReferenceSlot) -> Vec<usize> {
    let primary = relation.primary_key_columns();
    let nullable = |slot: &usize| {
        let column = &relation.columns[shape.columns[*slot]];
        column.nullable && !primary.contains(&column.name)
    };
    let slots: Vec<usize> = reference.slots.iter().copied().filter(nullable).collect();
    let shared =
        |slot: &usize| shape.references.iter().any(|other| other.key != reference.key && other.slots.contains(slot));
    slots.into_iter().filter(|slot| !shared(slot)).collect()
}

/// The finding of a reference by id that may lead to another row than the export means.
pub(super) fn doubtful_finding(relation: &RelationName, target: &RelationName, shown: &str) -> Finding {
    let message = format!(
        "{shown} references {target} by id, the export does not hold that row, and rows of {target} have other ids in the target than in the export: \
         this id may be another row's, too"
    );
    let mut found = finding(code::EXTERNAL_REFERENCE, relation, message);
    found.severity = Severity::Warning;
    found.help =
        Some("export the row as well, refer to it by natural key, or say --external-refs refuse or key".to_owned());
    found
}

/// The finding of a reference that leads nowhere, or to several rows.
pub(super) fn unresolved_finding(
    relation: &RelationName,
    target: &RelationName,
    shown: &str,
    why: &Resolution,
) -> Finding {
    if *why == Resolution::Unnamed {
        let message = format!(
            "{shown} references {target} by id, and the export leaves out the ids of {target}: which row is meant is not known"
        );
        let mut found = finding(code::UNNAMED_REFERENCE, relation, message);
        found.help =
            Some("export with --natural-foreign beside --natural-primary, or without --natural-primary".to_owned());
        return found;
    }
    if *why == Resolution::External {
        let message = format!("{shown} references {target} by id, and the export does not hold that row");
        let mut found = finding(code::EXTERNAL_REFERENCE, relation, message);
        found.help = Some(
            "ids of the source may be other rows' in the target: export the row as well, refer to it by natural key, or say --external-refs key"
                .to_owned(),
        );
        return found;
    }
    if *why == Resolution::Unkeyed {
        let message =
            format!("{shown} references a row of {target} whose key is not given: the database makes it while loading");
        let mut found = finding(code::UNNAMED_REFERENCE, relation, message);
        found.help = Some(format!("give the records of {target} their keys in the export"));
        return found;
    }
    if *why == Resolution::Ambiguous {
        let mut found = finding(
            code::AMBIGUOUS_NATURAL_KEY,
            relation,
            format!("{shown} names several rows of {target}: which one is meant is not known"),
        );
        found.help = Some("export these references by primary key, or make the natural key unique".to_owned());
        return found;
    }
    let mut found = finding(
        code::DANGLING_REFERENCE,
        relation,
        format!("{shown} references a row of {target} that is neither in the export nor in the target"),
    );
    found.help = Some(format!("add the row of {target} to the export or the target, or mend the reference"));
    found
}

/// A cell in words.
pub(super) fn describe(cell: &Cell) -> String {
    match cell {
        Cell::Value(value) => excerpt(&value.to_string()),
        Cell::Natural(natural) => excerpt(&natural.to_string()),
        Cell::Allotted | Cell::Bad => "?".to_owned(),
    }
}
