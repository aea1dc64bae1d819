//! CHECK constraints evaluated again over every row. As in SQL, an expression that is NULL passes; it is counted as not judged.
//! Expressions are the schema's own text: the database evaluates them, nothing is interpreted here.

use relink_model::{Enforcement, Relation, Severity};

use crate::plan::{Census, Check, CheckKind, Planning, Probe};
use crate::sql::{Shown, enclosed};

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    let dialect = planning.dialect;
    for constraint in &relation.checks {
        let expression = enclosed(&constraint.expression);
        let failed = format!("NOT {expression}");
        let columns = mentioned(relation, &constraint.expression);
        let name = constraint.name.as_ref().map_or_else(
            || format!("{}({})", relation.name, one_line(&constraint.expression)),
            |name| format!("{}.{name}", relation.name),
        );
        checks.push(Check {
            id: format!("check:{name}"),
            kind: CheckKind::Check,
            relation: relation.name.clone(),
            severity: Severity::Error,
            message: format!("does not satisfy CHECK ({})", one_line(&constraint.expression)),
            why: Some(
                match constraint.enforcement {
                    Enforcement::NotValidated => "the constraint was added without checking the rows that were there",
                    Enforcement::NotEnforced => "the constraint is declared, but the database does not enforce it",
                    _ => "the constraint is enforced now: were rows loaded with checks off?",
                }
                .to_owned(),
            ),
            help: Some("correct these rows, or the constraint where it is too strict".to_owned()),
            sql: Some(format!("SELECT * FROM {} WHERE {failed}", dialect.own_rows(relation))),
            census: Census { not_judged: Some(format!("{expression} IS NULL")), failed: Some(failed) },
            probe: Probe::Rows(Shown::of(dialect, "", relation, &columns, &[])),
            columns,
        });
    }
}

/// The columns that an SQL text mentions, in the relation's order. A name inside a string literal counts too: the columns are shown, not used.
pub(crate) fn mentioned(relation: &Relation, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let stands_alone = |name: &str| {
        let name = name.to_lowercase();
        text.match_indices(&name).any(|(start, _)| {
            let inside = |c: char| c.is_alphanumeric() || c == '_';
            !text[..start].ends_with(inside) && !text[start + name.len()..].starts_with(inside)
        })
    };
    relation.columns.iter().filter(|column| stands_alone(&column.name)).map(|column| column.name.clone()).collect()
}

/// An expression as ids and messages show it: on one line, and not endless.
fn one_line(expression: &str) -> String {
    const CHARS_MAX: usize = 120;
    let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > CHARS_MAX { line.chars().take(CHARS_MAX).chain("...".chars()).collect() } else { line }
}

#[cfg(test)]
mod tests {
    use relink_model::Column;

    use super::*;

    #[test]
    fn only_whole_names_count_as_mentioned() {
        let column = |name: &str| Column { name: name.to_owned(), ..Column::default() };
        let relation = Relation {
            columns: vec![column("qty"), column("qty_min"), column("Total"), column("x")],
            ..Relation::default()
        };
        assert_eq!(mentioned(&relation, "qty_min >= 0 AND \"total\" < 5"), ["qty_min", "Total"]);
    }
}
