//! What the rows say of guesses. Pure: it looks at the results of their checks, whichever engine made them.

use std::collections::HashMap;

use relink_model::Severity;

use super::{Family, Guess, Guessed, Guesses, Inference};
use crate::live::SENTINELS;
use crate::plan::Check;
use crate::report::{CheckResult, Report, Status, Summary, fingerprint};

/// Distinct values that a column must have before its references are believed, and rows before anything else is.
const ENOUGH: u64 = 20;

/// Of the distinct values of a reference so many in a hundred have to be found for it to be used, and for it to be worth a look; so many of the rows of
/// any other guess have to bear it out for that.
const USED_PERCENT: u64 = 98;
const PROBABLE_PERCENT: u64 = 80;

/// Of the rows of any other guess so many in a hundred may break it.
const BROKEN_PERCENT: u64 = 1;

/// Of the rows of a total so many in a hundred have to agree.
const TOTAL_PERCENT: u64 = 95;

/// What becomes of a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Used,
    /// Used, as no more than a hint.
    Probable(String),
    /// Too little is known.
    Open(String),
    Refuted(String),
}

/// A guess with its verdict.
struct Judged<'a> {
    check: &'a Check,
    guess: &'a Guess,
    verdict: Verdict,
    evidence: String,
    /// Of a million: how much of the data bears it out.
    share: u128,
    points: u8,
}

impl Guesses {
    /// Settles what was guessed by what the rows say of it. Guesses that they refute, or cannot decide, are no longer among the checks of the report; the
    /// others are, and findings where a row breaks them. Guesses that the report has no results for were not tried, and are left out.
    pub fn judge(&self, report: &mut Report) {
        let at: HashMap<&str, usize> =
            report.checks.iter().enumerate().map(|(at, result)| (result.id.as_str(), at)).collect();
        let tried = |check: &'_ Check| at.get(check.id.as_str()).map(|at| &report.checks[*at]);
        let mut judged: Vec<Judged<'_>> = self
            .checks
            .iter()
            .filter_map(|check| Some(judge(check, check.inferred.as_ref()?, tried(check)?)))
            .collect();
        settle_rivals(&mut judged);

        let mut inference = Inference::default();
        for one in &judged {
            if one.is_used() { &mut inference.used } else { &mut inference.rejected }.push(one.guessed());
        }
        inference.ambiguous.clone_from(&self.ambiguous);
        let by_id: HashMap<&str, &Judged<'_>> = judged.iter().map(|one| (one.check.id.as_str(), one)).collect();
        report.checks.retain_mut(|result| match by_id.get(result.id.as_str()) {
            Some(one) => {
                let shown = one.is_used() && !one.guess.only_suggested;
                if shown {
                    one.adorn(result);
                }
                shown
            }
            None => true,
        });
        report.summary = Summary::of(&report.checks);
        report.inference = Some(inference);
    }
}

/// Of several guesses about the same the one that the rows bear out best is used; of equals the first.
fn settle_rivals(judged: &mut [Judged<'_>]) {
    let mut best: HashMap<&str, usize> = HashMap::new();
    for (at, one) in judged.iter().enumerate().filter(|(_, one)| one.is_used()) {
        let best = best.entry(&one.guess.one_of).or_insert(at);
        if one.share > judged[*best].share {
            *best = at;
        }
    }
    for at in 0..judged.len() {
        let better = best.get(judged[at].guess.one_of.as_str()).copied().filter(|better| *better != at);
        if let Some(better) = better.filter(|_| judged[at].is_used()) {
            let rule = &judged[better].guess.rule.text;
            judged[at].verdict = Verdict::Refuted(format!("\"{rule}\" fits better"));
        }
    }
}

impl Judged<'_> {
    fn is_used(&self) -> bool {
        matches!(self.verdict, Verdict::Used | Verdict::Probable(_))
    }

    fn guessed(&self) -> Guessed {
        let (doubtful, why) = match &self.verdict {
            Verdict::Used => (false, None),
            Verdict::Probable(why) | Verdict::Open(why) => (true, Some(why.clone())),
            Verdict::Refuted(why) => (false, Some(why.clone())),
        };
        let mut evidence = self.guess.evidence.clone();
        evidence.extend(Some(self.evidence.clone()).filter(|text| !text.is_empty()));
        Guessed {
            id: self.guess.one_of.clone(),
            kind: self.check.kind,
            relation: self.check.relation.clone(),
            columns: self.check.columns.clone(),
            rules: vec![self.guess.rule.clone()],
            evidence,
            confidence: self.guess.points + self.points,
            doubtful,
            why,
        }
    }

    /// What a reader of the finding has to know: that nobody promised it.
    fn adorn(&self, result: &mut CheckResult) {
        result.id.clone_from(&self.guess.one_of);
        result.fingerprint = fingerprint(&result.id);
        let rule = &self.guess.rule;
        if let Verdict::Probable(why) = &self.verdict {
            result.severity = Severity::Info;
            result.notes.push(why.clone());
        }
        if result.status == Status::Fail {
            let mut evidence = self.guess.evidence.clone();
            evidence.push(self.evidence.clone());
            result.why = Some(format!("nobody has declared this, it is a guess: {}", evidence.join("; ")));
            let accept = match (rule.key.as_str(), &rule.column) {
                ("check", _) => format!("a [[check]] on {} with \"{}\"", rule.table, rule.text),
                (key, Some(column)) => format!("{key}.{column} = {} in [table.{}]", rule.text, rule.table),
                (key, None) => format!("\"{}\" among {key} of [table.{}]", rule.text, rule.table),
            };
            let help = result.help.take().map(|help| format!("{help}; ")).unwrap_or_default();
            result.help = Some(format!("{help}to make it a rule: {accept}; to hear no more of it: [infer] ignore"));
        }
    }
}

