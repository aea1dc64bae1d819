//! Guesses about what nobody has declared: that `orders.customer_id` names a row of `customers`, that a quantity is not below zero, that what has happened
//! does not lie in the future. A guess is an ordinary check, so that a database and an export answer it alike; what the data says of it decides
//! whether it counts.
//!
//! [`infer`] makes the guesses from names and types alone. They run along with the other checks ([`Guesses::add_to`]), and
//! [`Guesses::judge`] then keeps those that the data confirms: a name without data proves nothing, and neither does data without a name, as small
//! numbers are found among the ids of any table. Nothing is guessed that a rule or the schema says already.

mod duplicates;
mod found;
mod judge;
mod polymorphic;
mod references;
#[cfg(test)]
mod tests;
mod totals;
mod values;
mod words;

use std::collections::{HashMap, HashSet};

use relink_db::Dialect;
use relink_model::config::{Config, InferConfig, SeverityConfig, TableConfig};
use relink_model::{Catalog, Relation, RelationId, RelationName, Severity};

pub use self::found::{Guessed, GuessedRule, Inference};
use crate::plan::{Check, CheckKind, Planning, fits, guessed};

/// Points for a name that says exactly what is meant, out of 100.
const NAME: u8 = 40;

/// Points for types that are the same.
const TYPE: u8 = 20;

/// Points for what the catalog itself shows: that the referenced column is a key.
const KEY: u8 = 20;

/// Why a check is a guess.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// Of what family.
    pub family: Family,
    /// The rule that would make it a promise.
    pub rule: GuessedRule,
    /// What speaks for it before any row is read.
    pub evidence: Vec<String>,
    /// Points for that, out of 100; the rows add theirs.
    pub points: u8,
    /// The name says it only in part, or the values are small numbers.
    pub(crate) frail: Option<&'static str>,
    /// It is never a finding, and only suggested as a rule.
    pub(crate) only_suggested: bool,
    /// The id, where several guesses are about the same and one of them at most is right.
    pub(crate) one_of: String,
}

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// References.
    Refs,
    /// Numbers that are not below zero.
    Negative,
    /// Dates that do not lie in the future.
    Future,
    /// Texts that no two rows share.
    Duplicates,
    /// Totals of lines.
    Totals,
}

impl Family {
    /// Its severity; `None` where it is off.
    fn severity(self, config: &InferConfig) -> Option<Severity> {
        self.configured(config).unwrap_or(SeverityConfig::Info).severity()
    }

    fn configured(self, config: &InferConfig) -> Option<SeverityConfig> {
        match self {
            Self::Refs => config.refs,
            Self::Negative => config.negative,
            Self::Future => config.future,
            Self::Duplicates => config.duplicates,
            Self::Totals => config.totals,
        }
    }
}

/// Everything that was guessed about a catalog.
#[derive(Clone, Debug, Default)]
pub struct Guesses {
    /// Checks for the rows to confirm, by relation in name order.
    checks: Vec<Check>,
    /// References that might lead to one of several relations.
    ambiguous: Vec<Guessed>,
}

impl Guesses {
    /// The checks that confirm or refute what was guessed.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The ids that checks of guesses have, and would have if it were clear which of several is meant.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let of_checks = self.checks.iter().map(|check| check.id.as_str());
        of_checks.chain(self.ambiguous.iter().map(|guess| guess.id.as_str())).collect()
    }

    /// Puts the guesses among the other checks, each behind those of its relation: these share a scan.
    pub fn add_to(&self, checks: &mut Vec<Check>) {
        let mut guesses: HashMap<&RelationName, Vec<&Check>> = HashMap::new();
        for check in &self.checks {
            guesses.entry(&check.relation).or_default().push(check);
        }
        let mut last: HashMap<RelationName, usize> = HashMap::new();
        for (at, check) in checks.iter().enumerate() {
            last.insert(check.relation.clone(), at);
        }
        let planned = std::mem::take(checks);
        for (at, check) in planned.into_iter().enumerate() {
            let is_last = last.get(&check.relation) == Some(&at);
            let behind = if is_last { guesses.remove(&check.relation) } else { None };
            checks.push(check);
            checks.extend(behind.into_iter().flatten().cloned());
        }
        // Of relations that nothing else is checked of.
        checks.extend(self.checks.iter().filter(|check| guesses.contains_key(&check.relation)).cloned());
    }
}

