//! The proof after loading: rows are read back from the database and compared with what was written; what a reference by natural key
//! names is looked up again. Nothing here trusts what the restore remembers of its own resolution.
//!
//! What differs is a finding with its place, and is counted. Nothing is mended.

mod content;
mod gather;
mod natural;
mod normal;
mod pass;

use std::collections::HashMap;

use relink_db::{Connection, Lookup};
use relink_model::{Catalog, Relation, RelationId, RelationName, Severity, Value, Verify};
use relink_records::{Comparison, Mapping, NaturalReference};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Error, code,
    compare::{self, Verdict},
    findings::{Findings, Spot, finding},
    index::IndexRegistry,
    lookup,
    settled::Origin,
};

pub(crate) use pass::Pass;

/// What was compared after loading.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Verification {
    /// `--verify`.
    pub mode: Verify,
    /// By relation, those of which something was read back.
    pub relations: Vec<RelationVerification>,
}

/// What was compared of one relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RelationVerification {
    /// The relation.
    pub relation: RelationName,
    /// Rows read back.
    pub rows: u64,
    /// Rows that were written and are not there.
    pub missing: u64,
    /// Values compared.
    pub values: u64,
    /// Values that differ from what was written.
    pub different: u64,
    /// References by natural key whose row was looked up again.
    pub references: u64,
}

/// Rows of one relation just as they were written: references followed, allotted ids filled in.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) relation: RelationId,
    /// The relation's columns that were written. Computed columns whose values the export holds may stand among them.
    pub(crate) columns: Vec<usize>,
    /// The export's field behind each of them; `None` for a `pk`, an allotted id, a row of a many-to-many list.
    pub(crate) fields: Vec<Option<String>>,
    /// Positions in `columns` of a key that no two rows share (see [`row_key`]); empty where there is none: such rows, and rows whose key
    /// is NULL in part, are found by their content.
    pub(crate) key: Vec<usize>,
    pub(crate) rows: Vec<ExpectedRow>,
}

impl Expected {
    /// The same without its rows.
    fn head(&self) -> Self {
        Self {
            relation: self.relation,
            columns: self.columns.clone(),
            fields: self.fields.clone(),
            key: self.key.clone(),
            rows: Vec::new(),
        }
    }
}

/// One row of [`Expected`].
#[derive(Clone, Debug)]
pub(crate) struct ExpectedRow {
    pub(crate) origin: Origin,
    /// One for each of the columns.
    pub(crate) values: Vec<Value>,
}

/// References of one column by natural key, with what the column holds.
#[derive(Clone, Debug)]
pub(crate) struct NaturalReferences {
    pub(crate) relation: RelationId,
    pub(crate) column: usize,
    /// The export's field.
    pub(crate) field: Option<String>,
    /// The referenced relation, and its column whose values the references hold.
    pub(crate) target: RelationId,
    pub(crate) referenced_column: usize,
    pub(crate) rows: Vec<(Origin, NaturalReference, Value)>,
}

/// The positions in `columns` of the primary key, or else of a unique key, where all of it is among them.
pub(crate) fn row_key(relation: &Relation, columns: &[usize]) -> Vec<usize> {
    let position = |name: &String| {
        let (column, _) = relation.column(name)?;
        columns.iter().position(|candidate| *candidate == column)
    };
    relation.keys().find_map(|key| key.iter().map(position).collect()).unwrap_or_default()
}

/// Compares what was loaded with what it was to be.
pub(crate) struct Verifier<'a> {
    catalog: &'a Catalog,
    registry: &'a IndexRegistry,
    mapping: &'a Mapping,
    mode: Verify,
    /// What may have changed rows, by relation: its triggers in words.
    triggers: HashMap<RelationId, String>,
    compared: HashMap<RelationId, RelationVerification>,
    gathered: gather::Gathered,
}

