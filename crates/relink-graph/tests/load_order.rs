//! The load order and the ways to break cycles, case by case.

use std::{collections::BTreeSet, fmt::Write as _};

use relink_graph::{Abilities, LoadOrder, WayKind, load_order};
use relink_model::{Catalog, RelationName};
use relink_testkit::schema;

fn sqlite() -> Abilities {
    Abilities { defers_any_foreign_key: true, defers_declared: true, ..Abilities::default() }
}

fn postgres() -> Abilities {
    Abilities {
        defers_declared: true,
        owner_can_make_deferrable: true,
        can_suspend_foreign_keys: true,
        suspending_needs_owner: true,
        ..Abilities::default()
    }
}

fn mysql() -> Abilities {
    Abilities { can_suspend_foreign_keys: true, checks_each_row: true, ..Abilities::default() }
}

/// The catalog as a role sees it that owns nothing.
fn owned_by_somebody_else(mut catalog: Catalog) -> Catalog {
    for relation in &mut catalog.relations {
        relation.owned = false;
    }
    catalog
}

/// A plan as text: every step with its reason, every cycle with its keys, ways and refusals.
fn render(catalog: &Catalog, order: &LoadOrder) -> String {
    let mut text = String::new();
    for (number, step) in order.steps.iter().enumerate() {
        let names: Vec<String> = step.relations.iter().map(|id| catalog.relation(*id).name.to_string()).collect();
        writeln!(text, "{}. {}: {}", number + 1, names.join(", "), step.reason).expect("writing to a string");
        let Some(cycle) = &step.cycle else { continue };
        for edge in &cycle.edges {
            let referenced = &catalog.relation(edge.referenced).name;
            let nulls = if edge.nullable { format!(" (NULL: {})", edge.nulls.join(", ")) } else { String::new() };
            writeln!(text, "     key {} -> {referenced}{nulls}", edge.edge().describe(catalog)).expect("writing");
        }
        for way in &cycle.ways {
            writeln!(text, "     + {}", way.describe(catalog)).expect("writing to a string");
        }
        for refusal in &cycle.refusals {
            writeln!(text, "     - {}: {}", refusal.way, refusal.why).expect("writing to a string");
        }
    }
    text
}

/// The plan on each of the three databases.
fn on_each(catalog: &Catalog) -> String {
    let mut text = String::new();
    for (name, abilities) in [("SQLite", sqlite()), ("PostgreSQL", postgres()), ("MySQL", mysql())] {
        let order = load_order(catalog, abilities, None);
        writeln!(text, "{name}\n{}", render(catalog, &order)).expect("writing to a string");
    }
    text
}

/// The kinds of way that the first cycle has.
fn ways(catalog: &Catalog, abilities: Abilities) -> Vec<WayKind> {
    let order = load_order(catalog, abilities, None);
    let cycle = order.steps.iter().find_map(|step| step.cycle.as_ref()).expect("there is a cycle");
    cycle.ways.iter().map(relink_graph::Way::kind).collect()
}

#[test]
fn referenced_relations_come_first_and_ties_go_by_name() {
    let catalog = schema(
        "orders(id pk, customer_id -> customers, item_id -> items, second_item_id -> items, kind int -> kinds virtual)
         customers(id pk)
         kinds(id pk)
         items(id pk, (id) -> a_missing_one(id) virtual)
         a_missing_one(id pk)",
    )
    .catalog();
    insta::assert_snapshot!(render(&catalog, &load_order(&catalog, sqlite(), None)));
}

#[test]
fn keys_to_relations_that_are_not_loaded_order_nothing_and_are_named() {
    let mut catalog =
        schema("orders(id pk, customer_id -> customers, region_id -> regions)\ncustomers(id pk)\nregions(id pk)")
            .catalog();
    catalog.relations[1].foreign_keys[1].referenced = RelationName::qualified("archive", "regions");
    let only: BTreeSet<_> = ["orders"].iter().filter_map(|name| catalog.find(name)).collect();
    insta::assert_snapshot!(render(&catalog, &load_order(&catalog, sqlite(), Some(&only))), @"1. orders: customer_id references customers, which is not loaded; region_id references archive.regions, which does not exist");
}

