//! What holds for every schema, over random ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use proptest::prelude::*;
use relink_graph::{Abilities, EdgeRef, LoadOrder, Way, load_order};
use relink_model::{
    Catalog, Column, ConstraintName, Deferrability, Enforcement, ForeignKey, MatchKind, ReferentialAction, Relation,
    RelationId, RelationName, ServerInfo,
};

/// One key of a random schema: from, to, nullable, deferrable, enforced.
type Key = (usize, usize, bool, bool, bool);

fn relations(count: usize, keys: &[Key], owned: &[bool]) -> Vec<Relation> {
    (0..count)
        .map(|index| {
            let own: Vec<(usize, &Key)> = keys.iter().enumerate().filter(|(_, key)| key.0 == index).collect();
            let column = |name: String, nullable: bool| Column { name, nullable, ..Column::default() };
            let mut columns = vec![column("id".to_owned(), false)];
            columns.extend(own.iter().map(|(number, key)| column(format!("k{number}"), key.2)));
            let foreign_keys = own.iter().map(|(number, key)| ForeignKey {
                name: Some(ConstraintName(format!("fk{number}"))),
                columns: vec![format!("k{number}")],
                referenced: RelationName::new(format!("t{}", key.1)),
                referenced_columns: vec!["id".to_owned()],
                match_kind: MatchKind::Simple,
                on_delete: ReferentialAction::NoAction,
                on_update: ReferentialAction::NoAction,
                deferrability: if key.3 { Deferrability::InitiallyImmediate } else { Deferrability::NotDeferrable },
                enforcement: if key.4 { Enforcement::Enforced } else { Enforcement::Virtual },
            });
            Relation {
                name: RelationName::new(format!("t{index}")),
                columns,
                foreign_keys: foreign_keys.collect(),
                owned: owned[index],
                ..Relation::default()
            }
        })
        .collect()
}

prop_compose! {
    fn random_schema()(count in 1_usize..9)(
        keys in prop::collection::vec((0..count, 0..count, any::<bool>(), prop::bool::weighted(0.3), prop::bool::weighted(0.85)), 0..16),
        owned in prop::collection::vec(any::<bool>(), count),
    ) -> Vec<Relation> {
        relations(owned.len(), &keys, &owned)
    }
}

prop_compose! {
    fn abilities()(any in prop::bool::weighted(0.2), declared: bool, made: bool, suspend: bool, owner: bool, each: bool) -> Abilities {
        Abilities {
            defers_any_foreign_key: any,
            defers_declared: declared || any,
            owner_can_make_deferrable: made && declared,
            can_suspend_foreign_keys: suspend,
            suspending_needs_owner: owner,
            checks_each_row: each,
        }
    }
}

fn catalog(relations: Vec<Relation>) -> Catalog {
    Catalog::new(ServerInfo::default(), relations)
}

fn enforced(key: &ForeignKey) -> bool {
    key.enforcement == Enforcement::Enforced
}

/// Every key with the ids of both ends.
fn keys(catalog: &Catalog) -> Vec<(RelationId, RelationId, EdgeRef)> {
    catalog
        .iter()
        .flat_map(|(from, relation)| {
            relation.foreign_keys.iter().enumerate().map(move |(key, foreign_key)| {
                let to = catalog.id(&foreign_key.referenced).expect("random keys reference relations that exist");
                (from, to, EdgeRef { referencing: from, key })
            })
        })
        .collect()
}

/// Which relations reach which, through the given keys.
fn reach(catalog: &Catalog, count: impl Fn(&ForeignKey) -> bool) -> BTreeSet<(RelationId, RelationId)> {
    let mut reach: BTreeSet<_> = keys(catalog)
        .into_iter()
        .filter(|(_, _, key)| count(key.foreign_key(catalog)))
        .map(|(from, to, _)| (from, to))
        .collect();
    loop {
        let further: Vec<_> = reach
            .iter()
            .flat_map(|(a, b)| reach.iter().filter(move |(c, _)| b == c).map(move |(_, d)| (*a, *d)))
            .filter(|pair| !reach.contains(pair))
            .collect();
        if further.is_empty() {
            return reach;
        }
        reach.extend(further);
    }
}

/// A plan with names for ids and key names for indexes, so that plans of differently ordered input compare.
fn by_name(catalog: &Catalog, order: &LoadOrder) -> String {
    let mut text = String::new();
    for step in &order.steps {
        let names: Vec<_> = step.relations.iter().map(|id| catalog.relation(*id).name.to_string()).collect();
        writeln!(text, "{names:?} {}", step.reason).expect("writing to a string");
        if let Some(cycle) = &step.cycle {
            for edge in &cycle.edges {
                writeln!(text, "{} {:?}", edge.edge().describe(catalog), edge.nulls).expect("writing to a string");
            }
            for way in &cycle.ways {
                let keys: Vec<_> = way.keys().iter().map(|key| key.describe(catalog)).collect();
                writeln!(text, "{} {keys:?}", way.describe(catalog)).expect("writing to a string");
            }
            writeln!(text, "{:?}", cycle.refusals).expect("writing to a string");
        }
    }
    text
}

