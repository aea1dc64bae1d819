//! Guesses about single columns: amounts that are not below zero, and dates of what has happened.
//!
//! What may well be negative (balances, differences, refunds), or lie ahead (due dates, plans), is left out by its own name or its table's.

use std::collections::BTreeMap;

use relink_model::config::Number;
use relink_model::{Column, Relation, RelationId, TypeKind};

use super::references::only;
use super::words::{has_noun, words};
use super::{Candidate, Family, Guess, GuessedRule, Guessing, NAME, TYPE, is_key, written};
use crate::plan::CheckKind;

/// What an amount that is not below zero is called, at the end of its name.
const AMOUNTS: [&str; 19] = [
    "age",
    "capacity",
    "cost",
    "count",
    "duration",
    "height",
    "length",
    "price",
    "qty",
    "quantity",
    "size",
    "stock",
    "unit",
    "weight",
    "width",
    "distance",
    "seats",
    "volume",
    "inventory",
];

/// What makes an amount one that may be negative.
const SIGNED: [&str; 34] = [
    "adjust",
    "adjustment",
    "balance",
    "change",
    "correction",
    "credit",
    "debit",
    "delta",
    "deviation",
    "diff",
    "difference",
    "discount",
    "drift",
    "gain",
    "growth",
    "income",
    "lat",
    "latitude",
    "lng",
    "lon",
    "longitude",
    "loss",
    "margin",
    "movement",
    "net",
    "offset",
    "profit",
    "rebate",
    "refund",
    "score",
    "shift",
    "surplus",
    "temperature",
    "variance",
];

/// Tables whose rows are changes: these go either way.
const CHANGES: [&str; 20] = [
    "adjust",
    "adjustment",
    "booking",
    "change",
    "correction",
    "credit",
    "delta",
    "diff",
    "entry",
    "journal",
    "ledger",
    "movement",
    "posting",
    "refund",
    "return",
    "reversal",
    "transaction",
    "transfer",
    "variation",
    "writeoff",
];

/// What has happened, in a name of a date.
const HAPPENED: [&str; 37] = [
    "approved",
    "born",
    "canceled",
    "cancelled",
    "changed",
    "completed",
    "confirmed",
    "created",
    "deleted",
    "delivered",
    "edited",
    "happened",
    "hired",
    "imported",
    "inserted",
    "joined",
    "logged",
    "measured",
    "modified",
    "occurred",
    "opened",
    "ordered",
    "paid",
    "placed",
    "posted",
    "processed",
    "received",
    "recorded",
    "refunded",
    "registered",
    "rejected",
    "resolved",
    "sent",
    "shipped",
    "updated",
    "uploaded",
    "verified",
];

/// What lies, or may lie, ahead.
const AHEAD: [&str; 38] = [
    "available",
    "be",
    "deadline",
    "due",
    "effective",
    "embargo",
    "end",
    "ends",
    "estimated",
    "eta",
    "expected",
    "expire",
    "expired",
    "expires",
    "expiry",
    "forecast",
    "from",
    "future",
    "next",
    "planned",
    "promised",
    "publish",
    "purge",
    "release",
    "reminder",
    "renew",
    "renewal",
    "required",
    "requested",
    "retry",
    "scheduled",
    "start",
    "starts",
    "target",
    "then",
    "until",
    "valid",
    "will",
];

/// Words of names of dates that say only that they are dates.
const DATED: [&str; 9] = ["at", "on", "date", "dt", "time", "ts", "datetime", "timestamp", "utc"];

/// Tables that say what has happened.
const LOGS: [&str; 6] = ["log", "audit", "history", "visit", "click", "login"];

pub(super) fn guess(guessing: &Guessing<'_>, id: RelationId, relation: &Relation) -> Vec<Candidate> {
    let mut found = Vec::new();
    for column in &relation.columns {
        if guessing.ignores(&relation.name, &column.name) {
            continue;
        }
        found.extend(negative(guessing, id, relation, column));
        found.extend(future(guessing, id, relation, column));
    }
    found
}

/// A number that is not below zero.
fn negative(guessing: &Guessing<'_>, id: RelationId, relation: &Relation, column: &Column) -> Option<Candidate> {
    let known = [CheckKind::Min, CheckKind::Gt, CheckKind::Check, CheckKind::Row];
    if !guessing.wants(Family::Negative)
        || !may_be_negative(&column.data_type.kind)
        || !is_amount(&words(&column.name))
        || has_noun(&words(&relation.name.name), &CHANGES)
        || is_key(relation, &column.name)
        || guessing.knows(&relation.name, &[&column.name], &known)
    {
        return None;
    }
    let config = only(|table| table.min = BTreeMap::from([(column.name.clone(), Number::Integer(0))]));
    let mut check = guessing.of_rule(id, relation, &config)?;
    check.help = Some("correct these values".to_owned());
    let guess = Guess {
        family: Family::Negative,
        rule: GuessedRule {
            table: relation.name.to_string(),
            key: "min".to_owned(),
            column: Some(column.name.clone()),
            text: "0".to_owned(),
        },
        evidence: vec!["the name says an amount that is not below zero".to_owned(), kind(column)],
        points: NAME + TYPE,
        frail: None,
        only_suggested: false,
        one_of: String::new(),
    };
    Some(Candidate { check, guess })
}

