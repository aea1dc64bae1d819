//! Rows of join tables, from the many-to-many lists of other records. A list belongs to its record: where the record's row exists and is
//! skipped, so is its list.

use std::{collections::HashSet, sync::Arc};

use relink_model::{Catalog, Column, Mode, OnDangling, RelationId, Value};
use relink_records::{Comparison, JoinField, Key, Mapping};

use super::{
    Needs, Scanner,
    references::{describe, unresolved_finding},
};
use crate::{
    Error, code,
    decode::{Cell, Row},
    findings::{Handling, Spot, finding},
    index::{IndexId, IndexRegistry},
    memory::{Found, Ordinal},
    state::{External, RelationState, Resolution, State},
    stream::{self, Order},
};

/// One row of a join table to be.
pub(crate) struct JoinRow {
    /// The record's own side.
    pub(crate) source: Value,
    /// The element's side.
    pub(crate) target: Value,
    /// The record that the element is, where the export holds it.
    pub(crate) record: Option<Ordinal>,
}

impl Scanner<'_> {
    /// Resolves the lists that fill a join table, and finds the rows that exist already.
    pub(super) async fn join_rows(
        &mut self,
        join: RelationId,
        fields: &[(RelationId, JoinField)],
    ) -> Result<(), Error> {
        let mut targets = vec![join];
        for (_, field) in fields {
            targets.push(field.target);
            self.mapping.behind_natural_keys(field.target, &mut targets);
        }
        self.find_rows(targets.into_iter()).await?;
        if fields.iter().any(|(source, _)| self.policies.of(*source).mode == Mode::Replace) {
            let state = self.state.relation_mut(join);
            state.cleared = true;
            state.has_rows = false;
        }
        let explicit = self.state.relation(join).records();
        let mut next = explicit as Ordinal;
        for (source, field) in fields {
            let joining = Joining::new(&self.registry, field, explicit);
            let runs = self.runs[source.index()].clone();
            let mut rows = stream::rows(&self.source, &self.decoder, Order::File(runs));
            while let Some(chunk) = rows.recv().await {
                let rows: Vec<Row> = chunk?.into_iter().map(|(row, _)| row).collect();
                self.fetch_elements(field, &rows).await?;
                let mut made = Vec::new();
                for (at, row) in rows.iter().enumerate() {
                    self.row_of_list(&joining, row, at, &mut made)?;
                }
                self.existing_pairs(&joining, &rows, &made, next).await?;
                next += made.len() as Ordinal;
                self.state.keep_within_budget()?;
            }
        }
        let decided = self.decisions.and_then(|decisions| decisions.of(join)).map(|decided| decided.first_join_number);
        let first = match self.state.relation(join).numbered {
            Some(_) if decided.is_some() => decided.unwrap_or_default(),
            Some(column) => {
                let count = u64::from(next) - explicit;
                if count == 0 { 0 } else { self.reserve(join, column, count).await?.unwrap_or(0) }
            }
            None => 0,
        };
        let state = self.state.relation_mut(join);
        state.join_rows = u64::from(next) - explicit;
        state.first_join_number = first;
        Ok(())
    }

    /// Looks up the elements that no record of the export has.
    async fn fetch_elements(&mut self, field: &JoinField, rows: &[Row]) -> Result<(), Error> {
        loop {
            let mut needs = Needs::new();
            for cell in rows.iter().flat_map(|row| list(row, field)) {
                let context = Context {
                    state: &self.state,
                    registry: &self.registry,
                    mapping: &self.mapping,
                    catalog: &self.catalog,
                };
                if let Resolution::Need(index, values) = resolve(&context, field, cell) {
                    let key = Key::with_nulls(values.iter().zip(&self.registry.spec(index).comparisons));
                    needs.entry(index).or_default().insert(key, values);
                }
            }
            if needs.is_empty() {
                return Ok(());
            }
            self.fetch(needs).await?;
        }
    }

    /// The join rows of one record's list; reports the elements that lead nowhere.
    fn row_of_list(
        &mut self,
        joining: &Joining<'_>,
        row: &Row,
        at: usize,
        made: &mut Vec<(usize, JoinRow)>,
    ) -> Result<(), Error> {
        let field = joining.field;
        let name = join_name(row, field);
        let context =
            Context { state: &self.state, registry: &self.registry, mapping: &self.mapping, catalog: &self.catalog };
        let elements = elements(&context, joining, row);
        for (cell, element) in elements {
            match element {
                Element::Row(join_row) => made.push((at, join_row)),
                Element::Left => {}
                Element::Unresolved(why) => {
                    let catalog = Arc::clone(&self.catalog);
                    let relation = &catalog.relation(row.shape.relation).name;
                    let target = &catalog.relation(field.target).name;
                    let mut found = unresolved_finding(relation, target, &describe(&cell), &why);
                    self.name_filter(field.target, &mut found);
                    found.field = name.map(str::to_owned);
                    found.constraint = Some(catalog.relation(field.join).name.to_string());
                    let offset = self.value_offset(row, name)?;
                    let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: name };
                    let dangling = matches!(why, Resolution::Missing | Resolution::External);
                    match self.on_dangling {
                        OnDangling::Null if dangling => {
                            self.findings.add_handled(found, Handling::Nulls, Some(spot), None)?;
                        }
                        OnDangling::Reject if dangling => {
                            self.reject(row, &found);
                            self.findings.add_handled(found, Handling::Rejects, Some(spot), None)?;
                        }
                        _ => self.fault(row, found, Some(spot), None)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Which of these join rows the target holds, or must be taken as held since their record is skipped.
    async fn existing_pairs(
        &mut self,
        joining: &Joining<'_>,
        rows: &[Row],
        made: &[(usize, JoinRow)],
        first: Ordinal,
    ) -> Result<(), Error> {
        if let Some(decisions) = self.decisions {
            let held = decisions.of(joining.field.join).map(|decided| &decided.existing);
            let ordinals = first..first + made.len() as Ordinal;
            let held = ordinals.filter(|ordinal| held.is_some_and(|held| held.contains_key(ordinal)));
            self.state.relation_mut(joining.field.join).existing.extend(held);
            return Ok(());
        }
        let Joining { field, pair, .. } = *joining;
        let join = field.join;
        let mut held = vec![false; made.len()];
        for (held, (at, _)) in held.iter_mut().zip(made) {
            let row = &rows[*at];
            let source = row.shape.relation;
            *held = self.policies.of(source).mode == Mode::Skip && self.state.relation(source).exists(row.ordinal);
        }
        if let (true, Some(pair)) = (self.state.relation(join).has_rows, pair) {
            let columns = self.registry.spec(pair).columns.clone();
            let keys: Vec<Vec<Value>> = made.iter().map(|(_, made)| pair_values(&columns, field, made)).collect();
            for (at, (_, external)) in self.look_up(pair, &keys).await?.into_iter().enumerate() {
                if external == External::Absent || held[at] {
                    continue;
                }
                held[at] = true;
                let (row, made) = (&rows[made[at].0], &made[at].1);
                if self.policies.of(row.shape.relation).mode == Mode::Insert {
                    let catalog = Arc::clone(&self.catalog);
                    let message = format!("the target holds the row ({}, {}) already", made.source, made.target);
                    let mut found = finding(code::EXISTING_ROW, &catalog.relation(join).name, message);
                    found.field = join_name(row, field).map(str::to_owned);
                    found.help = Some("--mode skip leaves existing rows as they are".to_owned());
                    let spot = Spot {
                        label: row.label,
                        file_ordinal: row.file_ordinal,
                        offset: row.offset,
                        field: join_name(row, field),
                    };
                    self.fault(row, found, Some(spot), None)?;
                }
            }
        }
        let existing = &mut self.state.relation_mut(join).existing;
        existing.extend((first..).zip(&held).filter(|(_, held)| **held).map(|(ordinal, _)| ordinal));
        Ok(())
    }
}

/// What elements are resolved with.
pub(crate) struct Context<'a> {
    pub(crate) state: &'a State,
    pub(crate) registry: &'a IndexRegistry,
    pub(crate) mapping: &'a Mapping,
    pub(crate) catalog: &'a Catalog,
}

impl Context<'_> {
    fn column(&self, relation: RelationId, column: usize) -> &Column {
        &self.catalog.relation(relation).columns[column]
    }
}

/// A many-to-many field at work.
#[derive(Clone, Copy)]
pub(crate) struct Joining<'a> {
    pub(crate) field: &'a JoinField,
    /// Records of the join table that the export holds besides the lists.
    explicit: u64,
    /// The index over both sides, where there is one.
    pair: Option<IndexId>,
}

