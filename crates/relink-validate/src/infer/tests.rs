//! What is guessed of a catalog, and what is not.

use relink_model::config::Config;
use relink_model::{Catalog, RelationName, TypeKind};
use relink_testkit::schema;

use super::{Guesses, infer};

/// What is guessed of a catalog under a configuration.
fn guesses_of(catalog: &Catalog, config: &str) -> Guesses {
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut catalog = catalog.clone();
    config.add_virtual_references(&mut catalog).expect("resolves");
    let checks = crate::plan_export(&catalog, &config).expect("plans");
    infer(&catalog, &config, None, &checks)
}

fn rules(guesses: &Guesses) -> Vec<String> {
    let one = |check: &crate::Check| {
        let rule = &check.inferred.as_ref().expect("a guess").rule;
        match &rule.column {
            Some(column) => format!("{}.{}.{column} = {}", rule.table, rule.key, rule.text),
            None => format!("{}.{}: {}", rule.table, rule.key, rule.text),
        }
    };
    guesses.checks().iter().map(one).collect()
}

const REFS: &str = "[infer]\nnegative = \"off\"\nfuture = \"off\"\nduplicates = \"off\"\ntotals = \"off\"";

/// The references guessed in a schema, `?` before those that are ambiguous.
fn refs(text: &str) -> Vec<String> {
    let guesses = guesses_of(&schema(text).catalog(), REFS);
    let sure = guesses.checks().iter().map(|check| {
        let rule = &check.inferred.as_ref().expect("a guess").rule.text;
        format!("{}.{rule}", check.relation)
    });
    let unsure = guesses.ambiguous.iter().map(|guess| {
        let rules: Vec<&str> = guess.rules.iter().map(|rule| rule.text.as_str()).collect();
        format!("? {}.{}", guess.relation, rules.join(" | "))
    });
    sure.chain(unsure).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_names_that_tools_agree_on_are_references() {
    for (schema, expected) in [
        ("customers(id pk)\norders(id pk, customer_id int)", "orders.customer_id -> customers.id"),
        ("customer(id pk)\norders(id pk, customer_id int)", "orders.customer_id -> customer.id"),
        ("Customers(id pk)\nOrders(id pk, customerId int)", "Orders.customerId -> Customers.id"),
        ("categories(id pk)\nposts(id pk, category_id int)", "posts.category_id -> categories.id"),
        ("people(id pk)\nposts(id pk, person_id int)", "posts.person_id -> people.id"),
        ("statuses(id pk)\nposts(id pk, status_id int)", "posts.status_id -> statuses.id"),
        ("users(id pk)\nposts(id pk, id_user int)", "posts.id_user -> users.id"),
        ("users(id pk)\nposts(id pk, userid int)", "posts.userid -> users.id"),
        ("users(user_id pk)\nposts(id pk, user_id int)", "posts.user_id -> users.user_id"),
        ("members(user_id pk)\nposts(id pk, user_id int)", "posts.user_id -> members.user_id"),
        ("users(id pk)\nposts(id pk, primary_billing_user_id int)", "posts.primary_billing_user_id -> users.id"),
        ("users(id pk)\nposts(id pk, created_by int)", "posts.created_by -> users.id"),
        ("users(id pk)\nposts(id pk, approved_by_id int)", "posts.approved_by_id -> users.id"),
        ("accounts(id pk)\nposts(id pk, sent_by int)", "posts.sent_by -> accounts.id"),
        ("tbl_user(id pk)\nposts(id pk, user_id int)", "posts.user_id -> tbl_user.id"),
        ("shop_users(id pk)\nshop_orders(id pk, user_id int)", "shop_orders.user_id -> shop_users.id"),
        ("categories(id pk, parent_id int null)", "categories.parent_id -> categories.id"),
        ("categories(id pk, parent_category_id int null)", "categories.parent_category_id -> categories.id"),
        ("users(id pk, uuid uuid unique)\nposts(id pk, user_uuid uuid)", "posts.user_uuid -> users.uuid"),
        ("orderlines(id pk)\nnotes(id pk, order_line_id int)", "notes.order_line_id -> orderlines.id"),
        ("users(id pk)\nprofiles(user_id int pk, name text)", "profiles.user_id -> users.id"),
        ("users(id bigint pk)\nposts(id pk, user_id int)", "posts.user_id -> users.id"),
        (
            "currencies(code varchar(3) pk)\nprices(id pk, currency_id varchar(3))",
            "prices.currency_id -> currencies.code",
        ),
    ] {
        assert_eq!(refs(schema), [expected], "{schema}");
    }
}

#[test]
fn the_longest_name_that_a_table_has_is_meant() {
    let text = "users(id pk)\nbilling_users(id pk)\nposts(id pk, billing_user_id int, other_user_id int)";
    assert_eq!(refs(text), ["posts.billing_user_id -> billing_users.id", "posts.other_user_id -> users.id"]);
}

#[test]
fn ids_of_other_systems_are_no_references() {
    for schema in [
        // What active_record_doctor's users complained of.
        "customers(id pk)\nusers(id pk, stripe_customer_id text)",
        "users(id pk, slack_user_id text)",
        "users(id pk)\nteams(id pk, slack_user_id int)",
        "customers(id pk)\naccounts(id pk, stripe_customer_id int)",
        "users(id pk)\nlogins(id pk, google_user_id varchar(30), facebook_user_id bigint)",
        "orders(id pk)\nimports(id pk, external_order_id int, legacy_order_id int, remote_order_id int)",
        "traces(id varchar(32) pk)\nspans(id pk, trace_id varchar(32))",
        "transactions(id varchar(20) pk)\npayments(id pk, transaction_id varchar(20))",
        "people(id pk, national_id text, tax_id text, vat_id text, device_id text)",
    ] {
        assert_eq!(refs(schema), NOTHING, "{schema}");
    }
    assert_eq!(
        refs("sessions(id pk)\nclicks(id pk, session_id int)"),
        ["clicks.session_id -> sessions.id"],
        "a table of one's own with numbers for ids is no other system's"
    );
}

#[test]
fn what_does_not_fit_is_no_reference() {
    for schema in [
        // The types.
        "customers(id pk)\norders(id pk, customer_id text)",
        "customers(id uuid pk)\norders(id pk, customer_id int)",
        "users(id pk)\nposts(id pk, created_by text)",
        "users(id bigint pk)\nposts(id pk, created_by int)",
        // The key.
        "customers(id int, tenant int, pk(id, tenant))\norders(id pk, customer_id int)",
        "customers(id int)\norders(id pk, customer_id int)",
        // It is declared, or by several columns.
        "customers(id pk)\norders(id pk, customer_id -> customers.id)",
        "customers(id pk)\norders(id pk, customer_id -> customers.id virtual)",
        // It leads to several relations.
        "subjects(id pk)\ncomments(id pk, subject_id int, subject_kind text)",
        "objects(id pk)\ntags(id pk, content_type_id int, object_id int)",
        // Its own id, and words that only end so.
        "users(user_id pk, name text)",
        "users(id pk, user_id int)",
        "pas(id pk)\nbills(id pk, paid int)",
        "lines(id pk, order_by int, sort_by int)\nusers(id pk)",
        // A prefix that only that table has.
        "order_items(id pk)\nreviews(id pk, item_id int)",
    ] {
        assert_eq!(refs(schema), NOTHING, "{schema}");
    }
}

#[test]
fn two_possible_parents_are_ambiguous() {
    assert_eq!(
        refs("status(id pk)\nstatuses(id pk)\norders(id pk, status_id int)"),
        ["? orders.status_id -> status.id | status_id -> statuses.id"]
    );
    assert_eq!(
        refs("parents(id pk)\nstudents(id pk, parent_id int)"),
        ["? students.parent_id -> parents.id | parent_id -> students.id"]
    );
}

#[test]
fn the_nearest_namespace_is_meant() {
    let mut catalog = schema("a_users(id pk)\nb_users(id pk)\norders(id pk, user_id int)").catalog();
    catalog.relations[0].name = RelationName::qualified("s1", "users");
    catalog.relations[1].name = RelationName::qualified("s2", "users");
    let place = |namespace: &str| {
        let mut catalog = catalog.clone();
        catalog.relations[2].name = RelationName::qualified(namespace, "orders");
        let catalog = Catalog::new(catalog.server, catalog.relations);
        let guesses = guesses_of(&catalog, REFS);
        (rules(&guesses), guesses.ambiguous.len())
    };
    assert_eq!(place("s2"), (vec!["s2.orders.refs: user_id -> s2.users.id".to_owned()], 0));
    assert_eq!(place("s1"), (vec!["s1.orders.refs: user_id -> s1.users.id".to_owned()], 0));
    assert_eq!(place("s3"), (Vec::new(), 1));
}

#[test]
fn small_numbers_with_half_a_name_are_left_open() {
    let mut catalog = schema("users(id pk)\nposts(id pk, second_user_id int, user_id int)").catalog();
    let posts = &mut catalog.relations[0];
    assert_eq!(posts.name.name, "posts");
    for column in &mut posts.columns[1..] {
        column.data_type.kind = TypeKind::Integer { bits: 16, unsigned: false };
    }
    let guesses = guesses_of(&catalog, REFS);
    let frail: Vec<bool> =
        guesses.checks().iter().map(|check| check.inferred.as_ref().expect("a guess").frail.is_some()).collect();
    assert_eq!(frail, [true, false]);
}

#[test]
fn a_type_beside_an_id_leads_to_several_relations() {
    let guesses =
        guesses_of(&schema("subjects(id pk)\ncomments(id pk, subject_id int, subject_type text)").catalog(), REFS);
    assert_eq!(rules(&guesses), ["comments.generic: { type = \"subject_type\", id = \"subject_id\" }"]);
}

#[test]
fn names_with_other_characters_stand_in_quotes() {
    let guesses = guesses_of(&schema("customers(id pk)\norders(id pk, \"customer-id\" int)").catalog(), REFS);
    assert_eq!(rules(&guesses), ["orders.refs: \"customer-id\" -> customers.id"]);
}

#[test]
fn values_are_guessed_by_name_and_type_and_not_where_a_rule_or_check_says_it() {
    let text = "orders(id pk, qty int, price decimal(10,2), stock int check stock > 0, balance int, note_count text,
                       created_at timestamp, due_at timestamp, paid_at date null, updated_at text)
                refunds(id pk, amount int, qty int)";
    let catalog = schema(text).catalog();
    let of = |config: &str| rules(&guesses_of(&catalog, config));
    assert_eq!(
        of(""),
        ["orders.min.qty = 0", "orders.min.price = 0", "orders.past: created_at", "orders.past: paid_at"]
    );
    assert_eq!(
        of("[table.orders]\nmin = { qty = 1 }\ngt = { price = 0 }\npast = [\"created_at\"]"),
        ["orders.past: paid_at"]
    );
    assert_eq!(of("[infer]\nignore = [\"orders.p*\", \"*.created_at\"]"), ["orders.min.qty = 0"]);
    assert_eq!(of("[infer]\nnegative = \"off\"\nfuture = \"off\""), NOTHING);
    assert_eq!(of("[severity]\n\"min:*\" = \"off\"\n\"past:orders.paid_at\" = \"off\""), ["orders.past: created_at"]);
}

