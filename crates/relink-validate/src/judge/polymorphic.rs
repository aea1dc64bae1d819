//! References whose table stands in another column.

use std::{collections::HashMap, io};

use indexmap::IndexMap;
use relink_model::{RelationId, Value};
use relink_records::content_type_label;
use relink_rules::{
    Part,
    expression::{Fault, Moment},
};

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, concerns, hash, key_of,
    log::{Key, Log},
};
use crate::plan::test::PolymorphicTest;

/// An id without a type.
/// The table that a type names has no such row.
pub(crate) const NO_ROW: &str = "the row does not exist";

const HALF: &str = "there is an id and no type";

/// A reference, by the type that it states.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    of: String,
    hash: u128,
    ordinal: u64,
}

/// On the side of references: with the number of the type that is stated. On the other side stand the tables by their numbers, first among equal keys.
const REFERS: u32 = 1 << 23;

/// What feeds are about: the references, the table of types, and every table that may be meant.
const REFERENCES: usize = 0;

/// Compares polymorphic references with the rows that they name.
pub(super) struct Polymorphics {
    test: PolymorphicTest,
    setting: Setting,
    /// The types as stated, and how many references state them.
    stated: IndexMap<String, u64>,
    /// The tables that are named, with the key of their rows.
    chosen: Vec<(RelationId, Vec<Part>)>,
    /// The references, and the rows of the tables.
    log: Log<Key>,
    /// The value of a type column: the label of the content type.
    labels: HashMap<String, String>,
    outcome: Outcome,
}

impl Polymorphics {
    pub(super) fn new(test: PolymorphicTest, setting: Setting) -> Self {
        let (log, outcome) = (Log::new(setting.memory.clone()), Outcome::new(&setting));
        let (stated, chosen, labels) = (IndexMap::new(), Vec::new(), HashMap::new());
        Self { test, setting, stated, chosen, log, labels, outcome }
    }

    /// The table that a type names. An application finds none by a name with blanks around it.
    fn named(&self, of: &str) -> Option<RelationId> {
        let name = match &self.test.types {
            Some(_) => self.labels.get(of)?,
            None => of,
        };
        if name.trim() != name {
            return None;
        }
        self.test.known.target(name).map(|target| target.relation)
    }

    /// The number of the first feed that is a table which may be meant.
    fn first_target(&self) -> usize {
        1 + usize::from(self.test.types.is_some())
    }
}

/// The key of an id. A UUID is one with its hyphens and without: where a database has no type for it, applications keep its digits alone.
fn id_key(part: &Part, row: View<'_>, at: &Moment) -> Result<KeyOf, Fault> {
    let Part::Column { index, .. } = part else { return key_of(std::slice::from_ref(part), row, at) };
    let Some(digits) = uuid_digits(row.get(*index)) else { return key_of(std::slice::from_ref(part), row, at) };
    let plain = Value::Text(digits);
    let mut bytes = Vec::new();
    part.write(at, &|_| &plain, &mut bytes)?;
    Ok(KeyOf::Whole(hash(&bytes)))
}

/// The digits of a UUID; `None` for what is none.
fn uuid_digits(value: &Value) -> Option<String> {
    let Value::Text(text) = value else { return None };
    let digits: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let hyphens = text.len() - digits.len();
    let is_uuid =
        digits.len() == 32 && matches!(hyphens, 0 | 4) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_uuid.then_some(digits)
}

impl Evaluator for Polymorphics {
    fn feeds(&self) -> Vec<Feed> {
        let test = &self.test;
        let mut own = Feed::new(test.relation, &[std::slice::from_ref(&test.id_part)], &[test.filter.as_ref()]);
        if !own.columns.contains(&test.type_column) {
            own.columns.push(test.type_column);
        }
        let types = test.types.as_ref().map(|types| Feed {
            relation: types.relation,
            columns: vec![types.referenced, types.app_label, types.model],
        });
        std::iter::once(own).chain(types).collect()
    }

