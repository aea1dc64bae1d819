//! References by name: `orders.customer_id` names a row of `customers`, `posts.created_by` one of `users`, `categories.parent_id` another category.
//!
//! A name alone is not enough: the types have to fit, and what is named has to be a key of one column. What has a foreign key needs no guess; what has a
//! type beside it (`subject_type`, `subject_id`) leads to several relations; and what bears another system's name (`stripe_customer_id`) leads out of
//! the database. Longer names come first: `billing_user_id` is an id of `billing_users` where there are such, else of `users`.

use std::collections::{HashMap, HashSet};

use relink_model::config::TableConfig;
use relink_model::{Column, Relation, RelationId, RelationName, TypeKind};

use super::words::{forms, has_noun, same_noun, words};
use super::{Candidate, Family, Guess, Guessed, GuessedRule, Guessing, KEY, NAME, TYPE, written, written_relation};
use crate::plan::{CheckKind, guessed};

/// Words that say "this is a row's id", at the end of a name or before it.
const ID: [&str; 4] = ["id", "fk", "uuid", "guid"];

/// Whose ids these are is known to another system, or they are no rows' at all.
const EXTERNAL: [&str; 35] = [
    "amazon",
    "apple",
    "aws",
    "azure",
    "braintree",
    "correlation",
    "device",
    "discord",
    "external",
    "facebook",
    "firebase",
    "github",
    "gitlab",
    "google",
    "hubspot",
    "intercom",
    "legacy",
    "linkedin",
    "mailchimp",
    "microsoft",
    "national",
    "paypal",
    "provider",
    "remote",
    "request",
    "salesforce",
    "session",
    "shopify",
    "slack",
    "stripe",
    "tax",
    "trace",
    "transaction",
    "twitter",
    "vat",
];

/// What stands before `by` where that says who did something, and ends otherwise than in `ed`.
const DONE: [&str; 20] = [
    "built", "chosen", "cut", "done", "drawn", "given", "held", "led", "made", "paid", "read", "run", "seen", "sent",
    "set", "sold", "taken", "won", "written", "bought",
];

/// Prefixes that say nothing about what a table holds.
const TABLE_PREFIXES: [&str; 12] =
    ["app", "auth", "base", "common", "core", "data", "dim", "main", "tab", "table", "tb", "tbl"];

/// Words stripped from the front of a column's name at most, and of a table's.
const STRIPPED_MAX: usize = 3;
const TABLE_STRIPPED_MAX: usize = 2;

/// Points for a name that says in part what is meant, and for one that says little of it.
const PART: u8 = 30;
const LITTLE: u8 = 20;

/// Integers of so many bits at most hold few values, which are found among the ids of almost any table.
const SMALL_BITS: u8 = 16;

/// The references that names suggest.
pub(super) struct References {
    pub(super) found: HashMap<RelationId, Vec<Candidate>>,
    pub(super) ambiguous: Vec<Guessed>,
    /// The columns that may refer at all.
    pub(super) referring: HashSet<(RelationId, usize)>,
    /// By what is referred to, where that is the whole primary key: the columns that refer to it.
    pub(super) leads: HashMap<RelationId, Vec<(RelationId, usize)>>,
}

/// Where a column may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lead {
    target: RelationId,
    column: usize,
    /// Points for the name and for the types.
    name: u8,
    types: u8,
    /// Words of the table's name that were left out.
    stripped: usize,
}

/// A table by one of the nouns that it may be called by.
#[derive(Clone, Debug)]
struct Called {
    target: RelationId,
    /// The words before the noun.
    prefix: Vec<String>,
    /// Many tables have this prefix, or it says nothing.
    common: bool,
}

/// Tables by their names.
struct Names {
    /// By their nouns.
    nouns: HashMap<String, Vec<Called>>,
    /// By the words of their keys of one column, which comes with each.
    keys: HashMap<Vec<String>, Vec<(RelationId, usize)>>,
}

