//! Promise P1: what the database holds afterwards is what was read.

use std::collections::HashMap;

use relink_db::Connection;
use relink_export::Run;
use relink_model::{Catalog, RelationId};

use crate::{Error, apply::Loaded, decode::Decoder, per_relation, state::State};

/// Rows of each relation.
pub(crate) async fn count(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<HashMap<RelationId, i64>, Error> {
    let question = |name: &str| format!("count(*) AS found FROM {name}");
    Ok(per_relation::ask(connection, catalog, relations, question).await?.into_iter().collect())
}

/// Puts the counters of the loaded relations past their highest values.
pub(crate) async fn advance(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    touched: &[RelationId],
    loaded: &HashMap<RelationId, Loaded>,
    rehearsal: bool,
) -> Result<HashMap<RelationId, Option<i64>>, Error> {
    let mut numbers = HashMap::new();
    for id in touched {
        let relation = catalog.relation(*id);
        let inserted = loaded.get(id).is_some_and(|loaded| loaded.counts.inserted > 0);
        if inserted && relation.numbered_column().is_some() {
            numbers.insert(*id, connection.advance_numbering(relation, rehearsal).await?.next);
        }
    }
    Ok(numbers)
}

/// Promise P1: every record is accounted for, and the database holds as many rows more as were inserted.
pub(crate) async fn balance(
    connection: &mut dyn Connection,
    decoder: &Decoder,
    touched: &[RelationId],
    state: &State,
    runs: &[Vec<Run>],
    loaded: &HashMap<RelationId, Loaded>,
    before: &HashMap<RelationId, i64>,
) -> Result<(), Error> {
    let catalog = &decoder.catalog;
    let after = count(connection, catalog, touched).await?;
    for id in touched {
        let relation = catalog.relation(*id);
        let counts = loaded.get(id).map(|loaded| loaded.counts).unwrap_or_default();
        let indexed: u64 = runs[id.index()].iter().map(|run| run.records).sum();
        let expected = indexed - decoder.left_out.count(*id) + state.relation(*id).join_rows;
        if !counts.balances() || counts.read != expected {
            return Err(Error::Accounting { relation: relation.name.clone(), expected, found: counts.read });
        }
        let grown = after.get(id).copied().unwrap_or(0) - before.get(id).copied().unwrap_or(0);
        // Triggers may add rows, and a parent shows the rows of the relations that inherit from it.
        let alone = relation.triggers.is_empty()
            && !catalog.relations.iter().any(|other| other.inherits.contains(&relation.name));
        let deleted = loaded.get(id).map_or(0, |loaded| loaded.deleted);
        if alone && grown + deleted as i64 != counts.inserted as i64 {
            let found = u64::try_from(grown + deleted as i64).unwrap_or(0);
            return Err(Error::Accounting { relation: relation.name.clone(), expected: counts.inserted, found });
        }
    }
    Ok(())
}
