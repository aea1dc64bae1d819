//! The ways to break a cycle. Each is one small function that says what it does to the component, or why it cannot.
//!
//! Their order is that of least intervention: rows in order touch nothing, deferral moves a check, NULL-then-UPDATE
//! writes rows twice, suspension takes a constraint away for a while.

use relink_model::{Deferrability, ForeignKey, Relation, RelationId};

use crate::{
    Abilities, Cycle, CycleEdge, EdgeRef, Refusal, Way, WayKind,
    breaking::breaking_set,
    cycle::{describe_keys, names, with_verb},
    graph::{Edge, ForeignKeyGraph, topological},
    nullability::columns_to_null,
};

/// A strongly connected component over enforced keys.
pub(crate) struct Component<'a> {
    graph: &'a ForeignKeyGraph<'a>,
    /// Ranks, ascending.
    members: Vec<usize>,
    /// The enforced keys inside, with `from` and `to` as indexes into `members`.
    edges: Vec<Edge>,
}

impl<'a> Component<'a> {
    /// The component of these members; `edges` by rank, enforced, both ends inside.
    pub(crate) fn new(graph: &'a ForeignKeyGraph<'a>, members: Vec<usize>, edges: &[Edge]) -> Self {
        let local = |rank: usize| members.binary_search(&rank).expect("both ends of the edge are members");
        let edges = edges.iter().map(|edge| Edge { from: local(edge.from), to: local(edge.to), ..*edge }).collect();
        Self { graph, members, edges }
    }

    /// The cycle with everything that can be done about it.
    pub(crate) fn into_cycle(self, abilities: Abilities) -> Cycle {
        let mut ways = vec![Way::RowOrder];
        let mut refusals = Vec::new();
        let mut consider = |kind: WayKind, result: Result<Vec<Way>, String>| match result {
            Ok(possible) => ways.extend(possible),
            Err(why) => refusals.push(Refusal { way: kind, why }),
        };
        consider(WayKind::Defer, self.defer(abilities).map(|way| vec![way]));
        consider(WayKind::NullThenUpdate, self.null_then_update());
        consider(WayKind::Suspend, self.suspend(abilities).map(|way| vec![way]));
        if ways.len() == 1 {
            ways.push(self.refuse(abilities));
        }
        let edges = self.edges.iter().map(|edge| self.cycle_edge(*edge)).collect();
        Cycle { edges, ways, refusals }
    }

    fn cycle_edge(&self, edge: Edge) -> CycleEdge {
        let nulls = columns_to_null(self.referencing(edge), self.key(edge)).unwrap_or_default();
        CycleEdge {
            referencing: edge.key.referencing,
            key: edge.key.key,
            referenced: self.graph.nodes[self.members[edge.to]],
            nullable: !nulls.is_empty(),
            nulls,
            self_reference: edge.is_self_reference(),
        }
    }

    /// Deferral: the rows go in in any order, and the database checks the keys once, at the end.
    ///
    /// Keys declared deferrable are all deferred: that costs nothing and asks no right. Where what is left still has a
    /// cycle, an owner can make more keys deferrable inside the transaction. That is a change of the catalog, so it is done to
    /// the few keys that it takes, and to self-references (each of them is a cycle by itself, and nobody can know before
    /// the rows are seen which one it is that the rows close). SQLite defers every key of the transaction with one pragma.
    fn defer(&self, abilities: Abilities) -> Result<Way, String> {
        if abilities.defers_any_foreign_key {
            return Ok(Way::Defer {
                keys: refs(&self.edges),
                made_deferrable: Vec::new(),
                order: self.order_without(&self.edges),
            });
        }
        if !abilities.defers_declared {
            return Err("this database defers no foreign key".to_owned());
        }
        let (mut deferred, rest): (Vec<Edge>, Vec<Edge>) =
            self.edges.iter().partition(|edge| self.key(**edge).deferrability != Deferrability::NotDeferrable);
        let may_alter = |edge: &Edge| abilities.owner_can_make_deferrable && self.referencing(*edge).owned;
        let refused = |cycle: &[Edge]| {
            let owners = self.owners_missing(cycle);
            let why = if abilities.owner_can_make_deferrable && !owners.is_empty() {
                format!(", and only the owner of {owners} could make one of them so")
            } else {
                String::new()
            };
            format!("{} not declared deferrable{why}", with_verb(self.graph.catalog, &refs(cycle)))
        };
        let made = self.break_all(&rest, may_alter).map_err(|cycle| refused(&cycle))?;
        deferred.extend(&made);
        self.sort(&mut deferred);
        if deferred.is_empty() {
            return Err(refused(&rest));
        }
        Ok(Way::Defer { keys: refs(&deferred), made_deferrable: refs(&made), order: self.order_without(&deferred) })
    }

    /// NULL, then UPDATE: rows go in with some references left out, which are filled in once their targets exist.
    ///
    /// Each row so treated is written twice, and its triggers fire twice; so as few keys as it takes, and self-references
    /// are left to the order of the rows. Only where rows form a cycle through a self-reference is that not enough: for
    /// them the second of the two ways leaves out nullable self-references as well.
    fn null_then_update(&self) -> Result<Vec<Way>, String> {
        let nullable = |edge: &Edge| columns_to_null(self.referencing(*edge), self.key(*edge)).is_ok();
        let (self_references, between): (Vec<Edge>, Vec<Edge>) =
            self.edges.iter().partition(|edge| edge.is_self_reference());
        let few = self.break_between(&between, nullable).map_err(|cycle| self.why_not_null(&cycle))?;
        let mut all: Vec<Edge> =
            few.iter().chain(self_references.iter().filter(|edge| nullable(edge))).copied().collect();
        self.sort(&mut all);
        if all.is_empty() {
            return Err(self.why_not_null(&self_references));
        }
        let way = |keys: &[Edge]| Way::NullThenUpdate { keys: refs(keys), order: self.order_without(keys) };
        Ok(if few.is_empty() || few.len() == all.len() { vec![way(&all)] } else { vec![way(&few), way(&all)] })
    }

