//! The export is read once more, and every row that was loaded is compared with the record that it comes from.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use relink_db::Connection;
use relink_export::Run;
use relink_model::{Mode, RelationId, TriggerPolicy, Value};
use relink_records::JoinField;

use super::{Verification, Verifier};
use crate::{
    Error, Request,
    decode::{Decoder, Row},
    findings::Findings,
    memory::Ordinal,
    prescan::joins::{self, Context, Element, Joining},
    settled::{self, Origin},
    state::State,
    stream::{self, Order},
};

/// What was loaded, and from where.
pub(crate) struct Pass<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) decoder: &'a Arc<Decoder>,
    pub(crate) runs: &'a [Vec<Run>],
    pub(crate) joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    pub(crate) state: &'a State,
    /// The relations that were loaded, in their order.
    pub(crate) touched: &'a [RelationId],
}

impl Pass<'_> {
    /// Compares all of it, inside the transaction that loaded it.
    pub(crate) async fn run(
        &self,
        connection: &mut dyn Connection,
        findings: &mut Findings,
    ) -> Result<Verification, Error> {
        let decoder = self.decoder;
        let fires = |id: &&RelationId| self.state.policies.of(**id).triggers == TriggerPolicy::Fire;
        let fired: Vec<RelationId> = self.touched.iter().filter(fires).copied().collect();
        let mode = self.request.options.verify;
        let mut verifier = Verifier::new(&decoder.catalog, &decoder.registry, &decoder.mapping, mode, &fired);
        for id in self.touched {
            let columns: Vec<usize> = (0..decoder.catalog.relation(*id).columns.len()).collect();
            if verifier.wants(*id, &columns) {
                self.records(&mut verifier, *id, connection, findings).await?;
                for (source, field) in self.joins.get(id).into_iter().flatten() {
                    self.lists(&mut verifier, *id, *source, field, connection, findings).await?;
                }
                verifier.flush(connection, findings).await?;
            }
        }
        Ok(verifier.finish(self.touched))
    }

    async fn records(
        &self,
        verifier: &mut Verifier<'_>,
        id: RelationId,
        connection: &mut dyn Connection,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let state = self.state.relation(id);
        let mode = self.state.policies.of(id).mode;
        // A row that was there before keeps what it has, in part or in whole.
        let keeps = matches!(mode, Mode::Skip | Mode::Merge);
        let refused = HashSet::new();
        let mut rows = stream::rows(&self.request.source, self.decoder, Order::File(self.runs[id.index()].clone()));
        while let Some(chunk) = rows.recv().await {
            self.check()?;
            for (mut row, _) in chunk? {
                if self.is_rejected(id, row.ordinal) || keeps && state.exists(row.ordinal) {
                    continue;
                }
                let named = Verifier::natural_references(&row);
                let ordinal = row.ordinal;
                let computed = std::mem::take(&mut row.computed);
                let Some(settled) = settled::settle(self.decoder, self.state, row, None, &refused)? else { continue };
                let mut values = settled.values;
                if state.exists(ordinal) {
                    // A row that exists keeps its key, whatever the export calls it.
                    self.keep_key(id, ordinal, &settled.shape.columns, &mut values);
                }
                values.extend(computed);
                verifier.record(connection, &settled.shape, settled.origin, values, named, findings).await?;
            }
        }
        Ok(())
    }

    fn keep_key(&self, id: RelationId, ordinal: Ordinal, columns: &[usize], values: &mut [Value]) {
        let relation = self.decoder.catalog.relation(id);
        let key = relation.primary_key_columns().iter().filter_map(|name| relation.column(name).map(|(at, _)| at));
        for column in key {
            let slot = columns.iter().position(|candidate| *candidate == column);
            if let (Some(slot), Some(value)) = (slot, self.state.relation(id).final_value(column, ordinal)) {
                values[slot] = value;
            }
        }
    }

    /// The rows of a join table that the lists of a field name.
    async fn lists(
        &self,
        verifier: &mut Verifier<'_>,
        join: RelationId,
        source: RelationId,
        field: &JoinField,
        connection: &mut dyn Connection,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let joining = Joining::new(&self.decoder.registry, field, self.state.relation(join).records());
        let columns = [field.source_column, field.target_column];
        // The list of a row that was skipped was skipped with it.
        let skips = self.state.policies.of(source).mode == Mode::Skip;
        let mut rows = stream::rows(&self.request.source, self.decoder, Order::File(self.runs[source.index()].clone()));
        while let Some(chunk) = rows.recv().await {
            self.check()?;
            for (row, _) in chunk? {
                if self.is_rejected(source, row.ordinal) || skips && self.state.relation(source).exists(row.ordinal) {
                    continue;
                }
                let context = Context {
                    state: self.state,
                    registry: &self.decoder.registry,
                    mapping: &self.decoder.mapping,
                    catalog: &self.decoder.catalog,
                };
                let Some(name) = name_of(&row, field) else { continue };
                for (_, element) in joins::elements(&context, &joining, &row) {
                    let Element::Row(made) = element else { continue };
                    if made.record.is_some_and(|record| self.is_rejected(field.target, record)) {
                        continue;
                    }
                    let origin = Origin::of_list(&row);
                    let values = vec![made.source, made.target];
                    verifier.list_row(connection, join, &columns, name, origin, values, findings).await?;
                }
            }
        }
        Ok(())
    }

    fn is_rejected(&self, relation: RelationId, ordinal: Ordinal) -> bool {
        self.state.relation(relation).rejected.contains_key(&ordinal)
    }

    fn check(&self) -> Result<(), Error> {
        self.state.budget.check()?;
        if self.request.interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The name of a record's many-to-many field.
fn name_of<'r>(row: &'r Row, field: &JoinField) -> Option<&'r str> {
    let (position, _) = row.shape.joins.iter().find(|(_, candidate)| candidate == field)?;
    Some(&row.shape.names[*position])
}
