//! One question of many relations, in a statement for a few hundred of them.

use relink_db::{Connection, DbError};
use relink_model::{Catalog, RelationId, Value};

/// What a statement asks of at a time: well below the terms that any of the databases takes in a compound SELECT.
const RELATIONS_PER_STATEMENT: usize = 200;

/// The answers to `question`, which turns a quoted relation name into a SELECT list and what follows it, and answers with one integer.
pub(crate) async fn ask(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relations: &[RelationId],
    question: impl Fn(&str) -> String,
) -> Result<Vec<(RelationId, i64)>, DbError> {
    let mut answers = Vec::with_capacity(relations.len());
    for relations in relations.chunks(RELATIONS_PER_STATEMENT) {
        let dialect = connection.dialect();
        let parts = relations.iter().map(|id| {
            let name = dialect.quote_relation(&catalog.relation(*id).name);
            format!("SELECT {} AS relation, {}", id.0, question(&name))
        });
        let sql = parts.collect::<Vec<_>>().join(" UNION ALL ");
        for row in connection.query(&sql, &[]).await? {
            if let [Value::Int(id), Value::Int(answer)] = row[..] {
                answers.push((RelationId(id as u32), answer));
            }
        }
    }
    Ok(answers)
}
