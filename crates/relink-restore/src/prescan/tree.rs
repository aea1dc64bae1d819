//! Natural keys along a tree: the values of one column from the root to the row, where each row's path begins with its parent's
//! (django-treebeard's materialised paths). Rows that only the target holds count, too.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use relink_model::{RelationId, Value};
use relink_records::{Key, Tree};

use super::Scanner;
use crate::{Error, memory::Ordinal, state::TreeRow};

impl Scanner<'_> {
    /// Files the rows of a relation under the values from the root to them, where its natural key goes along a tree.
    pub(super) async fn file_tree(&mut self, id: RelationId) -> Result<(), Error> {
        let mapping = Arc::clone(&self.mapping);
        let Some(tree) = mapping.identity(id).and_then(|key| key.tree.as_ref()) else { return Ok(()) };
        let mut values: HashMap<String, Value> = HashMap::new();
        let mut rows: Vec<(String, TreeRow)> = Vec::new();
        let state = self.state.relation(id);
        for ordinal in 0..state.positions.len() as Ordinal {
            if let Some(Value::Text(path)) = state.final_value(tree.path, ordinal) {
                values.insert(path.clone(), state.final_value(tree.column, ordinal).unwrap_or(Value::Null));
                rows.push((path, TreeRow::Record(ordinal)));
            }
        }
        if state.has_rows {
            for (path, value, payload) in self.tree_of_target(id, tree).await? {
                if let Entry::Vacant(entry) = values.entry(path.clone()) {
                    entry.insert(value);
                    rows.push((path, TreeRow::Target(payload)));
                }
            }
        }
        let mut filed: HashMap<Key, TreeRow> = HashMap::new();
        for (path, row) in rows {
            let Some(from_root) = from_root(&path, tree.step, &values) else { continue };
            match filed.entry(tree.key(&from_root)) {
                Entry::Vacant(entry) => drop(entry.insert(row)),
                Entry::Occupied(mut entry) => drop(entry.insert(TreeRow::Several)),
            }
        }
        self.state.relation_mut(id).tree = filed;
        Ok(())
    }

    /// Path, value and payload of every row of the target: one query.
    async fn tree_of_target(&mut self, id: RelationId, tree: &Tree) -> Result<Vec<(String, Value, Vec<Value>)>, Error> {
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let dialect = self.connection.dialect();
        let columns = [tree.path, tree.column].into_iter().chain(self.state.relation(id).payload.iter().copied());
        let select: Vec<String> =
            columns.map(|column| dialect.read_expression("", &relation.columns[column])).collect();
        let sql = format!("SELECT {} FROM {}", select.join(", "), dialect.quote_relation(&relation.name));
        let rows = self.connection.query(&sql, &[]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|mut row| {
                let payload = row.split_off(2);
                match (row.remove(0), row.remove(0)) {
                    (Value::Text(path), value) => Some((path, value, payload)),
                    _ => None,
                }
            })
            .collect())
    }
}

/// The values from the root to the row of this path; `None` where an ancestor is missing.
fn from_root(path: &str, step: usize, values: &HashMap<String, Value>) -> Option<Vec<Value>> {
    let characters: Vec<char> = path.chars().collect();
    (1..=characters.len() / step)
        .map(|level| values.get(&characters[..level * step].iter().collect::<String>()).cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_row_is_its_ancestors_and_itself() {
        let value = |text: &str| Value::Text(text.to_owned());
        let values = HashMap::from([
            ("0001".to_owned(), value("Root")),
            ("00010002".to_owned(), value("Recipes")),
            ("00020001".to_owned(), value("Stray")),
        ]);
        assert_eq!(from_root("00010002", 4, &values), Some(vec![value("Root"), value("Recipes")]));
        assert_eq!(from_root("00020001", 4, &values), None);
    }
}
