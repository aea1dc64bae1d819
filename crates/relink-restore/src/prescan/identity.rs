//! Which records have a row in the target already, and which keys the others get.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use relink_model::{Ids, Mode, Relation, RelationId, RelationName, Severity, TypeKind, Value};
use relink_records::{Comparison, Key};
use uuid::Uuid;

use super::{Needs, Scanner, Work, references::describe};
use crate::{
    Error, code,
    decode::{Cell, Row},
    findings::{Spot, finding},
    index::IndexId,
    memory::{Ordinal, OrdinalSet},
    state::{External, Fresh},
};

/// A key of a record that was looked up in the target.
type Asked = (IndexId, Key);

/// What a record's keys ask of the target.
struct Candidate {
    /// Of the works.
    at: usize,
    /// By the natural key that identifies the relation's rows.
    natural: Option<Asked>,
    /// By the primary key.
    primary: Option<Asked>,
    /// By unique keys, where none of them alone identifies rows.
    unique: Vec<Asked>,
}

/// What the target says about a record.
enum Match {
    /// No row of it is this record's.
    New,
    /// This row is; its payload.
    Row(Vec<Value>),
    /// None is, and another row has the record's id.
    IdTaken,
    /// Several rows have its natural key.
    Ambiguous,
    /// Its unique keys are those of several rows.
    Torn,
    /// Nothing that the record holds tells.
    Unknown,
}

