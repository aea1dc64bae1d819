//! Hard cases of natural keys: lists in an export that name a row by what it says of itself.

use relink_e2e::{Contents, Export, Restore, each, lines, refused, restored};
use relink_restore::{Mode, code};
use relink_testkit::TestDatabase;

const LIBRARY: &str = "lib_author(id pk, name text unique)
                       lib_book(id pk, title text unique, author_id int -> lib_author.id, sequel_to_id int null -> lib_book.id)";

#[test]
fn a_reference_forward_by_natural_key_works_where_no_null_is_allowed() {
    for database in each("forward", LIBRARY) {
        let outcome = restored(
            &database,
            r#"[{"model": "lib.book", "pk": 3, "fields": {"title": "C", "author": ["Ann"], "sequel_to": ["B"]}},
                {"model": "lib.book", "pk": 2, "fields": {"title": "B", "author": ["Bob"], "sequel_to": ["A"]}},
                {"model": "lib.book", "pk": 1, "fields": {"title": "A", "author": ["Ann"], "sequel_to": null}},
                {"model": "lib.author", "pk": 8, "fields": {"name": "Bob"}},
                {"model": "lib.author", "pk": 9, "fields": {"name": "Ann"}}]"#,
            "",
        );
        let books = lines(&database, "SELECT id, author_id, sequel_to_id FROM lib_book ORDER BY id");
        assert_eq!(books, ["1|9|NULL", "2|8|1", "3|9|2"], "{database:?}");
        assert_eq!(outcome.patched("lib_book"), 0, "{database:?}");
    }
}

#[test]
fn a_natural_key_leads_to_the_row_that_the_target_has_under_another_id() {
    for database in each("in_target", LIBRARY) {
        database.run("INSERT INTO lib_author (id, name) VALUES (70, 'Ann'), (9, 'Zoe');");
        let export = Export::new(
            r#"[{"model": "lib.book", "pk": 1, "fields": {"title": "A", "author": ["Ann"], "sequel_to": null}},
                {"model": "lib.author", "pk": 9, "fields": {"name": "Ann"}}]"#,
        );
        let outcome = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        // Ann is there as 70. The export's 9 is Zoe here, whom the book must not be given to.
        assert_eq!(lines(&database, "SELECT id, author_id FROM lib_book"), ["1|70"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, name FROM lib_author ORDER BY id"),
            ["9|Zoe", "70|Ann"],
            "{database:?}"
        );
    }
}

#[test]
fn a_reference_by_id_follows_its_record_to_the_row_that_the_target_has() {
    for database in each("by_id_follows", LIBRARY) {
        database.run("INSERT INTO lib_author (id, name) VALUES (70, 'Ann'), (9, 'Zoe');");
        let export = Export::new(
            r#"[{"model": "lib.book", "pk": 1, "fields": {"title": "A", "author": 9, "sequel_to": null}},
                {"model": "lib.author", "pk": 9, "fields": {"name": "Ann"}}]"#,
        );
        let outcome = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(lines(&database, "SELECT id, author_id FROM lib_book"), ["1|70"], "{database:?}");
    }
}

const SITES: &str = "geo_city(id pk, name text, state text null)\ngeo_site(id pk, city_id int -> geo_city.id)";
const CITY_KEY: &str = "[table.geo_city]\nnatural_key = [\"name\", \"state\"]";

#[test]
fn a_null_in_a_natural_key_matches_null() {
    for database in each("null_part", SITES) {
        restored(
            &database,
            r#"[{"model": "geo.site", "pk": 1, "fields": {"city": ["Rome", null]}},
                {"model": "geo.site", "pk": 2, "fields": {"city": ["Rome", "NY"]}},
                {"model": "geo.city", "pk": 5, "fields": {"name": "Rome", "state": "NY"}},
                {"model": "geo.city", "pk": 6, "fields": {"name": "Rome", "state": null}},
                {"model": "geo.city", "pk": 7, "fields": {"name": "Rome", "state": ""}}]"#,
            CITY_KEY,
        );
        assert_eq!(lines(&database, "SELECT id, city_id FROM geo_site ORDER BY id"), ["1|6", "2|5"], "{database:?}");
        // The same, found in the target.
        restored(&database, r#"[{"model": "geo.site", "pk": 3, "fields": {"city": ["Rome", null]}}]"#, CITY_KEY);
        assert_eq!(lines(&database, "SELECT city_id FROM geo_site WHERE id = 3"), ["6"], "{database:?}");
    }
}