#[test]
fn severities_are_of_the_family_and_a_pattern_for_promises_makes_no_guess_graver() {
    let catalog = schema("orders(id pk, qty int, paid_at date)").catalog();
    let of = |config: &str| {
        let guesses = guesses_of(&catalog, config);
        guesses.checks().iter().map(|check| check.severity.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(""), ["info", "info"]);
    assert_eq!(of("[infer]\nnegative = \"warning\""), ["warning", "info"]);
    assert_eq!(of("[severity]\n\"*\" = \"error\"\n\"past:orders.paid_at\" = \"error\""), ["info", "error"]);
}

#[test]
fn duplicates_take_the_tenant_of_a_unique_key_and_leave_out_what_is_gone() {
    let of = |text: &str| rules(&guesses_of(&schema(text).catalog(), ""));
    assert_eq!(of("users(id pk, email text, name text)"), ["users.unique: ci(trim(email))"]);
    assert_eq!(
        of("users(id pk, tenant_id int, email text, name text, unique(tenant_id, email), unique(name))"),
        ["users.unique: tenant_id, ci(trim(email))", "users.unique: ci(trim(name))"]
    );
    assert_eq!(
        of("users(id pk, email text, deleted_at timestamp null)"),
        ["users.past: deleted_at", "users.unique: ci(trim(email)) where deleted_at is null"]
    );
    assert_eq!(of("kinds(id pk, app_label text, name text, unique(app_label, name))"), NOTHING);
    for text in ["order_lines(id pk, sku text)", "users(id pk, email int)", "products(id pk, name text, code text)"] {
        assert_eq!(of(text), NOTHING, "{text}");
    }
    assert_eq!(
        of("products(sku text pk)\nlabels(id pk, sku text)").last().map(String::as_str),
        Some("products.unique: ci(trim(sku))")
    );
}

#[test]
fn totals_are_tried_with_every_sum_that_lines_have() {
    let catalog = schema(
        "orders(id pk, total decimal(10,2))
         order_lines(id pk, order_id -> orders.id, qty int, price decimal(10,2), amount decimal(10,2))
         notes(id pk, amount int)",
    )
    .catalog();
    let off = "[infer]\nnegative = \"off\"";
    let guesses = guesses_of(&catalog, off);
    assert_eq!(
        rules(&guesses),
        [
            "orders.totals: total = sum(order_lines.amount) by order_lines.order_id",
            "orders.totals: total = sum(order_lines.qty * order_lines.price) by order_lines.order_id",
        ]
    );
    let ids: Vec<&str> = guesses.checks().iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids, ["total:orders.total", "total:orders.total#2"]);
    let ruled =
        "[infer]\nnegative = \"off\"\n[table.orders]\ntotals = [\"total = sum(order_lines.amount) by order_id\"]";
    assert_eq!(rules(&guesses_of(&catalog, ruled)), NOTHING);
}

