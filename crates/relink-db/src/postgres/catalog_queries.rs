//! The SQL of introspection. Names of the system catalog are qualified, so that no object of a user's can stand in for
//! them; `$1` is the list of relations that the first query found.

use crate::JOURNAL;

/// Which relations there are (`c` of `pg_class`, `n` of `pg_namespace`).
const USER_RELATIONS: &str = "c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' \
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.classid = 'pg_catalog.pg_class'::regclass \
        AND e.objid = c.oid AND e.deptype = 'e')";

/// Whether an unqualified name means this relation, and it stands in the namespace where new relations go.
const IS_DEFAULT: &str = "(n.nspname = pg_catalog.current_schema() AND pg_catalog.pg_table_is_visible(c.oid))";

/// Whether a trigger or rule in this state fires in this session.
fn fires(state: &str) -> String {
    format!(
        "CASE {state} WHEN 'D' THEN false \
         WHEN 'O' THEN pg_catalog.current_setting('session_replication_role') <> 'replica' \
         WHEN 'R' THEN pg_catalog.current_setting('session_replication_role') = 'replica' ELSE true END"
    )
}

/// Those that are introspected: oid, namespace, name, default?, kind, estimate, row security, owned, parents.
pub(super) fn relations() -> String {
    format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, {IS_DEFAULT}, c.relkind::text, \
         CASE WHEN c.reltuples > 0 OR c.relpages > 0 THEN c.reltuples::float8 END, \
         c.relrowsecurity AND pg_catalog.row_security_active(c.oid), pg_catalog.pg_has_role(c.relowner, 'USAGE'), \
         ARRAY(SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno) \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE {USER_RELATIONS} AND NOT pg_catalog.starts_with(c.relname::text, '{JOURNAL}')"
    )
}

/// Views, materialized ones among them: namespace, name, default?
pub(super) fn views() -> String {
    format!(
        "SELECT n.nspname::text, c.relname::text, {IS_DEFAULT} \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' \
         AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    )
}

/// Whether there is a relation at all.
pub(super) fn any_relation() -> String {
    format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE {USER_RELATIONS})"
    )
}

/// `DROP` statements for every relation.
pub(super) fn drop_statements() -> String {
    format!(
        "SELECT pg_catalog.format('DROP %s IF EXISTS %I.%I CASCADE', \
         CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, n.nspname, c.relname) \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE {USER_RELATIONS} ORDER BY c.oid"
    )
}

/// oid, name, system?, class, array?, base, base's modifier, base as printed, element, NOT NULL, default, labels, conditions of a domain, and whether each
/// is valid. The row types of tables, and arrays of them, are left out.
pub(super) const TYPES: &str = "SELECT t.oid, t.typname::text, t.typnamespace = 'pg_catalog'::regnamespace, t.typtype::text, \
    t.typcategory = 'A', t.typbasetype, t.typtypmod, \
    CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END, t.typelem, t.typnotnull, \
    t.typdefault, \
    ARRAY(SELECT l.enumlabel::text FROM pg_catalog.pg_enum AS l WHERE l.enumtypid = t.oid ORDER BY l.enumsortorder), \
    ARRAY(SELECT pg_catalog.pg_get_expr(o.conbin, 0) FROM pg_catalog.pg_constraint AS o \
        WHERE t.typtype = 'd' AND o.contypid = t.oid AND o.contype = 'c' ORDER BY o.conname), \
    ARRAY(SELECT o.convalidated FROM pg_catalog.pg_constraint AS o \
        WHERE t.typtype = 'd' AND o.contypid = t.oid AND o.contype = 'c' ORDER BY o.conname) \
    FROM pg_catalog.pg_type AS t LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem \
    WHERE t.typrelid = 0 AND coalesce(e.typrelid, 0) = 0";

/// relation, number, name, type, modifier, type as printed, NOT NULL, identity, generated, default or generation
/// expression, collation other than the database's, whether that is deterministic.
pub(super) const COLUMNS: &str = "SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod, \
    pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text, \
    pg_catalog.pg_get_expr(d.adbin, d.adrelid), k.collname::text, k.collisdeterministic \
    FROM pg_catalog.pg_attribute AS a \
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    LEFT JOIN pg_catalog.pg_collation AS k \
        ON k.oid = a.attcollation AND k.collname <> 'default' AND a.atttypid <> 'pg_catalog.name'::regtype \
    WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY a.attrelid, a.attnum";

