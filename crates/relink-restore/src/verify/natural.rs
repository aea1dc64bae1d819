//! References by natural key, looked up once more: what the export names must be the row that the reference holds the key of.

use std::collections::HashMap;

use relink_db::{Connection, Lookup};
use relink_model::{RelationId, Severity, Value};
use relink_records::{Comparison, NaturalKey, NaturalReference, ReferencePart, Tree};

use super::{NaturalReferences, Verifier, quoted};
use crate::{
    Error, code,
    compare::{self, Verdict},
    findings::{Findings, Spot, finding},
    index::IndexSpec,
    lookup,
};

/// What a natural key names in the database.
#[derive(Clone, Debug, PartialEq)]
enum Named {
    /// One row; its referenced column.
    Row(Value),
    Nothing,
    Several,
}

impl Verifier<'_> {
    /// Looks up what each reference names, a handful of queries in all, and compares it with what the reference holds. Call it when
    /// everything is loaded.
    pub(crate) async fn recheck_natural(
        &mut self,
        connection: &mut dyn Connection,
        references: &NaturalReferences,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        // The same few rows are named again and again.
        let mut distinct: Vec<&NaturalReference> = Vec::new();
        let mut at_of: HashMap<String, usize> = HashMap::new();
        let mut at_by_row = Vec::with_capacity(references.rows.len());
        for (_, reference, _) in &references.rows {
            let at = *at_of.entry(format!("{reference:?}")).or_insert_with(|| {
                distinct.push(reference);
                distinct.len() - 1
            });
            at_by_row.push(at);
        }
        let mut named = vec![Named::Nothing; distinct.len()];
        let mut by_arity: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, reference) in distinct.iter().enumerate() {
            by_arity.entry(reference.arity).or_default().push(at);
        }
        for (arity, positions) in by_arity {
            let Ok(key) = self.mapping.natural_key(references.target, arity) else { continue };
            let of_arity: Vec<&NaturalReference> = positions.iter().map(|at| distinct[*at]).collect();
            let found = self.named(connection, key, &of_arity, references.referenced_column).await?;
            for (at, found) in positions.into_iter().zip(found) {
                named[at] = found;
            }
        }
        self.compared(references.relation).references += references.rows.len() as u64;
        for (row, at) in at_by_row.into_iter().enumerate() {
            self.judge(references, row, &named[at], findings)?;
        }
        Ok(())
    }

    fn judge(
        &self,
        references: &NaturalReferences,
        row: usize,
        named: &Named,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let relation = self.catalog.relation(references.relation);
        let target = self.catalog.relation(references.target);
        let column = &relation.columns[references.column];
        let (origin, reference, held) = &references.rows[row];
        let key_column = &target.columns[references.referenced_column];
        let name = &column.name;
        let mut finding = match named {
            Named::Row(value) if compare::same(key_column, held, value) == Verdict::Same => return Ok(()),
            Named::Row(value) => finding(
                code::REFERENCE_MOVED,
                &relation.name,
                format!(
                    "{name} holds {}, and {reference} is the row of {} whose {} is {}",
                    quoted(held),
                    target.name,
                    key_column.name,
                    quoted(value)
                ),
            ),
            Named::Nothing => finding(
                code::REFERENCE_UNCONFIRMED,
                &relation.name,
                format!("{name} holds {}, and no row of {} is {reference} after loading", quoted(held), target.name),
            ),
            Named::Several => finding(
                code::REFERENCE_UNCONFIRMED,
                &relation.name,
                format!(
                    "{name} holds {}, and several rows of {} are {reference} after loading",
                    quoted(held),
                    target.name
                ),
            ),
        };
        if finding.code == code::REFERENCE_UNCONFIRMED
            && let Some(triggers) = self.suspects(references.target)
        {
            finding.severity = Severity::Warning;
            finding.help = Some(format!("the natural key may have been changed by {triggers}"));
        }
        let field = references.field.as_deref();
        finding.field = Some(field.unwrap_or(name).to_owned());
        findings.add(finding, Some(Spot { field, ..origin.spot() }), None)?;
        Ok(())
    }

    /// What each of these references names: the value of column `wanted`.
    async fn named(
        &self,
        connection: &mut dyn Connection,
        natural: &NaturalKey,
        references: &[&NaturalReference],
        wanted: usize,
    ) -> Result<Vec<Named>, Error> {
        let spec = self.registry.spec(self.registry.of_natural_key(natural));
        if let Some(tree) = &natural.tree {
            return self.named_in_tree(connection, natural.relation, tree, references, wanted).await;
        }
        // A part that names no row, or several, settles the whole.
        let mut keys: Vec<Result<Vec<Value>, Named>> =
            vec![Ok(Vec::with_capacity(natural.parts.len())); references.len()];
        for (part, described) in natural.parts.iter().enumerate() {
            let mut nested = Vec::new();
            for (at, reference) in references.iter().enumerate() {
                match (&mut keys[at], reference.parts.get(part)) {
                    (Ok(key), Some(ReferencePart::Value(value))) => key.push(value.clone()),
                    (Ok(_), Some(ReferencePart::Nested(inner))) => nested.push((at, inner)),
                    (key, None) => *key = Err(Named::Nothing),
                    (Err(_), _) => {}
                }
            }
            if nested.is_empty() {
                continue;
            }
            let inner_references: Vec<&NaturalReference> = nested.iter().map(|(_, inner)| *inner).collect();
            let found = match self.mapping.key_behind(described) {
                Some((inner, referenced)) => {
                    Box::pin(self.named(connection, inner, &inner_references, referenced)).await?
                }
                None => vec![Named::Nothing; nested.len()],
            };
            for ((at, _), found) in nested.into_iter().zip(found) {
                match (&mut keys[at], found) {
                    (Ok(key), Named::Row(value)) => key.push(value),
                    (key, found) => *key = Err(found),
                }
            }
        }
        let complete: Vec<Vec<Value>> = keys.iter().filter_map(|key| key.as_ref().ok().cloned()).collect();
        let mut found = self.rows(connection, spec, wanted, &complete).await?.into_iter();
        Ok(keys
            .into_iter()
            .map(|key| key.map_or_else(|named| named, |_| found.next().unwrap_or(Named::Nothing)))
            .collect())
    }

    /// What these keys name.
    async fn rows(
        &self,
        connection: &mut dyn Connection,
        spec: &IndexSpec,
        wanted: usize,
        keys: &[Vec<Value>],
    ) -> Result<Vec<Named>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let relation = self.catalog.relation(spec.relation);
        let select = [relation.columns[wanted].name.clone()];
        let lookup = Lookup::new(relation, &spec.names, &select);
        let found = lookup::look_up(connection, &lookup, &spec.comparisons, keys).await?;
        let named = |rows: &Vec<usize>| match rows.as_slice() {
            [] => Named::Nothing,
            [row] => match found.rows[*row].last() {
                Some(value) if !value.is_null() => Named::Row(value.clone()),
                _ => Named::Nothing,
            },
            _ => Named::Several,
        };
        Ok(found.by_key.iter().map(named).collect())
    }

    /// As [`Self::named`], along a tree: rows that hold the last value are told apart by the values of the rows above them.
    async fn named_in_tree(
        &self,
        connection: &mut dyn Connection,
        relation: RelationId,
        tree: &Tree,
        references: &[&NaturalReference],
        wanted: usize,
    ) -> Result<Vec<Named>, Error> {
        let definition = self.catalog.relation(relation);
        let chain_of = |reference: &NaturalReference| -> Vec<Value> {
            let value = |part: &ReferencePart| match part {
                ReferencePart::Value(value) => value.clone(),
                ReferencePart::Nested(_) => Value::Null,
            };
            reference.parts.iter().map(value).collect()
        };
        let chains: Vec<Vec<Value>> = references.iter().map(|reference| chain_of(reference)).collect();
        let columns = [tree.column, tree.path, wanted].map(|column| definition.columns[column].name.clone());
        let last = Lookup::new(definition, &columns[..1], &columns[1..]);
        let keys: Vec<Vec<Value>> =
            chains.iter().map(|chain| vec![chain.last().cloned().unwrap_or(Value::Null)]).collect();
        let leaves = lookup::look_up(connection, &last, &[tree.comparison], &keys).await?;

        // Of the rows at the right depth, the paths of all rows above.
        let path_of = |row: usize| match &leaves.rows[row][1] {
            Value::Text(path) => Some(path.as_str()),
            _ => None,
        };
        let levels = |path: &str, depth: usize| -> Option<Vec<String>> {
            let chars: Vec<char> = path.chars().collect();
            (chars.len() == depth * tree.step)
                .then(|| (1..depth).map(|level| chars[..level * tree.step].iter().collect()).collect())
        };
        let mut above: Vec<Vec<Value>> = Vec::new();
        for (chain, rows) in chains.iter().zip(&leaves.by_key) {
            let paths = rows.iter().filter_map(|row| levels(path_of(*row)?, chain.len()));
            above.extend(paths.flatten().map(|path| vec![Value::Text(path)]));
        }
        let ancestors = Lookup::new(definition, &columns[1..2], &columns[..1]);
        let path_comparison = [Comparison::of(&definition.columns[tree.path])];
        let mut value_at: HashMap<String, Value> = HashMap::new();
        if !above.is_empty() {
            above.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
            above.dedup();
            let found = lookup::look_up(connection, &ancestors, &path_comparison, &above).await?;
            for (path, rows) in above.iter().zip(&found.by_key) {
                if let ([Value::Text(path)], [row]) = (path.as_slice(), rows.as_slice()) {
                    value_at.insert(path.clone(), found.rows[*row][1].clone());
                }
            }
        }
        let names = |chain: &[Value], row: &usize| -> bool {
            let Some(paths) = path_of(*row).and_then(|path| levels(path, chain.len())) else { return false };
            let above: Option<Vec<Value>> = paths.iter().map(|path| value_at.get(path).cloned()).collect();
            let expected = chain.split_last().map_or(&[][..], |(_, above)| above);
            above.is_some_and(|above| tree.key(&above) == tree.key(expected))
        };
        let named = |(chain, rows): (&Vec<Value>, &Vec<usize>)| {
            let mut fitting = rows.iter().filter(|row| names(chain, row));
            match (fitting.next(), fitting.next()) {
                (None, _) => Named::Nothing,
                (Some(row), None) => Named::Row(leaves.rows[*row][2].clone()),
                (Some(_), Some(_)) => Named::Several,
            }
        };
        Ok(chains.iter().zip(&leaves.by_key).map(named).collect())
    }
}
