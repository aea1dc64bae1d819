//! Amounts per key that have to be equal: totals and the sums of their lines, stock and the sum of its movements, what has to come to nothing.

use std::{cmp::Ordering, io};

use bigdecimal::{BigDecimal, RoundingMode, Zero as _};
use relink_model::config::{NoLines, NullLeft, Rounding};
use relink_rules::{
    decimal,
    expression::{Bound, Datum},
};

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong,
    amount::Exact,
    concerns, key_of,
    log::{self, Key, Log, read_number, take, write_number},
};
use crate::plan::test::{Side, SumsTest};

/// What is wrong with a total that is not the sum.
pub(crate) const DIFFERS: &str = "differs from the sum of its lines";
/// A total that is NULL beside lines.
pub(crate) const MISSING: &str = "NULL although there are lines";
/// Text, NaN or an infinity among the numbers.
pub(crate) const NO_NUMBER: &str = "not a number, in the total or in a line";
/// A header without lines.
pub(crate) const NO_LINES: &str = "there are no lines";
/// A line without an amount, where that counts.
pub(crate) const NULL_LINE: &str = "a line has no amount";
/// A group that has to come to nothing.
pub(crate) const NOT_ZERO: &str = "does not come to zero";

/// The amount of one row. Most take no allocation.
#[derive(Clone, Debug)]
pub(super) enum Amount {
    Null,
    /// Text, NaN, an infinity, a division by zero.
    Faulty,
    /// So many units, and digits after the point.
    Small(i64, u8),
    /// Any other number, and what it would be, were it rounded elsewhere.
    Number(Box<(Exact, Option<Exact>)>),
}

impl Amount {
    fn of(number: Exact, other: Option<Exact>) -> Self {
        if let (Exact::Small(units, scale), None) = (&number, &other)
            && let Ok(units) = i64::try_from(*units)
        {
            return Self::Small(units, *scale);
        }
        Self::Number(Box::new((number, other)))
    }
}

/// The amount of a row, by its key; the side is 0 for the left one, 1 for the right one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    key: Key,
    amount: Amount,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
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
        self.key.cmp(&other.key)
    }
}

impl log::Entry for Entry {
    fn size(&self) -> usize {
        // Two numbers, of which none is so long that its digits would count.
        size_of::<Self>() + if matches!(self.amount, Amount::Number(_)) { 96 } else { 0 }
    }

    fn write(&self, to: &mut Vec<u8>) {
        self.key.write(to);
        match &self.amount {
            Amount::Null => to.push(0),
            Amount::Faulty => to.push(1),
            Amount::Small(units, scale) => {
                to.push(2);
                to.extend_from_slice(&units.to_le_bytes());
                to.push(*scale);
            }
            Amount::Number(numbers) => {
                let (number, other) = numbers.as_ref();
                to.push(if other.is_some() { 4 } else { 3 });
                for number in std::iter::once(number).chain(other) {
                    write_number(&number.number(), to);
                }
            }
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let key = Key::read(from)?;
        let number = |from: &mut &[u8]| read_number(from).map(|number| Exact::of(&number));
        let amount = match u8::from_le_bytes(take(from)?) {
            0 => Amount::Null,
            1 => Amount::Faulty,
            2 => Amount::Small(i64::from_le_bytes(take(from)?), u8::from_le_bytes(take(from)?)),
            3 => Amount::Number(Box::new((number(from)?, None))),
            _ => Amount::Number(Box::new((number(from)?, Some(number(from)?)))),
        };
        Some(Self { key, amount })
    }
}

/// Compares amounts per key.
pub(super) struct Sums {
    test: SumsTest,
    setting: Setting,
    log: Log<Entry>,
    /// Rows of the left side.
    total: u64,
    outside: u64,
    /// Rows without an amount, of those that are summed.
    null_lines: u64,
    /// Rows without a key.
    keyless: u64,
}

/// What the rows of one key come to on one side.
#[derive(Default)]
struct Summed {
    rows: u64,
    nulls: u64,
    faulty: bool,
    sum: Option<Exact>,
    other: Option<Exact>,
}

impl Summed {
    fn add(&mut self, amount: &Amount) {
        self.rows += 1;
        match amount {
            Amount::Null => self.nulls += 1,
            Amount::Faulty => self.faulty = true,
            Amount::Small(units, scale) => {
                self.sum.get_or_insert(Exact::ZERO).add(&Exact::Small(i128::from(*units), *scale));
            }
            Amount::Number(numbers) => {
                let (number, other) = numbers.as_ref();
                self.sum.get_or_insert(Exact::ZERO).add(number);
                if let Some(other) = other {
                    self.other.get_or_insert(Exact::ZERO).add(other);
                }
            }
        }
    }