/// relation, oid, name, kind, columns, deferrable, deferred, validated, index, referenced namespace, name and default?,
/// referenced columns, match, on delete, on update, condition, triggers off, enforced.
///
/// Clones that partitioning makes have a parent constraint and are left out.
pub(super) fn constraints(version: i32) -> String {
    // `NOT ENFORCED` came with version 18.
    let enforced = if version >= 180_000 { "o.conenforced" } else { "true" };
    let fires = fires("t.tgenabled");
    format!(
        "SELECT o.conrelid, o.oid, o.conname::text, o.contype::text, \
         ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY AS k (number, place) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.number ORDER BY k.place), \
         o.condeferrable, o.condeferred, o.convalidated, o.conindid, n.nspname::text, c.relname::text, {IS_DEFAULT}, \
         ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(o.confkey) WITH ORDINALITY AS k (number, place) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.confrelid AND a.attnum = k.number ORDER BY k.place), \
         o.confmatchtype::text, o.confdeltype::text, o.confupdtype::text, \
         CASE WHEN o.contype = 'c' THEN pg_catalog.pg_get_expr(o.conbin, o.conrelid) END, r.silent, {enforced} \
         FROM pg_catalog.pg_constraint AS o \
         LEFT JOIN pg_catalog.pg_class AS c ON c.oid = o.confrelid \
         LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         LEFT JOIN (SELECT t.tgconstraint, bool_or(NOT ({fires})) AS silent FROM pg_catalog.pg_trigger AS t \
             WHERE t.tgisinternal AND t.tgconstraint <> 0 GROUP BY t.tgconstraint) AS r \
             ON r.tgconstraint = o.oid AND o.contype = 'f' \
         WHERE o.conrelid = ANY ($1) AND o.contype IN ('p', 'u', 'f', 'c') AND o.conparentid = 0"
    )
}

/// relation, oid, name, valid, nulls not distinct, columns, every part as SQL where one is more than a column under the
/// column's own collation, predicate.
pub(super) fn unique_indexes(version: i32) -> String {
    let nulls = if version >= 150_000 { "i.indnullsnotdistinct" } else { "false" };
    format!(
        "SELECT i.indrelid, i.indexrelid, c.relname::text, i.indisvalid AND i.indisready, {nulls}, \
         ARRAY(SELECT a.attname::text FROM generate_series(1, i.indnkeyatts) AS k (place) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1] \
             ORDER BY k.place), \
         CASE WHEN i.indexprs IS NOT NULL OR EXISTS (SELECT FROM generate_series(1, i.indnkeyatts) AS k (place) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1] \
             WHERE i.indcollation[k.place - 1] NOT IN (0, a.attcollation)) \
         THEN ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.place, true) \
                 || coalesce(' COLLATE ' || pg_catalog.quote_ident(ln.nspname) || '.' || pg_catalog.quote_ident(l.collname), '') \
             FROM generate_series(1, i.indnkeyatts) AS k (place) \
             LEFT JOIN pg_catalog.pg_attribute AS a \
                 ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1] AND a.attnum > 0 \
             LEFT JOIN pg_catalog.pg_collation AS l \
                 ON l.oid = i.indcollation[k.place - 1] AND a.attcollation <> i.indcollation[k.place - 1] \
             LEFT JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.collnamespace \
             ORDER BY k.place) END, \
         pg_catalog.pg_get_expr(i.indpred, i.indrelid) \
         FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
         WHERE i.indrelid = ANY ($1) AND i.indisunique"
    )
}

/// relation, name, bits, enabled, rule?
pub(super) fn triggers() -> String {
    let (trigger_fires, rule_fires) = (fires("t.tgenabled"), fires("r.ev_enabled"));
    format!(
        "SELECT t.tgrelid, t.tgname::text, t.tgtype::int4, {trigger_fires}, false FROM pg_catalog.pg_trigger AS t \
         WHERE t.tgrelid = ANY ($1) AND NOT t.tgisinternal \
         UNION ALL \
         SELECT r.ev_class, r.rulename::text, r.ev_type::text::int4 + CASE WHEN r.is_instead THEN 16 ELSE 0 END, {rule_fires}, true \
         FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = ANY ($1)"
    )
}

/// relation, number, namespace, name and default? of the sequence, increment, owned, found in the default. Those that
/// a column owns come first, then those that its default uses.
pub(super) const SEQUENCES: &str = "SELECT s.relation, s.number::int2, n.nspname::text, c.relname::text, \
    n.nspname = pg_catalog.current_schema() AND pg_catalog.pg_table_is_visible(c.oid), \
    q.seqincrement, pg_catalog.pg_has_role(c.relowner, 'USAGE'), s.by_default \
    FROM (SELECT d.refobjid AS relation, d.refobjsubid AS number, d.objid AS sequence, false AS by_default \
            FROM pg_catalog.pg_depend AS d \
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
                AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND d.refobjid = ANY ($1) \
        UNION ALL \
        SELECT a.adrelid, a.adnum, d.refobjid, true FROM pg_catalog.pg_attrdef AS a \
            JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = a.oid \
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n' \
            WHERE a.adrelid = ANY ($1)) AS s \
    JOIN pg_catalog.pg_class AS c ON c.oid = s.sequence AND c.relkind = 'S' \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = c.oid \
    ORDER BY s.relation, s.number, s.by_default, n.nspname, c.relname";
