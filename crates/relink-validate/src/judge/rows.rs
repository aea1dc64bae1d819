//! Rules about single rows, and about how many rows there are or how recent they are.

use std::io;

use jiff::Timestamp;
use relink_model::Value;
use relink_rules::{
    dates::{self, Deadline, Reading},
    expression::{Bound, Judged, Kind},
};

use super::{Distinct, Evaluator, Feed, Notes, Odd, Outcome, Setting, View, Wrong, concerns, hash};
use crate::plan::test::{ColumnTest, CountTest, FreshTest, Judge, RowTest, StoredAs, StoredTest};

/// Judges rows one by one.
pub(super) struct Rows {
    test: RowTest,
    setting: Setting,
    /// The columns that it reads.
    columns: Vec<usize>,
    deadline: Option<Deadline>,
    outcome: Outcome,
    distinct: Distinct,
    open: u64,
}

/// What a row comes to.
pub(crate) enum Verdict {
    Fine,
    NotJudged,
    /// A date of which nobody can tell which day it is.
    Open,
    /// With what is wrong, where that is not the rule itself.
    Wrong(Option<String>),
}

impl Rows {
    pub(super) fn new(test: RowTest, setting: Setting) -> Self {
        let columns = test.columns();
        let deadline = test.judge.deadline(setting.at.now);
        let outcome = Outcome::new(&setting);
        Self { test, setting, columns, deadline, outcome, distinct: Distinct::default(), open: 0 }
    }

    pub(super) fn not_null(test: &ColumnTest, setting: Setting) -> Self {
        Self::new(RowTest::of(test.relation, Judge::Present(test.column)), setting)
    }

    pub(super) fn stored(test: &StoredTest, setting: Setting) -> Self {
        Self::new(RowTest::of(test.relation, Judge::Stored(test.column, test.fits)), setting)
    }
}

/// What a row comes to by a rule.
pub(crate) fn verdict(test: &RowTest, deadline: Option<&Deadline>, setting: &Setting, row: View<'_>) -> Verdict {
    if !concerns(test.filter.as_ref(), row, &setting.at) {
        return Verdict::NotJudged;
    }
    match &test.judge {
        Judge::Present(column) => match (row.get(*column), row.odd(*column)) {
            (Value::Null, Some(Odd::Absent)) => Verdict::NotJudged,
            (Value::Null, _) => Verdict::Wrong(None),
            _ => Verdict::Fine,
        },
        Judge::Stored(column, StoredAs::Declared) => match (row.get(*column), row.odd(*column)) {
            (_, Some(Odd::Unfit(why))) => Verdict::Wrong(Some(why.clone())),
            (Value::Null, _) => Verdict::NotJudged,
            _ => Verdict::Fine,
        },
        Judge::Stored(column, fits) => stored(row.get(*column), *fits),
        Judge::Condition(bound) => {
            let judged = bound.judge(&setting.at, &|column| row.get(column));
            match judged {
                Judged::Holds => Verdict::Fine,
                Judged::Fails => Verdict::Wrong(test.wrong.clone()),
                Judged::Faulty(fault) => Verdict::Wrong(Some(fault.problem)),
                Judged::Unknown => test.unknown(is_open(bound, row)),
            }
        }
        Judge::Check(bound) => {
            let is_open = |(column, _): &(usize, Kind)| row.odd(*column).is_some();
            if row.is_odd() && bound.columns().iter().any(is_open) {
                return Verdict::NotJudged;
            }
            match bound.judge(&setting.at, &|column| row.get(column)) {
                Judged::Holds => Verdict::Fine,
                Judged::Fails => Verdict::Wrong(None),
                Judged::Unknown | Judged::Faulty(_) => Verdict::NotJudged,
            }
        }
        Judge::Moment { column, future, .. } => {
            let value = row.get(*column);
            // That a value does not fit its column is a finding of its own.
            if value.is_null() || matches!(row.odd(*column), Some(Odd::Unfit(_))) {
                return test.unknown(false);
            }
            let reading = dates::read(value);
            let Some(deadline) = deadline else { return Verdict::NotJudged };
            match (deadline.is_before(&reading), future) {
                (Some(after), future) if after == *future => Verdict::Fine,
                (Some(_), _) => Verdict::Wrong(test.wrong.clone()),
                (None, _) if reading == Reading::Unreadable => Verdict::Wrong(Some("not a date".to_owned())),
                (None, _) => Verdict::Open,
            }
        }
    }
}

/// Whether what leaves a condition open is a date that could be two days, and no NULL.
fn is_open(bound: &Bound, row: View<'_>) -> bool {
    let columns = bound.columns();
    columns.iter().any(|(_, kind)| *kind == Kind::Moment)
        && columns.iter().all(|(column, _)| !row.get(*column).is_null())
}

fn stored(value: &Value, fits: StoredAs) -> Verdict {
    let fine = match (fits, value) {
        (_, Value::Null) => return Verdict::NotJudged,
        (StoredAs::Whole, Value::Int(_) | Value::Bool(_))
        | (StoredAs::Number | StoredAs::Decimal, Value::Int(_) | Value::Float(_) | Value::Bool(_))
        | (StoredAs::Text, Value::Text(_))
        | (StoredAs::Bytes, Value::Bytes(_)) => true,
        (StoredAs::Decimal, Value::Text(text)) => relink_rules::decimal::parse(text).is_some(),
        _ => false,
    };
    if fine { Verdict::Fine } else { Verdict::Wrong(None) }
}