impl<'a> Joining<'a> {
    pub(crate) fn new(registry: &IndexRegistry, field: &'a JoinField, explicit: u64) -> Self {
        let pair = registry.find(field.join, &[field.source_column, field.target_column]);
        let pair = pair.or_else(|| registry.find(field.join, &[field.target_column, field.source_column]));
        Self { field, explicit, pair }
    }

    /// Whether records of the join table are filed under the pairs that their rows end up with.
    pub(crate) fn files_rows(&self, registry: &IndexRegistry, join: &RelationState) -> bool {
        self.pair.is_some_and(|pair| !registry.spec(pair).files_original_values() || !join.moved)
    }

    /// Whether the export holds this row of the join table as a record of its own.
    pub(crate) fn is_record(&self, registry: &IndexRegistry, state: &State, source: &Value, target: &Value) -> bool {
        let (Some(pair), true) = (self.pair, self.explicit > 0) else { return false };
        let spec = registry.spec(pair);
        let made = JoinRow { source: source.clone(), target: target.clone(), record: None };
        let values = pair_values(&spec.columns, self.field, &made);
        let key = Key::with_nulls(values.iter().zip(&spec.comparisons));
        state.indexes[pair.0].records.get(&key) != Found::Nowhere
    }
}

/// What becomes of an element of a list.
pub(crate) enum Element {
    /// A row of the join table.
    Row(JoinRow),
    /// Nothing: the row stands in the export as a record of the join table, too, or something about it has been reported elsewhere.
    Left,
    /// It leads nowhere, or to several rows.
    Unresolved(Resolution),
}

