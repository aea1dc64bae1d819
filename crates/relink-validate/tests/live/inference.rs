//! Guesses, and what the rows of real databases make of them.

use std::fmt::Write as _;

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_model::Severity;
use relink_model::config::Config;
use relink_testkit::{TestDatabase, schema};
use relink_validate::{Guessed, Inference, Options, Report, Status, infer, plan, run};

use crate::validated::{NOW, check};

/// Validates with guesses among the checks.
async fn guess(database: &TestDatabase, config: &str) -> Report {
    let url: DatabaseUrl = database.url().parse().expect("a database URL");
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    let mut catalog = connection.introspect().await.expect("introspects");
    config.add_virtual_references(&mut catalog).expect("resolves");
    let mut checks = plan(&catalog, &config, connection.dialect()).expect("plans");
    let guesses = infer(&catalog, &config, Some(connection.dialect()), &checks);
    guesses.add_to(&mut checks);
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    let options = Options::new(NOW.parse().expect("an instant"), std::env::temp_dir());
    let mut report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
    connection.rollback().await.expect("ends");
    connection.close().await.expect("closes");
    guesses.judge(&mut report);
    assert!(report.checks.iter().all(|check| !check.id.contains('#')), "rivals are settled");
    report
}

fn inference(report: &Report) -> &Inference {
    report.inference.as_ref().expect("something was guessed")
}

/// `id: why`, of guesses.
fn said(guesses: &[Guessed]) -> Vec<String> {
    let one = |guess: &Guessed| match &guess.why {
        Some(why) => format!("{}{}: {why}", if guess.doubtful { "? " } else { "" }, guess.id),
        None => guess.id.clone(),
    };
    guesses.iter().map(one).collect()
}

/// Rows of numbers from 1, as `INSERT` takes them; the id is `{}`.
fn insert(table: &str, count: u32, row: impl Fn(u32) -> String) -> String {
    let mut sql = format!("INSERT INTO {table} VALUES ");
    for number in 1..=count {
        let _ = write!(sql, "{}({number}, {})", if number > 1 { ", " } else { "" }, row(number));
    }
    sql + ";\n"
}

fn create(database: &TestDatabase, text: &str) {
    database.run(&schema(text).ddl(database.dialect()));
}

#[tokio::test]
async fn inference_of_references_is_settled_by_how_many_distinct_values_are_there() {
    for database in TestDatabase::each("infer_refs") {
        create(
            &database,
            "customers(id pk, x int)\nshops(id pk, x int)\nteams(id pk, x int)\nplans(id pk, x int)
             orders(id pk, customer_id int, shop_id int, team_id int, plan_id int null)",
        );
        let parents: String =
            ["customers", "shops", "teams"].iter().map(|table| insert(table, 100, |_| "0".to_owned())).collect();
        // Of 100 customers one is missing, in two rows; of 101 shops ten; of 100 teams half; and there are but five plans.
        let orders = insert("orders", 200, |id| {
            let customer = if id % 100 == 0 { 900 } else { id % 100 };
            let shop = if id % 10 == 0 { 1000 + id % 100 } else { id % 100 };
            let team = if id % 2 == 0 { 2000 + id % 100 } else { id % 100 };
            format!(
                "{customer}, {shop}, {team}, {}",
                if id % 7 < 5 { (id % 7 + 1).to_string() } else { "NULL".to_owned() }
            )
        });
        database.run(&format!("{parents}{}{orders}", insert("plans", 5, |_| "0".to_owned())));
        let report = guess(&database, "").await;
        let found = inference(&report);
        assert_eq!(
            said(&found.used),
            ["ref:orders.customer_id", "? ref:orders.shop_id: probably a key: 10 values of 100 missing"],
            "{}",
            database.dialect()
        );
        assert_eq!(
            said(&found.rejected),
            [
                "ref:orders.team_id: only 50 of 100 distinct values are there",
                "? ref:orders.plan_id: 5 distinct values are too few to tell by"
            ]
        );
        assert_eq!(found.used[0].confidence, 99);
        let broken = check(&report, "ref:orders.customer_id");
        assert_eq!((broken.status, broken.severity, broken.inferred), (Status::Fail, Severity::Info, true));
        assert_eq!((broken.counts.failed, broken.counts.failed_distinct, broken.judged_distinct), (2, 1, Some(100)));
        assert!(broken.why.as_ref().is_some_and(|why| why.contains("99 of 100 distinct values")), "{:?}", broken.why);
        let refs = report.checks.iter().map(|check| check.id.as_str()).filter(|id| id.starts_with("ref:"));
        assert_eq!(refs.collect::<Vec<_>>(), ["ref:orders.customer_id", "ref:orders.shop_id"]);
        assert_eq!(report.summary.infos, 2);
        assert_eq!(report.summary.checks, report.checks.len() as u64);
    }
}

