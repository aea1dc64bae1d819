//! Rows in their order within a group: running balances, and spans that must not overlap.

use std::{cmp::Ordering, io};

use bigdecimal::BigDecimal;
use relink_rules::{
    encode,
    expression::{Bound, Datum, Fault, ordering},
};

use super::{
    Evaluator, Feed, Notes, Outcome, Setting, View, Wrong, concerns, hash,
    log::{self, Log, read_number, read_text, take, write_number, write_text},
    sums::written,
};
use crate::plan::test::{OverlapTest, RunningTest};

/// A row in its group.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    group: u128,
    /// What puts it in order.
    order: Vec<Sortable>,
    ordinal: u64,
    /// Balance and change, or the end of the span.
    amounts: Vec<Option<BigDecimal>>,
    end: Option<Sortable>,
    faulty: bool,
}

/// A value that sorts as it compares.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sortable {
    Null,
    Number(BigDecimal),
    /// Nanoseconds since 1970; days and years beyond are far enough out.
    Moment(i128),
    Text(String),
    /// Before, or (true) after everything else: an infinity, a span without an end.
    Never(bool),
}

impl Eq for Sortable {}

impl PartialOrd for Sortable {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sortable {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Moment(a), Self::Moment(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Sortable {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Never(false) => 1,
            Self::Number(_) => 2,
            Self::Moment(_) => 3,
            Self::Text(_) => 4,
            Self::Never(true) => 5,
        }
    }

    fn of(datum: Datum, setting: &Setting) -> Self {
        let zone = &setting.at.zone;
        let nanoseconds = |wall: jiff::civil::DateTime| {
            zone.to_timestamp(wall)
                .map_or_else(|_| if wall.year() > 0 { i128::MAX } else { i128::MIN }, jiff::Timestamp::as_nanosecond)
        };
        match datum {
            Datum::Null => Self::Null,
            Datum::Boolean(truth) => Self::Number(BigDecimal::from(i64::from(truth))),
            Datum::Number(number) => Self::Number(number),
            Datum::Infinite(positive) | Datum::Never(positive) => Self::Never(positive),
            Datum::Text(text) => Self::Text(text),
            Datum::Day(day) => Self::Moment(nanoseconds(day.at(0, 0, 0, 0))),
            Datum::Wall(wall) => Self::Moment(nanoseconds(wall)),
            Datum::Instant(instant) => Self::Moment(instant.as_nanosecond()),
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.push(self.rank());
        match self {
            Self::Null | Self::Never(_) => {}
            Self::Number(number) => write_number(number, to),
            Self::Moment(moment) => to.extend_from_slice(&moment.to_le_bytes()),
            Self::Text(text) => write_text(text, to),
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(match u8::from_le_bytes(take(from)?) {
            0 => Self::Null,
            1 => Self::Never(false),
            2 => Self::Number(read_number(from)?),
            3 => Self::Moment(i128::from_le_bytes(take(from)?)),
            4 => Self::Text(read_text(from)?),
            _ => Self::Never(true),
        })
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.group, &self.order, self.ordinal).cmp(&(other.group, &other.order, other.ordinal))
    }
}

impl log::Entry for Entry {
    fn size(&self) -> usize {
        size_of::<Self>() + self.order.len() * 64 + self.amounts.len() * 64
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.group.to_le_bytes());
        to.extend_from_slice(&self.ordinal.to_le_bytes());
        to.push(u8::from(self.faulty));
        to.push(self.order.len() as u8);
        for part in &self.order {
            part.write(to);
        }
        to.push(self.amounts.len() as u8);
        for amount in &self.amounts {
            to.push(u8::from(amount.is_some()));
            if let Some(amount) = amount {
                write_number(amount, to);
            }
        }
        to.push(u8::from(self.end.is_some()));
        if let Some(end) = &self.end {
            end.write(to);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let byte = |from: &mut &[u8]| take(from).map(u8::from_le_bytes);
        let group = u128::from_le_bytes(take(from)?);
        let ordinal = u64::from_le_bytes(take(from)?);
        let faulty = byte(from)? == 1;
        let order = (0..byte(from)?).map(|_| Sortable::read(from)).collect::<Option<_>>()?;
        let amounts = (0..byte(from)?)
            .map(|_| match byte(from)? {
                0 => Some(None),
                _ => read_number(from).map(Some),
            })
            .collect::<Option<_>>()?;
        let end = if byte(from)? == 1 { Some(Sortable::read(from)?) } else { None };
        Some(Self { group, order, ordinal, amounts, end, faulty })
    }
}

/// The group of a row, and whether a part of it is NULL; `None` where a part is not what its column says.
fn group(per: &[Bound], setting: &Setting, row: View<'_>) -> Option<(u128, bool)> {
    let (mut bytes, mut open) = (Vec::new(), false);
    for part in per {
        let datum = part.value(&setting.at, &|column| row.get(column)).ok()?;
        if !encode(&datum, &setting.at, &mut bytes) {
            open = true;
            bytes.push(b'0');
        }
    }
    Some((hash(&bytes), open))
}

/// An amount: `Ok(None)` for NULL, an error for what is no number.
fn number(found: Result<Datum, Fault>) -> Result<Option<BigDecimal>, ()> {
    match found {
        Ok(Datum::Null) => Ok(None),
        Ok(Datum::Number(number)) => Ok(Some(number)),
        _ => Err(()),
    }
}

/// Follows a stored balance from row to row.
pub(super) struct Running {
    test: RunningTest,
    setting: Setting,
    log: Log<Entry>,
    total: u64,
    not_judged: u64,
    /// Rows without a change.
    unchanged: u64,
}

impl Running {
    pub(super) fn new(test: RunningTest, setting: Setting) -> Self {
        let log = Log::new(setting.memory.clone());
        Self { test, setting, log, total: 0, not_judged: 0, unchanged: 0 }
    }
}

impl Evaluator for Running {
    fn feeds(&self) -> Vec<Feed> {
        let test = &self.test;
        let all = test.per.iter().chain(&test.order).chain([&test.balance, &test.delta]).map(Some);
        let all: Vec<Option<&Bound>> = all.chain([test.filter.as_ref()]).collect();
        vec![Feed::new(test.relation, &[], &all)]
    }

