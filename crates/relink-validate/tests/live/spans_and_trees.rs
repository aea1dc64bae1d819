//! Spans that must not overlap, values in their order, rows that must not be their own ancestors.

use relink_testkit::TestDatabase;

use crate::validated::{check, counts, keys, problems, validate, validate_both};

/// The type of a reading without a zone.
fn wall(database: &TestDatabase) -> &'static str {
    if database.dialect() == "mysql" { "datetime(6)" } else { "timestamp" }
}

#[tokio::test]
async fn spans_end_before_the_next_begins_and_one_without_an_end_goes_on() {
    for database in TestDatabase::each("validate_spans") {
        database.run(&format!(
            "CREATE TABLE stays (id int PRIMARY KEY, room varchar(9), from_it {0} NULL, until_it {0} NULL);
             INSERT INTO stays VALUES (1, 'a', '2026-01-01 10:00:00', '2026-01-01 12:00:00'), (2, 'a', '2026-01-01 12:00:00', '2026-01-01 13:00:00'),
                (3, 'a', '2026-01-01 12:59:59', '2026-01-01 14:00:00'), (4, 'b', '2026-01-01 10:00:00', '2026-01-01 18:00:00'),
                (5, 'b', '2026-01-01 11:00:00', '2026-01-01 12:00:00'), (6, 'b', '2026-01-01 17:00:00', '2026-01-01 19:00:00'),
                (7, 'c', '2026-01-01 10:00:00', NULL), (8, 'c', '2030-01-01 10:00:00', '2030-01-02 10:00:00'),
                (9, 'd', '2026-01-01 10:00:00', '2026-01-01 09:00:00'), (10, 'd', NULL, '2026-01-01 09:00:00'),
                (11, 'd', '2026-01-01 09:30:00', '2026-01-01 10:30:00'), (12, NULL, '2026-01-01 10:00:00', '2026-01-01 12:00:00');",
            wall(&database)
        ));
        let config = "[table.stays]\nno_overlap = [\"room: from_it..until_it\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "no_overlap:stays(room,from_it,until_it)";
            assert_eq!(
                problems(&report, id),
                [
                    "id=2: ",
                    "id=3: ",
                    "id=4: ",
                    "id=5: ",
                    "id=6: ",
                    "id=7: ",
                    "id=8: ",
                    "id=9: it ends before it begins"
                ],
                "{engine}"
            );
            // One that lies within another does not end it: 4 reaches to 6.
            // What has no beginning, or no room, is not judged.
            assert_eq!(counts(&report, id), (8, 4, 2), "{engine}");
        }
    }
}

#[tokio::test]
async fn a_span_that_ends_where_it_begins_is_that_one_point_and_only_rows_of_a_known_group_overlap() {
    for database in TestDatabase::each("validate_span_points") {
        database.run(
            "CREATE TABLE bk (id int PRIMARY KEY, room int, a date, b date, off int);
             INSERT INTO bk VALUES (1, 1, '2026-01-01', '2026-01-05', 0), (2, 1, '2026-01-03', '2026-01-03', 0),
                (3, 2, '2026-01-01', '2026-01-01', 0), (4, 2, '2026-01-01', '2026-01-01', 0),
                (5, 3, '2026-01-01', '2026-01-05', 0), (6, 3, '2026-01-05', '2026-01-05', 0), (7, 3, '2026-01-06', '2026-01-06', 0),
                (8, 4, '2026-01-05', '2026-01-06', 0), (9, 4, '2026-01-05', '2026-01-05', 0),
                (10, NULL, '2026-01-01', '2026-01-05', 0), (11, NULL, '2026-01-01', '2026-01-05', 0),
                (12, 5, '2026-01-01', '2026-01-05', 1), (13, 5, '2026-01-01', '2026-01-05', 0);",
        );
        let config = "[table.bk]\nno_overlap = [\"room: a..b where off = 0\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "no_overlap:bk(room,a,b)";
            assert_eq!(keys(&report, id), ["id=1", "id=2", "id=3", "id=4", "id=8", "id=9"], "{engine}");
            assert_eq!(counts(&report, id), (6, 3, 3), "{engine}: two without a room, one that is off");
        }
    }
}

#[tokio::test]
async fn what_lies_before_every_number_begins_before_it() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, a REAL, b REAL); INSERT INTO o VALUES (1, -9e999, 5), (2, 1, 2), (3, 7, 9e999), (4, 1e308, NULL);",
    );
    let report = validate(&database, "[table.o]\nno_overlap = [\"id*0: a..b\"]").await;
    assert_eq!(counts(&report, "no_overlap:o(id,a,b)"), (4, 2, 0));
}