#[tokio::test]
async fn inference_takes_one_value_that_stands_for_none_for_no_missing_row() {
    for database in TestDatabase::each("infer_sentinel") {
        create(&database, "customers(id pk, x int)\norders(id pk, customer_id int)");
        let customers = insert("customers", 25, |_| "0".to_owned());
        database.run(&(customers + &insert("orders", 260, |id| (id % 26).to_string())));
        let report = guess(&database, "").await;
        assert_eq!(said(&inference(&report).used), ["ref:orders.customer_id"], "{}", database.dialect());
        let notes = &check(&report, "ref:orders.customer_id").notes;
        assert!(matches!(notes.as_slice(), [note] if note.contains("stands for \"none\"")), "{notes:?}");
    }
}

#[tokio::test]
async fn inference_counts_distinct_values_of_rows_that_are_read_as_sql_does() {
    // The condition of `live` is one that no database answers, so that the rows are read.
    for database in TestDatabase::each("infer_read") {
        create(&database, "customers(id pk, x int)\norders(id pk, customer_id int, mark text)");
        let customers = insert("customers", 30, |_| "0".to_owned());
        let orders = insert("orders", 90, |id| format!("{}, 'Á'", if id % 30 == 0 { 31 } else { id % 30 }));
        database.run(&(customers + &orders));
        let report = guess(&database, "[table.orders]\nlive = \"ci(mark) = 'á'\"").await;
        let found = inference(&report);
        let evidence: Vec<_> = found.used.iter().filter_map(|guess| guess.evidence.last()).collect();
        assert_eq!(evidence, ["29 of 30 distinct values are there"], "{}: {found:?}", database.dialect());
    }
}

#[tokio::test]
async fn inference_about_values_is_rejected_where_more_than_one_row_in_a_hundred_breaks_it() {
    for database in TestDatabase::each("infer_values") {
        create(
            &database,
            "items(id pk, qty int, stock int, paid_at timestamp, shipped_at timestamp, email varchar(40), username varchar(40))
             few(id pk, qty int)",
        );
        let items = insert("items", 200, |id| {
            let (qty, stock) = (if id == 7 { -1 } else { 1 }, if id % 50 == 0 { -1 } else { 1 });
            let paid = if id == 9 { "2031-01-01 00:00:00" } else { "2020-01-01 00:00:00" };
            let shipped = if id % 40 == 0 { "2031-01-01 00:00:00" } else { "2020-01-01 00:00:00" };
            let email = if id == 200 { " A1@X.ORG".to_owned() } else { format!("a{id}@x.org") };
            format!("{qty}, {stock}, '{paid}', '{shipped}', '{email}', 'u{}'", id / 10)
        });
        database.run(&(items + &insert("few", 3, |_| "1".to_owned())));
        let report = guess(&database, "[table.items]\nmin = { id = 0 }").await;
        let found = inference(&report);
        assert_eq!(
            said(&found.used),
            ["min:items.qty", "past:items.paid_at", "unique:items.ci(trim(email))"],
            "{}",
            database.dialect()
        );
        assert_eq!(
            said(&found.rejected),
            [
                "? min:few.qty: 3 rows are too few to tell by",
                "? min:items.stock: below zero: 4 of 200 rows",
                "? past:items.shipped_at: in the future: 5 of 200 rows",
                "unique:items.ci(trim(username)): shared with another row: 199 of 200 rows",
            ]
        );
        for id in ["min:items.qty", "past:items.paid_at", "unique:items.ci(trim(email))"] {
            assert_eq!(check(&report, id).status, Status::Fail, "{id}");
        }
    }
}