impl Names {
    fn of(guessing: &Guessing<'_>) -> Self {
        let catalog = guessing.catalog();
        let names: Vec<Vec<String>> = catalog.relations.iter().map(|relation| words(&relation.name.name)).collect();
        let mut by_prefix: HashMap<&[String], usize> = HashMap::new();
        for name in &names {
            for count in 1..=TABLE_STRIPPED_MAX.min(name.len().saturating_sub(1)) {
                *by_prefix.entry(&name[..count]).or_default() += 1;
            }
        }
        let mut nouns: HashMap<String, Vec<Called>> = HashMap::new();
        for ((target, _), name) in catalog.iter().zip(&names) {
            for count in 0..=TABLE_STRIPPED_MAX.min(name.len().saturating_sub(1)) {
                let (prefix, noun) = name.split_at(count);
                let shared = by_prefix.get(prefix).copied().unwrap_or(0);
                let idle =
                    prefix.iter().all(|word| TABLE_PREFIXES.contains(&word.as_str()) || word.chars().count() == 1);
                let common = idle || shared > 2 && shared * 2 >= names.len();
                for form in forms(noun) {
                    nouns.entry(form).or_default().push(Called { target, prefix: prefix.to_vec(), common });
                }
            }
        }
        Self { nouns, keys: keys_by_name(guessing) }
    }

    /// The tables of a noun, seen from another table: those in whole, and those that share its prefix or have one that says nothing.
    fn find(&self, noun: &[String], from: &[String]) -> Vec<(RelationId, usize)> {
        let mut found: Vec<(RelationId, usize)> = Vec::new();
        for called in forms(noun).iter().filter_map(|form| self.nouns.get(form)).flatten() {
            let shares = from.len() > called.prefix.len() && from.starts_with(&called.prefix);
            if called.common || shares {
                let stripped = called.prefix.len();
                match found.iter_mut().find(|(target, _)| *target == called.target) {
                    Some((_, before)) => *before = stripped.min(*before),
                    None => found.push((called.target, stripped)),
                }
            }
        }
        found
    }
}

pub(super) fn guess(guessing: &Guessing<'_>) -> References {
    let mut references =
        References { found: HashMap::new(), ambiguous: Vec::new(), referring: HashSet::new(), leads: HashMap::new() };
    if !guessing.wants(Family::Refs) {
        return references;
    }
    let names = Names::of(guessing);
    for (id, relation) in guessing.catalog().iter() {
        for (index, column) in relation.columns.iter().enumerate() {
            if !may_refer(guessing, relation, column) {
                continue;
            }
            let leads = leads(guessing, &names, (id, relation), column);
            let (nearest, farther) = nearest(guessing, relation, leads);
            match nearest.as_slice() {
                [] => {}
                [lead] => {
                    let target = guessing.catalog().relation(lead.target);
                    if target.primary_key_columns() == [target.columns[lead.column].name.clone()] {
                        references.leads.entry(lead.target).or_default().push((id, index));
                    }
                    let candidate = candidate(guessing, (id, relation), (index, column), lead, &farther);
                    references.found.entry(id).or_default().push(candidate);
                    references.referring.insert((id, index));
                }
                several => {
                    references.ambiguous.push(ambiguous(guessing, relation, column, several));
                    references.referring.insert((id, index));
                }
            }
        }
    }
    references
}

/// Whether a column can be a reference that nobody has declared.
fn may_refer(guessing: &Guessing<'_>, relation: &Relation, column: &Column) -> bool {
    let declared = relation.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
    let checked = guessing
        .checks(&relation.name)
        .iter()
        .any(|check| matches!(check.kind, CheckKind::Ref | CheckKind::Poly) && check.columns.contains(&column.name));
    let types = matches!(
        column.data_type.kind,
        TypeKind::Integer { .. }
            | TypeKind::Decimal { scale: Some(0), .. }
            | TypeKind::Text { .. }
            | TypeKind::Uuid
            | TypeKind::Bytes { .. }
    );
    types
        && !declared
        && !checked
        && !guessing.ignores(&relation.name, &column.name)
        && !is_polymorphic(guessing, relation, &column.name)
}