/// The elements of a record's list with what becomes of them.
pub(crate) fn elements(context: &Context<'_>, joining: &Joining<'_>, row: &Row) -> Vec<(Cell, Element)> {
    let field = joining.field;
    let source = context.state.relation(row.shape.relation).final_value(field.source_referenced, row.ordinal);
    let comparison = Comparison::of(context.column(field.target, field.target_referenced));
    // The same row may be named twice, in two ways.
    let mut named = HashSet::new();
    let mut elements = Vec::new();
    for cell in list(row, field) {
        let element = match element(context, joining, source.as_ref(), cell) {
            Element::Row(row) if !named.insert(Key::with_nulls(std::iter::once((&row.target, &comparison)))) => {
                Element::Left
            }
            element => element,
        };
        elements.push((cell.clone(), element));
    }
    elements
}

fn element(context: &Context<'_>, joining: &Joining<'_>, source: Option<&Value>, cell: &Cell) -> Element {
    let (record, value) = match resolve(context, joining.field, cell) {
        Resolution::Record(ordinal, value) => (Some(ordinal), value),
        Resolution::Target(value) => (None, value),
        why @ (Resolution::Missing
        | Resolution::External
        | Resolution::Ambiguous
        | Resolution::Unnamed
        | Resolution::Unkeyed) => return Element::Unresolved(why),
        Resolution::Pending | Resolution::Numbered(_) | Resolution::Need(..) => return Element::Left,
    };
    let target = match (value, cell) {
        (Some(mut values), _) if !values.is_empty() => values.swap_remove(0),
        (None, Cell::Value(value)) => value.clone(),
        _ => return Element::Left,
    };
    let Some(source) = source else { return Element::Unresolved(Resolution::Unkeyed) };
    let made = JoinRow { source: source.clone(), target, record };
    if joining.is_record(context.registry, context.state, &made.source, &made.target) {
        return Element::Left;
    }
    Element::Row(made)
}

/// The elements of a record's list; none where the record has no such field.
pub(crate) fn list<'r>(row: &'r Row, field: &JoinField) -> &'r [Cell] {
    let at = row.shape.joins.iter().position(|(_, candidate)| candidate == field);
    at.map_or(&[], |at| &row.joins[at])
}

fn join_name<'r>(row: &'r Row, field: &JoinField) -> Option<&'r str> {
    let (position, _) = row.shape.joins.iter().find(|(_, candidate)| candidate == field)?;
    Some(&row.shape.names[*position])
}

/// Where an element of a list leads.
fn resolve(context: &Context<'_>, field: &JoinField, cell: &Cell) -> Resolution {
    let Context { state, registry, mapping, .. } = context;
    match cell {
        Cell::Natural(natural) => {
            state.by_natural_key(registry, mapping, field.target, field.target_referenced, natural)
        }
        Cell::Value(value) => {
            let Some(index) = registry.find(field.target, &[field.target_referenced]) else {
                return Resolution::Missing;
            };
            state.by_key(registry, field.target, index, &[value])
        }
        // Reported where it was read.
        Cell::Bad | Cell::Allotted => Resolution::Pending,
    }
}

fn pair_values(columns: &[usize], field: &JoinField, made: &JoinRow) -> Vec<Value> {
    let side = |column: &usize| if *column == field.source_column { made.source.clone() } else { made.target.clone() };
    columns.iter().map(side).collect()
}