#[tokio::test]
async fn a_day_that_ends_a_span_of_moments_is_a_part_of_it() {
    for database in TestDatabase::each("validate_span_days") {
        database.run(&format!(
            "CREATE TABLE prices (id int PRIMARY KEY, item int, from_it {0} NULL, until_day date);
             INSERT INTO prices VALUES (1, 1, '2026-01-01 10:00:00', '2026-01-05'), (2, 1, '2026-01-05 23:59:59', '2026-01-07'),
                (3, 2, '2026-01-01 10:00:00', '2026-01-05'), (4, 2, '2026-01-06 00:00:00', '2026-01-06'),
                (5, 3, '2026-01-05 10:00:00', '2026-01-05'), (6, 3, '2026-01-05 12:00:00', '2026-01-05');
             CREATE TABLE nights (id int PRIMARY KEY, room int, arrives date, leaves date);
             INSERT INTO nights VALUES (1, 1, '2026-01-01', '2026-01-05'), (2, 1, '2026-01-05', '2026-01-06'), (3, 1, '2026-01-04', '2026-01-05');",
            wall(&database)
        ));
        let config = "[table.prices]\nno_overlap = [\"item: from_it..until_day\"]\n[table.nights]\nno_overlap = [\"room: arrives..leaves\"]";
        for (engine, report) in validate_both(&database, config).await {
            let found = keys(&report, "no_overlap:prices(item,from_it,until_day)");
            assert_eq!(found, ["id=1", "id=2", "id=5", "id=6"], "{engine}");
            // Of two days the second is the one after the last: who leaves on the day makes room on it.
            assert_eq!(keys(&report, "no_overlap:nights(room,arrives,leaves)"), ["id=1", "id=3"], "{engine}");
        }
    }
}

#[tokio::test]
async fn readings_without_a_zone_are_compared_as_instants_of_the_configured_one() {
    for database in TestDatabase::each("validate_span_zones") {
        // New York has no 02:30 on this day: it is 03:30 there.
        database.run(&format!(
            "CREATE TABLE shifts (id int PRIMARY KEY, starts {0} NULL, ends {0} NULL);
             INSERT INTO shifts VALUES (1, '2026-03-08 01:30:00', '2026-03-08 02:30:00'), (2, '2026-03-08 03:00:00', '2026-03-08 04:00:00');",
            wall(&database)
        ));
        for (zone, wrong) in [("UTC", vec![]), ("America/New_York", vec!["id=1", "id=2"])] {
            let config = format!("[run]\ntimezone = \"{zone}\"\n[table.shifts]\nno_overlap = [\"starts..ends\"]");
            for (engine, report) in validate_both(&database, &config).await {
                assert_eq!(keys(&report, "no_overlap:shifts(starts,ends)"), wrong, "{engine} in {zone}");
            }
        }
    }
}

#[tokio::test]
async fn an_until_day_holds_all_its_moments_and_what_is_missing_is_not_judged() {
    for database in TestDatabase::each("validate_until") {
        database.run(&format!(
            "CREATE TABLE offers (id int PRIMARY KEY, taken_at {0} NULL, until_day date);
             INSERT INTO offers VALUES (1, '2024-12-31 23:59:59.999999', '2024-12-31'), (2, '2025-01-01 00:00:00', '2024-12-31'),
                (3, NULL, '2024-12-31'), (4, '2024-12-31 10:00:00', NULL);",
            wall(&database)
        ));
        let config = "[table.offers]\nascending = [\"taken_at <= until_day\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "ascending:offers(taken_at,until_day)";
            assert_eq!(keys(&report, id), ["id=2"], "{engine}");
            assert_eq!(counts(&report, id), (1, 1, 2), "{engine}");
        }
    }
}

#[tokio::test]
async fn a_cycle_is_found_once_with_its_own_rows_and_what_only_leads_into_it_is_none() {
    for database in TestDatabase::each("validate_trees") {
        database.run(
            "CREATE TABLE nodes (id int PRIMARY KEY, parent_id int);
             INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 3), (4, 6), (5, 4), (6, 5), (7, 6), (8, 7), (9, 10), (10, 9), (11, 99);",
        );
        let config = "[table.nodes]\nrefs = [\"parent_id -> nodes.id\"]\nacyclic = [\"parent_id\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "acyclic:nodes.parent_id";
            // A row that names itself is a root. 7 and 8 lead into a cycle and are not of it.
            assert_eq!(counts(&report, id), (5, 2, 1), "{engine}");
            let shown: Vec<_> = check(&report, id)
                .samples
                .iter()
                .map(|sample| (sample.key["id"].clone().unwrap_or_default(), sample.group))
                .collect();
            let expected = [("4", 1), ("5", 1), ("6", 1), ("9", 2), ("10", 2)];
            assert_eq!(shown, expected.map(|(id, group)| (id.to_owned(), Some(group))), "{engine}: smallest key first");
            assert_eq!(keys(&report, "ref:nodes.parent_id"), ["id=11"], "{engine}: a cycle is no orphan");
        }
    }
}

#[tokio::test]
async fn trees_of_composite_keys_are_followed_by_all_their_columns() {
    for database in TestDatabase::each("validate_composite_trees") {
        database.run(
            "CREATE TABLE nodes (tenant int NOT NULL, no int NOT NULL, parent_tenant int, parent_no int, PRIMARY KEY (tenant, no));
             INSERT INTO nodes VALUES (1, 1, 2, 1), (2, 1, 1, 2), (1, 2, NULL, 1), (3, 1, 3, 2), (3, 2, 3, 1);",
        );
        let config = "[table.nodes]\nacyclic = [\"(parent_tenant, parent_no)\"]";
        for (engine, report) in validate_both(&database, config).await {
            let id = "acyclic:nodes(parent_tenant,parent_no)";
            assert_eq!(keys(&report, id), ["tenant=3 no=1", "tenant=3 no=2"], "{engine}");
            assert_eq!(counts(&report, id), (2, 1, 1), "{engine}");
        }
    }
}
