//! Rows of join tables, from many-to-many lists. The list of a record that is new, or whose row is updated, says which rows there are.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_db::Lookup;
use relink_model::{Mode, Outcome, RelationId, Value};
use relink_records::{Comparison, JoinField, Key};

use super::{
    Loader,
    batch::{Batches, insert_target},
};
use crate::{
    Error, Event, Phase,
    decode::Row,
    memory::Ordinal,
    prescan::joins::{self, Context, Element, JoinRow, Joining},
    settled::Origin,
    stream::Order,
};

impl Loader<'_, '_> {
    /// Inserts the rows of a join table that come from many-to-many lists; rows that the list of an updated row lacks are deleted.
    pub(super) async fn lists(
        &mut self,
        join: RelationId,
        fields: &[(RelationId, JoinField)],
        events: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(join);
        let state = self.state.relation(join);
        let numbered = state.numbered;
        let mut number = state.first_join_number;
        let mut ordinal = state.records() as Ordinal;
        let mut before = self.done_before();
        for (source, field) in fields {
            let constants = self.decoder.join_constants(field);
            let pair = [field.source_column, field.target_column];
            let columns = numbered.into_iter().chain(pair).chain(constants.iter().map(|(column, _)| *column));
            let columns: Vec<usize> = columns.collect();
            let target = Arc::new(insert_target(relation, &columns));
            let explicit = state.records();
            let decoder = Arc::clone(&self.decoder);
            let joining = Joining::new(&decoder.registry, field, explicit);
            // Rows that the export holds as records of their own are not the list's to delete.
            let known = explicit == 0 || joining.files_rows(&decoder.registry, state);
            let deletes = known && self.state.policies.of(*source).mode == Mode::Upsert && state.has_rows;
            let runs = self.runs[source.index()].clone();
            let mut rows = self.read(Order::File(runs));
            let mut batches = Batches::new(false);
            let mut read = 0;
            while let Some(chunk) = rows.recv().await {
                let chunk = chunk?;
                // The rows that an earlier run made of this chunk are counted and passed over.
                let passed_over = (before.saturating_sub(read)).min(chunk.len() as u64) as usize;
                let fresh = chunk.len() - passed_over;
                read += chunk.len() as u64;
                self.check_interrupted()?;
                self.state.budget.check()?;
                let mut lists: Vec<(Row, Vec<JoinRow>)> = Vec::new();
                for (row, _) in chunk {
                    let context = Context {
                        state: self.state,
                        registry: &decoder.registry,
                        mapping: &decoder.mapping,
                        catalog: &decoder.catalog,
                    };
                    let made =
                        joins::elements(&context, &joining, &row).into_iter().filter_map(
                            |(_, element)| match element {
                                Element::Row(made) => Some(made),
                                _ => None,
                            },
                        );
                    let made: Vec<JoinRow> = made.collect();
                    lists.push((row, made));
                }
                if deletes {
                    self.delete_unlisted(&joining, &lists[passed_over..]).await?;
                }
                for (at, (row, made)) in lists.into_iter().enumerate() {
                    if at < passed_over {
                        ordinal += made.len() as Ordinal;
                        number += made.len() as i64;
                        continue;
                    }
                    let origin = Origin::of_list(&row);
                    for made in made {
                        self.standing.loaded.entry(join).or_default().counts.read += 1;
                        let exists = state.exists(ordinal);
                        ordinal += 1;
                        let own = if numbered.is_some() { Some(Value::Int(number)) } else { None };
                        number += 1;
                        if self.is_rejected(*source, row.ordinal)
                            || made.record.is_some_and(|record| self.is_rejected(field.target, record))
                        {
                            self.count(join, Outcome::Rejected);
                            continue;
                        }
                        if exists {
                            let mode = self.state.policies.of(*source).mode;
                            self.count(join, if mode == Mode::Skip { Outcome::Skipped } else { Outcome::Unchanged });
                            continue;
                        }
                        let constants = constants.iter().map(|(_, value)| value.clone());
                        let values = own.into_iter().chain([made.source, made.target]).chain(constants).collect();
                        self.push(&mut batches, join, &target, values, origin).await?;
                    }
                }
                self.passed(fresh as u64);
                if self.is_due() {
                    self.flush_all(&mut batches).await?;
                    self.checkpoint().await?;
                }
                events(Event::Progress { phase: Phase::Load, done: self.done });
            }
            self.flush_all(&mut batches).await?;
            before = before.saturating_sub(read);
        }
        Ok(())
    }

    fn is_rejected(&self, relation: RelationId, ordinal: Ordinal) -> bool {
        self.state.relation(relation).rejected.contains_key(&ordinal)
            || self.refused_rows.contains(&(relation, ordinal))
    }

    /// Deletes the rows of updated records that neither their lists nor records of the join table name.
    async fn delete_unlisted(&mut self, joining: &Joining<'_>, lists: &[(Row, Vec<JoinRow>)]) -> Result<(), Error> {
        let (field, join) = (joining.field, joining.field.join);
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(join);
        let names = [field.source_column, field.target_column].map(|column| relation.columns[column].name.clone());
        let comparisons = [field.source_column, field.target_column].map(|at| Comparison::of(&relation.columns[at]));
        let mut sources: HashMap<Key, Value> = HashMap::new();
        let mut listed: HashSet<Key> = HashSet::new();
        for (row, made) in lists {
            let state = self.state.relation(row.shape.relation);
            let has_list = row.shape.joins.iter().any(|(_, candidate)| candidate == field);
            if !has_list || !state.exists(row.ordinal) || state.rejected.contains_key(&row.ordinal) {
                continue;
            }
            let Some(source) = state.final_value(field.source_referenced, row.ordinal) else { continue };
            sources.insert(Key::with_nulls(std::iter::once((&source, &comparisons[0]))), source);
            listed.extend(
                made.iter().map(|made| Key::with_nulls([&made.source, &made.target].into_iter().zip(&comparisons))),
            );
        }
        if sources.is_empty() {
            return Ok(());
        }
        let keys: Vec<Vec<Value>> = sources.into_values().map(|source| vec![source]).collect();
        let lookup = Lookup::new(relation, &names[..1], &names[1..]);
        let there = self.connection.lookup(&lookup, &keys).await?;
        let unlisted = |row: &Vec<Value>| {
            let listed = listed.contains(&Key::with_nulls(row.iter().zip(&comparisons)));
            !listed && !joining.is_record(&self.decoder.registry, self.state, &row[0], &row[1])
        };
        let unlisted: Vec<Vec<Value>> = there.into_iter().filter(unlisted).collect();
        if !unlisted.is_empty() {
            let deleted = self.connection.delete_by_key(relation, &names, &unlisted).await?;
            self.standing.loaded.entry(join).or_default().deleted += deleted;
        }
        Ok(())
    }
}