    fn look(&self, _: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (test, setting) = (&self.test, &self.setting);
        let group = group(&test.per, setting, row);
        // Rows of which nobody knows the group are a group of their own.
        let (Some((group, _)), true) = (group, concerns(test.filter.as_ref(), row, &setting.at)) else {
            notes.not_judged += 1;
            return;
        };
        let mut faulty = false;
        let mut order = Vec::new();
        for part in &test.order {
            match part.value(&setting.at, &|column| row.get(column)) {
                Ok(datum) => order.push(Sortable::of(datum, setting)),
                Err(_) => faulty = true,
            }
        }
        let value = |column: usize| row.get(column);
        let balance = test.balance.value(&setting.at, &value);
        // A change is what a row adds to a sum.
        let amounts = [balance, test.delta.summand(&setting.at, &value)].map(|found| {
            number(found).unwrap_or_else(|()| {
                faulty = true;
                None
            })
        });
        notes.places.push(Entry { group, order, ordinal, amounts: amounts.to_vec(), end: None, faulty });
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.total += notes.total;
        self.not_judged += notes.not_judged;
        let is_unchanged = |entry: &&Entry| !entry.faulty && entry.amounts.get(1).is_some_and(Option::is_none);
        self.unchanged += notes.places.iter().filter(is_unchanged).count() as u64;
        self.log.extend(notes.places)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { test, setting, log, total, not_judged, unchanged } = *self;
        let mut outcome = Outcome { total, not_judged, ..Outcome::new(&setting) };
        if unchanged > 0 {
            outcome.notes.push(format!("{unchanged} rows have no change (NULL), which counts as nothing"));
        }
        let mut sorted = log.sorted()?;
        let mut difference = BigDecimal::from(0);
        let mut before: Option<Entry> = None;
        let mut balance = test.start.clone();
        let mut next = sorted.next()?;
        while let Some(entry) = next {
            next = sorted.next()?;
            if before.as_ref().is_none_or(|before| before.group != entry.group) {
                balance = test.start.clone();
            }
            let tied = |other: &Option<Entry>| {
                other.as_ref().is_some_and(|other| other.group == entry.group && other.order == entry.order)
            };
            let is_tied = tied(&before) || tied(&next);
            let problem = if entry.faulty {
                Some("not a number")
            } else if is_tied {
                // Which of them comes first nobody can tell, so that nothing can be said of their balances.
                Some("another row of the group has the same place in the order")
            } else {
                None
            };
            let stored = entry.amounts.first().cloned().flatten();
            let delta = entry.amounts.get(1).cloned().flatten().unwrap_or_default();
            let expected = &balance + &delta;
            let off = stored.as_ref().map(|stored| stored - &expected);
            let (problem, off) = match (problem, &stored, off) {
                (Some(problem), ..) => (Some(problem), None),
                (None, None, _) => (Some("there is no balance"), None),
                (None, Some(_), Some(off)) if off.abs() > test.tolerance => {
                    (Some("is not the balance before and the change"), Some(off))
                }
                _ => (None, None),
            };
            if let Some(problem) = problem {
                let mut beside = Vec::new();
                if let Some(off) = off {
                    beside.push(("expected".to_owned(), Some(written(&expected))));
                    beside.push(("difference".to_owned(), Some(written(&off))));
                    difference += off.abs();
                }
                outcome.fail(Wrong {
                    ordinal: entry.ordinal,
                    problem: Some(problem.to_owned()),
                    beside,
                    ..Wrong::default()
                });
            }
            // What is stored is what the next row goes on from: one mistake is one finding. After rows that share a place nobody can tell whose balance
            // that is; their changes come to the same in any order.
            balance = if is_tied { expected } else { stored.unwrap_or(expected) };
            before = Some(entry);
        }
        if difference != 0 {
            outcome.difference = Some(written(&difference));
        }
        outcome.failed_distinct = outcome.failed;
        Ok(outcome)
    }
}

/// How far spans reach.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reach {
    end: Sortable,
    /// The end is a part of them: a span that ends where it begins is that one point.
    closed: bool,
}

impl Reach {
    fn of(entry: &Entry) -> Self {
        Self { end: entry.end.clone().unwrap_or(Sortable::Null), closed: entry.end.as_ref() == entry.order.first() }
    }

