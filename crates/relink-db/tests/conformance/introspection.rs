//! The catalog, and databases without anything in it.

use relink_db::{JOURNAL, TransactionKind};
use relink_model::{Enforcement, MatchKind, ReferentialAction, RelationKind};
use relink_testkit::TestDatabase;

use crate::{foreign_key, insert, int, open, relation, rows, text, with_schema};

const SHOP: &str = "
    customers(id pk, email varchar(50) unique, name varchar(50) default 'nobody', note text null)
    stores(tenant int, no int, code varchar(10), pk(no, tenant), unique(tenant, code))
    orders(id pk, customer_id -> customers.id on delete cascade, parent_id int null -> orders.id on delete set null,
           tenant int null, store int null, total decimal(10,2) check total >= 0, (store, tenant) -> stores(no, tenant))
";

pub(crate) async fn the_catalog_is_what_the_ddl_says(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, SHOP).await;
    assert!(!catalog.server.version.is_empty() && !catalog.server.product.is_empty());
    let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
    assert_eq!(names, ["customers", "orders", "stores"]);

    let customers = relation(&catalog, "customers");
    assert_eq!(customers.kind, RelationKind::Table);
    assert!(customers.owned && !customers.row_security);
    let columns: Vec<_> = customers.columns.iter().map(|column| (column.name.as_str(), column.nullable)).collect();
    assert_eq!(columns, [("id", false), ("email", false), ("name", false), ("note", true)]);
    assert_eq!(customers.numbered_column().map(|column| column.name.as_str()), Some("id"));
    assert!(customers.column("name").is_some_and(|(_, name)| name.is_optional()), "a default makes it optional");
    assert!(customers.column("email").is_some_and(|(_, email)| !email.is_optional()));
    let unique = &customers.unique_keys[0];
    assert_eq!((unique.name.0.as_str(), unique.columns.as_slice()), ("customers_email_key", &["email".to_owned()][..]));
    assert!(unique.is_plain());

    let stores = relation(&catalog, "stores");
    assert_eq!(stores.primary_key_columns(), ["no", "tenant"], "in key order, not in column order");
    assert_eq!(stores.unique_keys[0].columns, ["tenant", "code"]);
    assert!(stores.numbered_column().is_none());

    let orders = relation(&catalog, "orders");
    let customer = foreign_key(orders, "customer_id");
    assert_eq!(
        (customer.referenced.name.as_str(), customer.referenced_columns.as_slice()),
        ("customers", &["id".to_owned()][..])
    );
    assert_eq!(customer.on_delete, ReferentialAction::Cascade);
    assert_eq!(customer.name.as_ref().map(|name| name.0.as_str()), Some("orders_customer_id_fk"));
    assert_eq!((customer.enforcement, customer.match_kind), (Enforcement::Enforced, MatchKind::Simple));
    let parent = foreign_key(orders, "parent_id");
    assert_eq!((&parent.referenced, parent.on_delete), (&orders.name, ReferentialAction::SetNull));
    let store = foreign_key(orders, "store");
    assert_eq!(
        (store.columns.as_slice(), store.referenced_columns.as_slice()),
        (&["store".to_owned(), "tenant".to_owned()][..], &["no".to_owned(), "tenant".to_owned()][..])
    );
    assert_eq!(orders.foreign_keys.len(), 3);
    assert_eq!(orders.checks.len(), 1);
    assert!(orders.checks[0].expression.contains("total"), "{:?}", orders.checks);

    assert_eq!(connection.introspect().await.expect("again"), catalog, "the same catalog every time");
}

pub(crate) async fn odd_names_survive(database: &TestDatabase) {
    let schema = "
        \"Or der\"(\"select\" int, \"É ' x\" int null, \"a.b\" varchar(20), pk(\"select\"))
        child(id int, ref int null -> \"Or der\".\"select\", pk(id))
    ";
    let (mut connection, catalog) = with_schema(database, schema).await;
    // MySQL may fold the names of tables, never those of columns.
    let odd =
        &catalog.relations.iter().find(|relation| relation.name.name.eq_ignore_ascii_case("or der")).expect("listed");
    assert_eq!(odd.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["select", "É ' x", "a.b"]);
    assert_eq!(foreign_key(relation(&catalog, "child"), "ref").referenced, odd.name);
    connection.begin(TransactionKind::Write).await.expect("begins");
    let columns = ["select", "É ' x", "a.b"];
    let row = vec![int(1), int(2), text("three")];
    insert(connection.as_mut(), odd, &columns, std::slice::from_ref(&row)).await.expect("inserts");
    connection.commit().await.expect("commits");
    assert_eq!(rows(connection.as_mut(), odd, &columns).await, [row]);
}

pub(crate) async fn the_journal_is_no_relation(database: &TestDatabase) {
    let schema = "journal(id pk) relink_journals(id pk) relink_journal(id pk, journal_id int -> journal.id) relink_journal_rows(id pk)";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
    assert_eq!(names, ["journal"]);
    assert!(JOURNAL.len() == 14 && !connection.is_empty().await.expect("readable"));
}

pub(crate) async fn an_empty_database_is_empty_and_can_be_emptied_again(database: &TestDatabase) {
    let mut connection = open(database).await;
    assert!(connection.is_empty().await.expect("readable"));
    assert!(connection.introspect().await.expect("readable").relations.is_empty());
    let cycle = "a(id pk, b_id int null -> b.id) b(id pk, a_id int null -> a.id)";
    let (mut connection, _) = with_schema(database, cycle).await;
    connection
        .execute_script("INSERT INTO a (id, b_id) VALUES (1, NULL); CREATE VIEW v AS SELECT id FROM a;")
        .await
        .expect("runs");
    assert!(!connection.is_empty().await.expect("readable"));
    connection.drop_everything().await.expect("drops");
    assert!(connection.is_empty().await.expect("readable"));
    assert!(connection.introspect().await.expect("readable").relations.is_empty());
}
