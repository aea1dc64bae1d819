//! Which records have a row in the target already, and which keys the others get.

use std::{collections::HashMap, sync::Arc};

use relink_model::{Relation, RelationId, Value};

use super::{Needs, Scanner, Work, describe};
use crate::{
    Error, Mode, code,
    decode::Row,
    findings::{Spot, finding},
    index::IndexId,
    key::{Key, Ordinal},
    state::External,
};

impl Scanner<'_> {
    /// Finds the rows that the target holds already: by natural key where the relation has one, else by primary key.
    pub(super) async fn identify(&mut self, works: &mut [Work]) -> Result<(), Error> {
        let mut by_index: Needs = Needs::new();
        let mut candidates = Vec::new();
        for (at, work) in works.iter().enumerate() {
            let id = work.row.shape.relation;
            if work.identified || !self.state.relation(id).has_rows {
                continue;
            }
            let mut keys = [None, None];
            let mut waits = false;
            for (filed, (index, slots)) in work.filed.iter().zip(&work.row.shape.indexes) {
                let spec = self.registry.spec(*index);
                if !spec.roles.identity && !spec.roles.primary {
                    continue;
                }
                let Some(values) = work.row.values(slots) else {
                    waits |= spec.roles.identity && !filed && !work.row.has_bad_cells();
                    continue;
                };
                // A natural key that is NULL throughout names nothing; one that is NULL in part matches NULL.
                if values.iter().all(|value| value.is_null()) {
                    continue;
                }
                let key = Key::with_nulls(values.iter().copied().zip(&spec.comparisons));
                let values: Vec<Value> = values.into_iter().cloned().collect();
                by_index.entry(*index).or_default().insert(key.clone(), values);
                let natural = spec.roles.identity;
                keys[usize::from(!natural)] = Some((*index, key.clone()));
                if spec.roles.primary && natural {
                    keys[1] = Some((*index, key));
                }
            }
            if !waits {
                candidates.push((at, keys));
            }
        }
        let mut found: HashMap<(IndexId, Key), External> = HashMap::new();
        for (index, keys) in by_index {
            let keys: Vec<Vec<Value>> = keys.into_values().collect();
            found.extend(self.look_up(index, &keys).await?.into_iter().map(|(key, external)| ((index, key), external)));
        }
        for (at, [natural, primary]) in candidates {
            let work = &mut works[at];
            work.identified = true;
            let natural_row = natural.as_ref().and_then(|key| found.get(key)).cloned();
            let primary_row = primary.as_ref().and_then(|key| found.get(key)).cloned();
            let row = work.row.clone();
            if self.mode == Mode::Skip && natural.is_none() && primary.is_none() && !row.has_bad_cells() {
                self.no_identity(&row)?;
                continue;
            }
            match (natural_row, primary_row) {
                (Some(External::Several), _) => self.ambiguous(&row)?,
                (Some(External::Absent), Some(External::Row(_))) => self.id_taken(&row)?,
                (None, Some(External::Row(found))) if self.is_another(&row, &found) => self.id_taken(&row)?,
                (Some(External::Row(found)), _) | (None, Some(External::Row(found))) => self.exists(&row, &found)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the row of the target that has the record's id is another one: some natural key of the two differs, and none is the
    /// same. Columns that the record does not fill cannot tell.
    fn is_another(&self, row: &Row, found: &[Value]) -> bool {
        let state = self.state.relation(row.shape.relation);
        let there = &found[state.payload.len()..];
        let mut differs = false;
        for key in self.mapping.natural_keys.get(&row.shape.relation).into_iter().flatten() {
            let spec = self.registry.spec(key.index);
            let own = spec.columns.iter().map(|column| row.cells[row.shape.slot_of(*column)?].value());
            let Some(own) = own.collect::<Option<Vec<&Value>>>() else { continue };
            let position = |column: &usize| state.identity.iter().position(|candidate| candidate == column);
            let Some(theirs) =
                spec.columns.iter().map(|column| there.get(position(column)?)).collect::<Option<Vec<&Value>>>()
            else {
                continue;
            };
            let nothing = |values: &[&Value]| values.iter().all(|value| value.is_null());
            match (nothing(&own), nothing(&theirs)) {
                (true, true) => {}
                (false, false) => {
                    let key = |values: Vec<&Value>| Key::with_nulls(values.into_iter().zip(&spec.comparisons));
                    if key(own.clone()) == key(theirs) {
                        return false;
                    }
                    differs = true;
                }
                _ => differs = true,
            }
        }
        differs
    }

    /// The record's row is there already.
    fn exists(&mut self, row: &Row, payload: &[Value]) -> Result<(), Error> {
        let id = row.shape.relation;
        let state = &mut self.state.relations[id.index()];
        state.existing.insert(row.ordinal);
        for (column, value) in state.payload.clone().into_iter().zip(payload) {
            let own = row.shape.slot_of(column).and_then(|slot| row.cells[slot].value());
            state.moved |= own.is_none_or(|own| own != value);
            state.set_final(column, row.ordinal, value);
        }
        if self.mode == Mode::Skip {
            return Ok(());
        }
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let key = shown_key(relation, payload, &self.state.relation(id).payload);
        let mut found = finding(
            code::EXISTING_ROW,
            &relation.name,
            format!("the target holds this row already ({})", key.join(", ")),
        );
        found.help = Some("--mode skip leaves existing rows as they are".to_owned());
        Ok(self.findings.add(found, Some(record_spot(row)), None)?)
    }

    /// Neither a primary key nor a natural key: inserting might double a row, and skipping might lose one.
    fn no_identity(&mut self, row: &Row) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let message =
            "nothing tells this record from the rows that the target holds: it has neither id nor natural key";
        let mut found = finding(code::NO_IDENTITY, name, message);
        found.help = Some(format!("name the columns that identify a row: [table.{name}] natural_key = [...]"));
        Ok(self.findings.add(found, Some(record_spot(row)), None)?)
    }

    fn id_taken(&mut self, row: &Row) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(row.shape.relation);
        let key: Vec<String> = relation
            .primary_key_columns()
            .iter()
            .filter_map(|name| {
                let slot = row.shape.slot_of(relation.column(name)?.0)?;
                Some(format!("{name} = {}", describe(&row.cells[slot])))
            })
            .collect();
        let message = format!("another row of the target has {} already", key.join(", "));
        let mut found = finding(code::ID_TAKEN, &relation.name, message);
        found.help = Some("the row there has another natural key, so it is not this record's".to_owned());
        Ok(self.findings.add(found, Some(record_spot(row)), None)?)
    }

    fn ambiguous(&mut self, row: &Row) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let message = "several rows of the target have this record's natural key".to_owned();
        let found = finding(code::AMBIGUOUS_NATURAL_KEY, name, message);
        Ok(self.findings.add(found, Some(record_spot(row)), None)?)
    }

    /// Allots primary keys to the records without one, past every key there is, in file order.
    pub(super) async fn allot(&mut self, id: RelationId) -> Result<(), Error> {
        let Some(column) = self.state.relation(id).numbered else { return Ok(()) };
        if self.state.relation(id).nameless.is_empty() || self.recover_ids(id, column).await? {
            return Ok(());
        }
        let state = self.state.relation(id);
        let nameless: Vec<Ordinal> =
            state.nameless.iter().copied().filter(|ordinal| !state.existing.contains(ordinal)).collect();
        let Some(first) = self.reserve(id, column, nameless.len() as u64).await? else { return Ok(()) };
        let state = self.state.relation_mut(id);
        for (value, ordinal) in (first..).zip(nameless) {
            state.set_final(column, ordinal, &Value::Int(value));
        }
        Ok(())
    }

    /// The first of so many free numbers; `None`, with a finding, where there are not so many left.
    pub(super) async fn reserve(&mut self, id: RelationId, column: usize, count: u64) -> Result<Option<i64>, Error> {
        let first = self.first_free(id, column).await?;
        if first.is_some_and(|first| first.checked_add_unsigned(count).is_some()) {
            return Ok(first);
        }
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let message =
            format!("no {count} numbers are left for {} past the highest there is", relation.columns[column].name);
        self.findings.add(finding(code::NO_NUMBER_LEFT, &relation.name, message), None, None)?;
        Ok(None)
    }

    /// The first number past every value of the column, in the export and in the target, and past the database's own counter.
    async fn first_free(&mut self, id: RelationId, column: usize) -> Result<Option<i64>, Error> {
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let dialect = self.connection.dialect();
        let sql = format!(
            "SELECT max({}) FROM {}",
            dialect.quote(&relation.columns[column].name),
            dialect.quote_relation(&relation.name)
        );
        let highest = match self.connection.query(&sql, &[]).await?.first().map(Vec::as_slice) {
            Some([Value::Int(highest)]) => *highest,
            _ => 0,
        };
        let next = self.connection.numbering(relation).await?.next.unwrap_or(1);
        let given = self.state.relation(id).highest_given.unwrap_or(0);
        let past = highest.max(given).checked_add(1);
        Ok(past.map(|past| past.max(next).max(1)))
    }
}

/// The record as a whole.
fn record_spot(row: &Row) -> Spot<'static> {
    Spot { label: row.label, file_ordinal: row.file_ordinal, offset: row.offset, field: None }
}

/// `column = value` of an existing row's primary key.
fn shown_key(relation: &Relation, payload: &[Value], columns: &[usize]) -> Vec<String> {
    let primary = relation.primary_key_columns();
    let parts = columns.iter().zip(payload).map(|(column, value)| (&relation.columns[*column].name, value));
    parts.filter(|(name, _)| primary.contains(name)).map(|(name, value)| format!("{name} = {value}")).collect()
}
