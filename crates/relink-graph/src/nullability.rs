//! Whether a reference can be left out at first and filled in later: which columns then hold NULL in the meantime.

use relink_model::{ForeignKey, MatchKind, Relation};

/// The columns of a key that are inserted as NULL so that the row references nothing yet.
///
/// Under MATCH SIMPLE one NULL is enough: the last column that allows it, because in composite keys the leading
/// columns are the shared ones (tenant, company), and best one that no other key uses. Under MATCH FULL all must be NULL.
///
/// # Errors
/// Why there are none, in words.
pub(crate) fn columns_to_null(relation: &Relation, key: &ForeignKey) -> Result<Vec<String>, String> {
    if relation.primary_key.is_none() {
        return Err(format!("{} has no primary key by which its rows could be updated", relation.name));
    }
    let obstacles: Vec<Option<String>> = key.columns.iter().map(|column| obstacle(relation, key, column)).collect();
    let free: Vec<&String> = key
        .columns
        .iter()
        .zip(&obstacles)
        .filter(|(_, obstacle)| obstacle.is_none())
        .map(|(column, _)| column)
        .collect();
    let chosen: Vec<String> = match key.match_kind {
        MatchKind::Full if free.len() == key.columns.len() => free.into_iter().cloned().collect(),
        MatchKind::Full => Vec::new(),
        MatchKind::Simple => {
            let shared = |column: &String| {
                relation.foreign_keys.iter().filter(|other| other.columns.contains(column)).count() > 1
            };
            let unshared = free.iter().rev().find(|column| !shared(column));
            unshared.or(free.last()).map(|column| (*column).clone()).into_iter().collect()
        }
    };
    if chosen.is_empty() { Err(obstacles.into_iter().flatten().collect::<Vec<_>>().join(", ")) } else { Ok(chosen) }
}

/// Why a column cannot hold NULL for a while.
fn obstacle(relation: &Relation, key: &ForeignKey, name: &str) -> Option<String> {
    let named = |what: &str| Some(format!("{}.{name} {what}", relation.name));
    let Some((_, column)) = relation.column(name) else { return named("does not exist") };
    if relation.primary_key_columns().iter().any(|key_column| key_column == name) {
        return named("is part of the primary key");
    }
    if !column.nullable {
        return named("is NOT NULL");
    }
    if column.generated.is_some() {
        return named("is generated");
    }
    let equal_nulls = relation
        .unique_keys
        .iter()
        .find(|unique| unique.nulls_not_distinct && unique.columns.iter().any(|key_column| key_column == name));
    if let Some(unique) = equal_nulls {
        return named(&format!("is part of {}, under which NULLs are duplicates", unique.name));
    }
    // A NULL in one column of another MATCH FULL key would break that one.
    let full = |other: &&ForeignKey| {
        *other != key
            && other.match_kind == MatchKind::Full
            && other.columns.len() > 1
            && other.columns.iter().any(|c| c == name)
    };
    if relation.foreign_keys.iter().find(full).is_some() {
        return named("is part of another key, MATCH FULL");
    }
    relation
        .checks
        .iter()
        .find(|check| may_demand_a_value(&check.expression, name))
        .and_then(|check| named(&format!("is kept from being NULL by CHECK ({})", check.expression)))
}

/// Whether a CHECK that speaks of the column may be false for NULL. Most conditions are unknown for NULL and so pass;
/// those that ask for NULL by name (`IS NOT NULL`, `num_nonnulls`, `COALESCE`) need not. Rather one way too few than one that fails half-way.
fn may_demand_a_value(expression: &str, column: &str) -> bool {
    let words = || expression.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let mentions_column = expression.contains(column) && (words().any(|word| word == column) || column.contains(' '));
    let asks_for_null = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.contains("null") || word == "coalesce"
    };
    mentions_column && words().any(asks_for_null)
}

#[cfg(test)]
mod tests {
    use relink_testkit::schema;

    use super::*;

    fn nulled(text: &str, relation: &str) -> Result<Vec<String>, String> {
        let catalog = schema(text).catalog();
        let relation = catalog.relation(catalog.find(relation).expect("the relation exists"));
        columns_to_null(relation, &relation.foreign_keys[0])
    }

    #[test]
    fn match_simple_needs_one_null_and_prefers_the_unshared_column() {
        let text = "tenants(id pk)
                    posts(tenant int null, no int, root int null, pk(no), unique(tenant, no), (tenant, root) -> posts(tenant, no))";
        assert_eq!(nulled(text, "posts"), Ok(vec!["root".to_owned()]));
    }

    #[test]
    fn match_full_needs_every_column_null() {
        let text = |null: &str| {
            format!(
                "posts(tenant int {null}, no int, root int null, pk(no), unique(tenant, no), (tenant, root) -> posts(tenant, no) match full)"
            )
        };
        assert_eq!(nulled(&text("null"), "posts"), Ok(vec!["tenant".to_owned(), "root".to_owned()]));
        assert_eq!(nulled(&text(""), "posts"), Err("posts.tenant is NOT NULL".to_owned()));
    }

    #[test]
    fn a_primary_key_column_stays_though_sqlite_lets_it_be_null() {
        assert_eq!(
            nulled("a(id pk)\nb(a_id int null -> a.id, pk(a_id))", "b"),
            Err("b.a_id is part of the primary key".to_owned())
        );
    }

    #[test]
    fn a_check_that_asks_for_null_keeps_the_column() {
        let text = "a(id pk, parent_id int null -> a.id, check(parent_id is not null or id = 1))";
        assert_eq!(
            nulled(text, "a"),
            Err("a.parent_id is kept from being NULL by CHECK (parent_id is not null or id = 1)".to_owned())
        );
        assert_eq!(
            nulled("a(id pk, parent_id int null -> a.id, check(parent_id <> id))", "a"),
            Ok(vec!["parent_id".to_owned()])
        );
    }
}