fn kind(column: &Column) -> String {
    format!("the type fits ({})", column.data_type.declared)
}

fn may_be_negative(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Integer { unsigned, .. } | TypeKind::Decimal { unsigned, .. } => !unsigned,
        TypeKind::Float { .. } => true,
        _ => false,
    }
}

/// Whether a name says an amount that is not below zero.
fn is_amount(name: &[String]) -> bool {
    let Some(last) = name.last() else { return false };
    let ends = has_noun(std::slice::from_ref(last), &AMOUNTS) || AMOUNTS.contains(&last.as_str());
    let starts = name.len() > 1 && matches!(name[0].as_str(), "num" | "qty" | "quantity" | "stock");
    let held = matches!(name, [.., on, hand] if on == "on" && hand == "hand");
    let number_of = name.len() > 2 && name[0] == "number" && name[1] == "of";
    (ends || starts || held || number_of) && !has_noun(name, &SIGNED)
}

/// A date that does not lie in the future.
fn future(guessing: &Guessing<'_>, id: RelationId, relation: &Relation, column: &Column) -> Option<Candidate> {
    let dates = matches!(column.data_type.kind, TypeKind::Date | TypeKind::Timestamp { .. });
    if !guessing.wants(Family::Future)
        || !dates
        || !has_happened(&words(&column.name), &words(&relation.name.name))
        || column.name.contains('+')
        || guessing.knows(&relation.name, &[&column.name], &[CheckKind::Past, CheckKind::Future])
    {
        return None;
    }
    let config = only(|table| table.past = vec![written(&column.name)]);
    let mut check = guessing.of_rule(id, relation, &config)?;
    check.help = Some("correct these dates".to_owned());
    let guess = Guess {
        family: Family::Future,
        rule: GuessedRule {
            table: relation.name.to_string(),
            key: "past".to_owned(),
            column: None,
            text: written(&column.name),
        },
        evidence: vec!["the name says what has happened".to_owned(), kind(column)],
        points: NAME + TYPE,
        frail: None,
        only_suggested: false,
        one_of: String::new(),
    };
    Some(Candidate { check, guess })
}

/// Whether a name says when something happened.
fn has_happened(name: &[String], table: &[String]) -> bool {
    let one_of = |word: &String, list: &[&str]| list.contains(&word.as_str());
    if name.iter().any(|word| one_of(word, &AHEAD)) {
        return false;
    }
    let birth = name.iter().any(|word| word.starts_with("birth") || word == "dob");
    let core: &[String] = match name {
        [core @ .., last] if one_of(last, &DATED) => core,
        [first, core @ ..] if one_of(first, &DATED) => core,
        core => core,
    };
    let done = core.last().is_some_and(|word| one_of(word, &HAPPENED));
    let signed_up =
        matches!(core, [.., signed, up] if signed == "signed" && matches!(up.as_str(), "up" | "in" | "out"));
    let last = matches!(core, [last, what] if last == "last" && matches!(what.as_str(), "login" | "seen" | "visit"));
    let logged = has_noun(table, &LOGS) && core.is_empty() && !name.is_empty();
    birth || done || signed_up || last || logged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_from_what_may_be_negative() {
        for name in
            ["qty", "orderQuantity", "stock", "qty_on_hand", "units", "unit_price", "item_count", "num_guests", "age"]
        {
            assert!(is_amount(&words(name)), "{name}");
        }
        for name in [
            "balance",
            "price_change",
            "cost_difference",
            "stock_adjustment",
            "phone_number",
            "number",
            "discount",
            "margin",
            "temperature",
            "latitude",
            "country",
            "account",
            "package",
            "pages",
            "qty_delta",
            "net_weight_diff",
            "counter_party",
            "refund_cost",
        ] {
            assert!(!is_amount(&words(name)), "{name}");
        }
        for table in
            ["refunds", "stock_movements", "ledger_entries", "CreditNotes", "inventory_adjustments", "transactions"]
        {
            assert!(has_noun(&words(table), &CHANGES), "{table}");
        }
    }

    #[test]
    fn what_has_happened_is_told_from_what_lies_ahead() {
        let happened = |name: &str| has_happened(&words(name), &words("orders"));
        for name in [
            "created_at",
            "createdAt",
            "updated_on",
            "date_joined",
            "paid_at",
            "shipped",
            "birth_date",
            "birthday",
            "dob",
            "signed_up_at",
            "last_login",
            "last_seen_at",
            "email_verified_at",
            "deleted_at",
            "order_placed_date",
        ] {
            assert!(happened(name), "{name}");
        }
        for name in [
            "due_date",
            "starts_at",
            "start_date",
            "end_date",
            "expires_at",
            "valid_until",
            "scheduled_at",
            "next_login",
            "renewal_date",
            "eta",
            "expected_delivered_at",
            "to_be_shipped_at",
            "published_at",
            "date",
            "at",
            "paid_until",
            "estimated_shipped_at",
            "delivery_date",
        ] {
            assert!(!happened(name), "{name}");
        }
        assert!(has_happened(&words("ts"), &words("audit_log")) && !happened("ts"));
    }
}
