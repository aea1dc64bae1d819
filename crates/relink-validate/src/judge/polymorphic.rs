//! References whose table stands in another column.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

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
const HALF: &str = "there is an id and no type";

/// A reference, by the type that it states.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    of: String,
    hash: u128,
    ordinal: u64,
}

/// What feeds are about: the references, the table of types, and every table that may be meant.
const REFERENCES: usize = 0;

/// Compares polymorphic references with the rows that they name.
pub(super) struct Polymorphics {
    test: PolymorphicTest,
    setting: Setting,
    /// By type as stated: the references.
    stated: BTreeMap<String, Vec<(u128, u64)>>,
    /// The tables that are named, with the key of their rows.
    chosen: Vec<(RelationId, Vec<Part>)>,
    /// By relation: its keys.
    keys: HashMap<RelationId, Log<Key>>,
    /// The value of a type column: the label of the content type.
    labels: HashMap<String, String>,
    outcome: Outcome,
    failed: Vec<Wrong>,
}

impl Polymorphics {
    pub(super) fn new(test: PolymorphicTest, setting: Setting) -> Self {
        Self {
            test,
            setting,
            stated: BTreeMap::new(),
            chosen: Vec::new(),
            keys: HashMap::new(),
            labels: HashMap::new(),
            outcome: Outcome::default(),
            failed: Vec::new(),
        }
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
    fn later(&mut self) -> Vec<Feed> {
        let named: Vec<RelationId> = self.stated.keys().filter_map(|of| self.named(of)).collect();
        let wanted = |(relation, _): &&(RelationId, Vec<Part>)| named.contains(relation);
        self.chosen = self.test.targets.iter().filter(wanted).cloned().collect();
        self.chosen.iter().map(|(relation, parts)| Feed::new(*relation, &[parts], &[])).collect()
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (test, at) = (&self.test, &self.setting.at);
        if feed == REFERENCES {
            let of = row.get(test.type_column);
            let id = id_key(&test.id_part, row, at);
            match (of, id) {
                _ if !concerns(test.filter.as_ref(), row, at) => notes.not_judged += 1,
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
        let (_, parts) = &self.chosen[feed - self.first_target()];
        if let Some(part) = parts.first()
            && let Ok(KeyOf::Whole(hash)) = id_key(part, row, at)
        {
            notes.keys.push(Key { hash, side: 0, ordinal });
        }
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == REFERENCES {
            self.outcome.total += notes.total;
            self.outcome.not_judged += notes.not_judged;
            self.failed.extend(notes.wrong);
            for typed in notes.typed {
                self.stated.entry(typed.of).or_default().push((typed.hash, typed.ordinal));
            }
            return Ok(());
        }
        self.labels.extend(notes.labels);
        if feed < self.first_target() {
            return Ok(());
        }
        let relation = self.chosen[feed - self.first_target()].0;
        let memory = self.setting.memory.clone();
        self.keys.entry(relation).or_insert_with(|| Log::new(memory)).extend(notes.keys)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let named: BTreeMap<String, Option<RelationId>> =
            self.stated.keys().map(|of| (of.clone(), self.named(of))).collect();
        let Self { test, setting, stated, mut keys, mut outcome, failed: mut wrong, .. } = *self;
        let fail = |ordinal, problem: &str| Wrong { ordinal, problem: Some(problem.to_owned()), ..Wrong::default() };
        // By relation: what refers to it. Several types may mean one.
        let mut referring: BTreeMap<RelationId, Vec<(u128, u64)>> = BTreeMap::new();
        let mut missing = 0;
        for (of, references) in stated {
            match named.get(&of).copied().flatten() {
                Some(relation) => referring.entry(relation).or_default().extend(references),
                // What is only remembered may be of any kind.
                None if test.loose => outcome.not_judged += references.len() as u64,
                None => {
                    missing += 1;
                    let problem = format!("the type {of:?} names no table");
                    wrong.extend(references.into_iter().map(|(_, ordinal)| fail(ordinal, &problem)));
                }
            }
        }
        for (relation, mut references) in referring {
            if test.loose {
                outcome.not_judged += references.len() as u64;
                continue;
            }
            references.sort_unstable();
            let mut sorted = match keys.remove(&relation) {
                Some(log) => log.sorted()?,
                None => Log::new(setting.memory.clone()).sorted()?,
            };
            let mut next = sorted.next()?;
            let mut last = None;
            for (hash, ordinal) in references {
                while next.is_some_and(|key| key.hash < hash) {
                    next = sorted.next()?;
                }
                if next.is_none_or(|key| key.hash != hash) {
                    missing += u64::from(last != Some(hash));
                    last = Some(hash);
                    wrong.push(fail(ordinal, "the row does not exist"));
                }
            }
        }
        outcome.failed_distinct =
            missing + wrong.iter().filter(|wrong| wrong.problem.as_deref() == Some(HALF)).count() as u64;
        wrong.sort_unstable_by_key(|wrong| wrong.ordinal);
        for wrong in wrong {
            outcome.fail(wrong, setting.wrong_max);
        }
        Ok(outcome)
    }
}