fn judge<'a>(check: &'a Check, guess: &'a Guess, result: &CheckResult) -> Judged<'a> {
    let room = 100 - guess.points;
    let mut judged = Judged { check, guess, verdict: Verdict::Used, evidence: String::new(), share: 0, points: 0 };
    if result.status == Status::Error {
        let why = result.why.clone().unwrap_or_default();
        judged.verdict = Verdict::Open(format!("it could not be tried: {why}"));
        return judged;
    }
    let (fitting, all) = match guess.family {
        Family::Refs => reference(&mut judged, result),
        _ => rows(&mut judged, result),
    };
    judged.share = (u128::from(fitting) * 1_000_000).checked_div(u128::from(all)).unwrap_or(0);
    let room = if guess.family == Family::Refs { room.min(20) } else { room };
    // Where there is little data it earns little.
    let (fitting, all) = (u128::from(fitting), u128::from(if guess.frail.is_some() { 0 } else { all }));
    let earned =
        (u128::from(room) * fitting * all.min(ENOUGH.into())).checked_div(all * u128::from(ENOUGH)).unwrap_or(0);
    judged.points = earned as u8;
    judged
}

/// Whether a part is at least so many in a hundred of all.
fn at_least(part: u64, all: u64, percent: u64) -> bool {
    u128::from(part) * 100 >= u128::from(all) * u128::from(percent)
}

/// A reference: by its distinct values, as a row that is missing may be missed by many.
fn reference(judged: &mut Judged<'_>, result: &CheckResult) -> (u64, u64) {
    let Some(distinct) = result.judged_distinct else {
        judged.verdict = Verdict::Open("its values were not counted".to_owned());
        return (0, 0);
    };
    let missing = result.counts.failed_distinct.min(distinct);
    // A value that stands for "none" is no reference that leads nowhere.
    let none = missing == 1
        && result.frequent.iter().any(|frequent| {
            frequent.values.values().all(|value| value.as_deref().is_some_and(|value| SENTINELS.contains(&value)))
        });
    let (distinct, missing) = if none { (distinct - 1, 0) } else { (distinct, missing) };
    let found = distinct - missing;
    judged.evidence = format!("{found} of {distinct} distinct values are there");
    judged.verdict = if distinct == 0 {
        Verdict::Refuted("it has no values".to_owned())
    } else if !at_least(found, distinct, PROBABLE_PERCENT) {
        Verdict::Refuted(format!("only {found} of {distinct} distinct values are there"))
    } else if distinct < ENOUGH {
        Verdict::Open(format!("{distinct} distinct values are too few to tell by"))
    } else if let Some(frail) = judged.guess.frail {
        Verdict::Open(frail.to_owned())
    } else if !at_least(found, distinct, USED_PERCENT) {
        let values = if missing == 1 { "value" } else { "values" };
        Verdict::Probable(format!("probably a key: {missing} {values} of {distinct} missing"))
    } else {
        Verdict::Used
    };
    (found, distinct)
}

/// Anything else: by its rows.
fn rows(judged: &mut Judged<'_>, result: &CheckResult) -> (u64, u64) {
    let (all, failed) = (result.counts.judged, result.counts.failed.min(result.counts.judged));
    let fitting = all - failed;
    let what = match judged.guess.family {
        Family::Negative => "are not below zero",
        Family::Future => "do not lie in the future",
        Family::Duplicates => "share it with no other row",
        Family::Totals | Family::Refs => "agree",
    };
    judged.evidence = format!("{fitting} of {all} rows {what}");
    let needed = if judged.guess.family == Family::Totals { TOTAL_PERCENT } else { 100 - BROKEN_PERCENT };
    let broken = match judged.guess.family {
        Family::Negative => format!("below zero: {failed} of {all} rows"),
        Family::Future => format!("in the future: {failed} of {all} rows"),
        Family::Duplicates => format!("shared with another row: {failed} of {all} rows"),
        Family::Totals | Family::Refs => format!("not so: {failed} of {all} rows"),
    };
    judged.verdict = if all == 0 {
        Verdict::Refuted("it has no values".to_owned())
    } else if !at_least(fitting, all, PROBABLE_PERCENT) {
        Verdict::Refuted(broken)
    } else if !at_least(fitting, all, needed) {
        // Too many to call the guess right, too few to call it wrong: one row of fifty, say.
        Verdict::Open(broken)
    } else if all < ENOUGH {
        Verdict::Open(format!("{all} rows are too few to tell by"))
    } else {
        Verdict::Used
    };
    (fitting, all)
}