#[test]
fn lines_whose_reference_is_a_guess_itself_have_totals_too() {
    let text = "orders(id pk, total int)\nlines(id pk, order_id int, amount int)";
    assert_eq!(
        rules(&guesses_of(&schema(text).catalog(), "")),
        ["lines.refs: order_id -> orders.id", "orders.totals: total = sum(lines.amount) by lines.order_id"]
    );
}

#[test]
fn what_is_guessed_once_is_not_guessed_again_when_it_has_become_a_rule() {
    let catalog = schema(
        "customers(id pk, email text)\norders(id pk, customer_id int, qty int, paid_at timestamp, total int)
         lines(id pk, order_id -> orders.id, amount int)",
    )
    .catalog();
    let config = "[table.customers]\nunique = [\"ci(trim(email))\"]
        [table.orders]\nrefs = [\"customer_id -> customers.id\"]\nmin.qty = 0\npast = [\"paid_at\"]
        totals = [\"total = sum(lines.amount) by lines.order_id +- 0.01\"]";
    assert_eq!(rules(&guesses_of(&catalog, "")).len(), 5);
    assert_eq!(rules(&guesses_of(&catalog, config)), NOTHING);
    // The ids stay what they were, so that baselines do.
    let before: Vec<String> = guesses_of(&catalog, "").checks().iter().map(|check| check.id.clone()).collect();
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut catalog = catalog;
    config.add_virtual_references(&mut catalog).expect("resolves");
    let after = crate::plan_export(&catalog, &config).expect("plans");
    for id in before {
        assert!(after.iter().any(|check| check.id == id && check.is_rule()), "{id}");
    }
}