/// A value that differs, or may.
struct Difference {
    /// Index into the rows of the batch.
    row: usize,
    /// Position in its columns.
    at: usize,
    read: Value,
    verdict: Verdict,
}

impl<'a> Verifier<'a> {
    /// `fired`: the relations that were loaded while their triggers were in force.
    pub(crate) fn new(
        catalog: &'a Catalog,
        registry: &'a IndexRegistry,
        mapping: &'a Mapping,
        mode: Verify,
        fired: &[RelationId],
    ) -> Self {
        let triggers = fired.iter().filter_map(|id| Some((*id, triggers(catalog.relation(*id))?)));
        Self {
            catalog,
            registry,
            mapping,
            mode,
            triggers: triggers.collect(),
            compared: HashMap::new(),
            gathered: gather::Gathered::default(),
        }
    }

    /// Whether there is anything to compare in rows of this relation over these columns, so that the caller need not make them up again.
    pub(crate) fn wants(&self, relation: RelationId, columns: &[usize]) -> bool {
        !self.positions(relation, columns).is_empty()
    }

    /// Reads the rows of a batch back, and compares them.
    pub(crate) async fn read_back(
        &mut self,
        connection: &mut dyn Connection,
        batch: &Expected,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let positions = self.positions(batch.relation, &batch.columns);
        if positions.is_empty() || batch.rows.is_empty() {
            return Ok(());
        }
        if batch.key.is_empty() {
            return self.read_back_by_content(connection, batch, findings).await;
        }
        // NULL is no key, although it may stand in one.
        let nameless = |row: &ExpectedRow| batch.key.iter().any(|at| row.values[*at].is_null());
        if !batch.rows.iter().any(nameless) {
            return self.read_back_by_key(connection, batch, &positions, findings).await;
        }
        let (nameless, named): (Vec<_>, Vec<_>) = batch.rows.iter().cloned().partition(nameless);
        let by_content = Expected { key: Vec::new(), rows: nameless, ..batch.head() };
        self.read_back_by_content(connection, &by_content, findings).await?;
        if named.is_empty() {
            return Ok(());
        }
        let by_key = Expected { rows: named, ..batch.head() };
        self.read_back_by_key(connection, &by_key, &positions, findings).await
    }

    async fn read_back_by_key(
        &mut self,
        connection: &mut dyn Connection,
        batch: &Expected,
        positions: &[usize],
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let relation = self.catalog.relation(batch.relation);
        let name = |at: &usize| relation.columns[batch.columns[*at]].name.clone();
        let selected: Vec<usize> = positions.iter().filter(|at| !batch.key.contains(at)).copied().collect();
        let (key_names, select): (Vec<String>, Vec<String>) =
            (batch.key.iter().map(name).collect(), selected.iter().map(name).collect());
        let comparisons: Vec<Comparison> =
            batch.key.iter().map(|at| Comparison::of(&relation.columns[batch.columns[*at]])).collect();
        let keys: Vec<Vec<Value>> = batch.rows.iter().map(|row| pick(&row.values, &batch.key)).collect();
        let lookup = Lookup::new(relation, &key_names, &select);
        let found = lookup::look_up(connection, &lookup, &comparisons, &keys).await?;

        // Where each compared value stands in a row that was found.
        let read: Vec<(usize, usize)> = batch
            .key
            .iter()
            .chain(&selected)
            .enumerate()
            .map(|(found, at)| (*at, found))
            .filter(|(at, _)| positions.contains(at))
            .collect();
        let mut differences = Vec::new();
        for (row, (expected, found_rows)) in batch.rows.iter().zip(&found.by_key).enumerate() {
            let Some(first) = found_rows.first() else {
                self.missing(batch, row, findings)?;
                continue;
            };
            for (at, found_at) in &read {
                let value = &found.rows[*first][*found_at];
                let verdict = compare::same(&relation.columns[batch.columns[*at]], &expected.values[*at], value);
                if verdict != Verdict::Same {
                    differences.push(Difference { row, at: *at, read: value.clone(), verdict });
                }
            }
            let compared = self.compared(batch.relation);
            compared.rows += 1;
            compared.values += positions.len() as u64;
        }
        normal::settle(connection, relation, batch, &mut differences).await?;
        differences.retain(|difference| difference.verdict != Verdict::Same);
        for difference in &differences {
            self.differs(batch, difference, findings)?;
        }
        Ok(())
    }

