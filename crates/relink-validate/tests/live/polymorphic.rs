//! References whose table stands in another column.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, samples, troubles, validate};

const TABLES: &str = "CREATE TABLE posts (id int PRIMARY KEY, title varchar(20));
     CREATE TABLE users (id int PRIMARY KEY, name varchar(20));
     CREATE TABLE comments (id int PRIMARY KEY, subject_type varchar(20), subject_id int);
     INSERT INTO posts VALUES (1, 'a'), (2, 'b');
     INSERT INTO users VALUES (1, 'x'), (7, 'y');
     INSERT INTO comments VALUES (1, 'Post', 1), (2, 'Post', 7), (3, 'User', 7), (4, 'Nobody', 1), (5, NULL, 1),
        (6, 'User', NULL), (7, NULL, NULL), (8, 'Author', 1), (9, 'post ', 2);";

#[tokio::test]
async fn each_type_means_its_own_table_and_an_unknown_one_is_a_finding() {
    for database in TestDatabase::each("validate_polymorphic") {
        database.run(TABLES);
        let config = "[table.comments]\ngeneric = [{ type = \"subject_type\", id = \"subject_id\", targets = { Author = \"users\" } }]";
        let report = validate(&database, config).await;
        let id = "poly:comments(subject_type,subject_id)";
        assert_eq!(troubles(&report), [id], "{}", database.dialect());
        let rows: Vec<String> =
            samples(&report, id).iter().filter_map(|sample| sample.split(" | ").next().map(str::to_owned)).collect();
        assert_eq!(rows, ["id=2", "id=4", "id=5", "id=9"], "{}", database.dialect());
        assert_eq!(counts(&report, id).0, 4);
        assert_eq!(counts(&report, id).2, 2, "without an id nothing is referred to");
        let problems = &check(&report, id).problems;
        assert_eq!(problems["the type \"Nobody\" names no table"], 1);
        assert_eq!(problems["there is an id and no type"], 1);
        assert_eq!(problems["the row does not exist"], 1);
    }
}

#[tokio::test]
async fn rows_that_may_be_gone_are_not_judged() {
    let database = TestDatabase::sqlite();
    database.run(TABLES);
    let config = "[table.comments]\ngeneric = [{ type = \"subject_type\", id = \"subject_id\", loose = true }]";
    let report = validate(&database, config).await;
    assert_eq!(counts(&report, "poly:comments(subject_type,subject_id)").0, 1, "only the id without a type");
}

#[tokio::test]
async fn content_types_name_the_tables_of_django() {
    for database in TestDatabase::each("validate_content_types") {
        database.run(
            "CREATE TABLE django_content_type (id int PRIMARY KEY, app_label varchar(100), model varchar(100));
             CREATE TABLE shop_item (id int PRIMARY KEY, name varchar(20));
             CREATE TABLE shop_note (id int PRIMARY KEY, content_type_id int REFERENCES django_content_type (id), object_id varchar(20));
             INSERT INTO django_content_type VALUES (4, 'shop', 'item'), (5, 'gone', 'thing');
             INSERT INTO shop_item VALUES (1, 'a');
             INSERT INTO shop_note VALUES (1, 4, '1'), (2, 4, '2'), (3, 5, '1'), (4, NULL, NULL);",
        );
        let config = "[table.shop_note]\ngeneric = [{ type = \"content_type_id\", id = \"object_id\" }]";
        let report = validate(&database, config).await;
        let id = "poly:shop_note(content_type_id,object_id)";
        assert_eq!(check(&report, id).status, Status::Fail, "{}", database.dialect());
        let rows: Vec<String> =
            samples(&report, id).iter().filter_map(|sample| sample.split(" | ").next().map(str::to_owned)).collect();
        assert_eq!(rows, ["id=2", "id=3"], "{}", database.dialect());
    }
}

#[tokio::test]
async fn a_uuid_is_one_with_its_hyphens_and_without() {
    for database in TestDatabase::each("validate_polymorphic_uuids") {
        database.run(
            "CREATE TABLE items (id char(32) PRIMARY KEY);
             CREATE TABLE notes (id int PRIMARY KEY, about_type varchar(20), about_id varchar(40));
             INSERT INTO items VALUES ('feed0000000040008000000000000000');
             INSERT INTO notes VALUES (1, 'Item', 'feed0000-0000-4000-8000-000000000000'), (2, 'Item', 'FEED0000000040008000000000000000'),
                (3, 'Item', 'feed0000-0000-4000-8000-000000000001'), (4, 'Item', 'feed');",
        );
        let config = "[table.notes]\ngeneric = [{ type = \"about_type\", id = \"about_id\" }]";
        let report = validate(&database, config).await;
        assert_eq!(counts(&report, "poly:notes(about_type,about_id)").0, 2, "{}", database.dialect());
    }
}