    fn number(&self) -> BigDecimal {
        self.sum.as_ref().map_or_else(BigDecimal::zero, Exact::number)
    }
}

/// What the comparison of one key comes to.
enum Compared {
    Fine,
    NotJudged,
    Wrong { problem: &'static str, sum: Option<BigDecimal>, difference: Option<BigDecimal>, elsewhere: bool },
}

impl Sums {
    pub(super) fn new(test: SumsTest, setting: Setting) -> Self {
        let log = Log::new(setting.memory.clone());
        Self { test, setting, log, total: 0, outside: 0, null_lines: 0, keyless: 0 }
    }

    fn side(&self, feed: usize) -> &Side {
        if feed == 0 { &self.test.left } else { self.test.right.as_ref().unwrap_or(&self.test.left) }
    }
}

impl SumsTest {
    fn rounded(&self, number: BigDecimal) -> BigDecimal {
        match self.digits {
            Some(digits) => number.with_scale_round(digits, mode(self.rounding)),
            None => number,
        }
    }

    /// Whether two amounts are as near as the rule wants them.
    pub(crate) fn agrees(&self, difference: &BigDecimal, sum: &BigDecimal) -> bool {
        let limit = if self.tolerance.percent {
            sum.abs() * &self.tolerance.amount / BigDecimal::from(100)
        } else {
            self.tolerance.amount.clone()
        };
        difference.abs() <= limit
    }

