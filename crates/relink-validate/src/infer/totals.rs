//! Guesses about totals: that `orders.total` is the sum of `order_lines.amount`, or of `quantity * price` there.
//!
//! Taxes, shipping and discounts make most of these wrong, and only the rows can tell: every sum that might be meant is tried.

use relink_model::{Column, Relation, RelationId, TypeKind};

use super::references::{References, only};
use super::words::words;
use super::{Candidate, Family, Guess, GuessedRule, Guessing, NAME, TYPE, is_key, written, written_relation};
use crate::plan::CheckKind;

/// What a total is called.
const TOTALS: [&str; 12] = [
    "total",
    "subtotal",
    "sub total",
    "amount",
    "grand total",
    "total amount",
    "amount total",
    "total price",
    "total net",
    "net total",
    "total cost",
    "order total",
];

/// What a line's amount is called.
const LINE_AMOUNTS: [&str; 12] = [
    "amount",
    "total",
    "line total",
    "subtotal",
    "sub total",
    "line amount",
    "total price",
    "line price",
    "total amount",
    "price total",
    "net amount",
    "net total",
];

const QUANTITIES: [&str; 4] = ["qty", "quantity", "units", "count"];
const PRICES: [&str; 5] = ["price", "unit price", "unitprice", "unit cost", "price each"];

/// Sums tried for one total at most: each is a query.
const TRIED_MAX: usize = 6;

pub(super) fn guess(
    guessing: &Guessing<'_>,
    id: RelationId,
    relation: &Relation,
    references: &References,
) -> Vec<Candidate> {
    if !guessing.wants(Family::Totals) {
        return Vec::new();
    }
    let totals: Vec<&Column> = relation
        .columns
        .iter()
        .filter(|column| is_called(column, &TOTALS) && usable(guessing, relation, column))
        .filter(|column| {
            let known = [CheckKind::Total, CheckKind::Equal, CheckKind::Balance];
            !guessing.knows(&relation.name, &[&column.name], &known)
        })
        .collect();
    if totals.is_empty() {
        return Vec::new();
    }
    let sums = sums(guessing, id, relation, references);
    let mut found = Vec::new();
    for column in totals {
        for (lines, sum, exact) in sums.iter().take(TRIED_MAX) {
            // Where no digit is lost on either side, a cent is a mistake.
            let slack = if digits(column).is_some_and(|own| exact.is_some_and(|of_sum| of_sum <= own)) {
                ""
            } else {
                " +- 0.01"
            };
            let text = format!("{} = {sum}{slack}", written(&column.name));
            let config = only(|table| table.totals = vec![text.clone()]);
            let Some(check) = guessing.of_rule(id, relation, &config) else { continue };
            let guess = Guess {
                family: Family::Totals,
                rule: GuessedRule { table: relation.name.to_string(), key: "totals".to_owned(), column: None, text },
                evidence: vec![format!(
                    "the names say a total of {} and amounts of its lines in {lines}",
                    relation.name
                )],
                points: NAME + TYPE,
                frail: None,
                only_suggested: true,
                one_of: String::new(),
            };
            found.push(Candidate { check, guess });
        }
    }
    found
}

/// Digits after the point that an exact column has at most; `None` for a floating point one.
fn digits(column: &Column) -> Option<u32> {
    match column.data_type.kind {
        TypeKind::Integer { .. } => Some(0),
        TypeKind::Decimal { scale, .. } => Some(scale.map_or(u32::MAX, |scale| u32::try_from(scale).unwrap_or(0))),
        _ => None,
    }
}

/// Every sum over lines of a relation, as a rule writes it, with the relation of the lines, and the digits after the point that it has at most.
fn sums(
    guessing: &Guessing<'_>,
    id: RelationId,
    relation: &Relation,
    references: &References,
) -> Vec<(String, String, Option<u32>)> {
    let mut found = Vec::new();
    for (lines_id, lines) in guessing.catalog().iter().filter(|(lines_id, _)| *lines_id != id) {
        let table = written_relation(&lines.name);
        for by in links(lines_id, lines, (id, relation), references) {
            let of = |column: &Column| format!("{table}.{}", written(&column.name));
            let amounts = |names: &[&str]| -> Vec<&Column> {
                let named = lines.columns.iter().filter(|column| is_called(column, names));
                named.filter(|column| usable(guessing, lines, column)).collect()
            };
            let mut sum = |amount: String, digits| {
                found.push((lines.name.to_string(), format!("sum({amount}) by {by}"), digits));
            };
            for amount in amounts(&LINE_AMOUNTS) {
                sum(of(amount), digits(amount));
            }
            for quantity in amounts(&QUANTITIES) {
                for price in amounts(&PRICES) {
                    let both = digits(quantity).zip(digits(price)).map(|(a, b)| a.saturating_add(b));
                    sum(format!("{} * {}", of(quantity), of(price)), both);
                }
            }
        }
    }
    found
}

/// The columns by which lines name their header, as `by` writes them: of a foreign key, or of a guess that leads to the primary key.
fn links(
    lines_id: RelationId,
    lines: &Relation,
    (id, relation): (RelationId, &Relation),
    references: &References,
) -> Vec<String> {
    let table = written_relation(&lines.name);
    let name = |column: &String| format!("{table}.{}", written(column));
    let declared = lines.foreign_keys.iter().filter(|key| key.referenced == relation.name);
    let declared = declared.map(|key| match key.columns.as_slice() {
        [column] => name(column),
        columns => format!("({})", columns.iter().map(name).collect::<Vec<_>>().join(", ")),
    });
    let mut guessed: Vec<usize> =
        references.leads.get(&id).into_iter().flatten().filter(|from| from.0 == lines_id).map(|from| from.1).collect();
    guessed.sort_unstable();
    declared.chain(guessed.into_iter().map(|index| name(&lines.columns[index].name))).collect()
}

fn is_called(column: &Column, names: &[&str]) -> bool {
    names.contains(&words(&column.name).join(" ").as_str())
}

fn usable(guessing: &Guessing<'_>, relation: &Relation, column: &Column) -> bool {
    let number =
        matches!(column.data_type.kind, TypeKind::Integer { .. } | TypeKind::Decimal { .. } | TypeKind::Float { .. });
    number && !is_key(relation, &column.name) && !guessing.ignores(&relation.name, &column.name)
}
