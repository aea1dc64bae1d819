//! What the rows say of guesses. Pure: it looks at the results of their checks, whichever engine made them.

use std::collections::HashMap;

use relink_model::Severity;

use relink_rules::{Part, expression::Kind};

use super::{Family, Guess, Guessed, GuessedRule, Guesses, Inference, written};
use crate::judge::NO_ROW;
use crate::live::SENTINELS;
use crate::plan::{Check, CheckKind, test::Test};
use crate::report::{CheckResult, Frequent, Report, Status, Summary, fingerprint};

/// Distinct values that a column must have before its references are believed, and rows before anything else is.
const ENOUGH: u64 = 20;

/// Of the distinct values of a reference so many in a hundred have to be found for it to be used, and for it to be worth a look; so many of the rows of
/// any other guess have to bear it out for that.
const USED_PERCENT: u64 = 98;
const PROBABLE_PERCENT: u64 = 80;

/// Of the rows of a polymorphic reference whose type names a table so many in a hundred have to be found.
const POLYMORPHIC_PERCENT: u64 = 50;

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
    /// What the rule has to leave out: `where parent_id != 0`.
    condition: Option<String>,
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
        // What the rows refute is no surer for being well named.
        let confidence = u32::from(self.guess.points + self.points);
        let refuted = matches!(self.verdict, Verdict::Refuted(_));
        let confidence = if refuted { confidence * self.share as u32 / 1_000_000 } else { confidence };
        Guessed {
            id: self.guess.one_of.clone(),
            kind: self.check.kind,
            relation: self.check.relation.clone(),
            columns: self.check.columns.clone(),
            rules: vec![self.rule()],
            evidence,
            confidence: confidence as u8,
            doubtful,
            why,
        }
    }

    /// The rule that would make it a promise.
    fn rule(&self) -> GuessedRule {
        let mut rule = self.guess.rule.clone();
        if let Some(condition) = &self.condition {
            rule.text = format!("{} where {condition}", rule.text);
        }
        rule
    }

    /// What a reader of the finding has to know: that nobody promised it.
    fn adorn(&self, result: &mut CheckResult) {
        result.id.clone_from(&self.guess.one_of);
        result.fingerprint = fingerprint(&result.id);
        let rule = self.rule();
        if let Verdict::Probable(why) = &self.verdict {
            result.severity = Severity::Info;
            result.notes.push(why.clone());
        }
        if result.status == Status::Fail {
            let mut evidence = self.guess.evidence.clone();
            evidence.push(self.evidence.clone());
            result.why = Some(format!("nobody has declared this, it is a guess: {}", evidence.join("; ")));
            let accept = match (rule.key.as_str(), &rule.column) {
                ("generic", _) => format!("{} among generic of [table.{}]", rule.text, rule.table),
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
    let mut judged =
        Judged { check, guess, verdict: Verdict::Used, evidence: String::new(), condition: None, share: 0, points: 0 };
    if result.status == Status::Error {
        let why = result.why.clone().unwrap_or_default();
        judged.verdict = Verdict::Open(format!("it could not be tried: {why}"));
        return judged;
    }
    let (fitting, all) = match guess.family {
        Family::Refs if check.kind == CheckKind::Poly => polymorphic(&mut judged, result),
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
    let sentinel = |frequent: &Frequent| match frequent.values.first() {
        Some((column, Some(value))) if SENTINELS.contains(&value.as_str()) => {
            Some((column.clone(), value.clone(), frequent.rows))
        }
        _ => None,
    };
    let none = result.frequent.iter().find_map(sentinel).filter(|_| missing == 1);
    let (distinct, missing) = if none.is_some() { (distinct - 1, 0) } else { (distinct, missing) };
    let found = distinct - missing;
    judged.evidence = format!("{found} of {distinct} distinct values are there");
    if let Some((column, value, rows)) = none {
        let of = result.counts.judged;
        judged.evidence = format!("{}, and {value:?} stands for \"none\" in {rows} of {of} rows", judged.evidence);
        let number = matches!(&judged.check.test, Test::Reference(test)
            if matches!(test.parts.first(), Some(Part::Column { kind: Some(Kind::Number), .. })));
        let value = if number { value } else { format!("'{value}'") };
        judged.condition = Some(format!("{} != {value}", written(&column)));
    }
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

/// A polymorphic reference: by the rows whose type names a table. Classes that do are evidence that no name of a column gives, so that few rows are enough
/// for a look.
fn polymorphic(judged: &mut Judged<'_>, result: &CheckResult) -> (u64, u64) {
    let of = |wanted: &dyn Fn(&str) -> bool| -> u64 {
        result.problems.iter().filter(|(problem, _)| wanted(problem)).map(|(_, rows)| rows).sum()
    };
    let missing = of(&|problem| problem == NO_ROW);
    let nameless = of(&|problem| problem != NO_ROW);
    let named = result.counts.judged.saturating_sub(nameless);
    let found = named.saturating_sub(missing);
    judged.evidence = format!("{found} of {named} rows whose type names a table have their row there");
    if nameless > 0 {
        judged.evidence = format!("{}; the types of {nameless} name none", judged.evidence);
    }
    judged.verdict = if named == 0 {
        Verdict::Refuted("no type names a table: [table.x] generic can say which they mean".to_owned())
    } else if !at_least(found, named, POLYMORPHIC_PERCENT) {
        Verdict::Refuted(judged.evidence.clone())
    } else if named < ENOUGH || !at_least(found, result.counts.judged, USED_PERCENT) {
        Verdict::Probable(judged.evidence.clone())
    } else {
        Verdict::Used
    };
    (found, named)
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