    /// What was compared, in load order.
    pub(crate) fn finish(mut self, order: &[RelationId]) -> Verification {
        let relations = order.iter().filter_map(|id| self.compared.remove(id)).collect();
        Verification { mode: self.mode, relations }
    }

    fn compared(&mut self, relation: RelationId) -> &mut RelationVerification {
        let name = &self.catalog.relation(relation).name;
        self.compared.entry(relation).or_insert_with(|| RelationVerification {
            relation: name.clone(),
            rows: 0,
            missing: 0,
            values: 0,
            different: 0,
            references: 0,
        })
    }

    /// The positions that are compared: all in full, and wherever triggers may have changed rows (a trigger of one relation may well
    /// update another, as counters of children in their parents are kept); else references, and computed columns, which nobody wrote.
    fn positions(&self, relation: RelationId, columns: &[usize]) -> Vec<usize> {
        let all = self.mode == Verify::Full || !self.triggers.is_empty();
        let definition = self.catalog.relation(relation);
        let wanted = |at: &usize| {
            all || self.is_reference(relation, columns[*at]) || definition.columns[columns[*at]].generated.is_some()
        };
        (0..columns.len()).filter(wanted).collect()
    }

    /// Whether a column is part of a foreign key, declared or virtual, or holds references that no key declares.
    fn is_reference(&self, relation: RelationId, column: usize) -> bool {
        let definition = self.catalog.relation(relation);
        definition.foreign_keys.iter().any(|key| key.columns.contains(&definition.columns[column].name))
            || self.mapping.polymorphic(relation).is_some_and(|polymorphic| {
                let generic = polymorphic.generics.iter().flat_map(|of| [of.type_column, of.id_column]);
                generic.chain(polymorphic.embedded.iter().map(|of| of.column)).any(|candidate| candidate == column)
            })
    }

    /// The triggers that may have changed rows of a relation: its own, else those of the other relations that were loaded.
    fn suspects(&self, relation: RelationId) -> Option<String> {
        if let Some(own) = self.triggers.get(&relation) {
            return Some(own.clone());
        }
        let mut others: Vec<(RelationId, &String)> = self.triggers.iter().map(|(id, text)| (*id, text)).collect();
        others.sort_unstable();
        let named = others.iter().map(|(id, text)| format!("{text} of {}", self.catalog.relation(*id).name));
        (!others.is_empty()).then(|| named.collect::<Vec<_>>().join(", "))
    }

    fn missing(&mut self, batch: &Expected, row: usize, findings: &mut Findings) -> Result<(), Error> {
        let relation = self.catalog.relation(batch.relation);
        self.compared(batch.relation).missing += 1;
        let expected = &batch.rows[row];
        let what = if batch.key.is_empty() {
            "no row holds what this record was written as".to_owned()
        } else {
            format!("the row {} was written, and is not there", described(relation, batch, row, &batch.key))
        };
        let mut finding = finding(code::ROW_MISSING, &relation.name, what);
        finding.help = self.suspects(batch.relation).map(|triggers| {
            format!("it may have been left out, or changed in its key, by {triggers}: load with the triggers switched off, or mend them")
        });
        findings.add(finding, Some(expected.origin.spot()), None)?;
        Ok(())
    }

