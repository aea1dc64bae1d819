//! Guesses about texts that no two rows share but for case, blanks and the form of accents: addresses, logins, codes.

use relink_model::{Column, Relation, RelationId, TypeKind, UniqueKey};

use super::references::{References, only};
use super::words::{has_noun, words};
use super::{Candidate, Family, Guess, GuessedRule, Guessing, NAME, TYPE, is_key, written};
use crate::plan::{CheckKind, mentioned};

/// Texts that name their row by themselves.
const NAMING: [&str; 13] =
    ["email", "mail", "username", "login", "handle", "sku", "iban", "vat", "isbn", "ean", "gtin", "domain", "hostname"];

/// Texts that name their row where a key says so, and are shared by many otherwise.
const NAMING_BY_KEY: [&str; 9] = ["code", "name", "slug", "title", "nickname", "alias", "number", "label", "tag"];

/// Tables whose rows repeat what stands elsewhere.
const COPIES: [&str; 10] =
    ["archive", "attempt", "audit", "backup", "event", "history", "import", "invitation", "log", "snapshot"];

/// Tables whose rows do so where they are parts of something: `order_items`, and not `items`.
const PARTS: [&str; 6] = ["contact", "item", "line", "message", "recipient", "version"];

/// Columns that say that a row no longer counts.
const GONE: [&str; 5] = ["deleted_at", "discarded_at", "archived_at", "removed_at", "deletedAt"];

pub(super) fn guess(
    guessing: &Guessing<'_>,
    id: RelationId,
    relation: &Relation,
    references: &References,
) -> Vec<Candidate> {
    if !guessing.wants(Family::Duplicates) || repeats(&words(&relation.name.name)) {
        return Vec::new();
    }
    let one = |(index, column): (usize, &Column)| {
        let refers = references.referring.contains(&(id, index));
        let usable = matches!(column.data_type.kind, TypeKind::Text { .. })
            && !refers
            && !relation.foreign_keys.iter().any(|key| key.columns.contains(&column.name))
            && !guessing.ignores(&relation.name, &column.name);
        if usable { candidate(guessing, (id, relation), column) } else { None }
    };
    relation.columns.iter().enumerate().filter_map(one).collect()
}

/// Whether the rows of a table repeat what stands elsewhere.
fn repeats(table: &[String]) -> bool {
    has_noun(table, &COPIES) || table.len() > 1 && has_noun(table, &PARTS)
}

fn candidate(guessing: &Guessing<'_>, (id, relation): (RelationId, &Relation), column: &Column) -> Option<Candidate> {
    let name = words(&column.name);
    let keys = keys(relation, &column.name);
    let (naming, by_key) = (is_naming(&name), name.last().is_some_and(|last| NAMING_BY_KEY.contains(&last.as_str())));
    // Of several keys the one with fewest columns says most. One that holds for some rows only says nothing about the others.
    // Beside the text there may be a tenant, by number, and no other text: two texts together may be shared each for itself.
    let is_text = |name: &String| {
        relation.column(name).is_none_or(|(_, column)| matches!(column.data_type.kind, TypeKind::Text { .. }))
    };
    let by_number = |columns: &[String]| columns.iter().all(|name| *name == column.name || !is_text(name));
    let key = keys.iter().filter(|key| key.1 && by_number(&key.0)).min_by_key(|key| key.0.len());
    let partial = key.is_none() && !keys.is_empty();
    if partial || !(naming || by_key && key.is_some()) {
        return None;
    }
    let ruled = guessing
        .checks(&relation.name)
        .iter()
        .any(|check| check.kind == CheckKind::Unique && check.is_rule() && check.columns.contains(&column.name));
    if ruled {
        return None;
    }
    let tenant: Vec<&String> = key.iter().flat_map(|key| &key.0).filter(|other| **other != column.name).collect();
    let mut parts: Vec<String> = tenant.iter().map(|other| written(other)).collect();
    parts.push(format!("ci(trim({}))", written(&column.name)));
    let mut text = parts.join(", ");
    let mut evidence = vec!["the name says what a row is known by".to_owned()];
    if let Some((columns, _)) = key {
        evidence.push(format!("({}) is unique letter by letter", columns.join(", ")));
    }
    let gone = relation.columns.iter().find(|other| other.nullable && GONE.contains(&other.name.as_str()));
    let table = relation.name.to_string();
    let has_live = guessing
        .planning
        .config
        .table
        .iter()
        .any(|(name, table)| table.live.is_some() && guessing.catalog().find(name) == Some(id));
    if let Some(gone) = gone.filter(|_| !has_live) {
        text = format!("{text} where {} is null", written(&gone.name));
        evidence.push(format!("rows with {} no longer count", gone.name));
    }
    let check = guessing.of_rule(id, relation, &only(|table| table.unique = vec![text.clone()]))?;
    let points = if key.is_some() { NAME + TYPE } else { NAME };
    let guess = Guess {
        family: Family::Duplicates,
        rule: GuessedRule { table, key: "unique".to_owned(), column: None, text },
        evidence,
        points,
        frail: None,
        only_suggested: false,
        one_of: String::new(),
    };
    Some(Candidate { check, guess })
}

/// Whether a name says that a text names its row by itself: `email`, `user_login`; not `email_template`, `last_login`.
fn is_naming(name: &[String]) -> bool {
    let joined = name.concat();
    let user_name = matches!(name, [.., user, name] if user == "user" && name == "name");
    let address = matches!(name, [email, address] if email == "email" && address == "address");
    let last = name.last().is_some_and(|last| NAMING.contains(&last.as_str()));
    let other =
        ["last", "old", "previous", "from", "to", "cc", "bcc", "reply", "sender", "billing", "shipping", "contact"];
    (last || user_name || address || joined == "emailaddress")
        && !name.iter().any(|word| other.contains(&word.as_str()))
}

/// The unique keys that a column is in: their columns, and whether they hold for all rows.
fn keys(relation: &Relation, column: &str) -> Vec<(Vec<String>, bool)> {
    let columns = |key: &UniqueKey| match &key.expressions {
        Some(expressions) => {
            let found: Vec<String> = expressions.iter().flat_map(|text| mentioned(relation, text)).collect();
            found
        }
        None => key.columns.clone(),
    };
    let unique = relation.unique_keys.iter().map(|key| (columns(key), key.predicate.is_none()));
    let primary = relation.primary_key.iter().map(|key| (key.columns.clone(), true));
    let keyed = primary.chain(unique).filter(|(columns, _)| columns.iter().any(|name| name == column));
    // A key along an enumeration of rows (an order's lines) names nothing by its text.
    keyed.filter(|(columns, _)| columns.len() <= 3 || is_key(relation, column)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_name_a_row_are_told_from_those_that_speak_of_it() {
        for name in
            ["email", "Email", "user_email", "emailAddress", "username", "user_name", "login", "sku", "isbn", "iban"]
        {
            assert!(is_naming(&words(name)), "{name}");
        }
        for name in ["email_template", "last_login", "billing_email", "from_email", "name", "first_name", "description"]
        {
            assert!(!is_naming(&words(name)), "{name}");
        }
        assert!(repeats(&words("order_items")) && repeats(&words("login_attempts")) && !repeats(&words("items")));
    }
}