impl RowTest {
    /// What an unknown condition comes to.
    fn unknown(&self, open: bool) -> Verdict {
        use relink_model::config::Unknown;
        match self.unknown {
            Unknown::Count if open => Verdict::Open,
            Unknown::Count => Verdict::NotJudged,
            Unknown::Fail => Verdict::Wrong(Some("it cannot be told, as a value is missing".to_owned())),
            Unknown::Pass => Verdict::Fine,
        }
    }
}

impl Evaluator for Rows {
    fn feeds(&self) -> Vec<Feed> {
        vec![Feed { relation: self.test.relation, columns: self.columns.clone() }]
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        match verdict(&self.test, self.deadline.as_ref(), &self.setting, row) {
            Verdict::Fine => {}
            Verdict::NotJudged => notes.not_judged += 1,
            Verdict::Open => {
                notes.not_judged += 1;
                notes.open += 1;
            }
            Verdict::Wrong(problem) => {
                let mut bytes = Vec::new();
                for column in &self.columns {
                    let value = row.get(*column);
                    bytes.extend_from_slice(format!("{value:?}").as_bytes());
                    bytes.push(0);
                }
                notes.values.push(hash(&bytes));
                notes.wrong.push(Wrong { feed, ordinal, problem, ..Wrong::default() });
            }
        }
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        self.open += notes.open;
        for value in notes.values {
            self.distinct.add(value);
        }
        for wrong in notes.wrong {
            self.outcome.fail(wrong);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Outcome> {
        // A row is one cause, save where rows share a wrong value.
        self.outcome.failed_distinct =
            if self.test.counts_values { self.distinct.count() } else { self.outcome.failed };
        self.outcome.notes.extend(open_note(self.open));
        Ok(self.outcome)
    }
}

/// What is said of dates that could mean two days.
fn open_note(open: u64) -> Option<String> {
    (open > 0).then(|| format!("{open} rows hold a date that could mean two days, one before now and one after"))
}

/// Counts rows.
pub(super) struct Counted {
    test: CountTest,
    setting: Setting,
    total: u64,
    within: u64,
}

impl Counted {
    pub(super) fn new(test: CountTest, setting: Setting) -> Self {
        Self { test, setting, total: 0, within: 0 }
    }
}

impl Evaluator for Counted {
    fn feeds(&self) -> Vec<Feed> {
        vec![Feed::new(self.test.relation, &[], &[self.test.filter.as_ref()])]
    }

    fn look(&self, _: usize, _: u64, row: View<'_>, notes: &mut Notes) {
        notes.not_judged += u64::from(!concerns(self.test.filter.as_ref(), row, &self.setting.at));
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.total += notes.total;
        self.within += notes.total - notes.not_judged;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        Ok(self.test.outcome(self.total, self.within))
    }
}

impl CountTest {
    /// What a number of rows comes to.
    pub(crate) fn outcome(&self, total: u64, counted: u64) -> Outcome {
        let short = self.bounds.least.is_some_and(|least| counted < least);
        let long = self.bounds.most.is_some_and(|most| counted > most);
        let mut outcome = Outcome { total, ..Outcome::default() };
        if short || long {
            outcome.failed = 1;
            outcome.failed_distinct = 1;
            outcome.problems.insert(if short { "too few" } else { "too many" }.to_owned(), 1);
        }
        outcome.notes.push(format!("{counted} rows"));
        outcome
    }
}

/// Looks for the latest moment.
pub(super) struct Latest {
    test: FreshTest,
    setting: Setting,
    deadline: Deadline,
    outcome: Outcome,
    newest: Option<(Timestamp, String)>,
}

impl Latest {
    pub(super) fn new(test: FreshTest, setting: Setting) -> Self {
        let deadline = test.deadline(setting.at.now);
        let outcome = Outcome::new(&setting);
        Self { test, setting, deadline, outcome, newest: None }
    }
}

impl Evaluator for Latest {
    fn feeds(&self) -> Vec<Feed> {
        let mut feed = Feed::new(self.test.relation, &[], &[self.test.filter.as_ref()]);
        if !feed.columns.contains(&self.test.column) {
            feed.columns.push(self.test.column);
        }
        vec![feed]
    }

    fn look(&self, _: usize, _: u64, row: View<'_>, notes: &mut Notes) {
        let value = row.get(self.test.column);
        if value.is_null() || !concerns(self.test.filter.as_ref(), row, &self.setting.at) {
            notes.not_judged += 1;
            return;
        }
        let reading = dates::read(value);
        let moment = match self.deadline.is_before(&reading) {
            Some(false) => reading.instant(&self.setting.at.zone),
            _ => None,
        };
        let Some(moment) = moment else {
            notes.not_judged += 1;
            return;
        };
        if notes.latest.as_ref().is_none_or(|(latest, _)| moment > *latest) {
            notes.latest = Some((moment, value.to_string()));
        }
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        if let Some((moment, text)) = notes.latest
            && self.newest.as_ref().is_none_or(|(latest, _)| moment > *latest)
        {
            self.newest = Some((moment, text));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { test, setting, mut outcome, newest: latest, .. } = *self;
        let limit = setting.at.now.as_second() - test.seconds;
        match latest {
            Some((moment, text)) if moment.as_second() >= limit => outcome.notes.push(format!("the latest is {text}")),
            Some((_, text)) => {
                outcome.problems.insert(format!("the latest is {text}"), 1);
                (outcome.failed, outcome.failed_distinct) = (1, 1);
            }
            None => {
                outcome.problems.insert("there is none".to_owned(), 1);
                (outcome.failed, outcome.failed_distinct) = (1, 1);
            }
        }
        Ok(outcome)
    }
}