proptest! {
    #[test]
    fn every_relation_is_loaded_once_and_every_key_outside_cycles_points_back(schema in random_schema(), abilities in abilities()) {
        let catalog = catalog(schema);
        let order = load_order(&catalog, abilities, None);
        prop_assert_eq!(order.relations().collect::<BTreeSet<_>>().len(), catalog.relations.len());
        prop_assert_eq!(order.relations().count(), catalog.relations.len());
        let mut step_of = BTreeMap::new();
        for (number, step) in order.steps.iter().enumerate() {
            step_of.extend(step.relations.iter().map(|id| (*id, number)));
        }
        let by_all = reach(&catalog, |_| true);
        let by_enforced = reach(&catalog, enforced);
        for (from, to, key) in keys(&catalog) {
            if enforced(key.foreign_key(&catalog)) {
                let in_cycle = by_enforced.contains(&(to, from));
                prop_assert!(step_of[&to] < step_of[&from] || in_cycle);
                prop_assert_eq!(in_cycle, step_of[&to] == step_of[&from]);
            } else {
                prop_assert!(step_of[&to] < step_of[&from] || by_all.contains(&(to, from)));
            }
        }
        for step in &order.steps {
            let cyclic = step.relations.iter().any(|id| by_enforced.contains(&(*id, *id)));
            prop_assert_eq!(step.cycle.is_some(), cyclic);
            prop_assert!(step.relations.is_sorted_by_key(|id| &catalog.relation(*id).name));
        }
    }

    #[test]
    fn the_order_of_the_input_changes_nothing(
        (schema, shuffled) in random_schema().prop_flat_map(|schema| (Just(schema.clone()), Just(schema).prop_shuffle())),
        abilities in abilities(),
        turned in any::<bool>(),
    ) {
        let sorted = catalog(schema);
        let mut other = Catalog { relations: shuffled, ..Catalog::default() };
        for relation in &mut other.relations {
            if turned {
                relation.foreign_keys.reverse();
            }
        }
        let plan = by_name(&sorted, &load_order(&sorted, abilities, None));
        prop_assert_eq!(plan, by_name(&other, &load_order(&other, abilities, None)));
    }

    #[test]
    fn what_a_way_takes_out_leaves_its_order_without_a_cycle(schema in random_schema(), abilities in abilities()) {
        let catalog = catalog(schema);
        for step in load_order(&catalog, abilities, None).steps {
            let Some(cycle) = step.cycle else { continue };
            prop_assert_eq!(&cycle.ways[0], &Way::RowOrder);
            prop_assert!(cycle.ways.len() > 1);
            if cycle.refusals.iter().any(|refusal| refusal.way == relink_graph::WayKind::NullThenUpdate) {
                let fixed = cycle.edges.iter().filter(|edge| !edge.self_reference && !edge.nullable);
                let fixed: Vec<_> = fixed.map(|edge| edge.edge().foreign_key(&catalog).name.clone()).collect();
                let still_cyclic = reach(&catalog, |key| fixed.contains(&key.name)).iter().any(|(from, to)| from == to);
                prop_assert!(still_cyclic || cycle.edges.iter().all(|edge| !edge.nullable), "NULL would have done for {:?}", cycle);
            }
            let inner: BTreeSet<EdgeRef> = cycle.edges.iter().map(relink_graph::CycleEdge::edge).collect();
            for way in &cycle.ways {
                prop_assert!(way.keys().iter().all(|key| inner.contains(key)));
                prop_assert_eq!(way.keys().iter().collect::<BTreeSet<_>>().len(), way.keys().len());
                let order = match way {
                    Way::RowOrder => continue,
                    Way::Refuse { .. } => {
                        prop_assert_eq!(cycle.ways.len(), 2);
                        continue;
                    }
                    Way::Defer { made_deferrable, keys, order } => {
                        for key in made_deferrable {
                            prop_assert!(keys.contains(key) && catalog.relation(key.referencing).owned);
                        }
                        order
                    }
                    Way::NullThenUpdate { keys, order } => {
                        let nullable = |key: &EdgeRef| cycle.edges.iter().any(|edge| edge.edge() == *key && edge.nullable);
                        prop_assert!(!keys.is_empty() && keys.iter().all(nullable));
                        order
                    }
                    Way::Suspend { keys, order } => {
                        prop_assert!(!abilities.suspending_needs_owner || keys.iter().all(|key| catalog.relation(key.referencing).owned));
                        order
                    }
                };
                prop_assert_eq!(order.iter().collect::<BTreeSet<_>>(), step.relations.iter().collect::<BTreeSet<_>>());
                let place = |id: RelationId| order.iter().position(|other| *other == id);
                for edge in cycle.edges.iter().filter(|edge| !edge.self_reference && !way.keys().contains(&edge.edge())) {
                    prop_assert!(place(edge.referenced) < place(edge.referencing), "{:?} in {:?}", edge, way);
                }
            }
        }
    }
}