/// Whether another column says to which relation this one leads.
fn is_polymorphic(guessing: &Guessing<'_>, relation: &Relation, column: &str) -> bool {
    let name = words(column);
    let noun: &[String] = match name.as_slice() {
        [noun @ .., last] if ID.contains(&last.as_str()) || last == "pk" => noun,
        noun => noun,
    };
    let beside = |other: &Column| {
        let other = words(&other.name);
        let of_content = matches!(noun, [word] if word == "object" || word == "item" || word == "record")
            && other.starts_with(&["content".to_owned(), "type".to_owned()]);
        let [start @ .., last] = other.as_slice() else { return false };
        of_content || start == noun && matches!(last.as_str(), "type" | "kind" | "class" | "model")
    };
    let configured = guessing.planning.config.table.iter().filter(|(name, _)| {
        guessing.catalog().find(name).is_some_and(|id| guessing.catalog().relation(id).name == relation.name)
    });
    relation.columns.iter().any(beside)
        || configured.flat_map(|(_, table)| &table.generic).any(|generic| generic.id == column)
}

/// Everything that a column's name may lead to.
fn leads(guessing: &Guessing<'_>, names: &Names, child: (RelationId, &Relation), column: &Column) -> Vec<Lead> {
    let name = words(&column.name);
    let from = words(&child.1.name.name);
    let catalog = guessing.catalog();
    let text = matches!(column.data_type.kind, TypeKind::Text { .. });
    let own_key = child.1.primary_key_columns() == [column.name.clone()];
    let lead = |target: RelationId, noun: &[String], points: u8, stripped: usize| {
        let (column, types) = key_of(catalog.relation(target), noun, &column.name, &column.data_type.kind)?;
        Some(Lead { target, column, name: points, types, stripped })
    };

    // `created_by`, `approved_by_id`: a person, who is only looked for where people are kept under that name.
    let doer = match name.as_slice() {
        [.., done, by] if by == "by" => Some(done),
        [.., done, by, id] if by == "by" && ID.contains(&id.as_str()) => Some(done),
        _ => None,
    };
    if let Some(done) = doer {
        if !done.ends_with("ed") && !DONE.contains(&done.as_str()) {
            return Vec::new();
        }
        for noun in ["user", "account"] {
            let noun = [noun.to_owned()];
            let found = names.find(&noun, &from).into_iter();
            let found: Vec<Lead> = found
                .filter_map(|(target, stripped)| lead(target, &noun, PART, stripped))
                .filter(|lead| lead.types == TYPE)
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        return Vec::new();
    }

    let Some((noun, points)) = noun_of(&name) else { return Vec::new() };
    if noun.first().is_some_and(|word| word == "parent") && !own_key {
        // Another row of the same table, unless parents are a table of their own.
        let rest = &noun[1..];
        let mut found: Vec<Lead> = Vec::new();
        if rest.is_empty() || same_noun(rest, &from) || from.len() > 1 && same_noun(rest, &from[from.len() - 1..]) {
            found.extend(lead(child.0, &from, NAME, 0));
        }
        let others = names.find(&noun, &from).into_iter().filter(|(target, _)| *target != child.0);
        found.extend(others.filter_map(|(target, stripped)| lead(target, &noun, NAME, stripped)));
        if !found.is_empty() {
            return found;
        }
    }
    for left_out in 0..=STRIPPED_MAX.min(noun.len() - 1) {
        let (before, rest) = noun.split_at(left_out);
        if left_out > 0 && (has_noun(before, &EXTERNAL) || own_key || points < NAME) {
            break;
        }
        let mut found: Vec<Lead> = Vec::new();
        for (target, stripped) in names.find(rest, &from) {
            if target == child.0 && left_out == 0 {
                // A row's own id.
                return Vec::new();
            }
            let partly = left_out > 0 || stripped > 0;
            let fully_partly = left_out > 0 && stripped > 0;
            let points = if fully_partly { LITTLE } else { points.min(if partly { PART } else { NAME }) };
            if (own_key && partly) || (text && has_noun(&rest[..1], &EXTERNAL)) {
                continue;
            }
            found.extend(lead(target, rest, points, stripped));
        }
        if !found.is_empty() {
            return found;
        }
    }
    if own_key || text && has_noun(&noun[..1], &EXTERNAL) {
        Vec::new()
    } else {
        same_name(guessing, names, child.0, column)
    }
}

/// The noun of `customer_id`, `id_customer`, `customerid`, `parent`; and the points that such a name is worth.
fn noun_of(name: &[String]) -> Option<(Vec<String>, u8)> {
    let is_id = |word: &String| ID.contains(&word.as_str());
    match name {
        [noun @ .., last] if is_id(last) && !noun.is_empty() => Some((noun.to_vec(), NAME)),
        [first, noun @ ..] if matches!(first.as_str(), "id" | "fk") && !noun.is_empty() => Some((noun.to_vec(), NAME)),
        [only] if only == "parent" => Some((vec![only.clone()], NAME)),
        // Without a hump it may be any word: `paid`, `android`. Three letters at least have to be a table's name.
        [only] => {
            let noun = only.strip_suffix("id").filter(|noun| noun.chars().count() >= 3)?;
            Some((vec![noun.to_owned()], PART))
        }
        _ => None,
    }
}

/// Keys of one column by the words of their names. What extends another table has that one's key, and is none of its own.
fn keys_by_name(guessing: &Guessing<'_>) -> HashMap<Vec<String>, Vec<(RelationId, usize)>> {
    let mut keys: HashMap<Vec<String>, Vec<(RelationId, usize)>> = HashMap::new();
    for (id, relation) in guessing.catalog().iter() {
        for key in relation.keys() {
            let [key] = key else { continue };
            let extends = relation.foreign_keys.iter().any(|foreign| foreign.columns.contains(key));
            let Some((index, _)) = relation.column(key).filter(|_| !extends) else { continue };
            let of_name = keys.entry(words(key)).or_default();
            if of_name.last().is_none_or(|(last, _)| *last != id) {
                of_name.push((id, index));
            }
        }
    }
    keys
}

/// Tables whose key has the very name of the column: `members.user_id` for `orders.user_id`.
fn same_name(guessing: &Guessing<'_>, names: &Names, child: RelationId, column: &Column) -> Vec<Lead> {
    let found = names.keys.get(&words(&column.name)).into_iter().flatten().filter(|(target, _)| *target != child);
    let lead = |(target, index): &(RelationId, usize)| {
        let theirs = &guessing.catalog().relation(*target).columns[*index];
        let types = fit(&column.data_type.kind, &theirs.data_type.kind)?;
        Some(Lead { target: *target, column: *index, name: PART, types, stripped: 0 })
    };
    found.filter_map(lead).collect()
}

/// The key of one column by which a relation is referred to, and the points for its type.
fn key_of(relation: &Relation, noun: &[String], child: &str, kind: &TypeKind) -> Option<(usize, u8)> {
    let child = words(child);
    let wants = child.last().filter(|word| matches!(word.as_str(), "uuid" | "guid"));
    let table = words(&relation.name.name);
    let single = relation.keys().filter_map(|key| if let [key] = key { relation.column(key) } else { None });
    let mut found: Vec<(u8, usize, u8)> = Vec::new();
    for (at, (index, column)) in single.enumerate() {
        let Some(types) = fit(kind, &column.data_type.kind) else { continue };
        let name = words(&column.name);
        let of_table = match name.as_slice() {
            [rest @ .., last] if ID.contains(&last.as_str()) || last == "pk" => {
                rest.is_empty() || same_noun(rest, &table) || same_noun(rest, noun)
            }
            [first, rest @ ..] if first == "id" => same_noun(rest, &table) || same_noun(rest, noun),
            _ => false,
        };
        let primary = at == 0 && relation.primary_key_columns().len() == 1;
        let rank = if wants.is_some() && name.last() == wants {
            0
        } else if name == child {
            1
        } else if primary {
            2
        } else if of_table {
            3
        } else {
            continue;
        };
        found.push((rank, index, types));
    }
    found.into_iter().min().map(|(_, index, types)| (index, types))
}

/// Points for the types of both sides; `None` where values of one are not compared with those of the other.
fn fit(own: &TypeKind, theirs: &TypeKind) -> Option<u8> {
    const ALIKE: u8 = TYPE - 5;
    match (own, theirs) {
        (TypeKind::Integer { bits: a, unsigned: b }, TypeKind::Integer { bits: c, unsigned: d }) => {
            Some(if (a, b) == (c, d) { TYPE } else { ALIKE })
        }
        (TypeKind::Integer { .. }, TypeKind::Decimal { scale: Some(0), .. })
        | (TypeKind::Decimal { scale: Some(0), .. }, TypeKind::Integer { .. }) => Some(ALIKE),
        (TypeKind::Decimal { scale: Some(0), .. }, TypeKind::Decimal { scale: Some(0), .. })
        | (TypeKind::Text { .. }, TypeKind::Text { .. })
        | (TypeKind::Uuid, TypeKind::Uuid)
        | (TypeKind::Bytes { .. }, TypeKind::Bytes { .. }) => Some(TYPE),
        _ => None,
    }
}

/// Of all leads those in the nearest namespace, and of these the tables whose names had least left out. What lies farther is second.
fn nearest(guessing: &Guessing<'_>, child: &Relation, mut leads: Vec<Lead>) -> (Vec<Lead>, Vec<RelationName>) {
    let name = |lead: &Lead| &guessing.catalog().relation(lead.target).name;
    let distance = |lead: &Lead| match &name(lead).namespace {
        namespace if *namespace == child.name.namespace => 0,
        None => 1,
        Some(_) => 2,
    };
    leads.sort_by_key(|lead| (distance(lead), lead.stripped, lead.target));
    leads.dedup();
    let Some(first) = leads.first().cloned() else { return (leads, Vec::new()) };
    let near = |lead: &Lead| (distance(lead), lead.stripped) == (distance(&first), first.stripped);
    let (nearest, farther): (Vec<Lead>, Vec<Lead>) = leads.into_iter().partition(near);
    let farther = farther.iter().map(|lead| name(lead).clone()).collect();
    (nearest, farther)
}

fn candidate(
    guessing: &Guessing<'_>,
    (id, relation): (RelationId, &Relation),
    (index, column): (usize, &Column),
    lead: &Lead,
    farther: &[RelationName],
) -> Candidate {
    let target = guessing.catalog().relation(lead.target);
    let key = &target.columns[lead.column];
    let check = guessed::reference(&guessing.planning, (id, index), (lead.target, lead.column));
    let what = if target.primary_key_columns() == [key.name.clone()] { "the primary key" } else { "a unique key" };
    let name = match lead.name {
        NAME => format!("the name says a row of {}", target.name),
        _ => format!("the name says in part a row of {}", target.name),
    };
    let mut evidence = vec![
        name,
        format!("the types fit ({}, {})", column.data_type.declared, key.data_type.declared),
        format!("{}.{} is {what}", target.name, key.name),
    ];
    if !farther.is_empty() {
        let farther: Vec<String> = farther.iter().map(ToString::to_string).collect();
        evidence.push(format!("{} is nearer than {}", target.name, farther.join(", ")));
    }
    let small = matches!(column.data_type.kind, TypeKind::Integer { bits, .. } if bits <= SMALL_BITS);
    let frail = small && lead.name < NAME;
    let guess = Guess {
        family: Family::Refs,
        rule: rule(relation, column, target, key),
        evidence,
        points: lead.name + lead.types + KEY,
        frail: frail.then_some("numbers as small as these are found among the ids of any table"),
        only_suggested: false,
        one_of: String::new(),
    };
    Candidate { check, guess }
}

fn rule(relation: &Relation, column: &Column, target: &Relation, key: &Column) -> GuessedRule {
    let text = format!("{} -> {}.{}", written(&column.name), written_relation(&target.name), written(&key.name));
    GuessedRule { table: relation.name.to_string(), key: "refs".to_owned(), column: None, text }
}

fn ambiguous(guessing: &Guessing<'_>, relation: &Relation, column: &Column, leads: &[Lead]) -> Guessed {
    let catalog = guessing.catalog();
    let targets: Vec<String> = leads.iter().map(|lead| catalog.relation(lead.target).name.to_string()).collect();
    let rules = leads.iter().map(|lead| {
        let target = catalog.relation(lead.target);
        rule(relation, column, target, &target.columns[lead.column])
    });
    Guessed {
        id: format!("ref:{}.{}", relation.name, column.name),
        kind: CheckKind::Ref,
        relation: relation.name.clone(),
        columns: vec![column.name.clone()],
        rules: rules.collect(),
        evidence: vec![format!("the name says a row of {}", targets.join(" or of "))],
        confidence: leads.iter().map(|lead| lead.name + lead.types + KEY).min().unwrap_or(0) / leads.len().max(1) as u8,
        doubtful: true,
        why: Some(format!("it may lead to {}", targets.join(" or "))),
    }
}

/// A table's configuration with nothing but one rule.
pub(super) fn only(set: impl FnOnce(&mut TableConfig)) -> TableConfig {
    let mut config = TableConfig::default();
    set(&mut config);
    config
}