#[tokio::test]
async fn inference_of_totals_suggests_the_sum_that_fits_and_finds_nothing_unless_asked_to() {
    for database in TestDatabase::each("infer_totals") {
        create(
            &database,
            "orders(id pk, total decimal(10,2), subtotal decimal(10,2))
             order_lines(id pk, order_id -> orders.id, qty int, price decimal(10,2), amount decimal(10,2))",
        );
        let orders = insert("orders", 40, |id| format!("{}.50, {id}", if id == 40 { 1 } else { 2 * id }));
        let lines = insert("order_lines", 40, |id| format!("{id}, 2, {id}.25, 1"));
        database.run(&(orders + &lines));
        let report = guess(&database, "").await;
        let found = inference(&report);
        let rules: Vec<&str> = found
            .used
            .iter()
            .filter(|guess| guess.id.starts_with("total:"))
            .flat_map(|guess| &guess.rules)
            .map(|rule| rule.text.as_str())
            .collect();
        let fits = "total = sum(order_lines.qty * order_lines.price) by order_lines.order_id";
        assert_eq!(rules, [fits], "{}: {found:?}", database.dialect());
        assert!(report.checks.iter().all(|check| !check.id.starts_with("total:")), "it is only suggested");
        let report = guess(&database, "[infer]\ntotals = \"warning\"").await;
        let total = check(&report, "total:orders.total");
        assert_eq!((total.status, total.severity, total.counts.failed), (Status::Fail, Severity::Warning, 1));
    }
}

#[tokio::test]
async fn inference_never_leads_to_a_view_and_a_guess_that_cannot_be_tried_is_no_check_that_was_not_run() {
    for database in TestDatabase::each("infer_views") {
        database.run(
            "CREATE TABLE people (id int PRIMARY KEY); CREATE VIEW users AS SELECT id FROM people;
             CREATE TABLE posts (id int PRIMARY KEY, user_id int, person_id int); INSERT INTO posts VALUES (1, 1, 1);",
        );
        let report = guess(&database, "").await;
        let found = inference(&report);
        assert_eq!(
            said(&found.rejected),
            ["ref:posts.person_id: only 0 of 1 distinct values are there"],
            "{}",
            database.dialect()
        );
        assert!(report.is_complete() && found.used.is_empty() && found.ambiguous.is_empty());
    }
}

#[tokio::test]
async fn inference_finds_references_of_a_storage_engine_that_keeps_no_foreign_keys() {
    let Some(database) = TestDatabase::mysql("infer_myisam") else { return };
    database.run(
        "CREATE TABLE customers (id INT PRIMARY KEY, x INT) ENGINE=MyISAM;
         CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, FOREIGN KEY (customer_id) REFERENCES customers (id)) ENGINE=MyISAM;",
    );
    let customers = insert("customers", 60, |_| "0".to_owned());
    database.run(&(customers + &insert("orders", 61, |id| id.to_string())));
    let report = guess(&database, "").await;
    assert_eq!(said(&inference(&report).used), ["ref:orders.customer_id"]);
    assert_eq!(check(&report, "ref:orders.customer_id").counts.failed, 1);
}

