//! Rejected records: a record that cannot be restored takes the records that reference it along, through any number of references and
//! many-to-many lists, until nothing that is restored refers to one that is not.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_db::DbErrorKind;
use relink_export::{LabelId, Run, Source};
use relink_model::{Finding, OnDangling, RelationId, RelationName};
use relink_records::{JoinField, Polymorphic};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Error,
    apply::{Refusal, refused_finding},
    code,
    decode::{Cell, Decoder, Row},
    findings::{Findings, Handling, Spot, finding},
    memory::{Ordinal, Position},
    polymorphic::{Follower, nulled_key},
    prescan::{
        joins::{self, Context, Element, Joining},
        nullable_slots,
    },
    state::{Reject, Resolution, State},
    stream::{self, Order},
};

/// A record that was not restored.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Its label in the export.
    pub label: LabelId,
    /// Its number in the export, from 0.
    pub file_ordinal: u64,
    /// Where it stands.
    pub offset: u64,
    /// Its table.
    pub relation: RelationName,
    /// Why, and through which records: its own reason first, that of the record at the root last.
    pub chain: Vec<Reason>,
}

/// One link of the chain that led to a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// The table of the record concerned.
    pub relation: RelationName,
    /// Its number in the export, from 0.
    pub record: u64,
    /// The finding's code.
    pub code: String,
    /// The field concerned, where one is.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// All rejected records in the order of the export.
pub(crate) fn list(decoder: &Decoder, state: &State) -> Vec<Rejected> {
    let mut all: Vec<Rejected> = Vec::new();
    for (id, relation) in decoder.catalog.iter() {
        for (ordinal, reject) in &state.relation(id).rejected {
            let Position { label, file_ordinal, offset } = reject.position;
            let chain = chain(decoder, state, id, *ordinal);
            all.push(Rejected { label, file_ordinal, offset, relation: relation.name.clone(), chain });
        }
    }
    all.sort_by_key(|rejected| rejected.file_ordinal);
    all
}

fn chain(decoder: &Decoder, state: &State, relation: RelationId, ordinal: Ordinal) -> Vec<Reason> {
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some((relation, ordinal));
    while let Some((relation, ordinal)) = next.filter(|at| seen.insert(*at)) {
        let Some(reject) = state.relation(relation).rejected.get(&ordinal) else { break };
        chain.push(Reason {
            relation: decoder.catalog.relation(relation).name.clone(),
            record: reject.position.file_ordinal,
            code: reject.code.to_string(),
            field: reject.field.clone(),
            message: reject.message.clone(),
        });
        next = reject.because_of;
    }
    chain
}

/// Takes records that the database refused among the rejected. Where some were refused for themselves, those with a broken reference are left to
/// the closing, or to the next attempt: the row that they miss may be one of the refused, and whether it was tried together with them is chance.
pub(crate) fn take_refusals(
    decoder: &Decoder,
    state: &mut State,
    refusals: Vec<Refusal>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let follows = |refusal: &Refusal| refusal.error.kind == DbErrorKind::ForeignKeyViolation;
    let all_follow = refusals.iter().all(follows);
    for Refusal { relation, ordinal, error } in refusals.into_iter().filter(|refusal| all_follow || !follows(refusal)) {
        let position = state.relation(relation).positions.get(ordinal);
        let found = refused_finding(&decoder.catalog.relation(relation).name, error);
        let reject = Reject {
            code: found.code,
            field: found.field.clone(),
            message: found.message.clone(),
            position,
            because_of: None,
        };
        state.relation_mut(relation).rejected.insert(ordinal, reject);
        let Position { label, file_ordinal, offset } = position;
        findings.add_handled(
            found,
            Handling::Rejects,
            Some(Spot { label, file_ordinal, offset, field: None }),
            None,
        )?;
    }
    Ok(())
}

/// What closing works on.
pub(crate) struct Closing<'a> {
    pub(crate) source: &'a Source,
    pub(crate) decoder: &'a Arc<Decoder>,
    pub(crate) runs: &'a [Vec<Run>],
    pub(crate) joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    pub(crate) on_dangling: OnDangling,
}