#[test]
fn a_natural_key_of_several_rows_is_reported_and_never_guessed() {
    for part in ["\"NY\"", "null"] {
        for database in each("ambiguous", SITES) {
            // Several in the export.
            let outcome = refused(
                &database,
                &format!(
                    r#"[{{"model": "geo.city", "pk": 5, "fields": {{"name": "Rome", "state": {part}}}}},
{{"model": "geo.city", "pk": 6, "fields": {{"name": "Rome", "state": {part}}}}},
{{"model": "geo.site", "pk": 1, "fields": {{"city": ["Rome", {part}]}}}}]"#
                ),
                CITY_KEY,
            );
            let finding = outcome.only(code::AMBIGUOUS_NATURAL_KEY);
            assert_eq!(finding.place.as_ref().map(|place| place.line), Some(3), "{finding:#?}");
            // Several in the target.
            let literal = part.replace('"', "'");
            database.run(&format!(
                "INSERT INTO geo_city (id, name, state) VALUES (5, 'Rome', {literal}), (6, 'Rome', {literal});"
            ));
            let site = format!(r#"[{{"model": "geo.site", "pk": 1, "fields": {{"city": ["Rome", {part}]}}}}]"#);
            refused(&database, &site, CITY_KEY).only(code::AMBIGUOUS_NATURAL_KEY);
        }
    }
}

const ACCOUNTS: &str = "django_content_type(id pk, app_label text, model text, unique(app_label, model))
    auth_permission(id pk, name text, content_type_id int -> django_content_type.id, codename text, unique(content_type_id, codename))
    auth_group(id pk, name text unique)
    auth_group_permissions(id bigint pk, group_id int -> auth_group.id, permission_id int -> auth_permission.id, unique(group_id, permission_id))";

#[test]
fn a_nested_natural_key_finds_inner_objects_made_by_the_same_export() {
    for database in each("nested", ACCOUNTS) {
        restored(
            &database,
            r#"[{"model": "auth.group", "pk": 1, "fields": {"name": "staff", "permissions": [["add_book", "lib", "book"], ["add_tag", "lib", "tag"]]}},
                {"model": "auth.permission", "fields": {"name": "p", "content_type": ["lib", "book"], "codename": "add_book"}},
                {"model": "auth.permission", "fields": {"name": "q", "content_type": ["lib", "tag"], "codename": "add_tag"}},
                {"model": "auth.permission", "fields": {"name": "r", "content_type": ["shop", "book"], "codename": "add_book"}},
                {"model": "contenttypes.contenttype", "fields": {"app_label": "lib", "model": "tag"}},
                {"model": "contenttypes.contenttype", "fields": {"app_label": "lib", "model": "book"}},
                {"model": "contenttypes.contenttype", "fields": {"app_label": "shop", "model": "book"}}]"#,
            "",
        );
        let joined = "SELECT g.name, c.app_label, c.model, p.codename, p.name FROM auth_group_permissions j JOIN auth_group g ON g.id = j.group_id
            JOIN auth_permission p ON p.id = j.permission_id JOIN django_content_type c ON c.id = p.content_type_id ORDER BY 5";
        assert_eq!(lines(&database, joined), ["staff|lib|book|add_book|p", "staff|lib|tag|add_tag|q"], "{database:?}");
    }
}

