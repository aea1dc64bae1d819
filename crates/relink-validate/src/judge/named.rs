//! How findings are named: a row by its key, a group of rows by what its rows share.

use indexmap::IndexMap;
use relink_model::{Relation, Value};
use relink_rules::{
    Part,
    expression::{BoundNode, Moment},
};

use super::{Named, Wrong};
use crate::live::exact;
use crate::plan::{Check, test::Test};
use crate::report::Sample;

/// What the rows of a group share, by the feed that they come from, and what that is called; `None` where findings are single rows.
fn group_of(check: &Check, feed: usize) -> Option<(&[Part], &[String])> {
    let Test::Sums(test) = &check.test else { return None };
    let side = if feed == 0 { &test.left } else { test.right.as_ref()? };
    test.left.summed.then_some((side.key.as_slice(), test.key_names.as_slice()))
}

/// The columns of which a finding shows the values.
pub(crate) fn columns_shown(check: &Check, relation: &Relation, feed: usize) -> Vec<usize> {
    let Some((parts, _)) = group_of(check, feed) else {
        return check.columns.iter().filter_map(|name| relation.column(name)).map(|(index, _)| index).collect();
    };
    let mut columns: Vec<usize> = parts.iter().flat_map(Part::columns).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// A finding as the report has it; `named` is the row with the values of [`columns_shown`].
pub(crate) fn sample_of(
    check: &Check,
    relation: &Relation,
    columns: &[usize],
    wrong: &Wrong,
    named: Named,
    at: &Moment,
) -> Sample {
    let (mut key, mut values, mut content) = (IndexMap::new(), IndexMap::new(), None);
    if let Some((parts, names)) = group_of(check, wrong.feed) {
        let value = |column: usize| {
            let place = columns.iter().position(|shown| *shown == column);
            place.and_then(|place| named.values.get(place)).unwrap_or(&Value::Null)
        };
        for (part, name) in parts.iter().zip(names) {
            let shown = match part {
                Part::Column { index, .. } => exact(value(*index)),
                Part::Expression(bound) => match bound.node {
                    BoundNode::Column(index) => exact(value(index)),
                    _ => bound.value(at, &value).ok().and_then(|datum| datum.text()),
                },
            };
            key.insert(name.clone(), shown);
        }
    } else {
        for (column, value) in columns.iter().zip(&named.values) {
            let name = &relation.columns[*column].name;
            if !named.key.contains_key(name) {
                values.insert(name.clone(), exact(value));
            }
        }
        (key, content) = (named.key, named.content);
    }
    values.extend(wrong.beside.iter().cloned());
    let (group, problem) = (wrong.group, wrong.problem.clone());
    Sample { key, values, group, problem, place: named.place, content, ..Sample::default() }
}
