//! Duplicates merged: what refers to a row that goes is pointed at the one that is kept. From groups of rows to statements; pure.

use relink_db::Dialect;
use relink_model::{ForeignKey, Relation};

use super::{
    Keep, Refusal,
    references::Draft,
    rows::{Key, ROWS_MAX, RowNames, Words, among, literal},
};
use crate::live::qualified;

/// A row of a group, with the values of the columns that are referred to.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name.
    pub(super) key: Key,
    /// By column: the value as text.
    pub(super) values: Key,
    /// No other row of the group comes before it, in the database's own order. A second such row is a tie.
    pub(super) is_first: bool,
}

/// Values by which rows refer to rows that go.
#[derive(Clone, Debug)]
pub(super) struct Referring {
    /// The values of the key's columns.
    pub(super) values: Vec<Option<String>>,
    /// The rows that have them.
    pub(super) rows: u64,
}

/// The order in which the first row of a group is the one that is kept, and the column that says so.
pub(super) fn order(
    dialect: &dyn Dialect,
    relation: &Relation,
    shared: &[String],
    keep: &Keep,
) -> Result<String, Refusal> {
    let primary = relation.primary_key_columns();
    let by_primary = |direction: &str| {
        primary.iter().map(|name| format!("{}{direction}", dialect.quote(name))).collect::<Vec<_>>().join(", ")
    };
    match keep {
        Keep::First | Keep::Last if primary.is_empty() || primary == shared => {
            Err(Refusal::NoOrder { relation: relation.name.clone() })
        }
        Keep::First => Ok(by_primary("")),
        Keep::Last => Ok(by_primary(" DESC")),
        Keep::By { column, descending } => {
            let Some((_, found)) = relation.column(column) else {
                let nearest =
                    relink_model::suggest::nearest(column, relation.columns.iter().map(|column| column.name.as_str()));
                return Err(Refusal::UnknownColumn {
                    relation: relation.name.clone(),
                    column: column.clone(),
                    nearest: nearest.map(str::to_owned),
                });
            };
            let quoted = dialect.quote(&found.name);
            let direction = if *descending { " DESC" } else { "" };
            // Databases differ in where NULL comes.
            Ok(format!("CASE WHEN {quoted} IS NULL THEN 1 ELSE 0 END, {quoted}{direction}"))
        }
    }
}

/// Refuses where the order does not say which row comes first.
pub(super) fn refuse_tie(relation: &Relation, keep: &Keep, group: &[Member], words: Words<'_>) -> Result<(), Refusal> {
    let tied: Vec<String> =
        group.iter().filter(|member| member.is_first).map(|member| words.row(&relation.name, &member.key)).collect();
    if tied.len() < 2 {
        return Ok(());
    }
    let column = match keep {
        Keep::By { column, .. } => column.clone(),
        Keep::First | Keep::Last => relation.primary_key_columns().join(", "),
    };
    Err(Refusal::Tie { relation: relation.name.clone(), rows: tied.join(", "), column })
}

/// Reads the values by which rows refer to rows of a group that go, and not to the one that is kept: each with the number of its rows.
pub(super) fn select_referring(
    dialect: &dyn Dialect,
    referencing: &Relation,
    key: &ForeignKey,
    relation: &Relation,
    group: &[Member],
) -> Result<String, Refusal> {
    let Some((kept, gone)) = group.split_first() else { return Ok(String::new()) };
    let names = RowNames::of(dialect, "p", relation, &kept.key)?;
    let refers = |condition: String| {
        format!(
            "EXISTS (SELECT 1 FROM {} AS p WHERE {} AND ({condition}))",
            dialect.own_rows(relation),
            dialect.refers(referencing, key, relation)
        )
    };
    let columns = key.columns.iter().filter_map(|name| referencing.column(name));
    let read: Vec<String> = columns.map(|(_, column)| dialect.read_expression("c", column)).collect();
    let grouped: Vec<String> = key.columns.iter().map(|name| qualified(dialect, "c", name)).collect();
    Ok(format!(
        "SELECT {}, COUNT(*) FROM {} AS c WHERE {} AND NOT {} GROUP BY {} ORDER BY {}",
        read.join(", "),
        dialect.own_rows(referencing),
        refers(names.condition(gone.iter().map(|member| &member.key))?),
        refers(names.condition([&kept.key])?),
        grouped.join(", "),
        grouped.join(", ")
    ))
}

/// Points what refers by these values at the row that is kept, and says which columns that changes.
pub(super) fn repoint(
    dialect: &dyn Dialect,
    referencing: &Relation,
    key: &ForeignKey,
    relation: &Relation,
    kept: &Member,
    found: &[Referring],
    words: Words<'_>,
) -> Result<(Vec<String>, Vec<Draft>), Refusal> {
    let target: Vec<Option<String>> =
        key.referenced_columns.iter().map(|name| kept.values.get(name).cloned().flatten()).collect();
    if target.iter().any(Option::is_none) {
        return Err(Refusal::NoTarget {
            relation: relation.name.clone(),
            row: words.row(&relation.name, &kept.key),
            columns: key.referenced_columns.join(", "),
            referencing: referencing.name.clone(),
        });
    }
    let write = |values: &[Option<String>]| -> Result<Vec<String>, Refusal> {
        let one = |(name, value): (&String, &Option<String>)| {
            let text = value.as_deref().unwrap_or_default();
            let column = referencing.column(name).map(|(_, column)| column);
            literal(dialect, column, text)
                .ok_or_else(|| Refusal::Unwritable { relation: referencing.name.clone(), column: name.clone() })
        };
        key.columns.iter().zip(values).map(one).collect()
    };
    let columns: Vec<String> = key.columns.iter().map(|name| dialect.quote(name)).collect();
    let moved: Vec<usize> =
        (0..columns.len()).filter(|at| found.iter().any(|referring| referring.values[*at] != target[*at])).collect();
    let computed = moved.iter().filter_map(|at| referencing.column(&key.columns[*at]));
    if let Some((_, column)) = computed.into_iter().find(|(_, column)| column.generated.is_some()) {
        return Err(Refusal::Generated { relation: referencing.name.clone(), column: column.name.clone() });
    }
    let written = write(&target)?;
    let set: Vec<String> = moved.iter().map(|at| format!("{} = {}", columns[*at], written[*at])).collect();
    let set = set.join(", ");
    let mut drafts = Vec::new();
    for chunk in found.chunks(ROWS_MAX) {
        let rows = chunk.iter().map(|referring| write(&referring.values)).collect::<Result<Vec<_>, _>>()?;
        drafts.push(Draft {
            sql: format!("UPDATE {} SET {set} WHERE {}", dialect.own_rows(referencing), among(&columns, &rows)),
            rows: chunk.iter().map(|referring| referring.rows).sum(),
        });
    }
    Ok((moved.into_iter().map(|at| key.columns[at].clone()).collect(), drafts))
}

/// Reads members of groups: their names, the columns referred to, and their rank within the order.
pub(super) fn select(
    dialect: &dyn Dialect,
    relation: &Relation,
    names: &RowNames<'_>,
    columns: &[String],
    order: &str,
    condition: &str,
) -> String {
    let read = columns.iter().filter_map(|name| relation.column(name));
    let read = read.map(|(_, column)| dialect.read_expression("", column));
    let selected: Vec<String> = names.read().into_iter().chain(read).collect();
    format!(
        "SELECT {}, RANK() OVER (ORDER BY {order}) FROM {} WHERE {condition} ORDER BY {order}, {}",
        selected.join(", "),
        dialect.own_rows(relation),
        names.written().join(", ")
    )
}
