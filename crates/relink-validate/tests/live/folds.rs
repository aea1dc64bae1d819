//! Texts that are made alike before they are compared: `ci`, `trim`, `squash`, `nfc`, `digits`, `text`, `num`.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, keys, validate_both};

#[tokio::test]
async fn letters_of_either_case_in_every_script_are_one_in_every_database_and_in_none() {
    for database in TestDatabase::each("validate_folds") {
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, name varchar(60));
             INSERT INTO users VALUES (1, 'ÉCOLE'), (2, 'école'), (3, 'Straße'), (4, 'STRASSE'), (5, 'İ'), (6, 'i'), (7, 'ı'),
                (8, 'a\u{a0}'), (9, '\ta'), (10, 'A'), (11, NULL), (12, NULL), (13, 'e\u{301}cole'), (14, 'b  c'), (15, 'B c');",
        );
        let config =
            "[table.users]\nunique = [\"name\", \"ci(name)\", \"nfc(name)\", \"ci(trim(name))\", \"ci(squash(name))\"]";
        for (engine, report) in validate_both(&database, config).await {
            // Without a fold letters count, whatever the column's collation says.
            assert_eq!(counts(&report, "unique:users.name"), (0, 0, 2), "{engine}");
            assert_eq!(counts(&report, "unique:users.nfc(name)"), (2, 1, 2), "{engine}");
            assert_eq!(keys(&report, "unique:users.nfc(name)"), ["id=13", "id=2"], "{engine}");
            // ß is ss; neither İ nor ı is i: no locale.
            assert_eq!(counts(&report, "unique:users.ci(name)"), (5, 2, 2), "{engine}");
            assert_eq!(keys(&report, "unique:users.ci(name)"), ["id=1", "id=13", "id=2", "id=3", "id=4"], "{engine}");
            // Tabs and no-break spaces are white space, which SQLite's own trim() leaves.
            assert_eq!(counts(&report, "unique:users.ci(trim(name))"), (8, 3, 2), "{engine}");
            assert_eq!(counts(&report, "unique:users.ci(squash(name))"), (10, 4, 2), "{engine}");
        }
    }
}

#[tokio::test]
async fn a_key_of_a_rule_is_about_the_rows_of_its_condition_and_nulls_equal_where_it_says_so() {
    for database in TestDatabase::each("validate_folded_keys") {
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, email varchar(60), tenant int, active boolean);
             INSERT INTO users VALUES (1, 'A@x.org', 1, true), (2, 'a@x.org', 1, false), (3, 'a@X.org', 1, true), (4, 'a@x.org', 2, true),
                (5, NULL, 3, true), (6, NULL, 3, true), (7, 'b@x.org', NULL, true), (8, 'b@x.org', NULL, true), (9, 'A@x.org', 1, NULL);",
        );
        let config = "[table.users]\nunique = [\"ci(email), tenant where active\", \"email, tenant nulls equal\"]";
        for (engine, report) in validate_both(&database, config).await {
            let folded = "unique:users(ci(email),tenant)";
            assert_eq!(keys(&report, folded), ["id=1", "id=3"], "{engine}");
            assert_eq!(
                counts(&report, folded),
                (2, 1, 6),
                "{engine}: inactive ones and those with a NULL are not judged"
            );
            let equal = "unique:users(email,tenant)";
            assert_eq!(counts(&report, equal), (6, 3, 0), "{engine}");
            assert_eq!(keys(&report, equal), ["id=1", "id=5", "id=6", "id=7", "id=8", "id=9"], "{engine}");
        }
    }
}

#[tokio::test]
async fn references_are_compared_as_the_rule_makes_them_alike() {
    for database in TestDatabase::each("validate_alike") {
        database.run(
            "CREATE TABLE coupons (code varchar(20) PRIMARY KEY);
             INSERT INTO coupons VALUES ('SAVE10'), ('École'), ('007');
             CREATE TABLE orders (id int PRIMARY KEY, coupon varchar(20), no varchar(20));
             INSERT INTO orders VALUES (1, 'save10', '7'), (2, ' SAVE10 ', '007'), (3, '', '8'), (4, NULL, NULL), (5, 'ÉCOLE', '7.0'),
                (6, 'NOPE', 'seven');",
        );
        for (rule, wrong, not_judged) in [
            ("coupon -> coupons.code where coupon != '' as ci", vec!["id=2", "id=6"], 2),
            ("coupon -> coupons.code where coupon != '' as ci, trim", vec!["id=6"], 2),
            ("coupon -> coupons.code as text", vec!["id=1", "id=2", "id=3", "id=5", "id=6"], 1),
            ("no -> coupons.code as num", vec!["id=3", "id=6"], 1),
        ] {
            let config = format!("[table.orders]\nrefs = [\"{rule}\"]");
            for (engine, report) in validate_both(&database, &config).await {
                let id = if rule.starts_with("no") { "ref:orders.no" } else { "ref:orders.coupon" };
                assert_eq!(keys(&report, id), wrong, "{engine}: {rule}");
                assert_eq!(counts(&report, id).2, not_judged, "{engine}: {rule}");
            }
        }
    }
}

#[tokio::test]
async fn blanks_at_the_end_that_one_database_ignores_are_found_by_a_rule_that_compares_texts() {
    let Some(database) = TestDatabase::mysql("validate_pad_space") else { return };
    database.run(
        "CREATE TABLE parents (code varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY);
         CREATE TABLE children (id int PRIMARY KEY, code varchar(9) COLLATE utf8mb4_general_ci, FOREIGN KEY (code) REFERENCES parents (code));
         INSERT INTO parents VALUES ('ab'); INSERT INTO children VALUES (1, 'ab'), (2, 'ab '), (3, 'AB');",
    );
    let config =
        "[[check]]\nid = \"portable\"\nkind = \"ref\"\non = \"children\"\nrule = \"code -> parents.code as text\"";
    for (engine, report) in validate_both(&database, config).await {
        assert_eq!(keys(&report, "portable"), ["id=2", "id=3"], "{engine}: PostgreSQL would find neither");
    }
    let live = crate::validated::validate(&database, config).await;
    assert_eq!(check(&live, "ref:children.code").status, Status::Pass, "the key is compared as the database does");
}

#[tokio::test]
async fn whole_rows_that_are_there_twice_are_found_by_a_rule_over_all_columns() {
    for database in TestDatabase::each("validate_twins") {
        database.run(
            "CREATE TABLE readings (sensor int, at varchar(20), value decimal(9,2));
             INSERT INTO readings VALUES (1, 'x', 1.10), (1, 'x', 1.1), (1, 'x', 1.11), (2, NULL, 3), (2, NULL, 3), (2, NULL, 3);",
        );
        let config = "[table.readings]\nunique = [\"sensor, at, value nulls equal\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "unique:readings(sensor,at,value)";
            assert_eq!(counts(&report, id), (5, 2, 0), "{engine}");
            let found = check(&report, id);
            let groups: Vec<_> = found.samples.iter().map(|sample| sample.group).collect();
            assert_eq!(groups, [1, 1, 2, 2, 2].map(Some), "{engine}");
            // Named by the row itself, never by its place in the answer.
            let named = |sample: &relink_validate::Sample| !sample.key.is_empty() || sample.place.is_some();
            assert!(found.samples.iter().all(named), "{engine}: {:?}", found.samples);
        }
    }
}
