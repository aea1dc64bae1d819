//! Polymorphic references and ids inside documents, once every record has been read: what they name is looked up, and what leads nowhere is
//! reported.

use std::sync::Arc;

use relink_model::{OnDangling, RelationId, Severity, Value};
use relink_records::{Embedded, Key, Polymorphic};

use super::{
    Needs, Scanner,
    references::{doubtful_finding, unresolved_finding},
};
use crate::{
    Error, code,
    decode::Row,
    findings::{Handling, Spot, finding},
    index::IndexId,
    polymorphic::{Follower, Unfollowed, nulled_key, unreadable},
    state::Resolution,
    stream::{self, Order},
};

impl Scanner<'_> {
    /// Looks at every record that holds such references, a second time.
    pub(super) async fn check_polymorphic(&mut self) -> Result<(), Error> {
        let mapping = Arc::clone(&self.mapping);
        let catalog = Arc::clone(&self.catalog);
        for (id, _) in catalog.iter() {
            if self.runs[id.index()].is_empty() {
                continue;
            }
            let Some(polymorphic) = mapping.polymorphic(id) else { continue };
            let targets: Vec<RelationId> = polymorphic.targets().collect();
            self.find_rows(targets.into_iter()).await?;
            let runs = self.runs[id.index()].clone();
            let mut rows = stream::rows(&self.source, &self.decoder, Order::File(runs));
            while let Some(chunk) = rows.recv().await {
                let rows: Vec<Row> = chunk?.into_iter().map(|(row, _)| row).collect();
                loop {
                    let mut needs = Vec::new();
                    for row in &rows {
                        self.unfollowed(row, &mut needs);
                    }
                    if needs.is_empty() {
                        break;
                    }
                    let mut asked = Needs::new();
                    for (index, values) in needs {
                        let key = Key::with_nulls(values.iter().zip(&self.registry.spec(index).comparisons));
                        asked.entry(index).or_default().insert(key, values);
                    }
                    self.fetch(asked).await?;
                }
                for row in &rows {
                    self.report_unknown_types(row)?;
                    self.report_unreadable(row)?;
                    for unfollowed in self.unfollowed(row, &mut Vec::new()) {
                        self.report_unfollowed(row, &unfollowed)?;
                    }
                }
                self.state.keep_within_budget()?;
            }
        }
        Ok(())
    }

    /// What follows these references, as far as is known by now.
    pub(super) fn follower<'a>(&'a self, polymorphic: &'a Polymorphic) -> Follower<'a> {
        Follower { polymorphic, state: &self.state, registry: &self.registry, catalog: &self.catalog }
    }

    /// What of a row's polymorphic references leads nowhere; keys to be looked up first go to `needs`.
    fn unfollowed(&self, row: &Row, needs: &mut Vec<(IndexId, Vec<Value>)>) -> Vec<Unfollowed> {
        let id = row.shape.relation;
        let mut unfollowed = Vec::new();
        let Some(polymorphic) = self.mapping.polymorphic(id) else { return unfollowed };
        if self.state.relation(id).rejected.contains_key(&row.ordinal) {
            return unfollowed;
        }
        let follower = self.follower(polymorphic);
        for slot in &row.shape.generics {
            let generic = &polymorphic.generics[slot.generic];
            match follower.resolve(row, *slot) {
                Some((_, Resolution::Need(index, values))) => needs.push((index, values)),
                Some((
                    target,
                    why @ (Resolution::Missing | Resolution::External | Resolution::Unnamed | Resolution::Ambiguous),
                )) => {
                    let id = row.given_value(slot.id_slot).cloned().unwrap_or(Value::Null);
                    let (column, loose) = (generic.id_column, generic.loose);
                    let (generic, target) = (Some(slot.generic), target.relation);
                    unfollowed.push(Unfollowed { column, generic, target, id, why, loose });
                }
                Some((target, why @ Resolution::Target(None))) if follower.is_doubtful(target) => {
                    let id = row.given_value(slot.id_slot).cloned().unwrap_or(Value::Null);
                    let (column, generic, target) = (generic.id_column, Some(slot.generic), target.relation);
                    unfollowed.push(Unfollowed { column, generic, target, id, why, loose: true });
                }
                _ => {}
            }
        }
        for (slot, column) in row.shape.columns.iter().enumerate() {
            if polymorphic.embedded.iter().any(|embedded| embedded.column == *column)
                && let Some(value) = row.cells[slot].value()
            {
                follower.follow_embedded(*column, value, &mut unfollowed, needs);
            }
        }
        unfollowed
    }

    /// Types for which no table is known: where ids may be other rows' in the target, such references could lead to any of them.
    fn report_unknown_types(&mut self, row: &Row) -> Result<(), Error> {
        let mapping = Arc::clone(&self.mapping);
        let Some(polymorphic) = mapping.polymorphic(row.shape.relation) else { return Ok(()) };
        let keeps = !self.state.relations.iter().any(|relation| relation.allots);
        for slot in &row.shape.generics {
            let generic = &polymorphic.generics[slot.generic];
            let label = self.follower(polymorphic).unknown_type(row, *slot);
            let Some(label) = label.filter(|_| !keeps && !self.is_rejected(row)) else { continue };
            let catalog = Arc::clone(&self.catalog);
            let name = &catalog.relation(row.shape.relation).name;
            let message =
                format!("no table is known for the type {label:?}, so that the id beside it cannot follow its row");
            let mut found = finding(code::UNKNOWN_TYPE, name, message);
            if generic.loose {
                found.severity = Severity::Warning;
            }
            found.help =
                Some(format!("name it: [table.{name}] generic = [{{ ..., targets = {{ {label:?} = \"TABLE\" }} }}]"));
            let field = row.shape.field_of(slot.type_slot).map(str::to_owned);
            found.field.clone_from(&field);
            let offset = self.value_offset(row, field.as_deref())?;
            let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
            self.fault(row, found, Some(spot), None)?;
        }
        Ok(())
    }

    /// Documents whose ids cannot follow their rows, since nobody can read them.
    fn report_unreadable(&mut self, row: &Row) -> Result<(), Error> {
        let mapping = Arc::clone(&self.mapping);
        let Some(polymorphic) = mapping.polymorphic(row.shape.relation) else { return Ok(()) };
        if self.is_rejected(row) {
            return Ok(());
        }
        for &Embedded { column, loose, target, .. } in unreadable(polymorphic, row) {
            if !self.state.relation(target.relation).moved {
                continue;
            }
            let catalog = Arc::clone(&self.catalog);
            let name = &catalog.relation(row.shape.relation).name;
            let message = "this document is no JSON, or nests too deep, so that the ids in it cannot follow their rows";
            let mut found = finding(code::UNREADABLE_DOCUMENT, name, message);
            if loose {
                found.severity = Severity::Warning;
            }
            found.help = Some("mend the document, or leave its column out of embedded_ids".to_owned());
            let field = row.shape.slot_of(column).and_then(|slot| row.shape.field_of(slot)).map(str::to_owned);
            found.field.clone_from(&field);
            let offset = self.value_offset(row, field.as_deref())?;
            let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
            self.fault(row, found, Some(spot), None)?;
        }
        Ok(())
    }

    fn is_rejected(&self, row: &Row) -> bool {
        self.state.relation(row.shape.relation).rejected.contains_key(&row.ordinal)
    }

    fn report_unfollowed(&mut self, row: &Row, unfollowed: &Unfollowed) -> Result<(), Error> {
        // A loose reference may name what is gone; it only matters where an id could be another row's by now, or become a new one's.
        let allots = self.state.relation(unfollowed.target).allots;
        let doubtful = matches!(unfollowed.why, Resolution::Target(_));
        let elsewhere = matches!(unfollowed.why, Resolution::External | Resolution::Unnamed);
        if unfollowed.loose && !elsewhere && !allots && !doubtful {
            return Ok(());
        }
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(row.shape.relation);
        let target = &catalog.relation(unfollowed.target).name;
        let shown = unfollowed.id.to_string();
        let mut found = if doubtful {
            doubtful_finding(&relation.name, target, &shown)
        } else {
            unresolved_finding(&relation.name, target, &shown, &unfollowed.why)
        };
        if unfollowed.why == Resolution::Unnamed {
            found.help = Some("such references name rows by id: export without --natural-primary".to_owned());
        }
        // What names its rows by convention names rows that are or were there: an id that may be another's is no log entry. Nor is one where the user refuses them.
        let generic = unfollowed.generic.and_then(|generic| {
            self.mapping.polymorphic(row.shape.relation).and_then(|polymorphic| polymorphic.generics.get(generic))
        });
        let guessed = generic.is_some_and(|generic| generic.guessed);
        let refused = guessed || self.policies.of(unfollowed.target).refuses_externals;
        if unfollowed.loose && !(refused && elsewhere) {
            found.severity = Severity::Warning;
        }
        let slot = row.shape.slot_of(unfollowed.column);
        let field = slot.and_then(|slot| row.shape.field_of(slot)).map(str::to_owned);
        found.field.clone_from(&field);
        let offset = self.value_offset(row, field.as_deref())?;
        let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
        let dangling =
            matches!(unfollowed.why, Resolution::Missing | Resolution::External) && found.severity == Severity::Error;
        let nulls = unfollowed.generic.filter(|_| relation.columns[unfollowed.column].nullable);
        match (self.on_dangling, nulls) {
            (OnDangling::Null, Some(generic)) if dangling => {
                let key = nulled_key(relation, generic);
                self.state.relation_mut(row.shape.relation).nulled.insert((row.ordinal, key));
                Ok(self.findings.add_handled(found, Handling::Nulls, Some(spot), None)?)
            }
            (OnDangling::Reject, _) if dangling => {
                self.reject(row, &found);
                Ok(self.findings.add_handled(found, Handling::Rejects, Some(spot), None)?)
            }
            _ => self.fault(row, found, Some(spot), None),
        }
    }
}
