//! Why a step comes where it comes, in a sentence for people.

use relink_model::Enforcement;

use super::inside;
use crate::{
    Abilities, EdgeRef,
    graph::{Edge, ForeignKeyGraph},
};

/// The reason of the step that loads `members`, part of the component `with_unenforced`.
pub(super) fn reason(
    graph: &ForeignKeyGraph<'_>,
    members: &[usize],
    with_unenforced: &[usize],
    abilities: Abilities,
) -> String {
    let alone = members.len() == 1;
    let (inner, outer): (Vec<&Edge>, Vec<&Edge>) = graph.edges_from(members).partition(|edge| inside(members, edge));
    // An unenforced key into the same component, to another step of it: it gave way.
    let (given_way, before): (Vec<&Edge>, Vec<&Edge>) =
        outer.into_iter().partition(|edge| !edge.enforced && inside(with_unenforced, edge));
    let mut parts = Vec::new();
    if !alone {
        let keys: Vec<&Edge> =
            inner.iter().copied().filter(|edge| edge.enforced && !edge.is_self_reference()).collect();
        parts.push(format!("a cycle through {}", key_list(graph, &keys, true)));
    }
    if !before.is_empty() {
        parts.push(format!("after {}", targets(graph, &before, !alone)));
    }
    for edge in graph.outside_from(members) {
        let (_, name) = label(graph, edge.key, !alone);
        let referenced = &edge.key.foreign_key(graph.catalog).referenced;
        let what = if edge.exists { "is not loaded" } else { "does not exist" };
        parts.push(format!("{name} references {referenced}, which {what}"));
    }
    let self_references: Vec<&Edge> = inner.iter().copied().filter(|edge| edge.is_self_reference()).collect();
    if !self_references.is_empty() {
        let subject = if alone { "references itself" } else { "self-references" };
        let each = if abilities.checks_each_row {
            ", inside one statement too, as every row is checked by itself"
        } else {
            ""
        };
        let order = if self_references.iter().any(|edge| edge.enforced) {
            format!(", so its rows go parents first{each}")
        } else {
            String::new()
        };
        parts.push(format!(
            "{subject} ({}){}",
            key_list(graph, &self_references, !alone),
            if alone { order } else { String::new() }
        ));
    }
    if !given_way.is_empty() {
        parts.push(format!(
            "does not wait for {}, which would close a cycle that nobody enforces",
            targets(graph, &given_way, !alone)
        ));
    }
    if parts.is_empty() { "references nothing".to_owned() } else { parts.join("; ") }
}

/// `users, items (foreign keys owner_id, item_id), kinds (virtual reference kind_id)`.
fn targets(graph: &ForeignKeyGraph<'_>, edges: &[&Edge], qualified: bool) -> String {
    let mut groups: Vec<(&'static str, Vec<&Edge>)> = Vec::new();
    for edge in edges {
        let (kind, _) = label(graph, edge.key, qualified);
        match groups.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, group)) => group.push(edge),
            None => groups.push((kind, vec![edge])),
        }
    }
    groups.sort_by_key(|(kind, _)| *kind != FOREIGN_KEY);
    let texts: Vec<String> = groups
        .into_iter()
        .map(|(kind, mut group)| {
            group.sort_by_key(|edge| edge.to);
            let keys: Vec<String> = group.iter().map(|edge| label(graph, edge.key, qualified).1).collect();
            let plural = if keys.len() == 1 { "" } else { "s" };
            group.dedup_by_key(|edge| edge.to);
            let names: Vec<String> = group.iter().map(|edge| graph.name(edge.to).to_string()).collect();
            format!("{} ({kind}{plural} {})", names.join(", "), keys.join(", "))
        })
        .collect();
    texts.join(", ")
}

const FOREIGN_KEY: &str = "foreign key";

/// What kind of key, and its columns.
fn label(graph: &ForeignKeyGraph<'_>, key: EdgeRef, qualified: bool) -> (&'static str, String) {
    let foreign_key = key.foreign_key(graph.catalog);
    let kind = match foreign_key.enforcement {
        Enforcement::Enforced | Enforcement::NotValidated => FOREIGN_KEY,
        Enforcement::NotEnforced => "unenforced foreign key",
        Enforcement::Virtual => "virtual reference",
    };
    let name = match foreign_key.columns.as_slice() {
        _ if qualified => key.describe(graph.catalog),
        [column] => column.clone(),
        columns => format!("({})", columns.join(", ")),
    };
    (kind, name)
}

fn key_list(graph: &ForeignKeyGraph<'_>, edges: &[&Edge], qualified: bool) -> String {
    edges.iter().map(|edge| label(graph, edge.key, qualified).1).collect::<Vec<_>>().join(", ")
}
