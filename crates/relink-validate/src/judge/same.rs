//! Two tables that should hold the same rows.

use std::io;

use relink_export::{JsonKind, RawJson};
use relink_model::Value;
use relink_rules::{Part, decimal};

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, concerns, hash, key_of,
    log::{Entry, Key, Log},
};
use crate::plan::test::SameTest;

/// Documents that are nested deeper are compared as they are written.
const DEPTH_MAX: usize = 200;

/// What a document says, whatever blanks, order of names and zeros it is written with.
fn document(json: &RawJson<'_>, into: &mut Vec<u8>) {
    let tagged = |tag: u8, content: &[u8], into: &mut Vec<u8>| {
        into.push(tag);
        into.extend_from_slice(&(content.len() as u64).to_le_bytes());
        into.extend_from_slice(content);
    };
    match json.kind() {
        JsonKind::Object => {
            let member = |(name, value): (RawJson<'_>, RawJson<'_>)| {
                let mut bytes = Vec::new();
                document(&name, &mut bytes);
                document(&value, &mut bytes);
                bytes
            };
            let mut members: Vec<Vec<u8>> = json.entries().map(member).collect();
            members.sort_unstable();
            tagged(b'{', &members.concat(), into);
        }
        JsonKind::Array => {
            let mut elements = Vec::new();
            json.elements().for_each(|element| document(&element, &mut elements));
            tagged(b'[', &elements, into);
        }
        JsonKind::String => match json.as_str() {
            Ok(text) => tagged(b'"', text.as_bytes(), into),
            Err(_) => tagged(b'?', json.text().as_bytes(), into),
        },
        JsonKind::Number => match decimal::parse(json.text()) {
            Some(number) => tagged(b'0', decimal::plain(&number.normalized()).as_bytes(), into),
            None => tagged(b'?', json.text().as_bytes(), into),
        },
        JsonKind::Null | JsonKind::True | JsonKind::False | JsonKind::NonFinite => {
            tagged(b'?', json.text().as_bytes(), into);
        }
    }
}

/// Compares rows by their key, then by their content.
pub(super) struct Same {
    test: SameTest,
    setting: Setting,
    log: Log<Row>,
    outcome: Outcome,
}

/// A row by its key; the side is the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    key: Key,
    /// The halves of its content's hash.
    content: [u64; 2],
}

impl Entry for Row {
    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn write(&self, to: &mut Vec<u8>) {
        self.key.write(to);
        self.content.iter().for_each(|half| half.write(to));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(Self { key: Key::read(from)?, content: [u64::read(from)?, u64::read(from)?] })
    }
}

impl Same {
    pub(super) fn new(test: SameTest, setting: Setting) -> Self {
        let (log, outcome) = (Log::new(setting.memory.clone()), Outcome::new(&setting));
        Self { test, setting, log, outcome }
    }
}

impl Evaluator for Same {
    fn feeds(&self) -> Vec<Feed> {
        let feed = |at: usize| {
            let side = &self.test.sides[at];
            Feed::new(side.relation, &[&side.key, &side.content], &[side.filter.as_ref()])
        };
        vec![feed(0), feed(1)]
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (side, at) = (&self.test.sides[feed], &self.setting.at);
        if !concerns(side.filter.as_ref(), row, at) {
            notes.not_judged += 1;
            return;
        }
        let mut bytes = Vec::new();
        for part in &side.content {
            if let Part::Column { index, .. } = part
                && side.documents.contains(index)
                && let Value::Text(text) = row.get(*index)
                && let Ok(json) = RawJson::parse(text, DEPTH_MAX)
            {
                document(&json, &mut bytes);
                continue;
            }
            if !part.write(at, &|column| row.get(column), &mut bytes).unwrap_or(false) {
                bytes.push(b'0');
            }
        }
        let content = hash(&bytes);
        let content = [(content >> 64) as u64, content as u64];
        match key_of(&side.key, row, at) {
            Ok(KeyOf::Whole(hash)) => notes.rows.push(Row { key: Key::new(hash, feed as u32, ordinal), content }),
            _ => notes.wrong.push(Wrong {
                feed,
                ordinal,
                problem: Some("its key is not whole".to_owned()),
                ..Wrong::default()
            }),
        }
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == 0 {
            self.outcome.total += notes.total;
            self.outcome.not_judged += notes.not_judged;
        }
        notes.wrong.into_iter().for_each(|wrong| self.outcome.fail(wrong));
        self.log.extend(notes.rows)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { test, log, mut outcome, .. } = *self;
        let mut sorted = log.sorted()?;
        let mut next = sorted.next()?;
        while let Some(first) = next {
            let mut of_key = [Vec::new(), Vec::new()];
            let mut entry = Some(first);
            while let Some(found) = entry.filter(|found| found.key.hash() == first.key.hash()) {
                of_key[found.key.side() as usize].push(found);
                entry = sorted.next()?;
            }
            next = entry;
            let [left, right] = &of_key;
            let mut fail = |row: &Row, problem: String| {
                let feed = row.key.side() as usize;
                outcome.fail(Wrong { feed, ordinal: row.key.ordinal(), problem: Some(problem), ..Wrong::default() });
            };
            for pair in left.iter().zip(right) {
                if pair.0.content != pair.1.content {
                    fail(pair.0, format!("differs from the row of {}", test.names[1]));
                }
            }
            for row in left.iter().skip(right.len()) {
                fail(row, format!("is not in {}", test.names[1]));
            }
            for row in right.iter().skip(left.len()) {
                fail(row, format!("is in {} only", test.names[1]));
            }
        }
        outcome.failed_distinct = outcome.failed;
        Ok(outcome)
    }
}