    /// Enforcement off: MySQL's session variable, or the constraints taken away and put back inside the transaction.
    ///
    /// The last resort, as the database does not look for a while; whoever takes it validates every row afterwards. Where
    /// each constraint is taken away by itself (that needs its owner, and locks out everybody else), only as many as it takes.
    fn suspend(&self, abilities: Abilities) -> Result<Way, String> {
        if !abilities.can_suspend_foreign_keys {
            return Err("this database switches no foreign key off without superuser".to_owned());
        }
        let refused = |cycle: &[Edge]| {
            let owners = self.owners_missing(cycle);
            format!("only the owner of {owners} could switch {} off", describe_keys(self.graph.catalog, &refs(cycle)))
        };
        let keys = if abilities.suspending_needs_owner {
            self.break_all(&self.edges, |edge| self.referencing(*edge).owned).map_err(|cycle| refused(&cycle))?
        } else {
            self.edges.clone()
        };
        if keys.is_empty() {
            return Err(refused(&self.edges));
        }
        Ok(Way::Suspend { keys: refs(&keys), order: self.order_without(&keys) })
    }

    /// Refusal, when nothing but the order of the rows is left: it names every relation and key of the component, and what
    /// would open one of the closed ways. Nothing is ever broken arbitrarily.
    fn refuse(&self, abilities: Abilities) -> Way {
        let catalog = self.graph.catalog;
        let relations: Vec<_> = self.members.iter().map(|rank| self.graph.nodes[*rank]).collect();
        let keys = describe_keys(catalog, &refs(&self.edges));
        let reason = match relations.as_slice() {
            [one] => format!(
                "{} references itself through {keys}, and these cannot be set aside while loading",
                names(catalog, &[*one])
            ),
            many => format!(
                "{} reference each other through {keys}, and no cycle of them can be opened while loading",
                names(catalog, many)
            ),
        };
        let mut remedies = Vec::new();
        if abilities.owner_can_make_deferrable || abilities.suspending_needs_owner {
            let owners = self.owners_missing(&self.edges);
            if !owners.is_empty() {
                remedies.push(format!("restore as the owner of {owners}"));
            }
        }
        if abilities.defers_declared {
            remedies.push("declare one of these keys DEFERRABLE".to_owned());
        }
        remedies.push("let the columns of one of these keys be NULL".to_owned());
        Way::Refuse { reason, remedy: remedies.join(", or ") }
    }

    /// A set of the keys that `may` go, such that no cycle of `edges` is left, every self-reference that may go included.
    fn break_all(&self, edges: &[Edge], may: impl Fn(&Edge) -> bool) -> Result<Vec<Edge>, Vec<Edge>> {
        let (self_references, between): (Vec<Edge>, Vec<Edge>) =
            edges.iter().partition(|edge| edge.is_self_reference());
        let mut broken = self.break_between(&between, &may)?;
        broken.extend(self_references.into_iter().filter(&may));
        self.sort(&mut broken);
        Ok(broken)
    }

    /// Puts edges in the component's own order.
    fn sort(&self, edges: &mut [Edge]) {
        edges.sort_by_key(|edge| self.edges.iter().position(|other| other.key == edge.key));
    }

    fn break_between(&self, edges: &[Edge], may: impl Fn(&Edge) -> bool) -> Result<Vec<Edge>, Vec<Edge>> {
        let (candidates, fixed): (Vec<Edge>, Vec<Edge>) = edges.iter().partition(|edge| may(edge));
        breaking_set(self.members.len(), &fixed, &candidates)
    }

    /// The members in the order of the keys that remain, self-references aside.
    fn order_without(&self, removed: &[Edge]) -> Vec<RelationId> {
        let remaining: Vec<(usize, usize)> = self
            .edges
            .iter()
            .filter(|edge| !edge.is_self_reference() && removed.iter().all(|other| other.key != edge.key))
            .map(|edge| (edge.from, edge.to))
            .collect();
        topological(self.members.len(), &remaining)
            .expect("the removed keys were chosen so that the others form no cycle")
            .into_iter()
            .map(|member| self.graph.nodes[self.members[member]])
            .collect()
    }

    fn why_not_null(&self, cycle: &[Edge]) -> String {
        let mut why: Vec<String> =
            cycle.iter().filter_map(|edge| columns_to_null(self.referencing(*edge), self.key(*edge)).err()).collect();
        why.dedup();
        why.join(", ")
    }

    /// The relations with a key among `edges` that the current role does not own.
    fn owners_missing(&self, edges: &[Edge]) -> String {
        let mut members: Vec<usize> =
            edges.iter().filter(|edge| !self.referencing(**edge).owned).map(|edge| edge.from).collect();
        members.sort_unstable();
        members.dedup();
        members
            .into_iter()
            .map(|member| self.graph.name(self.members[member]).to_string())
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn referencing(&self, edge: Edge) -> &'a Relation {
        self.graph.relation(self.members[edge.from])
    }

    fn key(&self, edge: Edge) -> &'a ForeignKey {
        edge.key.foreign_key(self.graph.catalog)
    }
}

fn refs(edges: &[Edge]) -> Vec<EdgeRef> {
    edges.iter().map(|edge| edge.key).collect()
}
