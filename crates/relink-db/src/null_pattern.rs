//! Keys grouped by which of their parts are NULL. A lookup must find NULL for NULL, yet a comparison that says so
//! (`IS NOT DISTINCT FROM`, `<=>`, `IS`) keeps databases from using an index for a list of keys; with the keys grouped, each
//! group is a plain list over its other columns, and the NULL columns are `IS NULL`.

use relink_model::Value;

/// The keys that are NULL in the same parts.
#[derive(Debug)]
pub(crate) struct NullPattern<'a> {
    /// The indexes of the parts that are not NULL.
    pub(crate) present: Vec<usize>,
    /// The indexes of the parts that are NULL.
    pub(crate) null: Vec<usize>,
    /// The keys, whole.
    pub(crate) keys: Vec<&'a [Value]>,
}

/// Groups the keys, in the order in which the patterns first appear.
pub(crate) fn group_by_null_pattern(keys: &[Vec<Value>]) -> Vec<NullPattern<'_>> {
    group_rows_by_null_pattern(keys, 0)
}

/// Groups rows by their keys, which begin at `start`. The indexes of parts are those within the row, and `keys` holds whole rows.
pub(crate) fn group_rows_by_null_pattern(rows: &[Vec<Value>], start: usize) -> Vec<NullPattern<'_>> {
    let mut groups: Vec<NullPattern<'_>> = Vec::new();
    for row in rows {
        let group = groups.iter_mut().find(|group| {
            group.present.iter().all(|&part| !row[part].is_null()) && group.null.iter().all(|&part| row[part].is_null())
        });
        if let Some(group) = group {
            group.keys.push(row);
        } else {
            let (null, present) = (start..row.len()).partition(|&part| row[part].is_null());
            groups.push(NullPattern { present, null, keys: vec![row] });
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_nulls_in_the_same_parts_go_together() {
        let (one, null) = (|| Value::Int(1), || Value::Null);
        let keys = [vec![one(), one()], vec![null(), one()], vec![one(), one()], vec![null(), null()]];
        let groups = group_by_null_pattern(&keys);
        let shape: Vec<_> = groups.iter().map(|g| (g.present.clone(), g.null.clone(), g.keys.len())).collect();
        assert_eq!(shape, [(vec![0, 1], vec![], 2), (vec![1], vec![0], 1), (vec![], vec![0, 1], 1)]);
    }

    #[test]
    fn what_stands_before_a_rows_key_does_not_count() {
        let rows =
            [vec![Value::Null, Value::Int(1)], vec![Value::Int(1), Value::Int(2)], vec![Value::Null, Value::Null]];
        let groups = group_rows_by_null_pattern(&rows, 1);
        let shape: Vec<_> = groups.iter().map(|g| (g.present.clone(), g.null.clone(), g.keys.len())).collect();
        assert_eq!(shape, [(vec![1], vec![], 2), (vec![], vec![1], 1)]);
    }
}
