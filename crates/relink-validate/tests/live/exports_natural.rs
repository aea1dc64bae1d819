//! References by natural key in exports: they lead where a restore would lead them, and what leads out of the export is not judged.

use relink_validate::{Report, Status};

use crate::validated::{catalog_of_script, check, counts, keys, problems, validate_export};

const AUTH: &str = "CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label VARCHAR(100) NOT NULL, model VARCHAR(100) NOT NULL, UNIQUE (app_label, model));
    CREATE TABLE auth_permission (id INTEGER PRIMARY KEY, content_type_id INTEGER NOT NULL REFERENCES django_content_type (id), codename VARCHAR(100) NOT NULL,
        UNIQUE (content_type_id, codename));
    CREATE TABLE auth_group (id INTEGER PRIMARY KEY, name VARCHAR(150) NOT NULL UNIQUE);
    CREATE TABLE auth_group_permissions (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL REFERENCES auth_group (id),
        permission_id INTEGER NOT NULL REFERENCES auth_permission (id), UNIQUE (group_id, permission_id));";

async fn auth(dump: &str) -> Report {
    validate_export(dump, catalog_of_script(AUTH).await, "").await
}

#[tokio::test]
async fn a_name_of_a_row_that_was_not_exported_is_not_judged_and_is_not_null() {
    let report = auth(
        r#"[{"model": "auth.permission", "pk": 1, "fields": {"content_type": ["shop", "order"], "codename": "add"}},
        {"model": "auth.permission", "pk": 2, "fields": {"content_type": ["shop", "order"], "codename": "add"}},
        {"model": "auth.permission", "pk": 3, "fields": {"content_type": ["shop", "item"], "codename": "add"}},
        {"model": "auth.group", "pk": 1, "fields": {"name": "g", "permissions": [3, ["add", "shop", "item"], ["xx", "shop", "order"]]}}]"#,
    )
    .await;
    assert_eq!(check(&report, "not_null:auth_permission.content_type_id").status, Status::Pass);
    assert_eq!(counts(&report, "ref:auth_permission.content_type_id"), (0, 0, 3), "they lead out of the export");
    assert_eq!(check(&report, "type:auth_permission.content_type_id").status, Status::Pass);
    assert_eq!(keys(&report, "unique:auth_permission(content_type_id,codename)"), ["id=1", "id=2"]);
    // The permissions are there, whatever their content types: who names none of them names nothing.
    assert_eq!(counts(&report, "ref:auth_group_permissions.permission_id"), (1, 1, 0));
    assert_eq!(check(&report, "not_null:auth_group_permissions.permission_id").status, Status::Pass);
    assert_eq!(counts(&report, "unique:auth_group_permissions(group_id,permission_id)"), (2, 1, 0));
}

#[tokio::test]
async fn rows_without_ids_are_named_by_their_natural_keys() {
    let report = auth(
        r#"[{"model": "contenttypes.contenttype", "pk": 5, "fields": {"app_label": "shop", "model": "order"}},
        {"model": "auth.permission", "fields": {"content_type": ["shop", "order"], "codename": "add"}},
        {"model": "auth.permission", "fields": {"content_type": 5, "codename": "add"}},
        {"model": "auth.permission", "fields": {"content_type": ["shop", "nope"], "codename": "add"}},
        {"model": "auth.group", "fields": {"name": "g", "permissions": [["add", "shop", "order"], ["add", "shop", "nope"], ["xx", "shop", "order"]]}}]"#,
    )
    .await;
    assert_eq!(counts(&report, "ref:auth_permission.content_type_id"), (1, 1, 0));
    assert_eq!(
        counts(&report, "unique:auth_permission(content_type_id,codename)"),
        (2, 1, 0),
        "5 is that content type"
    );
    assert_eq!(counts(&report, "ref:auth_group_permissions.permission_id"), (1, 1, 0));
}

#[tokio::test]
async fn names_are_compared_as_their_columns_are_and_lead_to_the_column_that_is_referred_to() {
    let schema = "CREATE TABLE app_user (id INTEGER PRIMARY KEY, username VARCHAR(150) NOT NULL UNIQUE COLLATE NOCASE, first TEXT, last TEXT, price NUMERIC(8, 2),
            UNIQUE (first, last), UNIQUE (first, last, price));
        CREATE TABLE app_post (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES app_user (id), reviewer VARCHAR(150) REFERENCES app_user (username));";
    let report = validate_export(
        r#"[{"model": "app.user", "pk": 7, "fields": {"username": "bob", "first": "B", "last": "O", "price": "1.50"}},
        {"model": "app.post", "pk": 1, "fields": {"author": ["BOB"], "reviewer": ["Bob"]}},
        {"model": "app.post", "pk": 2, "fields": {"author": ["B", "O"], "reviewer": ["B", "O"]}},
        {"model": "app.post", "pk": 3, "fields": {"author": ["B", "O", 1.5], "reviewer": "BOB"}},
        {"model": "app.post", "pk": 4, "fields": {"author": ["b", "O"], "reviewer": ["eve"]}},
        {"model": "app.post", "pk": 5, "fields": {"author": ["B", "O", "1", "x"], "reviewer": null}}]"#,
        catalog_of_script(schema).await,
        "",
    )
    .await;
    assert_eq!(keys(&report, "ref:app_post.author_id"), ["id=4", "id=5"]);
    assert_eq!(keys(&report, "ref:app_post.reviewer"), ["id=4"]);
    assert_eq!(
        problems(&report, "type:app_post.author_id"),
        ["id=5: is a list, and the row that it names cannot be told"]
    );
}

#[tokio::test]
async fn lists_in_maps_of_tables_lead_to_rows_too() {
    let schema = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users (id));";
    let json = r#"{"users": [{"id": 1, "email": "a"}, {"email": "b"}],
        "posts": [{"id": 1, "author": ["a"]}, {"id": 2, "author": ["b"]}, {"id": 3, "author": ["c"]}]}"#;
    let report = validate_export(json, catalog_of_script(schema).await, "").await;
    assert_eq!(keys(&report, "ref:posts.author"), ["id=3"]);
}

#[tokio::test]
async fn a_type_whose_row_was_not_exported_names_no_table_that_could_be_missing() {
    let schema = "CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label VARCHAR(100) NOT NULL, model VARCHAR(100) NOT NULL, UNIQUE (app_label, model));
        CREATE TABLE shop_order (id INTEGER PRIMARY KEY);
        CREATE TABLE app_note (id INTEGER PRIMARY KEY, content_type_id INTEGER NOT NULL REFERENCES django_content_type (id), object_id INTEGER NOT NULL);";
    let config = "[table.app_note]\ngeneric = [{ type = \"content_type_id\", id = \"object_id\" }]";
    let notes = r#"{"model": "shop.order", "pk": 1, "fields": {}},
        {"model": "app.note", "pk": 1, "fields": {"content_type": ["shop", "order"], "object_id": 1}},
        {"model": "app.note", "pk": 2, "fields": {"content_type": ["shop", "order"], "object_id": 9}}"#;
    let report = validate_export(&format!("[{notes}]"), catalog_of_script(schema).await, config).await;
    assert_eq!(counts(&report, "poly:app_note(content_type_id,object_id)"), (0, 0, 2));
    let types = r#"{"model": "contenttypes.contenttype", "pk": 5, "fields": {"app_label": "shop", "model": "order"}}"#;
    let report = validate_export(&format!("[{types}, {notes}]"), catalog_of_script(schema).await, config).await;
    assert_eq!(keys(&report, "poly:app_note(content_type_id,object_id)"), ["id=2"]);
}