#[test]
fn nested_natural_keys_go_by_ids_of_the_target_where_it_has_the_rows() {
    for database in each("nested_target", ACCOUNTS) {
        database.run(
            "INSERT INTO django_content_type (id, app_label, model) VALUES (1, 'shop', 'book'), (2, 'lib', 'book');
             INSERT INTO auth_permission (id, name, content_type_id, codename) VALUES (1, 'wrong', 1, 'add_book'), (2, 'right', 2, 'add_book');",
        );
        let export = Export::new(
            r#"[{"model": "contenttypes.contenttype", "pk": 1, "fields": {"app_label": "lib", "model": "book"}},
                {"model": "auth.permission", "pk": 1, "fields": {"name": "right", "content_type": 1, "codename": "add_book"}},
                {"model": "auth.group", "pk": 1, "fields": {"name": "staff", "permissions": [1]}}]"#,
        );
        let outcome = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        let named = "SELECT p.name FROM auth_group_permissions j JOIN auth_permission p ON p.id = j.permission_id";
        assert_eq!(lines(&database, named), ["right"], "{database:?}");
        assert_eq!((outcome.report.totals.skipped, outcome.report.totals.inserted), (2, 2), "{database:?}");
    }
}

const TAGGED: &str = "blog_tag(id pk, name text unique)
    blog_post(id pk, slug varchar(20) unique, tag_id int null -> blog_tag.id)
    blog_post_tags(id bigint pk, post_id int -> blog_post.id, tag_id int -> blog_tag.id, unique(post_id, tag_id))";

#[test]
fn a_natural_key_is_a_list_and_in_a_many_to_many_field_a_list_in_a_list() {
    for database in each("list_forms", TAGGED) {
        restored(
            &database,
            r#"[{"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tag": ["a"], "tags": [["a"], ["b"]]}},
                {"model": "blog.post", "pk": 2, "fields": {"slug": "q", "tag": 12, "tags": [12, ["b"], 11]}},
                {"model": "blog.tag", "pk": 11, "fields": {"name": "a"}},
                {"model": "blog.tag", "pk": 12, "fields": {"name": "b"}}]"#,
            "",
        );
        assert_eq!(lines(&database, "SELECT id, tag_id FROM blog_post ORDER BY id"), ["1|11", "2|12"], "{database:?}");
        let pairs = lines(&database, "SELECT post_id, tag_id FROM blog_post_tags ORDER BY post_id, tag_id");
        assert_eq!(pairs, ["1|11", "1|12", "2|11", "2|12"], "{database:?}: 12 and [\"b\"] are one tag");
    }
}

#[test]
fn a_list_of_natural_keys_that_are_texts_without_lists_of_their_own_is_refused() {
    for database in each("bare_texts", TAGGED) {
        let outcome = refused(
            &database,
            r#"[{"model": "blog.tag", "pk": 1, "fields": {"name": "a"}},
                {"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tag": null, "tags": ["a"]}}]"#,
            "",
        );
        let finding = outcome.only(code::UNFIT_VALUE);
        assert_eq!(finding.field.as_deref(), Some("tags"), "{finding:#?}");
    }
}

#[test]
fn a_list_for_a_table_without_natural_key_says_how_to_name_one() {
    for database in each("no_natural_key", "geo_city(id pk, name text)\ngeo_site(id pk, city_id int -> geo_city.id)") {
        let export = r#"[{"model": "geo.city", "pk": 4, "fields": {"name": "Rome"}},
{"model": "geo.site", "pk": 1, "fields": {"city": ["Rome"]}}]"#;
        let outcome = refused(&database, export, "");
        let finding = outcome.only(code::UNKNOWN_NATURAL_KEY);
        assert!(finding.help.as_deref().is_some_and(|help| help.contains("[table.geo_city]")), "{finding:#?}");
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(2));
        restored(&database, export, "[table.geo_city]\nnatural_key = [\"name\"]");
        assert_eq!(lines(&database, "SELECT city_id FROM geo_site"), ["4"], "{database:?}");
    }
}

#[test]
fn a_list_of_the_wrong_length_names_the_key_that_was_expected() {
    for database in each("wrong_length", SITES) {
        let export = r#"[{"model": "geo.city", "pk": 1, "fields": {"name": "Rome", "state": "NY"}}, {"model": "geo.site", "pk": 1, "fields": {"city": ["Rome"]}}]"#;
        let outcome = refused(&database, export, CITY_KEY);
        let finding = outcome.only(code::UNFIT_VALUE);
        assert!(finding.message.contains("name, state"), "{finding:#?}");
    }
}

