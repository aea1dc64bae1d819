//! Rows looked up by many keys, each brought together with its key.

use std::collections::HashMap;

use relink_db::{Connection, DbError, Lookup, ResultRow};
use relink_model::Value;
use relink_records::{Comparison, Key};

/// What a lookup found.
pub(crate) struct Found {
    /// Match columns first, then the selected ones.
    pub(crate) rows: Vec<ResultRow>,
    /// For each key, the rows that have it.
    pub(crate) by_key: Vec<Vec<usize>>,
}

/// Looks the keys up, all at once. Which row answers which key is told by comparing the two here; where the database sees an equality
/// that is not seen here (a collation without accents, a network address in another form), the key is asked for alone.
pub(crate) async fn look_up(
    connection: &mut dyn Connection,
    lookup: &Lookup<'_>,
    comparisons: &[Comparison],
    keys: &[Vec<Value>],
) -> Result<Found, DbError> {
    let key_of = |values: &[Value]| Key::with_nulls(values.iter().zip(comparisons));
    let mut rows = connection.lookup(lookup, keys).await?;
    let mut rows_of: HashMap<Key, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        rows_of.entry(key_of(&row[..comparisons.len()])).or_default().push(at);
    }
    let canonical: Vec<Key> = keys.iter().map(|key| key_of(key)).collect();
    let mut by_key: Vec<Vec<usize>> =
        canonical.iter().map(|key| rows_of.get(key).cloned().unwrap_or_default()).collect();
    for key in &canonical {
        rows_of.remove(key);
    }
    if !rows_of.is_empty() {
        for (key, found) in keys.iter().zip(&mut by_key).filter(|(_, found)| found.is_empty()) {
            let alone = connection.lookup(lookup, std::slice::from_ref(key)).await?;
            found.extend(rows.len()..rows.len() + alone.len());
            rows.extend(alone);
        }
    }
    // A row answers the first of several keys that the database calls equal; the others are asked for once more, together, and if anything
    // comes of that, alone.
    let missing = || (0..keys.len()).filter(|at| by_key[*at].is_empty());
    if comparisons.iter().any(|comparison| comparison.is_loose()) && !rows.is_empty() && missing().next().is_some() {
        let again: Vec<Vec<Value>> = missing().map(|at| keys[at].clone()).collect();
        if !connection.lookup(lookup, &again).await?.is_empty() {
            for at in missing().collect::<Vec<_>>() {
                let alone = connection.lookup(lookup, std::slice::from_ref(&keys[at])).await?;
                by_key[at].extend(rows.len()..rows.len() + alone.len());
                rows.extend(alone);
            }
        }
    }
    Ok(Found { rows, by_key })
}
