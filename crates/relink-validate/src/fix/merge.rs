//! Duplicates merged: what refers to a row that goes is pointed at the one that is kept. From groups of rows to statements; pure.

use relink_db::Dialect;
use relink_model::{Catalog, ForeignKey, Relation, RelationId, RelationName};

use super::{
    Keep, Refusal,
    references::Draft,
    rows::{Key, RowNames, among, literal, named},
};

/// A row of a group, with the values of the columns that are referred to.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name.
    pub(super) key: Key,
    /// By column: the value, as a report shows it.
    pub(super) values: Key,
    /// The value by which rows are put in order, where that is a column of the user's choice; `None` for NULL, too.
    pub(super) rank: Option<String>,
}

/// What makes references lead to the kept row.
#[derive(Clone, Debug)]
pub(super) struct Repointing {
    /// The relation that refers.
    pub(super) referencing: RelationName,
    /// By which columns.
    pub(super) key: String,
    /// The statement.
    pub(super) draft: Draft,
}

/// The foreign keys through which rows of a relation are referred to.
pub(super) fn referring(catalog: &Catalog, id: RelationId) -> Vec<(&Relation, &ForeignKey)> {
    let relation = catalog.relation(id);
    let names_columns = |key: &ForeignKey| {
        key.columns.len() == key.referenced_columns.len()
            && key.referenced_columns.iter().all(|name| relation.column(name).is_some())
    };
    let mut found: Vec<(&Relation, &ForeignKey)> = Vec::new();
    for (from, key) in catalog.referencing(id).filter(|(_, key)| names_columns(key)) {
        let from = catalog.relation(from);
        let twice = |(other, known): &(&Relation, &ForeignKey)| {
            other.name == from.name
                && (&known.columns, &known.referenced_columns) == (&key.columns, &key.referenced_columns)
        };
        if !found.iter().any(twice) {
            found.push((from, key));
        }
    }
    found
}

/// The order in which the first row of a group is the one that is kept.
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

/// Refuses where the column of the user's choice does not say which row comes first.
pub(super) fn refuse_tie(relation: &Relation, keep: &Keep, group: &[Member]) -> Result<(), Refusal> {
    let (Keep::By { column, .. }, [first, second, ..]) = (keep, group) else { return Ok(()) };
    if first.rank != second.rank {
        return Ok(());
    }
    let tied = group.iter().take_while(|member| member.rank == first.rank);
    Err(Refusal::Tie {
        relation: relation.name.clone(),
        rows: tied.map(|member| named(&member.key)).collect::<Vec<_>>().join(", "),
        column: column.clone(),
    })
}

/// Points what refers to the rows of a group at its first.
pub(super) fn repoint(
    dialect: &dyn Dialect,
    relation: &Relation,
    referring: &[(&Relation, &ForeignKey)],
    group: &[Member],
) -> Result<Vec<Repointing>, Refusal> {
    let Some((kept, gone)) = group.split_first() else { return Ok(Vec::new()) };
    let mut repointings = Vec::new();
    for (referencing, key) in referring {
        let values = |member: &Member| -> Vec<Option<String>> {
            key.referenced_columns.iter().map(|name| member.values.get(name).cloned().flatten()).collect()
        };
        let target = values(kept);
        // A row with a NULL there cannot be referred to; one that has the same values is referred to by what refers to the kept one.
        let mut sources: Vec<Vec<Option<String>>> = Vec::new();
        for member in gone {
            let source = values(member);
            if source.iter().all(Option::is_some) && source != target && !sources.contains(&source) {
                sources.push(source);
            }
        }
        if sources.is_empty() {
            continue;
        }
        if target.iter().any(Option::is_none) {
            return Err(Refusal::NoTarget {
                relation: relation.name.clone(),
                row: named(&kept.key),
                columns: key.referenced_columns.join(", "),
                referencing: referencing.name.clone(),
            });
        }
        let write = |values: &[Option<String>]| -> Result<Vec<String>, Refusal> {
            let one = |(name, value): (&String, &Option<String>)| {
                let text = value.as_deref().unwrap_or_default();
                let column = referencing.column(name).map(|(_, column)| column);
                literal(dialect, column, text)
                    .ok_or_else(|| Refusal::Unwritable { relation: relation.name.clone(), value: text.to_owned() })
            };
            key.columns.iter().zip(values).map(one).collect()
        };
        let columns: Vec<String> = key.columns.iter().map(|name| dialect.quote(name)).collect();
        let moved = |at: &usize| sources.iter().any(|source| source[*at] != target[*at]);
        let written = write(&target)?;
        let mut set = Vec::new();
        for at in (0..columns.len()).filter(moved) {
            let computed = referencing.column(&key.columns[at]).filter(|(_, column)| column.generated.is_some());
            if let Some((_, column)) = computed {
                return Err(Refusal::Generated { relation: referencing.name.clone(), column: column.name.clone() });
            }
            set.push(format!("{} = {}", columns[at], written[at]));
        }
        let rows = sources.iter().map(|source| write(source)).collect::<Result<Vec<_>, _>>()?;
        repointings.push(Repointing {
            referencing: referencing.name.clone(),
            key: key.columns.join(", "),
            draft: Draft {
                sql: format!(
                    "UPDATE {} SET {} WHERE {}",
                    dialect.own_rows(referencing),
                    set.join(", "),
                    among(&columns, &rows)
                ),
                rows: None,
            },
        });
    }
    Ok(repointings)
}

/// Reads members of groups: their names, the columns referred to, and the column that puts them in order.
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
    format!("SELECT {} FROM {} WHERE {condition} ORDER BY {order}", selected.join(", "), dialect.own_rows(relation))
}