    fn holds(&self, point: &Sortable) -> bool {
        self.end > *point || self.closed && self.end == *point
    }
}

/// Looks for spans of one group that overlap.
pub(super) struct Overlaps {
    test: OverlapTest,
    setting: Setting,
    log: Log<Entry>,
    outcome: Outcome,
}

impl Overlaps {
    pub(super) fn new(test: OverlapTest, setting: Setting) -> Self {
        let (log, outcome) = (Log::new(setting.memory.clone()), Outcome::new(&setting));
        Self { test, setting, log, outcome }
    }
}

impl Evaluator for Overlaps {
    fn feeds(&self) -> Vec<Feed> {
        let test = &self.test;
        let all = test.per.iter().chain([&test.start, &test.end]).map(Some).chain([test.filter.as_ref()]);
        vec![Feed::new(test.relation, &[], &all.collect::<Vec<_>>())]
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (test, setting) = (&self.test, &self.setting);
        let of = |bound: &Bound| bound.value(&setting.at, &|column| row.get(column));
        let group = group(&test.per, setting, row);
        // Nobody knows whether two rows are of one group if nobody knows the group.
        let (Some((group, false)), true) = (group, concerns(test.filter.as_ref(), row, &setting.at)) else {
            notes.not_judged += 1;
            return;
        };
        let wrong = |problem: String| Wrong { feed, ordinal, problem: Some(problem), ..Wrong::default() };
        match (of(&test.start), of(&test.end)) {
            (Err(fault), _) | (_, Err(fault)) => notes.wrong.push(wrong(fault.problem)),
            (Ok(Datum::Null), _) => notes.not_judged += 1,
            (Ok(start), Ok(end)) => {
                if ordering(&start, &end, &setting.at) == Some(Ordering::Greater) {
                    notes.wrong.push(wrong("it ends before it begins".to_owned()));
                    return;
                }
                let end = match (&start, end) {
                    // A span without an end goes on for ever.
                    (_, Datum::Null) => Datum::Never(true),
                    // A day holds all its moments, and is over when the next one begins. Between two days it is the one after the last.
                    (Datum::Wall(_) | Datum::Instant(_), Datum::Day(day)) => {
                        day.tomorrow().map_or(Datum::Never(true), |next| Datum::Wall(next.at(0, 0, 0, 0)))
                    }
                    (_, end) => end,
                };
                let order = vec![Sortable::of(start, setting)];
                let end = Some(Sortable::of(end, setting));
                notes.places.push(Entry { group, order, ordinal, amounts: Vec::new(), end, faulty: false });
            }
        }
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        notes.wrong.into_iter().for_each(|wrong| self.outcome.fail(wrong));
        self.log.extend(notes.places)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { log, mut outcome, .. } = *self;
        let mut sorted = log.sorted()?;
        // Spans that hang together, one overlapping the next, and how far they reach.
        let mut together: Vec<u64> = Vec::new();
        let mut reach: Option<(u128, Reach)> = None;
        let mut clusters: Vec<Vec<u64>> = Vec::new();
        while let Some(entry) = sorted.next()? {
            let own = Reach::of(&entry);
            let joins = reach.as_ref().is_some_and(|(group, reach)| {
                *group == entry.group && reach.holds(entry.order.first().unwrap_or(&Sortable::Null))
            });
            if !joins && together.len() > 1 {
                clusters.push(std::mem::take(&mut together));
            }
            if joins {
                reach = reach.map(|(group, reach)| (group, reach.max(own)));
            } else {
                together.clear();
                reach = Some((entry.group, own));
            }
            together.push(entry.ordinal);
        }
        if together.len() > 1 {
            clusters.push(together);
        }
        for cluster in &mut clusters {
            cluster.sort_unstable();
        }
        clusters.sort_unstable();
        outcome.failed_distinct = clusters.len() as u64 + outcome.failed;
        for (cluster, number) in clusters.into_iter().zip(1..) {
            for ordinal in cluster {
                outcome.fail(Wrong { ordinal, group: Some(number), ..Wrong::default() });
            }
        }
        Ok(outcome)
    }
}