#[test]
fn a_self_reference_is_a_cycle_of_one() {
    insta::assert_snapshot!(on_each(&schema("categories(id pk, parent_id null -> categories.id)").catalog()));
}

#[test]
fn two_self_references_in_one_relation_are_both_respected() {
    insta::assert_snapshot!(on_each(
        &schema("posts(id pk, parent_id null -> posts.id, root_id -> posts.id)").catalog()
    ));
}

#[test]
fn a_cycle_with_one_nullable_key_is_opened_there() {
    insta::assert_snapshot!(on_each(
        &schema(
            "documents(id pk, current_id null -> versions.id, owner_id -> users)
             versions(id pk, document_id -> documents.id)
             users(id pk)"
        )
        .catalog()
    ));
}

#[test]
fn a_cycle_of_deferrable_keys_is_deferred_by_anybody() {
    let catalog = owned_by_somebody_else(
        schema("heads(id pk, leg_id -> legs.id deferrable)\nlegs(id pk, head_id -> heads.id deferred)").catalog(),
    );
    assert_eq!(ways(&catalog, postgres()), [WayKind::RowOrder, WayKind::Defer]);
}

#[test]
fn one_key_is_made_deferrable_where_the_others_are_not() {
    let catalog =
        schema("a(id pk, b_id -> b.id)\nb(id pk, c_id -> c.id deferrable, a_id -> a.id)\nc(id pk, a_id -> a.id)")
            .catalog();
    insta::assert_snapshot!(render(&catalog, &load_order(&catalog, postgres(), None)));
}

#[test]
fn a_cycle_that_nothing_opens_is_refused_with_every_name_and_a_remedy() {
    let catalog = schema("heads(id pk, leg_id -> legs.id)\nlegs(id pk, head_id -> heads.id)").catalog();
    let foreign = owned_by_somebody_else(catalog.clone());
    assert_eq!(ways(&foreign, postgres()), [WayKind::RowOrder, WayKind::Refuse]);
    insta::assert_snapshot!(format!(
        "not the owner\n{}\nnothing at all\n{}",
        render(&foreign, &load_order(&foreign, postgres(), None)),
        render(&catalog, &load_order(&catalog, Abilities::default(), None)),
    ));
}

#[test]
fn a_nullable_key_of_the_primary_key_is_no_way_out() {
    let catalog = schema("a(id pk, b_id null -> b.id, pk(b_id))\nb(id pk, a_id -> a(b_id))").catalog();
    assert_eq!(ways(&catalog, Abilities::default()), [WayKind::RowOrder, WayKind::Refuse]);
}

#[test]
fn two_groups_of_cycles_that_share_relations_are_one_step() {
    insta::assert_snapshot!(on_each(
        &schema(
            "a(id pk, b_id null -> b.id)
             b(id pk, c_id null -> c.id)
             c(id pk, a_id null -> a.id, e_id null -> e.id, parent_id null -> c.id)
             e(id pk, b_id null -> b.id)
             d(id pk, e_id -> e.id)"
        )
        .catalog()
    ));
}

#[test]
fn a_cycle_with_a_tail_ends() {
    let catalog =
        schema("one(id pk, two_id -> two.id)\ntwo(id pk, one_id null -> one.id, three_id -> three.id)\nthree(id pk)")
            .catalog();
    let order = load_order(&catalog, mysql(), None);
    let steps: Vec<usize> = order.steps.iter().map(|step| step.relations.len()).collect();
    assert_eq!(steps, [1, 2]);
}

#[test]
fn keys_that_nobody_enforces_need_no_breaking() {
    let catalog = schema(
        "a(id pk, b_id -> b.id virtual)
         b(id pk, a_id -> a.id virtual)
         customers(id pk, last_order_id null -> orders.id virtual)
         orders(id pk, customer_id -> customers.id, copied_from null -> orders.id virtual)",
    )
    .catalog();
    insta::assert_snapshot!(render(&catalog, &load_order(&catalog, mysql(), None)));
}

#[test]
fn the_plan_is_a_plain_value() {
    let catalog =
        schema("documents(id pk, current_id null -> versions.id)\nversions(id pk, document_id -> documents.id)")
            .catalog();
    insta::assert_json_snapshot!(load_order(&catalog, postgres(), None));
}
