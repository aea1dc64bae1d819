//! Which columns a text of SQL is about.

use relink_model::Relation;

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
