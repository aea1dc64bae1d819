//! Ids that an export leaves out (`dumpdata --natural-primary`) although other records refer to them by id (no `--natural-foreign`).
//!
//! `dumpdata` writes the records of a model in the order of their primary keys. Where as many distinct ids are referred to as there are
//! records without one, the order decides which is whose, beyond doubt: the smallest id is the first record's. With fewer references than
//! records nothing decides, and each such reference is reported for what it is.

use std::{collections::BTreeSet, sync::Arc};

use relink_export::{FormatFamily, Run};
use relink_model::{Ids, RelationId, Severity, Value};
use relink_records::Key;

use super::Scanner;
use crate::{
    Error, code,
    decode::{Cell, Row},
    findings::finding,
    index::IndexId,
    memory::Ordinal,
    state::External,
    stream::{self, Order},
};

impl Scanner<'_> {
    /// Gives the records without an id the ids that references mean, if the order of records decides them; where references exist that
    /// nothing decides, the relation is marked so.
    pub(super) async fn recover_ids(&mut self, id: RelationId) -> Result<(), Error> {
        let Some(column) = self.state.relation(id).numbered else { return Ok(()) };
        let Some(index) = self.registry.find(id, &[column]) else { return Ok(()) };
        // Elsewhere an id can only be that of a row of the target: whoever wrote the records did not know theirs.
        let django = self.source.format().family() == FormatFamily::Django;
        if self.state.relation(id).nameless.is_empty() || !django {
            return Ok(());
        }
        // Of several files, only a person knows in which order they were dumped.
        let ordered = self.source.in_one_text(&self.runs[id.index()]);
        let referenced = if ordered { self.referenced_ids(id, index).await? } else { BTreeSet::new() };
        let state = self.state.relation(id);
        if referenced.len() != state.nameless.len() || state.records() != state.nameless.len() as u64 {
            self.state.relation_mut(id).unnamed = true;
            return Ok(());
        }
        let nameless: Vec<Ordinal> = state.nameless.iter().collect();
        self.warn_of_recovery(id, nameless.len())?;
        let keeps = self.policies.of(id).ids == Ids::Keep;
        // What a resumed restore finds there, it has written itself.
        if keeps && self.decisions.is_none() {
            self.refuse_taken_ids(id, index, &nameless, &referenced).await?;
        }
        for (ordinal, value) in nameless.into_iter().zip(referenced) {
            self.state.indexes[index.0].records.insert(&Key::Int(value), ordinal);
            let state = self.state.relation_mut(id);
            state.highest_given = state.highest_given.max(Some(value));
            if state.existing.contains(&ordinal) {
                state.moved |= state.final_value(column, ordinal) != Some(Value::Int(value));
            } else if keeps {
                state.set_final(column, ordinal, &Value::Int(value));
            } else {
                state.moved = true;
            }
        }
        Ok(())
    }

    fn warn_of_recovery(&mut self, id: RelationId, records: usize) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let message = format!("the ids of {records} records are left out; they are told from the order of the records");
        let mut found = finding(code::RECOVERED_IDS, &catalog.relation(id).name, message);
        found.severity = Severity::Warning;
        found.help = Some("true of dumps by dumpdata that leave no row out; --natural-foreign does without".to_owned());
        Ok(self.findings.add(found, None, None)?)
    }

    /// Ids that other rows of the target have.
    async fn refuse_taken_ids(
        &mut self,
        id: RelationId,
        index: IndexId,
        nameless: &[Ordinal],
        ids: &BTreeSet<i64>,
    ) -> Result<(), Error> {
        if !self.state.relation(id).has_rows {
            return Ok(());
        }
        let new = nameless.iter().zip(ids).filter(|(ordinal, _)| !self.state.relation(id).existing.contains(ordinal));
        let keys: Vec<Vec<Value>> = new.map(|(_, id)| vec![Value::Int(*id)]).collect();
        for (values, (_, external)) in keys.iter().zip(self.look_up(index, &keys).await?) {
            if external != External::Absent {
                let catalog = Arc::clone(&self.catalog);
                let message = format!("another row of the target has the id {} already", values[0]);
                let found = finding(code::ID_TAKEN, &catalog.relation(id).name, message);
                self.findings.add(found, None, None)?;
            }
        }
        Ok(())
    }

    /// The distinct ids by which records of the export refer to this relation.
    async fn referenced_ids(&mut self, id: RelationId, index: IndexId) -> Result<BTreeSet<i64>, Error> {
        let catalog = Arc::clone(&self.catalog);
        let mut sources: BTreeSet<RelationId> = BTreeSet::new();
        for (from, key) in catalog.referencing(id) {
            if key.referenced_columns.len() == 1 {
                sources.insert(from);
                // A join table is filled by the lists of the relations that it references.
                let relation = catalog.relation(from);
                sources.extend(relation.foreign_keys.iter().filter_map(|side| catalog.id(&side.referenced)));
            }
        }
        let runs: Vec<Vec<Run>> = sources.iter().map(|source| self.runs[source.index()].clone()).collect();
        let mut ids = BTreeSet::new();
        for runs in runs.into_iter().filter(|runs| !runs.is_empty()) {
            let mut rows = stream::rows(&self.source, &self.decoder, Order::File(runs));
            while let Some(chunk) = rows.recv().await {
                for (row, _) in chunk? {
                    ids.extend(references(&row, id, index));
                }
            }
        }
        Ok(ids)
    }
}

/// The ids of `target` to which one row refers by key, many-to-many lists included.
fn references(row: &Row, target: RelationId, index: IndexId) -> Vec<i64> {
    let shape = &row.shape;
    let keys = shape.references.iter().filter(|reference| reference.index == index);
    let cells = keys.flat_map(|reference| &reference.slots).map(|slot| &row.cells[*slot]);
    let lists = shape
        .joins
        .iter()
        .zip(&row.joins)
        .filter(|((_, field), _)| field.target == target)
        .flat_map(|(_, cells)| cells);
    cells
        .chain(lists)
        .filter_map(|cell| match cell {
            Cell::Value(Value::Int(id)) => Some(*id),
            _ => None,
        })
        .collect()
}
