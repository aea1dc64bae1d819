//! Polymorphic references by the names of their columns: `commentable_type` beside `commentable_id`. The classes that the first one states name tables, or
//! do not: that says more than the names.

use relink_model::{Relation, RelationId};
use relink_records::Mapping;

use super::{Candidate, Family, Guess, GuessedRule, Guessing, NAME, TYPE};
use crate::plan::polymorphic;

pub(super) fn guess(guessing: &Guessing<'_>, mapping: &Mapping, id: RelationId, relation: &Relation) -> Vec<Candidate> {
    let free = |columns: &[String]| columns.iter().all(|column| !guessing.ignores(&relation.name, column));
    polymorphic::guessed(&guessing.planning, mapping, id)
        .into_iter()
        .filter(|check| free(&check.columns))
        .map(|check| {
            let text = format!("{{ type = {}, id = {} }}", quoted(&check.columns[0]), quoted(&check.columns[1]));
            let rule = GuessedRule { table: relation.name.to_string(), key: "generic".to_owned(), column: None, text };
            let said =
                format!("{} and {} are called as the two columns of one reference", check.columns[0], check.columns[1]);
            let guess = Guess {
                family: Family::Refs,
                rule,
                evidence: vec![said],
                points: NAME + TYPE,
                frail: None,
                only_suggested: false,
                one_of: String::new(),
            };
            Candidate { check, guess }
        })
        .collect()
}

/// A text of TOML on one line.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