    fn differs(&mut self, batch: &Expected, difference: &Difference, findings: &mut Findings) -> Result<(), Error> {
        let relation = self.catalog.relation(batch.relation);
        self.compared(batch.relation).different += 1;
        let column = &relation.columns[batch.columns[difference.at]];
        let expected = &batch.rows[difference.row];
        let (written, read) = shown(&expected.values[difference.at], &difference.read);
        let row = match batch.key.as_slice() {
            [] => String::new(),
            key => format!(" of the row {}", described(relation, batch, difference.row, key)),
        };
        let reference = relation.foreign_keys.iter().find(|key| key.columns.contains(&column.name));
        let is_reference = self.is_reference(batch.relation, batch.columns[difference.at]);
        let triggers = self.suspects(batch.relation);
        let blame =
            triggers.as_ref().map_or_else(String::new, |triggers| format!("; it may be the work of {triggers}"));
        let mut finding = if column.generated.is_some() {
            let message = format!("{}{row} is computed as {read}, and the export holds {written}", column.name);
            let mut finding = finding(code::COMPUTED_DIFFERS, &relation.name, message);
            finding.severity = Severity::Warning;
            finding.help = Some("compare the column's expression in the source and in the target".to_owned());
            finding
        } else if is_reference {
            let message = format!("{}{row} holds {read}, and the export means {written}{blame}", column.name);
            finding(code::REFERENCE_MOVED, &relation.name, message)
        } else {
            let message = format!("{}{row} holds {read}, and {written} was written{blame}", column.name);
            let mut finding = finding(code::CHANGED_VALUE, &relation.name, message);
            if triggers.is_some() {
                finding.severity = Severity::Warning;
            }
            finding
        };
        if triggers.is_some() && finding.help.is_none() {
            finding.help = Some("to keep the export's values, load with the triggers switched off".to_owned());
        }
        let field = batch.fields[difference.at].as_deref();
        finding.field = Some(field.unwrap_or(&column.name).to_owned());
        finding.constraint = reference.and_then(|key| key.name.as_ref()).map(ToString::to_string);
        findings.add(finding, Some(Spot { field, ..expected.origin.spot() }), None)?;
        Ok(())
    }
}

/// The triggers of a relation that fire when rows are written, in words.
fn triggers(relation: &Relation) -> Option<String> {
    let writing = |timing: &str| timing.contains("INSERT") || timing.contains("UPDATE");
    let firing = relation.triggers.iter().filter(|trigger| trigger.enabled && writing(&trigger.timing));
    let named: Vec<String> = firing.map(|trigger| format!("trigger {} ({})", trigger.name, trigger.timing)).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn pick(values: &[Value], positions: &[usize]) -> Vec<Value> {
    positions.iter().map(|at| values[*at].clone()).collect()
}

/// `id = 5, no = 2`.
fn described(relation: &Relation, batch: &Expected, row: usize, key: &[usize]) -> String {
    let part = |at: &usize| {
        let value = crate::decode::excerpt(&batch.rows[row].values[*at].to_string());
        format!("{} = {value}", relation.columns[batch.columns[*at]].name)
    };
    key.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Two values for a message: texts in quotes, and long ones from where they begin to differ.
fn shown(written: &Value, read: &Value) -> (String, String) {
    const CHARS_BEFORE: usize = 20;
    let (Value::Text(written), Value::Text(read)) = (written, read) else {
        return (quoted(written), quoted(read));
    };
    let common = written.chars().zip(read.chars()).take_while(|(a, b)| a == b).count();
    let skipped = common.saturating_sub(CHARS_BEFORE);
    let cut = |text: &str| {
        let tail: String = text.chars().skip(skipped).collect();
        let dots = if skipped > 0 { "..." } else { "" };
        format!("{:?}", format!("{dots}{}", crate::decode::excerpt(&tail)))
    };
    (cut(written), cut(read))
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{:?}", crate::decode::excerpt(text)),
        value => crate::decode::excerpt(&value.to_string()),
    }
}

#[cfg(test)]
mod tests;