impl Closing<'_> {
    /// Rejects what references rejected records, directly or through others.
    pub(crate) async fn close(&self, state: &mut State, findings: &mut Findings) -> Result<(), Error> {
        let has_rejected = |id: &RelationId| !state.relation(*id).rejected.is_empty();
        let mut fresh: HashSet<RelationId> =
            self.decoder.catalog.iter().map(|(id, _)| id).filter(has_rejected).collect();
        while !fresh.is_empty() {
            let mut next = HashSet::new();
            for (id, _) in self.decoder.catalog.iter().filter(|(id, _)| self.refers_to(*id, &fresh)) {
                if self.close_relation(id, state, findings).await? {
                    next.insert(id);
                }
            }
            fresh = next;
        }
        Ok(())
    }

    /// Whether records of a relation can reference one of these.
    fn refers_to(&self, id: RelationId, targets: &HashSet<RelationId>) -> bool {
        let catalog = &self.decoder.catalog;
        let keys = catalog.relation(id).foreign_keys.iter().filter_map(|key| catalog.id(&key.referenced));
        let lists = self.joins.values().flatten().filter(|(source, _)| *source == id).map(|(_, field)| field.target);
        let polymorphic = self.decoder.mapping.polymorphic(id).into_iter().flat_map(Polymorphic::targets);
        !self.runs[id.index()].is_empty()
            && keys.chain(lists).chain(polymorphic).any(|target| targets.contains(&target))
    }

    /// Whether records of the relation were rejected that had not been.
    async fn close_relation(&self, id: RelationId, state: &mut State, findings: &mut Findings) -> Result<bool, Error> {
        let mut changed = false;
        let runs = self.runs[id.index()].clone();
        let mut rows = stream::rows(self.source, self.decoder, Order::File(runs));
        while let Some(chunk) = rows.recv().await {
            for (row, _) in chunk? {
                if state.relation(id).rejected.contains_key(&row.ordinal) {
                    continue;
                }
                let led = self.rejected_targets(&row, state);
                // A reference that cannot become NULL takes the record along; what else it refers to does not matter then.
                if let Some(led) = led.iter().find(|led| led.nulls.is_none()) {
                    let found = self.follows(&row, led, Handling::Rejects, state, findings)?;
                    let reject = Reject {
                        code: found.code,
                        field: found.field,
                        message: found.message,
                        position: row.position(),
                        because_of: Some(led.cause),
                    };
                    state.relation_mut(id).rejected.insert(row.ordinal, reject);
                    changed = true;
                    continue;
                }
                for led in led {
                    self.follows(&row, &led, Handling::Nulls, state, findings)?;
                    state.relation_mut(id).nulled.extend(led.nulls.map(|key| (row.ordinal, key)));
                }
                if self.on_dangling == OnDangling::Null {
                    for (join, led) in self.rejected_elements(&row, state) {
                        if state.relation_mut(join).left_out.insert((id, row.ordinal, led.cause.1)) {
                            self.follows(&row, &led, Handling::Nulls, state, findings)?;
                        }
                    }
                }
            }
        }
        Ok(changed)
    }

    /// Reports a reference to a rejected record.
    fn follows(
        &self,
        row: &Row,
        led: &Led,
        handling: Handling,
        state: &State,
        findings: &mut Findings,
    ) -> Result<Finding, Error> {
        let catalog = &self.decoder.catalog;
        let name = &catalog.relation(led.cause.0).name;
        let Position { label, file_ordinal, offset } = state.relation(led.cause.0).rejected[&led.cause.1].position;
        let message = format!("references record {file_ordinal} ({name}), which is not restored");
        let mut found = finding(code::FOLLOWS_REJECTED, &catalog.relation(row.shape.relation).name, message);
        found.field.clone_from(&led.field);
        let spot =
            Spot { label: row.label, file_ordinal: row.file_ordinal, offset: row.offset, field: led.field.as_deref() };
        let other = Spot { label, file_ordinal, offset, field: None };
        findings.add_handled(found.clone(), handling, Some(spot), Some(other))?;
        Ok(found)
    }

    /// The references of a row that lead to rejected records.
    fn rejected_targets(&self, row: &Row, state: &State) -> Vec<Led> {
        let mut all = Vec::new();
        let Decoder { registry, mapping, catalog, .. } = self.decoder.as_ref();
        let own = state.relation(row.shape.relation);
        for reference in &row.shape.references {
            if own.nulled.contains(&(row.ordinal, reference.key))
                || state.relation(reference.target).rejected.is_empty()
            {
                continue;
            }
            let resolution =
                if let ([_], Cell::Natural(natural)) = (&reference.slots[..], &row.cells[reference.slots[0]]) {
                    let wanted = registry.spec(reference.index).columns[0];
                    state.by_natural_key(registry, mapping, reference.target, wanted, natural)
                } else {
                    let Some(values) = row.given_values(&reference.slots) else { continue };
                    if values.iter().any(|value| value.is_null()) {
                        continue;
                    }
                    state.by_key(registry, reference.target, reference.index, &values)
                };
            let Resolution::Record(ordinal, _) = resolution else { continue };
            if !state.relation(reference.target).rejected.contains_key(&ordinal) {
                continue;
            }
            let field = row.shape.field_of(reference.slots[0]).map(str::to_owned);
            let relation = catalog.relation(row.shape.relation);
            let nulls =
                self.on_dangling == OnDangling::Null && !nullable_slots(relation, &row.shape, reference).is_empty();
            all.push(Led { field, cause: (reference.target, ordinal), nulls: nulls.then_some(reference.key) });
        }
        self.rejected_polymorphic(row, state, &mut all);
        // Else they are left out of their lists.
        if self.on_dangling != OnDangling::Null {
            all.extend(self.rejected_elements(row, state).into_iter().map(|(_, led)| led));
        }
        all
    }

    /// The elements of a row's lists that are rejected records, each with its join table.
    fn rejected_elements(&self, row: &Row, state: &State) -> Vec<(RelationId, Led)> {
        let Decoder { registry, mapping, catalog, .. } = self.decoder.as_ref();
        let context = Context { state, registry, mapping, catalog };
        let mut all = Vec::new();
        for (position, field) in &row.shape.joins {
            let rejected = &state.relation(field.target).rejected;
            if rejected.is_empty() {
                continue;
            }
            let joining = Joining::new(registry, field, state.relation(field.join).records());
            for (_, element) in joins::elements(&context, &joining, row) {
                if let Element::Row(made) = element
                    && let Some(record) = made.record.filter(|record| rejected.contains_key(record))
                {
                    let name = Some(row.shape.names[*position].clone());
                    all.push((field.join, Led { field: name, cause: (field.target, record), nulls: None }));
                }
            }
        }
        all
    }

    /// The same among the row's polymorphic references.
    fn rejected_polymorphic(&self, row: &Row, state: &State, all: &mut Vec<Led>) {
        let Decoder { registry, mapping, catalog, .. } = self.decoder.as_ref();
        let id = row.shape.relation;
        let (own, relation) = (state.relation(id), catalog.relation(id));
        let records = |polymorphic| Follower { polymorphic, state, registry, catalog }.records(row);
        let records = mapping.polymorphic(id).map(records);
        for led in records.into_iter().flatten() {
            let key = led.generic.map(|generic| nulled_key(relation, generic));
            let is_null = key.is_some_and(|key| own.nulled.contains(&(row.ordinal, key)));
            if is_null || !state.relation(led.record.0).rejected.contains_key(&led.record.1) {
                continue;
            }
            let nulls = self.on_dangling == OnDangling::Null && relation.columns[led.column].nullable;
            let slot = row.shape.slot_of(led.column);
            let field = slot.and_then(|slot| row.shape.field_of(slot)).map(str::to_owned);
            all.push(Led { field, cause: led.record, nulls: key.filter(|_| nulls) });
        }
    }
}

/// A reference that leads to a rejected record.
struct Led {
    field: Option<String>,
    /// The record.
    cause: (RelationId, Ordinal),
    /// Where it becomes NULL: its key, as [`RelationState::nulled`](crate::state::RelationState) names it.
    nulls: Option<usize>,
}