impl Scanner<'_> {
    /// Finds the rows that the target holds already, for records whose keys are known by now.
    pub(super) async fn identify(&mut self, works: &mut [Work]) -> Result<(), Error> {
        if self.decisions.is_some() {
            return self.identify_as_decided(works).await;
        }
        let mut by_index: Needs = Needs::new();
        let mut candidates = Vec::new();
        for (at, work) in works.iter_mut().enumerate().filter(|(_, work)| !work.identified) {
            if !self.state.relation(work.row.shape.relation).has_rows {
                work.identified = true;
                self.is_new(&work.row);
                continue;
            }
            if let Some(candidate) = self.candidate(at, work, &mut by_index) {
                candidates.push(candidate);
            }
        }
        let mut found: HashMap<Asked, External> = HashMap::new();
        for (index, keys) in by_index {
            let keys: Vec<Vec<Value>> = keys.into_values().collect();
            found.extend(self.look_up(index, &keys).await?.into_iter().map(|(key, external)| ((index, key), external)));
        }
        for candidate in candidates {
            let work = &mut works[candidate.at];
            work.identified = true;
            let verdict = self.judge(&candidate, &work.row, &found);
            self.settle_identity(&work.row, verdict)?;
        }
        Ok(())
    }

    /// As an earlier run found, or allotted: rows that it has committed since must not be taken for others.
    async fn identify_as_decided(&mut self, works: &mut [Work]) -> Result<(), Error> {
        let mut known: BTreeMap<IndexId, Vec<(usize, Vec<Value>)>> = BTreeMap::new();
        for (at, work) in works.iter_mut().enumerate().filter(|(_, work)| !work.identified) {
            work.identified = true;
            let id = work.row.shape.relation;
            let decided = self.decisions.and_then(|decisions| decisions.of(id));
            let name = decided.and_then(|decided| decided.existing.get(&work.row.ordinal));
            let primary = self.registry.of_relation(id).iter().find(|index| self.registry.spec(**index).roles.primary);
            match (name, primary) {
                (Some(name), Some(primary)) => known.entry(*primary).or_default().push((at, name.clone())),
                (Some(_), None) => drop(self.state.relation_mut(id).existing.insert(work.row.ordinal)),
                (None, _) => {
                    let number = decided.and_then(|decided| decided.numbers.get(&work.row.ordinal)).copied();
                    self.is_new_as_decided(&work.row, number);
                }
            }
        }
        for (index, rows) in known {
            let keys: Vec<Vec<Value>> = rows.iter().map(|(_, name)| name.clone()).collect();
            for ((at, _), (_, found)) in rows.into_iter().zip(self.look_up(index, &keys).await?) {
                let row = works[at].row.clone();
                match found {
                    External::Row(payload) => self.exists(&row, &payload)?,
                    _ => return Err(Error::Journal("a row that the journal knows is gone".to_owned())),
                }
            }
        }
        Ok(())
    }

    fn is_new_as_decided(&mut self, row: &Row, number: Option<i64>) {
        let id = row.shape.relation;
        let Some(number) = number else { return self.is_new(row) };
        if matches!(self.state.relation(id).fresh, Some(Fresh::Uuid(_))) {
            self.state.relation_mut(id).allots = true;
            return self.number(row);
        }
        let state = &mut self.state.relations[id.index()];
        if let Some(column) = state.fresh.map(Fresh::column).or(state.numbered) {
            state.moved |=
                row.shape.slot_of(column).and_then(|slot| row.given_value(slot)) != Some(&Value::Int(number));
            state.allots |= state.fresh.is_some();
            state.set_final(column, row.ordinal, &Value::Int(number));
            state.allot(row.ordinal, number);
        }
    }

    /// The keys by which a record is looked up; `None` where one of them is not known yet.
    fn candidate(&self, at: usize, work: &Work, by_index: &mut Needs) -> Option<Candidate> {
        let row = &work.row;
        let id = row.shape.relation;
        let state = self.state.relation(id);
        // A new id says nothing about the one that the export gives.
        let foreign = state.fresh.filter(|_| self.policies.of(id).ids == Ids::New).map(Fresh::column);
        let identified = self.mapping.identity(id).is_some();
        let mut candidate = Candidate { at, natural: None, primary: None, unique: Vec::new() };
        for (index, slots) in &row.shape.indexes {
            let spec = self.registry.spec(*index);
            let unique = !identified && spec.roles.unique.is_some();
            if !(spec.roles.identity || spec.roles.primary || unique) || row.outside.contains(index) {
                continue;
            }
            if !work.is_ready(slots) && !row.has_bad_cells() {
                return None;
            }
            if foreign.is_some_and(|column| spec.columns == [column]) {
                continue;
            }
            let Some(values) = row.values(slots) else { continue };
            // A natural key that is NULL throughout names nothing; one that is NULL in part matches NULL. NULLs of a unique key are distinct,
            // unless it says otherwise.
            let nulls = values.iter().filter(|value| value.is_null()).count();
            if !spec.roles.nulls_not_distinct && (nulls == values.len() || nulls > 0 && !spec.roles.identity) {
                continue;
            }
            let key = Key::with_nulls(values.iter().copied().zip(&spec.comparisons));
            let values: Vec<Value> = values.into_iter().cloned().collect();
            by_index.entry(*index).or_default().insert(key.clone(), values);
            if spec.roles.primary {
                candidate.primary = Some((*index, key.clone()));
            }
            if spec.roles.identity {
                candidate.natural = Some((*index, key));
            } else if unique && !spec.roles.primary {
                candidate.unique.push((*index, key));
            }
        }
        Some(candidate)
    }

    /// Which row a record is: by natural key where the relation has one, else by primary key, else by any unique key.
    fn judge(&self, candidate: &Candidate, row: &Row, found: &HashMap<Asked, External>) -> Match {
        let Candidate { natural, primary, unique, .. } = candidate;
        let id = row.shape.relation;
        if self.chosen.is_some()
            && let Some(asked) = primary
        {
            // The rows that are missing are missing by their ids: another row that has taken a name since is another row.
            return match found.get(asked) {
                Some(External::Row(found)) => Match::Row(found.clone()),
                _ => Match::New,
            };
        }
        let of = |asked: &Option<Asked>| asked.as_ref().and_then(|asked| found.get(asked));
        match (of(natural), of(primary)) {
            (Some(External::Several), _) => return Match::Ambiguous,
            (Some(External::Row(found)), _) => return Match::Row(found.clone()),
            (Some(External::Absent), Some(External::Row(_))) => return Match::IdTaken,
            (Some(External::Absent), _) => return Match::New,
            (None, Some(External::Row(found))) => {
                let policy = self.policies.of(id);
                // Without any other key, whoever appends under new ids means another row; a key that says something means the same.
                let nameless = self.mapping.natural_keys(id).is_empty();
                let allotted = self.state.relation(id).fresh.is_some();
                let appends = nameless && allotted && policy.mode == Mode::Insert && policy.ids == Ids::Remap;
                return if appends || self.is_another(row, found) { Match::IdTaken } else { Match::Row(found.clone()) };
            }
            _ => {}
        }
        let state = self.state.relation(id);
        let mut rows: Vec<&Vec<Value>> = Vec::new();
        for asked in unique {
            match found.get(asked) {
                Some(External::Several) => return Match::Ambiguous,
                Some(External::Row(row))
                    if rows.iter().all(|known| state.primary_of(known) != state.primary_of(row)) =>
                {
                    rows.push(row);
                }
                _ => {}
            }
        }
        match rows.as_slice() {
            [only] => Match::Row((*only).clone()),
            [] if natural.is_none() && primary.is_none() && unique.is_empty() && !row.has_bad_cells() => Match::Unknown,
            [] => Match::New,
            _ => Match::Torn,
        }
    }

    fn settle_identity(&mut self, row: &Row, verdict: Match) -> Result<(), Error> {
        let policy = self.policies.of(row.shape.relation);
        match verdict {
            Match::Row(found) => {
                self.warn_of_match_by_id(row)?;
                self.exists(row, &found)
            }
            Match::Ambiguous => self.ambiguous(row, "several rows of the target have this record's natural key"),
            Match::Torn => self.ambiguous(row, "this record's unique keys are those of several rows of the target"),
            Match::IdTaken if policy.ids == Ids::Remap && self.state.relation(row.shape.relation).fresh.is_some() => {
                self.number(row);
                Ok(())
            }
            Match::IdTaken => self.id_taken(row),
            Match::Unknown if matches!(policy.mode, Mode::Skip | Mode::Upsert | Mode::Merge) => self.no_identity(row),
            Match::New | Match::Unknown => {
                self.is_new(row);
                Ok(())
            }
        }
    }

    /// Where ids of the source need not be the target's, and nothing but the id tells that this row is the record's, that is worth knowing.
    fn warn_of_match_by_id(&mut self, row: &Row) -> Result<(), Error> {
        let id = row.shape.relation;
        let keyless = self.mapping.natural_keys(id).is_empty();
        if !keyless || self.policies.of(id).ids != Ids::Remap || self.state.relation(id).fresh.is_none() {
            return Ok(());
        }
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(id).name;
        let message = "the row of this record's id is taken for it: the table has no natural key by which to tell";
        let mut found = finding(code::MATCHED_BY_ID, name, message);
        found.severity = Severity::Warning;
        found.help = Some(format!(
            "if ids of source and target have nothing to do with each other: [table.{name}] natural_key = [...], or mode = \"insert\""
        ));
        Ok(self.findings.add(found, Some(record_spot(row)), None)?)
    }

    /// The record is to be inserted, under the export's id or a new one.
    fn is_new(&mut self, row: &Row) {
        let id = row.shape.relation;
        let state = &mut self.state.relations[id.index()];
        let Some(fresh) = state.fresh else {
            if row.cells.contains(&Cell::Allotted) {
                state.wanting.insert(row.ordinal);
            }
            return;
        };
        let given = row.shape.slot_of(fresh.column()).and_then(|slot| row.cells[slot].value());
        match given {
            Some(given) if self.policies.of(id).ids != Ids::New => {
                if state.allots {
                    state.set_final(fresh.column(), row.ordinal, given);
                }
            }
            _ => self.number(row),
        }
    }

    /// The record gets an id that nobody has.
    fn number(&mut self, row: &Row) {
        let catalog = Arc::clone(&self.catalog);
        let id = row.shape.relation;
        let state = &mut self.state.relations[id.index()];
        match state.fresh {
            Some(Fresh::Uuid(column)) => {
                let given = row.shape.slot_of(column).and_then(|slot| row.cells[slot].value());
                if let Some(Value::Text(given)) = given {
                    let made = made_uuid(&catalog.relation(id).name, given);
                    // The same from the same: what a resumed restore needs to know is that there was one.
                    state.allot(row.ordinal, 0);
                    state.moved = true;
                    state.set_final(column, row.ordinal, &Value::Text(made));
                }
            }
            _ => drop(state.wanting.insert(row.ordinal)),
        }
    }

    /// Whether the row of the target that has the record's id is another one: some natural key of the two differs, and none is the
    /// same. Columns that the record does not fill cannot tell.
    fn is_another(&self, row: &Row, found: &[Value]) -> bool {
        let state = self.state.relation(row.shape.relation);
        let there = &found[state.payload.len()..];
        let mut differs = false;
        for key in self.mapping.natural_keys(row.shape.relation) {
            let spec = self.registry.spec(self.registry.of_natural_key(key));
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

    /// The record's row is there already. It keeps its primary key; the other values that rows may need are the record's, where the row takes
    /// them, else the row's own.
    fn exists(&mut self, row: &Row, payload: &[Value]) -> Result<(), Error> {
        let id = row.shape.relation;
        let mode = self.policies.of(id).mode;
        let comparisons = vec![Comparison::default(); self.state.relation(id).primary_columns];
        let state = &mut self.state.relations[id.index()];
        state.existing.insert(row.ordinal);
        for (at, (column, value)) in state.payload.clone().into_iter().zip(payload).enumerate() {
            let own = row.shape.slot_of(column).and_then(|slot| row.cells[slot].value());
            let key = at < state.primary_columns;
            let takes = !key && (mode == Mode::Upsert || mode == Mode::Merge && value.is_null());
            let fin = own.filter(|_| takes).unwrap_or(value);
            let given = row.shape.slot_of(column).and_then(|slot| row.given_value(slot));
            state.moved |= given != Some(fin);
            let is_id = key && state.ids.contains(&column);
            state.has_other_ids |= is_id && given.is_some_and(|given| given != fin);
            state.set_final(column, row.ordinal, fin);
        }
        match mode {
            Mode::Replace => return Ok(()),
            Mode::Skip if self.mapping.identity(id).is_none() => return Ok(()),
            Mode::Skip | Mode::Upsert | Mode::Merge => {
                let primary = state.primary_of(payload);
                if primary.is_empty() && mode != Mode::Skip && self.mapping.identity(id).is_none() {
                    return self.nothing_names(row);
                }
                let key = match self.mapping.identity(id) {
                    Some(natural) if primary.is_empty() => {
                        let spec = self.registry.spec(self.registry.of_natural_key(natural));
                        let slots = spec.columns.iter().map(|column| row.shape.slot_of(*column));
                        let values =
                            slots.map(|slot| slot.and_then(|slot| row.cells[slot].value()).unwrap_or(&Value::Null));
                        Key::with_nulls(values.collect::<Vec<_>>().into_iter().zip(&spec.comparisons))
                    }
                    _ => Key::with_nulls(primary.iter().zip(&comparisons)),
                };
                let named = !primary.is_empty() || self.mapping.identity(id).is_some();
                if let (true, Some(first)) = (named, state.matched.insert(&key, row.ordinal)) {
                    return self.same_row(row, first);
                }
                return Ok(());
            }
            Mode::Insert => {}
        }
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let key = shown_key(relation, payload, &self.state.relation(id).payload);
        let mut found = finding(
            code::EXISTING_ROW,
            &relation.name,
            format!("the target holds this row already ({})", key.join(", ")),
        );
        found.help = Some(
            "--mode skip leaves existing rows as they are, upsert updates them, merge fills what is NULL".to_owned(),
        );
        self.fault(row, found, Some(record_spot(row)), None)
    }

    /// Two records that are one row of the target: the later one would overwrite the other.
    fn same_row(&mut self, row: &Row, first: Ordinal) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let mut found = finding(code::DUPLICATE_KEY, name, "another record is the same row of the target");
        found.help = Some("remove one of the two records".to_owned());
        let position = self.state.relation(row.shape.relation).positions.get(first);
        let other =
            Spot { label: position.label, file_ordinal: position.file_ordinal, offset: position.offset, field: None };
        self.fault(row, found, Some(record_spot(row)), Some(other))
    }

    /// Neither a primary key nor a natural key: inserting might double a row, and skipping might lose one.
    fn no_identity(&mut self, row: &Row) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let message =
            "nothing tells this record from the rows that the target holds: it has neither id nor natural key";
        let mut found = finding(code::NO_IDENTITY, name, message);
        found.help = Some(format!("name the columns that identify a row: [table.{name}] natural_key = [...]"));
        self.fault(row, found, Some(record_spot(row)), None)
    }

    /// The row is there by one of several unique keys, or by one over a part of the rows: no set of columns names it for an UPDATE.
    fn nothing_names(&mut self, row: &Row) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let message = "the target holds this row already, and nothing names it for an update: the table has neither primary key nor natural key";
        let mut found = finding(code::NO_IDENTITY, name, message);
        found.help = Some(format!(
            "name the columns that identify a row: [table.{name}] natural_key = [...]; or leave such rows as they are: --mode skip"
        ));
        self.fault(row, found, Some(record_spot(row)), None)
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
        found.help = Some(format!(
            "the row there differs in all that tells rows of {name} apart, so it is taken for another; \
             where the id alone says which row is meant: [table.{name}] natural_key = {:?}",
            relation.primary_key_columns(),
            name = relation.name,
        ));
        self.fault(row, found, Some(record_spot(row)), None)
    }

    fn ambiguous(&mut self, row: &Row, message: &str) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let mut found = finding(code::AMBIGUOUS_NATURAL_KEY, name, message);
        found.help = Some(format!("say which columns identify a row: [table.{name}] natural_key = [...]"));
        self.fault(row, found, Some(record_spot(row)), None)
    }

    /// Allots numbers to the records that want one, past every number there is, in file order. Whether there were any.
    pub(super) async fn allot(&mut self, id: RelationId) -> Result<bool, Error> {
        let budget = Arc::clone(&self.state.budget);
        let state = self.state.relation_mut(id);
        let number = state.fresh.map(Fresh::column).or(state.numbered);
        let wanting = std::mem::replace(&mut state.wanting, OrdinalSet::new(&budget));
        // Ids that were told from the order of records are there already.
        let keeps = !state.allots;
        let waits =
            |ordinal: &Ordinal| !(keeps && number.is_some_and(|column| state.final_value(column, *ordinal).is_some()));
        let wanting: Vec<Ordinal> = wanting.iter().filter(waits).collect();
        let (Some(column), false) = (number, wanting.is_empty()) else { return Ok(false) };
        let Some(first) = self.reserve(id, column, wanting.len() as u64).await? else { return Ok(false) };
        let state = self.state.relation_mut(id);
        for (value, ordinal) in (first..).zip(wanting) {
            let given = state.final_value(column, ordinal);
            state.moved |= given.is_none_or(|given| given != Value::Int(value));
            state.set_final(column, ordinal, &Value::Int(value));
            state.allot(ordinal, value);
        }
        Ok(true)
    }

    /// The first of so many free numbers; `None`, with a finding, where there are not so many left.
    pub(super) async fn reserve(&mut self, id: RelationId, column: usize, count: u64) -> Result<Option<i64>, Error> {
        let first = match self.state.relation(id).next_number {
            Some(next) => Some(next),
            None => self.first_free(id, column).await?,
        };
        let past = first.and_then(|first| first.checked_add_unsigned(count));
        if past.is_some_and(|past| fits(&self.catalog.relation(id).columns[column].data_type.kind, past - 1)) {
            self.state.relation_mut(id).next_number = past;
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
        let counted = relation.numbered_column().is_some_and(|numbered| numbered.name == relation.columns[column].name);
        let next = if counted { self.connection.numbering(relation).await?.next.unwrap_or(1) } else { 1 };
        let given = self.state.relation(id).highest_given.unwrap_or(0);
        let past = highest.max(given).checked_add(1);
        Ok(past.map(|past| past.max(next).max(1)))
    }
}

/// Whether an integer column can hold this number.
fn fits(kind: &TypeKind, number: i64) -> bool {
    match kind {
        TypeKind::Integer { bits, unsigned } if *bits < 64 => {
            let magnitude = if *unsigned { *bits } else { *bits - 1 };
            number < 1_i64 << magnitude
        }
        _ => true,
    }
}

/// The UUID that a record gets in place of the one that the export gives, in the same form: always the same for the same record.
fn made_uuid(relation: &RelationName, given: &str) -> String {
    let made =
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("relink:{relation}:{}", given.to_ascii_lowercase()).as_bytes());
    if given.contains('-') { made.hyphenated().to_string() } else { made.simple().to_string() }
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