#[tokio::test]
async fn inference_of_polymorphic_references_goes_by_the_classes_that_name_tables() {
    for database in TestDatabase::each("infer_polymorphic") {
        database.run(
            "CREATE TABLE posts (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE admin_roles (id int PRIMARY KEY);
             CREATE TABLE payments (id int PRIMARY KEY);
             CREATE TABLE comments (id int PRIMARY KEY, commentable_type varchar(40), commentable_id int);
             CREATE TABLE receipts (id int PRIMARY KEY, payment_type varchar(40), payment_id int);
             INSERT INTO posts VALUES (1); INSERT INTO users VALUES (1), (4); INSERT INTO admin_roles VALUES (3);
             INSERT INTO comments VALUES (1, 'Post', 1), (2, 'Post', 99), (3, 'Admin::User', 1), (4, 'Admin::Role', 3), (5, NULL, NULL), (6, 'Gone', 1);
             INSERT INTO receipts VALUES (1, 'card', 1), (2, 'cash', 2);",
        );
        let report = guess(&database, "").await;
        let found = check(&report, "poly:comments(commentable_type,commentable_id)");
        assert_eq!((found.status, found.severity, found.inferred), (Status::Fail, Severity::Info, true));
        assert_eq!(
            found.samples.iter().map(|sample| sample.key["id"].as_deref()).collect::<Vec<_>>(),
            [Some("2"), Some("6")]
        );
        assert_eq!(found.counts.not_judged, 1, "without an id nothing is referred to");
        let why = found.why.as_deref().unwrap_or_default();
        assert!(
            why.contains("3 of 4 rows whose type names a table have their row there; the types of 1 name none"),
            "{why}"
        );
        let help = found.help.as_deref().unwrap_or_default();
        assert!(
            help.contains("{ type = \"commentable_type\", id = \"commentable_id\" } among generic of [table.comments]"),
            "{help}"
        );
        assert_eq!(
            said(&inference(&report).rejected),
            [
                "poly:receipts(payment_type,payment_id): no type names a table: [table.x] generic can say which they mean"
            ],
            "a kind of payment is no class"
        );
        let config = "[table.comments]\ngeneric = [{ type = \"commentable_type\", id = \"commentable_id\" }]\n[infer]\nignore = [\"receipts.*\"]";
        let report = guess(&database, config).await;
        let found = check(&report, "poly:comments(commentable_type,commentable_id)");
        assert_eq!((found.severity, found.inferred), (Severity::Error, false), "said, it is a rule");
        assert!(inference(&report).is_empty());
    }
}

#[tokio::test]
async fn inference_says_which_value_stands_for_none_and_leaves_it_out_of_the_rule() {
    for database in TestDatabase::each("infer_sentinel") {
        create(&database, "nodes(id pk, parent_id int)\nitems(id pk, qty int)");
        let nodes = insert("nodes", 100, |id| if id % 2 == 0 { "0".to_owned() } else { id.to_string() });
        database.run(&format!("{nodes}{}", insert("items", 100, |_| "-1".to_owned())));
        let report = guess(&database, "").await;
        let used = &inference(&report).used;
        assert_eq!(said(used), ["ref:nodes.parent_id"]);
        assert_eq!(used[0].rules[0].text, "parent_id -> nodes.id where parent_id != 0");
        let evidence = "50 of 50 distinct values are there, and \"0\" stands for \"none\" in 50 of 100 rows";
        assert_eq!(used[0].evidence.last().map(String::as_str), Some(evidence));
        let refuted = &inference(&report).rejected[0];
        assert_eq!((refuted.id.as_str(), refuted.confidence), ("min:items.qty", 0), "no row bears it out");
        // As a rule it holds, and stays the same check.
        let rule = format!("[table.nodes]\nrefs = [\"{}\"]", used[0].rules[0].text);
        assert_eq!(crate::validated::counts(&guess(&database, &rule).await, "ref:nodes.parent_id"), (0, 0, 50));
    }
}

#[tokio::test]
async fn inference_of_totals_allows_nothing_where_both_sides_are_exact() {
    for database in TestDatabase::each("infer_exact_totals") {
        create(
            &database,
            "orders(id pk, total decimal(12,2), amount decimal(12,1))\nparts(id pk, order_id -> orders.id, quantity int, price decimal(12,2))",
        );
        let orders = insert("orders", 40, |id| format!("{id}.25, {id}.3"));
        database.run(&format!("{orders}{}", insert("parts", 40, |id| format!("{id}, 1, {id}.25"))));
        let texts: Vec<String> =
            inference(&guess(&database, "").await).used.iter().map(|guess| guess.rules[0].text.clone()).collect();
        let totals: Vec<&String> = texts.iter().filter(|text| text.contains("sum(")).collect();
        assert_eq!(totals, ["total = sum(parts.quantity * parts.price) by parts.order_id"]);
    }
}