    fn compare(&self, left: &Summed, right: &Summed) -> Compared {
        let wrong = |problem| Compared::Wrong { problem, sum: None, difference: None, elsewhere: false };
        if left.faulty || right.faulty {
            return wrong(NO_NUMBER);
        }
        if self.left.summed && left.sum.is_none() && right.sum.is_none() {
            // Not a single amount.
            return Compared::NotJudged;
        }
        if self.right.is_none() {
            let sum = left.number();
            return if self.agrees(&sum, &sum) {
                Compared::Fine
            } else {
                Compared::Wrong { problem: NOT_ZERO, sum: None, difference: Some(sum), elsewhere: false }
            };
        }
        if self.null_lines_fail && right.nulls > 0 {
            return wrong(NULL_LINE);
        }
        if right.rows == 0 {
            match self.no_lines {
                NoLines::Zero => {}
                NoLines::Skip => return Compared::NotJudged,
                NoLines::Finding => return wrong(NO_LINES),
            }
        }
        let sum = self.rounded(right.number());
        if left.sum.is_none() && !self.left.summed {
            match self.null_left {
                _ if right.rows == 0 => return Compared::NotJudged,
                NullLeft::Finding => {
                    return Compared::Wrong { problem: MISSING, sum: Some(sum), difference: None, elsewhere: false };
                }
                NullLeft::Skip => return Compared::NotJudged,
                NullLeft::Zero => {}
            }
        }
        let number = left.number();
        let difference = &number - &sum;
        if self.agrees(&difference, &sum) {
            return Compared::Fine;
        }
        let elsewhere = right.other.as_ref().is_some_and(|other| {
            // Rounded per line where the rule rounds the sum, and the other way round.
            let other = other.number().with_scale_round(self.other_digits, mode(self.rounding));
            self.agrees(&(&number - &other), &other)
        });
        Compared::Wrong { problem: DIFFERS, sum: Some(sum), difference: Some(difference), elsewhere }
    }
}

fn mode(rounding: Rounding) -> RoundingMode {
    match rounding {
        Rounding::HalfUp => RoundingMode::HalfUp,
        Rounding::HalfEven => RoundingMode::HalfEven,
        Rounding::Down => RoundingMode::Down,
    }
}

impl Evaluator for Sums {
    fn feeds(&self) -> Vec<Feed> {
        let feed = |side: &Side| {
            Feed::new(side.relation, &[&side.key], &[Some(&side.amount), side.filter.as_ref(), side.other.as_ref()])
        };
        std::iter::once(feed(&self.test.left)).chain(self.test.right.as_ref().map(feed)).collect()
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let (side, at) = (self.side(feed), &self.setting.at);
        let value = |column: usize| row.get(column);
        let key = match key_of(&side.key, row, at) {
            Ok(KeyOf::Whole(hash)) if concerns(side.filter.as_ref(), row, at) => hash,
            Ok(KeyOf::Nulls { hash, .. }) if concerns(side.filter.as_ref(), row, at) => {
                // A group may be one of those without a value. What is compared by its key has one.
                if self.test.right.is_some() {
                    notes.not_judged += 1;
                    notes.keyless += 1;
                    return;
                }
                hash
            }
            _ => {
                notes.not_judged += 1;
                return;
            }
        };
        let number = |bound: &Bound| match if side.summed { bound.summand(at, &value) } else { bound.value(at, &value) }
        {
            Ok(Datum::Null) => Ok(None),
            Ok(Datum::Number(number)) => Ok(Some(Exact::of(&number))),
            _ => Err(()),
        };
        let amount = match number(&side.amount) {
            Ok(None) => Amount::Null,
            Ok(Some(found)) => {
                let other = side.other.as_ref().and_then(|other| number(other).ok().flatten());
                Amount::of(found, other)
            }
            Err(()) => Amount::Faulty,
        };
        notes.amounts.push(Entry { key: Key::new(key, feed as u32, ordinal), amount });
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == 0 {
            self.total += notes.total;
            self.outside += notes.not_judged;
        }
        self.keyless += notes.keyless;
        if self.side(feed).summed {
            let null = |entry: &&Entry| matches!(entry.amount, Amount::Null);
            self.null_lines += notes.amounts.iter().filter(null).count() as u64;
        }
        self.log.extend(notes.amounts)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { test, setting, log, total, outside, null_lines, keyless } = *self;
        // What is summed on the left is judged by group, not by row.
        let outside = if test.left.summed { 0 } else { outside };
        let mut outcome = Outcome { total, not_judged: outside, ..Outcome::new(&setting) };
        let mut sorted = log.sorted()?;
        let (mut difference, mut elsewhere, mut groups) = (BigDecimal::zero(), 0_u64, 0_u64);
        let mut next = sorted.next()?;
        while let Some(first) = next {
            let hash = first.key.hash();
            let mut lefts: Vec<(u64, Summed)> = Vec::new();
            let mut right = Summed::default();
            let (mut feed, here) = (0, first.key.ordinal());
            let mut entry = Some(first);
            while let Some(found) = entry.take_if(|found| found.key.hash() == hash) {
                if found.key.side() == 1 {
                    right.add(&found.amount);
                } else {
                    if lefts.is_empty() || !test.left.summed {
                        lefts.push((found.key.ordinal(), Summed::default()));
                    }
                    if let Some((_, summed)) = lefts.last_mut() {
                        summed.add(&found.amount);
                    }
                }
                entry = sorted.next()?;
            }
            next = entry;
            if lefts.is_empty() && test.left.summed {
                // Of two sums neither is what the other is measured by: what only one of them has is compared with nothing, and named by its own row.
                lefts.push((here, Summed::default()));
                feed = 1;
            }
            groups += lefts.len() as u64;
            for (ordinal, left) in lefts {
                match test.compare(&left, &right) {
                    Compared::Fine => {}
                    Compared::NotJudged => outcome.not_judged += 1,
                    Compared::Wrong { problem, sum, difference: off, elsewhere: fits } => {
                        elsewhere += u64::from(fits);
                        let mut beside = Vec::new();
                        let mut problem = test.problem_name(problem);
                        if test.left.summed && test.right.is_some() {
                            for (side, name) in [(&left, "left"), (&right, "right")] {
                                let shown = side.rows > 0 && !side.faulty;
                                beside.push((name.to_owned(), shown.then(|| written(&side.number()))));
                                if side.rows == 0 {
                                    problem = format!("there are no rows on the {name} side");
                                }
                            }
                        } else if test.right.is_some() {
                            beside.push((test.sum_name.to_owned(), sum.as_ref().map(written)));
                        }
                        if let Some(off) = &off {
                            beside.push(("difference".to_owned(), Some(written(off))));
                            difference += off.abs();
                        }
                        outcome.fail(Wrong { feed, ordinal, problem: Some(problem), group: None, beside });
                    }
                }
            }
        }
        if test.left.summed {
            outcome.total = groups;
        }
        outcome.failed_distinct = outcome.failed;
        if null_lines > 0 {
            outcome.notes.push(null_lines_note(null_lines, if test.is_total() { "lines" } else { "rows" }));
        }
        if keyless > 0 && !test.is_total() {
            outcome.notes.push(format!("{keyless} rows have no key (NULL) and were left out"));
        }
        if elsewhere > 0 {
            outcome.notes.push(format!("{elsewhere} of them agree if {}", test.elsewhere));
        }
        if !difference.is_zero() {
            outcome.difference = Some(written(&difference));
        }
        Ok(outcome)
    }
}

/// What is said of lines, or rows, without an amount.
pub(crate) fn null_lines_note(number: u64, what: &str) -> String {
    format!("{number} {what} have no amount (NULL) and were left out of the sums")
}

/// Without zeros at the end.
pub(crate) fn written(number: &BigDecimal) -> String {
    decimal::plain(&number.normalized())
}