#[test]
fn the_text_5_as_a_natural_key_is_not_the_primary_key_5() {
    for database in each("five", TAGGED) {
        restored(
            &database,
            r#"[{"model": "blog.tag", "pk": 5, "fields": {"name": "6"}},
                {"model": "blog.tag", "pk": 6, "fields": {"name": "5"}},
                {"model": "blog.post", "pk": 1, "fields": {"slug": "a", "tag": ["5"], "tags": [["5"]]}},
                {"model": "blog.post", "pk": 2, "fields": {"slug": "b", "tag": 5, "tags": [5]}},
                {"model": "blog.post", "pk": 3, "fields": {"slug": "c", "tag": "5", "tags": ["5"]}}]"#,
            "",
        );
        assert_eq!(
            lines(&database, "SELECT id, tag_id FROM blog_post ORDER BY id"),
            ["1|6", "2|5", "3|5"],
            "{database:?}"
        );
        let pairs = lines(&database, "SELECT post_id, tag_id FROM blog_post_tags ORDER BY 1");
        assert_eq!(pairs, ["1|6", "2|5", "3|5"], "{database:?}");
    }
}

#[test]
fn the_same_key_twice_is_reported_with_both_places() {
    for database in each("twice", TAGGED) {
        let outcome = refused(
            &database,
            r#"[
{"model": "blog.tag", "pk": 1, "fields": {"name": "a"}},
{"model": "blog.tag", "pk": 2, "fields": {"name": "b"}},
{"model": "blog.tag", "pk": 3, "fields": {"name": "a"}},
{"model": "blog.tag", "pk": 2, "fields": {"name": "c"}}
]"#,
            "",
        );
        let found = outcome.findings(code::DUPLICATE_KEY);
        let line = |place: &Option<relink_model::Place>| place.as_ref().map(|place| place.line);
        let mut places: Vec<_> = found.iter().map(|found| (line(&found.place), line(&found.other_place))).collect();
        places.sort();
        assert_eq!(places, [(Some(4), Some(2)), (Some(5), Some(3))], "{database:?}: {found:#?}");
    }
}