    /// The tables that types really name.
    fn later(&mut self) -> io::Result<Vec<Feed>> {
        let named: Vec<RelationId> = self.stated.keys().filter_map(|of| self.named(of)).collect();
        let wanted = |(relation, _): &&(RelationId, Vec<Part>)| named.contains(relation);
        self.chosen = self.test.targets.iter().filter(wanted).cloned().collect();
        Ok(self.chosen.iter().map(|(relation, parts)| Feed::new(*relation, &[parts], &[])).collect())
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (test, at) = (&self.test, &self.setting.at);
        if feed == REFERENCES {
            let of = row.get(test.type_column);
            let id = id_key(&test.id_part, row, at);
            match (of, id) {
                _ if !concerns(test.filter.as_ref(), row, at) => notes.not_judged += 1,
                _ if row.leads_beyond([test.type_column]) => notes.not_judged += 1,
                // Without an id it refers to nothing, whatever type it states.
                (_, Ok(KeyOf::Nulls { .. })) => notes.not_judged += 1,
                (Value::Null, _) | (_, Err(_)) => {
                    notes.wrong.push(Wrong { feed, ordinal, problem: Some(HALF.to_owned()), ..Wrong::default() });
                }
                (of, Ok(KeyOf::Whole(hash))) => notes.typed.push(Typed { of: of.to_string(), hash, ordinal }),
            }
            return;
        }
        if let (Some(types), true) = (&test.types, feed + 1 == self.first_target()) {
            let text = |column: usize| row.get(column).to_string();
            notes.labels.push((text(types.referenced), content_type_label(&text(types.app_label), &text(types.model))));
            return;
        }
        let table = feed - self.first_target();
        let (_, parts) = &self.chosen[table];
        if let Some(part) = parts.first()
            && let Ok(KeyOf::Whole(hash)) = id_key(part, row, at)
        {
            notes.keys.push(Key::new(hash, table as u32, ordinal));
        }
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == REFERENCES {
            self.outcome.total += notes.total;
            self.outcome.not_judged += notes.not_judged;
            notes.wrong.into_iter().for_each(|wrong| self.outcome.fail(wrong));
            let mut keys = Vec::with_capacity(notes.typed.len());
            for typed in notes.typed {
                let stated = self.stated.entry(typed.of);
                let number = stated.index() as u32;
                *stated.or_default() += 1;
                if number >= REFERS {
                    return Err(io::Error::other("more than 8 million different types"));
                }
                keys.push(Key::new(typed.hash, REFERS | number, typed.ordinal));
            }
            return self.log.extend(keys);
        }
        self.labels.extend(notes.labels);
        self.log.extend(notes.keys)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let table = |of: &String| {
            let relation = self.named(of)?;
            // A table that is not read has no row.
            let place = self.chosen.iter().position(|(chosen, _)| *chosen == relation);
            Some(place.map_or(u32::MAX, |place| place as u32))
        };
        // By the number of the type: the table that it names.
        let tables: Vec<Option<u32>> = self.stated.keys().map(table).collect();
        let Self { test, stated, log, mut outcome, .. } = *self;
        if test.loose {
            // What is only remembered may be gone.
            outcome.not_judged += stated.values().sum::<u64>();
            return Ok(outcome);
        }
        // An id without a type is a cause of its own, a type without a table is one for all its rows.
        outcome.failed_distinct = outcome.failed + tables.iter().filter(|table| table.is_none()).count() as u64;
        let mut sorted = log.sorted()?;
        let mut last = None;
        // Of one key: the tables that have it, and those that lack it although somebody refers to it there.
        let (mut present, mut lacking) = (Vec::new(), Vec::new());
        while let Some(key) = sorted.next()? {
            if last != Some(key.hash()) {
                outcome.failed_distinct += lacking.len() as u64;
                (last, present, lacking) = (Some(key.hash()), Vec::new(), Vec::new());
            }
            if key.side() < REFERS {
                present.push(key.side());
                continue;
            }
            let number = (key.side() - REFERS) as usize;
            let problem = match tables[number] {
                None => format!("the type {:?} names no table", stated.get_index(number).map_or("", |(of, _)| of)),
                Some(table) if present.contains(&table) => continue,
                Some(table) => {
                    if !lacking.contains(&table) {
                        lacking.push(table);
                    }
                    NO_ROW.to_owned()
                }
            };
            outcome.fail(Wrong { ordinal: key.ordinal(), problem: Some(problem), ..Wrong::default() });
        }
        outcome.failed_distinct += lacking.len() as u64;
        Ok(outcome)
    }
}