/// Guesses what the names and types of a catalog suggest, and neither it nor `checks`, the plan, says. `dialect` is `None` where the rows are an
/// export's.
pub fn infer(catalog: &Catalog, config: &Config, dialect: Option<&dyn Dialect>, checks: &[Check]) -> Guesses {
    let mut by_relation: HashMap<&RelationName, Vec<&Check>> = HashMap::new();
    for check in checks {
        by_relation.entry(&check.relation).or_default().push(check);
    }
    let guessing = Guessing { planning: Planning { catalog, dialect, config }, checks: by_relation };
    let mut guesses = Guesses::default();
    let planned: HashSet<&str> = checks.iter().map(|check| check.id.as_str()).collect();
    let mut guessed: HashSet<String> = HashSet::new();
    let mut references = references::guess(&guessing);
    let mapping = crate::plan::polymorphic::mapping(&guessing.planning).filter(|_| guessing.wants(Family::Refs));
    let mut candidates: Vec<Candidate> = Vec::new();
    for (id, relation) in catalog.iter() {
        candidates.extend(references.found.remove(&id).unwrap_or_default());
        candidates.extend(mapping.iter().flat_map(|mapping| polymorphic::guess(&guessing, mapping, id, relation)));
        candidates.extend(values::guess(&guessing, id, relation));
        candidates.extend(duplicates::guess(&guessing, id, relation, &references));
        candidates.extend(totals::guess(&guessing, id, relation, &references));
    }
    for Candidate { mut check, mut guess } in candidates {
        let Some(severity) = guessing.severity(guess.family, &check.id) else { continue };
        if planned.contains(check.id.as_str()) {
            continue;
        }
        guess.one_of.clone_from(&check.id);
        if guess.family == Family::Totals {
            // Of several sums that a total might be, each is a check of its own until the rows have decided.
            let mut number = 2;
            while guessed.contains(&check.id) {
                check.id = format!("{}#{number}", guess.one_of);
                number += 1;
            }
            guess.only_suggested = Family::Totals.configured(&config.infer).is_none();
        }
        if !guessed.insert(check.id.clone()) {
            continue;
        }
        check.severity = severity;
        check.rule = None;
        check.inferred = Some(guess);
        guesses.checks.push(check);
    }
    let wanted =
        |guess: &Guessed| !planned.contains(guess.id.as_str()) && guessing.severity(Family::Refs, &guess.id).is_some();
    guesses.ambiguous = references.ambiguous.into_iter().filter(wanted).collect();
    guesses
}

/// A guess and its check.
#[derive(Clone, Debug)]
struct Candidate {
    check: Check,
    guess: Guess,
}

/// What guessing needs to know.
struct Guessing<'a> {
    planning: Planning<'a>,
    /// What is checked anyway.
    checks: HashMap<&'a RelationName, Vec<&'a Check>>,
}

impl<'a> Guessing<'a> {
    fn catalog(&self) -> &'a Catalog {
        self.planning.catalog
    }

    /// Whether a family is guessed at all.
    fn wants(&self, family: Family) -> bool {
        family.severity(&self.planning.config.infer).is_some()
    }

    /// How bad a broken guess is; `None` where the configuration wants to know nothing of it. A pattern for many checks speaks of promises: it can switch
    /// guesses off, but makes them no graver.
    fn severity(&self, family: Family, id: &str) -> Option<Severity> {
        let config = self.planning.config;
        let of_family = family.severity(&config.infer)?;
        let fitting = config.severity.iter().filter(|(pattern, _)| fits(pattern, id));
        match fitting.max_by_key(|(pattern, _)| pattern.len()) {
            Some((_, SeverityConfig::Off)) => None,
            Some((pattern, severity)) if pattern == id => severity.severity(),
            _ => Some(of_family),
        }
    }

    /// Whether nothing is to be guessed about a column.
    fn ignores(&self, relation: &RelationName, column: &str) -> bool {
        let patterns = &self.planning.config.infer.ignore;
        patterns.iter().any(|pattern| self.catalog().means_column(pattern, relation, column))
    }

    /// What is checked of a relation anyway.
    fn checks(&self, relation: &RelationName) -> &[&'a Check] {
        self.checks.get(relation).map_or(&[], Vec::as_slice)
    }

    /// Whether a check of one of these kinds is about just these columns already.
    fn knows(&self, relation: &RelationName, columns: &[&str], kinds: &[CheckKind]) -> bool {
        let same = |check: &&Check| kinds.contains(&check.kind) && check.columns.iter().eq(columns.iter());
        self.checks(relation).iter().any(same)
    }

    /// The check that a table's rule comes to; `None` where the rule does not fit.
    fn of_rule(&self, id: RelationId, relation: &Relation, config: &TableConfig) -> Option<Check> {
        guessed::of_rule(&self.planning, id, &relation.name.to_string(), config)
    }
}

/// Whether a column is a key's or a reference's: a number of such a column is no amount, and a text of it is another row's.
fn is_key(relation: &Relation, column: &str) -> bool {
    relation.primary_key_columns().iter().any(|name| name == column)
        || relation.foreign_keys.iter().any(|key| key.columns.iter().any(|name| name == column))
}

/// Words of the rules' language that a bare column may be in some places, and not in all.
const WORDS: [&str; 12] =
    ["where", "match", "as", "by", "nulls", "sum", "count", "round", "within", "between", "and", "or"];

/// A name in the rules' language: as it is where that can be read, else in double quotes.
fn written(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let reads = starts
        && name.chars().all(plain)
        && relink_rules::parse(name).is_ok_and(|parsed| {
            let mut columns = Vec::new();
            parsed.columns(&mut |path| columns.push(path.clone()));
            matches!(&parsed.node, relink_rules::expression::Node::Column(_)) && columns == [vec![name.to_owned()]]
        });
    if reads && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A relation's name in the rules' language.
fn written_relation(name: &RelationName) -> String {
    match &name.namespace {
        Some(namespace) => format!("{}.{}", written(namespace), written(&name.name)),
        None => written(&name.name),
    }
}