#[test]
fn keys_that_only_the_columns_collation_calls_equal_collide_in_the_dry_run_as_in_earnest() {
    // What is equal beyond bytes differs: case and trailing blanks, to MySQL; case, to a column told so.
    for database in TestDatabase::each("collation") {
        let (kind, ours, theirs) = match database.dialect() {
            "sqlite" => ("text COLLATE NOCASE", "Pavel", "pavel"),
            "postgres" => {
                database.run("CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);");
                ("text COLLATE ignoring_case", "Pavel", "pavel")
            }
            _ => ("varchar(50) COLLATE utf8mb4_general_ci", "Pavel", "pavel  "),
        };
        database.run(&format!("CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name {kind} NOT NULL UNIQUE);"));
        let before = Contents::of(&database);
        let text = format!(
            r#"{{"people": [
{{"id": 1, "name": "{ours}"}},
{{"id": 2, "name": "Other"}},
{{"id": 3, "name": "{theirs}"}}]}}"#
        );
        let export = Export::new(&text);
        let dry = Restore::of(&export).dry_run(true).into(&database);
        before.assert_unchanged(&database);
        let real = Restore::of(&export).into(&database);
        relink_e2e::same_but_for_the_dry_run(&dry.report, &real.report);
        let all: Vec<_> = real.report.findings.iter().flat_map(|group| &group.findings).collect();
        assert_eq!(all.len(), 1, "{database:?}: {all:#?}");
        assert_eq!(all[0].place.as_ref().map(|place| place.line), Some(4), "{database:?}: {all:#?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_natural_key_in_another_case_finds_the_row_where_the_column_ignores_case() {
    for database in TestDatabase::each("finds_other_case") {
        let kind = match database.dialect() {
            "sqlite" => "text COLLATE NOCASE",
            "postgres" => {
                database.run("CREATE EXTENSION citext;");
                "citext"
            }
            _ => "varchar(50) COLLATE utf8mb4_general_ci",
        };
        database.run(&format!(
            "CREATE TABLE lib_author (id integer NOT NULL PRIMARY KEY, name {kind} NOT NULL UNIQUE);
             CREATE TABLE lib_book (id integer NOT NULL PRIMARY KEY, author_id integer NOT NULL REFERENCES lib_author (id));
             INSERT INTO lib_author (id, name) VALUES (7, 'Pavel');"
        ));
        restored(&database, r#"[{"model": "lib.book", "pk": 1, "fields": {"author": ["PAVEL"]}}]"#, "");
        assert_eq!(lines(&database, "SELECT author_id FROM lib_book"), ["7"], "{database:?}");
    }
}

#[test]
fn a_natural_key_in_another_case_finds_no_row_where_the_column_minds_case() {
    for database in TestDatabase::each("minds_case") {
        let kind = if database.dialect() == "mysql" { "varchar(50) COLLATE utf8mb4_bin" } else { "varchar(50)" };
        database.run(&format!(
            "CREATE TABLE lib_author (id integer NOT NULL PRIMARY KEY, name {kind} NOT NULL UNIQUE);
             CREATE TABLE lib_book (id integer NOT NULL PRIMARY KEY, author_id integer NOT NULL REFERENCES lib_author (id));
             INSERT INTO lib_author (id, name) VALUES (7, 'Pavel'), (8, 'e\u{301}');"
        ));
        for name in ["PAVEL", "é"] {
            let export = format!(r#"[{{"model": "lib.book", "pk": 1, "fields": {{"author": ["{name}"]}}}}]"#);
            refused(&database, &export, "").only(code::DANGLING_REFERENCE);
        }
    }
}

#[test]
fn a_natural_key_longer_than_its_column_is_refused_and_not_cut() {
    for database in each("too_long", TAGGED) {
        if database.dialect() == "sqlite" {
            continue; // which enforces no length
        }
        let export = r#"[{"model": "blog.post", "pk": 1, "fields": {"slug": "123456789012345678901", "tag": null, "tags": []}}]"#;
        let outcome = refused(&database, export, "");
        let finding = outcome.only(code::UNFIT_VALUE);
        assert_eq!(finding.field.as_deref(), Some("slug"), "{database:?}: {finding:#?}");
    }
}

#[test]
fn records_without_primary_key_get_ids_past_those_in_use_and_are_found_by_natural_key() {
    for database in each("natural_primary", LIBRARY) {
        database.run("INSERT INTO lib_author (id, name) VALUES (40, 'Old');");
        restored(
            &database,
            r#"[{"model": "lib.book", "fields": {"title": "B", "author": ["New"], "sequel_to": ["A"]}},
                {"model": "lib.book", "fields": {"title": "A", "author": ["Old"], "sequel_to": null}},
                {"model": "lib.author", "fields": {"name": "New"}}]"#,
            "",
        );
        let books = "SELECT b.title, a.name, s.title FROM lib_book b JOIN lib_author a ON a.id = b.author_id
                     LEFT JOIN lib_book s ON s.id = b.sequel_to_id ORDER BY 1";
        assert_eq!(lines(&database, books), ["A|Old|NULL", "B|New|A"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, name FROM lib_author ORDER BY id"),
            ["40|Old", "41|New"],
            "{database:?}"
        );
    }
}

#[test]
fn the_lookups_of_natural_keys_do_not_grow_with_the_records() {
    use relink_e2e::{Faults, Moment};
    const BOOKS: usize = 3_000;
    for database in each("bulk_lookup", LIBRARY) {
        database.run("INSERT INTO lib_author (id, name) VALUES (1, 'a0'), (2, 'a1'), (3, 'a2');");
        let calls = |books: usize, from: usize| {
            let records: Vec<String> = (from..from + books)
                .map(|n| format!(r#"{{"model": "lib.book", "pk": {n}, "fields": {{"title": "t{n}", "author": ["a{}"], "sequel_to": null}}}}"#, n % 3))
                .collect();
            let export = Export::new(format!("[{}]", records.join(",")));
            let faults = Faults::at(u64::MAX, Moment::Before);
            let outcome = Restore::of(&export).over(|connection| faults.wrap(connection)).dry_run(true).into(&database);
            assert_eq!(outcome.counts("lib_book").inserted, books as u64, "{database:?}");
            faults.calls()
        };
        assert_eq!(calls(3, 1), calls(BOOKS, 1), "{database:?}");
    }
}
