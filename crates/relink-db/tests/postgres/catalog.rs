//! Reading the catalog, and the orphan queries that rest on it.

use super::*;

#[tokio::test]
async fn introspection_reads_types_through_domains_arrays_and_modifiers() {
    let Some(database) = TestDatabase::postgres("introspect_types") else { return };
    database.run(
        r#"
        CREATE EXTENSION citext;
        CREATE TYPE "Mood" AS ENUM ('sad', 'it''s ok', 'happy');
        CREATE DOMAIN year AS integer NOT NULL DEFAULT 1999 CHECK (VALUE BETWEEN 1901 AND 2155);
        CREATE DOMAIN recent AS year CHECK (VALUE > 1990);
        CREATE DOMAIN flags AS bit(3);
        CREATE DOMAIN email AS citext;
        CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE t (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            small smallint DEFAULT 3, big oid, ok boolean, r real, d double precision,
            n numeric, n2 numeric(10,2), n3 numeric(3,-2), c character(4), v character varying(50), b bytea,
            day date, at time(3), atz time with time zone, ts timestamp(0), tsz timestamp with time zone,
            i interval, u uuid, j json, jb jsonb, mood "Mood" NOT NULL, moods "Mood"[], labels character varying(10)[],
            born recent, f flags, bits bit(5), mail email, folded text COLLATE ci, c_text text COLLATE "C", ip inet, r4 int4range,
            total numeric GENERATED ALWAYS AS (n2 * 2) STORED
        );"#,
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "t");
    assert_eq!(*kind(t, "big"), TypeKind::Integer { bits: 32, unsigned: true });
    assert_eq!(*kind(t, "r"), TypeKind::Float { bits: 32 });
    let decimal = |precision, scale| TypeKind::Decimal { precision, scale, special: true, unsigned: false };
    assert_eq!(*kind(t, "n"), decimal(None, None));
    assert_eq!(*kind(t, "n2"), decimal(Some(10), Some(2)));
    assert_eq!(*kind(t, "n3"), decimal(Some(3), Some(-2)));
    let chars = |max_chars, fixed| TypeKind::Text { max_chars, max_bytes: None, fixed };
    assert_eq!(*kind(t, "c"), chars(Some(4), true));
    assert_eq!(*kind(t, "v"), chars(Some(50), false));
    assert_eq!(*kind(t, "at"), TypeKind::Time { zoned: false, precision: 3 });
    assert_eq!(*kind(t, "ts"), TypeKind::Timestamp { zoned: false, precision: 0 });
    assert_eq!(*kind(t, "tsz"), TypeKind::Timestamp { zoned: true, precision: 6 });
    let labels = TypeKind::Enum { labels: strings(&["sad", "it's ok", "happy"]) };
    assert_eq!(*kind(t, "mood"), labels);
    let element = |column| match kind(t, column) {
        TypeKind::Array { element } => (**element).clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((element("moods").declared.as_str(), element("moods").kind), ("\"Mood\"", labels));
    assert_eq!(
        (element("labels").declared.as_str(), element("labels").kind),
        ("character varying(10)", chars(Some(10), false))
    );
    assert_eq!(*kind(t, "born"), TypeKind::Integer { bits: 32, unsigned: false });
    let column = |name| t.column(name).expect("the column exists").1;
    assert_eq!(column("born").data_type.declared, "recent");
    assert_eq!((column("born").nullable, column("born").default.as_deref()), (false, Some("1999")));
    assert_eq!(column("f").data_type.declared, "bit(3)", "its own name would hide that a cast cuts");
    assert!(column("mail").case_insensitive && column("folded").case_insensitive && !column("c_text").case_insensitive);
    assert_eq!(column("folded").collation.as_deref(), Some("ci"));
    assert_eq!(column("c_text").collation.as_deref(), Some("C"));
    assert_eq!(column("v").collation, None);
    assert_eq!(column("ip").data_type.kind, TypeKind::Other);
    assert_eq!(column("id").identity, Some(Identity::Always));
    assert_eq!((column("total").generated, column("total").default.clone()), (Some(GeneratedKind::Stored), None));
    assert_eq!(column("small").default.as_deref(), Some("3"));
    assert!(t.owned && !t.row_security);
    assert_eq!(connection.server().product, "PostgreSQL");
}

#[tokio::test]
async fn introspection_reads_keys_constraints_and_what_enforces_them() {
    let Some(database) = TestDatabase::postgres("introspect_keys") else { return };
    database.run(
        r#"
        CREATE SCHEMA shop;
        CREATE TABLE shop.parent (a int, b int, code text, PRIMARY KEY (b, a), CONSTRAINT parent_code UNIQUE (code), CONSTRAINT late UNIQUE (a) DEFERRABLE);
        CREATE TABLE public.parent (id int PRIMARY KEY, name text NOT NULL, CONSTRAINT name_present CHECK (((name <> ')'))));
        CREATE TABLE child (
            id serial PRIMARY KEY, x int, y int, code text REFERENCES shop.parent (code) ON DELETE SET NULL ON UPDATE CASCADE,
            parent_id int, loose int, off int, live boolean,
            CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES shop.parent (a, b) MATCH FULL DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT parent_fk FOREIGN KEY (parent_id) REFERENCES public.parent,
            CONSTRAINT off_fk FOREIGN KEY (off) REFERENCES public.parent
        );
        ALTER TABLE child ADD CONSTRAINT loose_fk FOREIGN KEY (loose) REFERENCES public.parent NOT VALID;
        ALTER TABLE child ADD CONSTRAINT old_rows CHECK (x > 0) NOT VALID;
        CREATE UNIQUE INDEX lower_code ON child (lower(code), x) WHERE live;
        CREATE UNIQUE INDEX plain_pair ON child (y, x) INCLUDE (code);
        CREATE UNIQUE INDEX other_collation ON child (code COLLATE "C");
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION nothing();
        CREATE TRIGGER quiet AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION nothing();
        ALTER TABLE child DISABLE TRIGGER quiet;
        CREATE RULE reroute AS ON INSERT TO public.parent WHERE new.id < 0 DO INSTEAD NOTHING;
        CREATE TABLE off_only (id int PRIMARY KEY, p int CONSTRAINT off_only_fk REFERENCES public.parent);
        ALTER TABLE off_only DISABLE TRIGGER ALL;
        CREATE VIEW v AS SELECT 1 AS one;
        "#,
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
    assert_eq!(names, ["child", "off_only", "parent", "shop.parent"]);

    let shop_parent = relation(&catalog, "shop.parent");
    assert_eq!(shop_parent.primary_key_columns(), ["b", "a"]);
    assert_eq!(shop_parent.unique_keys[0].deferrability, Deferrability::InitiallyImmediate);
    assert_eq!(relation(&catalog, "parent").checks[0].expression, "name <> ')'::text");
    let rule = &relation(&catalog, "parent").triggers[0];
    assert_eq!((rule.name.as_str(), rule.timing.as_str(), rule.enabled), ("reroute", "RULE INSTEAD OF INSERT", true));

    let child = relation(&catalog, "child");
    let key = |name: &str| -> &ForeignKey {
        child.foreign_keys.iter().find(|key| key.name.as_ref().is_some_and(|n| n.0 == name)).expect("the key exists")
    };
    let pair = key("pair");
    assert_eq!(pair.referenced, RelationName::qualified("shop", "parent"));
    assert_eq!((&*pair.columns, &*pair.referenced_columns), (&*strings(&["x", "y"]), &*strings(&["a", "b"])));
    assert_eq!((pair.match_kind, pair.deferrability), (MatchKind::Full, Deferrability::InitiallyDeferred));
    assert_eq!(key("child_code_fkey").referenced_columns, ["code"]);
    assert_eq!(key("parent_fk").enforcement, Enforcement::Enforced);
    assert_eq!(key("parent_fk").referenced, RelationName::new("parent"));
    assert_eq!(key("loose_fk").enforcement, Enforcement::NotValidated);
    assert_eq!(child.checks[0].enforcement, Enforcement::NotValidated);
    assert_eq!(relation(&catalog, "off_only").foreign_keys[0].enforcement, Enforcement::NotEnforced);

    let key = |name: &str| child.unique_keys.iter().find(|key| key.name.0 == name).expect("the key exists");
    assert_eq!(child.unique_keys.len(), 3);
    assert_eq!(key("plain_pair").columns, ["y", "x"], "without the included column");
    assert!(key("plain_pair").is_plain());
    assert_eq!(key("lower_code").expressions, Some(strings(&["lower(code)", "x"])));
    assert_eq!(key("lower_code").predicate.as_deref(), Some("live"));
    assert_eq!(key("other_collation").expressions, Some(strings(&["code COLLATE pg_catalog.\"C\""])));
    let triggers: Vec<_> = child.triggers.iter().map(|t| (t.name.as_str(), t.timing.as_str(), t.enabled)).collect();
    assert_eq!(triggers, [("quiet", "AFTER DELETE", false), ("stamp", "BEFORE INSERT OR UPDATE", true)]);
    let sequence = child.numbered_column().and_then(|column| column.sequence.clone()).expect("serial owns a sequence");
    assert_eq!((sequence.name, sequence.increment, sequence.owned), (RelationName::new("child_id_seq"), 1, true));

    database.run("SET session_replication_role = replica");
    let replica = format!("{}?options=-csession_replication_role%3Dreplica", database.url());
    let catalog = open_url(&replica, Access::ReadWrite).await.introspect().await.expect("the catalog can be read");
    assert_eq!(relation(&catalog, "child").foreign_keys[0].enforcement, Enforcement::NotEnforced);
    assert!(!relation(&catalog, "child").triggers[1].enabled);
}

#[tokio::test]
async fn partitions_stand_behind_their_root_and_children_that_inherit_stand_for_themselves() {
    let Some(database) = TestDatabase::postgres("partitions") else { return };
    database.run(
        "CREATE TABLE p (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         CREATE TABLE refers (id int PRIMARY KEY, p_id int, p_day date, FOREIGN KEY (p_id, p_day) REFERENCES p);
         CREATE TABLE base (id serial PRIMARY KEY, name text);
         CREATE TABLE derived (extra text) INHERITS (base);
         CREATE TABLE base_refers (id int PRIMARY KEY, base_id int);
         INSERT INTO p VALUES (1, '2024-05-05');
         INSERT INTO refers VALUES (1, 1, '2024-05-05');
         INSERT INTO derived VALUES (7, 'only in the child');
         INSERT INTO base_refers VALUES (1, 7);
         ALTER TABLE base_refers ADD FOREIGN KEY (base_id) REFERENCES base NOT VALID;",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let names: Vec<&str> = catalog.relations.iter().map(|relation| relation.name.name.as_str()).collect();
    assert_eq!(names, ["base", "base_refers", "derived", "p", "refers"]);
    assert_eq!(relation(&catalog, "p").kind, RelationKind::PartitionedTable);
    assert_eq!(relation(&catalog, "derived").inherits, [RelationName::new("base")]);
    assert_eq!(relation(&catalog, "refers").foreign_keys.len(), 1, "no clones for the partitions");
    let orphans = |from: &str, to: &str| {
        let from = relation(&catalog, from);
        connection.dialect().orphans(from, &from.foreign_keys[0], relation(&catalog, to))
    };
    let (partitioned, inherited) = (orphans("refers", "p"), orphans("base_refers", "base"));
    let rows = connection.query(&format!("SELECT c.id {partitioned}"), &[]).await.expect("a query");
    assert!(rows.is_empty(), "the target is in a partition");
    let rows = connection.query(&format!("SELECT c.id {inherited}"), &[]).await.expect("a query");
    assert_eq!(rows, [[Value::Int(1)]], "a child's row is no target of a foreign key, as the server sees it too");
    assert!(database.try_run("ALTER TABLE base_refers VALIDATE CONSTRAINT base_refers_base_id_fkey").is_err());
    let locator = connection.dialect().row_locator("c", relation(&catalog, "p")).expect("a heap has row ids");
    let rows = connection.query(&format!("SELECT {locator} FROM p AS c"), &[]).await.expect("a query");
    assert_eq!(rows, [[text("p1(0,1)")]]);
}

#[tokio::test]
async fn orphans_are_judged_by_match_and_under_the_referenced_columns_collation() {
    let Some(database) = TestDatabase::postgres("orphans") else { return };
    database.run(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); INSERT INTO p VALUES (1, 1);
         CREATE TABLE simple (id int, a int, b int, FOREIGN KEY (a, b) REFERENCES p);
         CREATE TABLE whole (id int, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL);
         CREATE TABLE names (name text COLLATE ci PRIMARY KEY); INSERT INTO names VALUES ('Ann');
         CREATE TABLE named (id int, name text REFERENCES names);
         SET session_replication_role = replica;
         INSERT INTO simple VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL), (4, 9, NULL), (5, 9, 9);
         INSERT INTO whole SELECT * FROM simple;
         INSERT INTO named VALUES (1, 'aNN'), (2, 'Bob'), (3, NULL);",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    for (name, expected) in [("simple", vec![5]), ("whole", vec![2, 4, 5]), ("named", vec![2])] {
        let from = relation(&catalog, name);
        let key = &from.foreign_keys[0];
        let to = catalog.relation(catalog.id(&key.referenced).expect("it is in the catalog"));
        let sql = format!("SELECT c.id {} ORDER BY 1", connection.dialect().orphans(from, key, to));
        let rows = connection.query(&sql, &[]).await.expect(name);
        assert_eq!(rows, expected.iter().map(|id| vec![Value::Int(*id)]).collect::<Vec<_>>(), "{name}");
    }
}
