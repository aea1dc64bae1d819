//! Two tables that hold the same, and the user's own SQL.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, problems, troubles, validate, validate_both, validate_with};

#[tokio::test]
async fn two_tables_are_compared_row_by_row_whatever_their_numbers_are_written_like() {
    for database in TestDatabase::each("validate_same") {
        database.run(
            "CREATE TABLE live (id int PRIMARY KEY, amount decimal(9,2), name varchar(20), extra int);
             CREATE TABLE kept (id int PRIMARY KEY, amount decimal(9,4), name varchar(20), other int);
             INSERT INTO live VALUES (1, 1.10, 'a', 1), (2, 2, NULL, 1), (3, 3, 'c', 1), (4, 4, 'd', 1), (5, 0, 'E', 1), (6, 6, '', 1);
             INSERT INTO kept VALUES (1, 1.1000, 'a', 2), (2, 2, NULL, 2), (3, 3.0001, 'c', 2), (5, -0.0, 'e', 2), (6, 6, NULL, 2), (7, 7, 'g', 2);",
        );
        let config = "[[check]]\nid = \"s\"\nkind = \"same\"\nleft = \"live\"\nright = \"kept\"\n";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(
                problems(&report, "s"),
                [
                    "id=3: differs from the row of kept",
                    "id=4: is not in kept",
                    "id=5: differs from the row of kept",
                    "id=6: differs from the row of kept",
                    "id=7: is in kept only"
                ],
                "{engine}"
            );
        }
        let config = format!("{config}columns = [\"amount\"]\nwhere = \"id != 7 and id != 4\"");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(problems(&report, "s"), ["id=3: differs from the row of kept"], "{engine}: 0 is -0");
        }
    }
}

#[tokio::test]
async fn json_documents_are_the_same_whatever_zeros_blanks_and_order_they_are_written_with() {
    for database in TestDatabase::each("validate_same_json") {
        let json = if database.dialect() == "postgres" { "jsonb" } else { "json" };
        database.run(&format!(
            "CREATE TABLE live (id int PRIMARY KEY, doc {json}); CREATE TABLE kept (id int PRIMARY KEY, doc {json});
             INSERT INTO live VALUES (1, '{{\"a\": 1.0, \"b\": [1, 2]}}'), (2, '{{\"a\": 1}}'), (3, '[1, 2]'), (4, '\"1\"');
             INSERT INTO kept VALUES (1, '{{\"b\":[1.00,2],\"a\":1}}'), (2, '{{\"a\": 2}}'), (3, '[2, 1]'), (4, '1');"
        ));
        let config = "[[check]]\nid = \"s\"\nkind = \"same\"\nleft = \"live\"\nright = \"kept\"\n";
        for (engine, report) in validate_both(&database, config).await {
            let wrong: Vec<String> =
                ["id=2", "id=3", "id=4"].iter().map(|key| format!("{key}: differs from the row of kept")).collect();
            assert_eq!(problems(&report, "s"), wrong, "{engine}");
        }
    }
}

#[tokio::test]
async fn the_users_own_sql_is_asked_in_the_words_of_each_database() {
    for database in TestDatabase::each("validate_sql") {
        database.run("CREATE TABLE t (id int PRIMARY KEY, q int); INSERT INTO t VALUES (1, 5), (2, -5), (3, -6);");
        let dialect = database.dialect();
        let config = format!(
            "[[check]]\nid = \"rows\"\nkind = \"sql\"\non = \"t\"\nsql = \"SELECT id FROM t WHERE q < 0 ORDER BY id;\"
             [[check]]\nid = \"none\"\nkind = \"sql\"\nsql = {{ {dialect} = \"SELECT 1 FROM t WHERE q > 5\" }}\nexpect = \"no rows\"
             [[check]]\nid = \"value\"\nkind = \"sql\"\nsql = \"SELECT SUM(q) FROM t\"\nexpect = \"value = -6.0\"
             [[check]]\nid = \"other value\"\nkind = \"sql\"\nsql = \"SELECT COUNT(*) FROM t\"\nexpect = \"value = 0\"
             [[check]]\nid = \"two values\"\nkind = \"sql\"\nsql = \"SELECT id FROM t\"\nexpect = \"value = 0\"
             [[check]]\nid = \"elsewhere\"\nkind = \"sql\"\nsql = {{ oracle = \"SELECT 1\" }}
             [[check]]\nid = \"writes\"\nkind = \"sql\"\nsql = \"DELETE FROM t\"
             [[check]]\nid = \"after\"\nkind = \"sql\"\nsql = \"SELECT 1 FROM t WHERE q > 5\""
        );
        let report = validate(&database, &config).await;
        assert_eq!(counts(&report, "rows"), (2, 2, 0), "{dialect}");
        assert_eq!(check(&report, "rows").samples[0].key["id"].as_deref(), Some("2"), "{dialect}");
        assert_eq!(check(&report, "other value").problems["the answer is 3"], 1, "{dialect}");
        for id in ["none", "value", "after"] {
            assert_eq!(check(&report, id).status, Status::Pass, "{dialect}: {id}");
        }
        // What could not be asked is no pass, and the others go on.
        for id in ["two values", "elsewhere", "writes"] {
            assert_eq!(check(&report, id).status, Status::Error, "{dialect}: {id}");
        }
        assert_eq!(database.value("SELECT COUNT(*) FROM t"), "3", "{dialect}");
    }
}

#[tokio::test]
async fn an_export_says_of_a_rule_in_sql_that_only_a_database_can_answer_it() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);");
    let config = "[[check]]\nid = \"mine\"\nkind = \"sql\"\non = \"t\"\nsql = \"SELECT 1\"";
    let [(_, live), (_, offline)] = validate_both(&database, config).await;
    assert_eq!(troubles(&live), ["mine"]);
    assert!(offline.checks.iter().all(|check| check.id != "mine"));
    assert_eq!(offline.not_checked, ["mine: its SQL needs a database"]);
}

#[tokio::test]
async fn a_table_is_compared_by_a_key_that_it_has() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE a (x int, y int); CREATE TABLE b (x int, y int); INSERT INTO a VALUES (1, 1), (1, 1), (2, 2), (NULL, 3);
         INSERT INTO b VALUES (1, 1), (2, 3);");
    let rule = "[[check]]\nid = \"s\"\nkind = \"same\"\nleft = \"a\"\nright = \"b\"\n";
    let errors = validate_with(&database, rule, 20).await.expect_err("nothing names the rows");
    assert!(errors[0].to_string().contains("primary key"), "{errors:?}");
    let report = validate(&database, &format!("{rule}key = [\"x\"]")).await;
    let found: Vec<_> = check(&report, "s").problems.iter().map(|(name, rows)| format!("{name}: {rows}")).collect();
    // What is twice on one side and once on the other is missing there once.
    assert_eq!(found, ["differs from the row of b: 1", "is not in b: 1", "its key is not whole: 1"]);
}
