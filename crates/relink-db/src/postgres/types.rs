//! PostgreSQL types: from `pg_type` rows and type modifiers to [`TypeKind`], and the casts that a text parameter of
//! each needs.

use std::collections::HashMap;

use relink_model::{ColumnType, TypeKind};

/// One row of `pg_type`.
#[derive(Clone, Debug, Default)]
pub(super) struct TypeRow {
    /// `typname`.
    pub(super) name: String,
    /// Whether it is one of the system's own types.
    pub(super) system: bool,
    /// `typtype`: `b`ase, `d`omain, `e`num, `r`ange, `m`ultirange, `c`omposite.
    pub(super) class: String,
    /// `typcategory = 'A'`.
    pub(super) array: bool,
    /// The type under a domain.
    pub(super) base: i64,
    /// The type modifier that a domain gives its base.
    pub(super) base_modifier: i32,
    /// The type under a domain, as `format_type` prints it.
    pub(super) base_declared: Option<String>,
    /// An array's element.
    pub(super) element: i64,
    /// A domain's own NOT NULL.
    pub(super) not_null: bool,
    /// A domain's own default.
    pub(super) default: Option<String>,
    /// An enum's labels in order.
    pub(super) labels: Vec<String>,
    /// A domain's own conditions over `VALUE`, and whether every value has been held against it.
    pub(super) checks: Vec<(String, bool)>,
}

/// The types of a database by OID.
#[derive(Debug, Default)]
pub(super) struct TypeTable {
    rows: HashMap<i64, TypeRow>,
}

impl TypeTable {
    pub(super) fn insert(&mut self, oid: i64, row: TypeRow) {
        self.rows.insert(oid, row);
    }

    /// What `format_type` printed, with its classification.
    pub(super) fn column_type(&self, oid: i64, modifier: i32, declared: &str) -> ColumnType {
        let kind = self.kind(oid, modifier, declared);
        // A value is cast to its type without modifiers, and a domain's name hides its base type's: a cast to a domain
        // over `bit(3)` would cut. Where the kind does not say what is underneath, the base type stands in for the
        // domain, whose constraints the assignment checks all the same.
        let hidden = self.domains(oid).last().and_then(|domain| domain.base_declared.clone());
        match (&kind, hidden) {
            (TypeKind::Other, Some(base)) => ColumnType { declared: base, kind },
            _ => ColumnType { declared: declared.to_owned(), kind },
        }
    }

    /// Whether a domain on the way forbids NULL.
    pub(super) fn is_not_null(&self, oid: i64) -> bool {
        self.domains(oid).any(|domain| domain.not_null)
    }

    /// The default that a domain on the way gives.
    pub(super) fn domain_default(&self, oid: i64) -> Option<String> {
        self.domains(oid).find_map(|domain| domain.default.clone())
    }

    /// What the domains on the way demand of a column, as conditions over it, and whether each is valid.
    pub(super) fn domain_checks(&self, oid: i64, column: &str) -> Vec<(String, bool)> {
        let own = |domain: &TypeRow| domain.checks.clone();
        let checks = self.domains(oid).flat_map(own);
        checks.map(|(condition, valid)| (of_column(&condition, column), valid)).collect()
    }

    /// Whether the type itself compares without regard to case.
    pub(super) fn is_citext(&self, oid: i64) -> bool {
        let oid = self.domains(oid).last().map_or(oid, |domain| domain.base);
        self.rows.get(&oid).is_some_and(|row| row.name == "citext" && row.class == "b")
    }

    /// The domains from `oid` down to its base type, outermost first.
    fn domains(&self, oid: i64) -> impl Iterator<Item = &TypeRow> {
        let domain = |oid: i64| self.rows.get(&oid).filter(|row| row.class == "d");
        std::iter::successors(domain(oid), move |row| domain(row.base))
    }

    fn kind(&self, oid: i64, modifier: i32, declared: &str) -> TypeKind {
        let Some(row) = self.rows.get(&oid) else { return TypeKind::Other };
        if row.class == "d" {
            return self.kind(row.base, row.base_modifier, row.base_declared.as_deref().unwrap_or_default());
        }
        if row.class == "e" {
            return TypeKind::Enum { labels: row.labels.clone() };
        }
        // The vectors of the system catalog call themselves arrays, and have a syntax of their own.
        if row.array && row.element != 0 && !row.name.ends_with("vector") {
            // An array keeps its element's modifier, and prints as the element with brackets behind.
            let element = declared.strip_suffix("[]").unwrap_or(declared);
            return TypeKind::Array { element: Box::new(self.column_type(row.element, modifier, element)) };
        }
        if row.system {
            system_kind(&row.name, modifier)
        } else if row.name == "citext" {
            TypeKind::Text { max_chars: None, max_bytes: None, fixed: false }
        } else {
            TypeKind::Other
        }
    }
}

/// The kind of a system type.
fn system_kind(name: &str, modifier: i32) -> TypeKind {
    // Modifiers of variable-length types count their own four-byte header.
    let length = (modifier >= 4).then(|| u64::from(modifier.unsigned_abs()) - 4);
    let precision = u8::try_from(modifier).unwrap_or(6).min(6);
    let text = |max_chars, max_bytes, fixed| TypeKind::Text { max_chars, max_bytes, fixed };
    match name {
        "bool" => TypeKind::Boolean,
        "int2" => TypeKind::Integer { bits: 16, unsigned: false },
        "int4" => TypeKind::Integer { bits: 32, unsigned: false },
        "int8" => TypeKind::Integer { bits: 64, unsigned: false },
        "oid" => TypeKind::Integer { bits: 32, unsigned: true },
        "float4" => TypeKind::Float { bits: 32 },
        "float8" => TypeKind::Float { bits: 64 },
        "numeric" => decimal(modifier),
        "text" => text(None, None, false),
        "varchar" => text(length, None, false),
        "bpchar" => text(length, None, true),
        "name" => text(None, Some(63), false),
        "char" => text(None, Some(1), false),
        "bytea" => TypeKind::Bytes { max_bytes: None },
        "date" => TypeKind::Date,
        "time" => TypeKind::Time { zoned: false, precision },
        "timetz" => TypeKind::Time { zoned: true, precision },
        "timestamp" => TypeKind::Timestamp { zoned: false, precision },
        "timestamptz" => TypeKind::Timestamp { zoned: true, precision },
        "interval" => TypeKind::Interval,
        "uuid" => TypeKind::Uuid,
        "json" | "jsonb" => TypeKind::Json,
        _ => TypeKind::Other,
    }
}

/// `numeric(p,s)` from its modifier: precision in the upper half, and since version 15 a signed scale of 11 bits in
/// the lower (the same bits as before for the scales that there were).
fn decimal(modifier: i32) -> TypeKind {
    let (precision, scale) = if modifier < 4 {
        (None, None)
    } else {
        let packed = modifier - 4;
        let scale = ((packed & 0x7ff) ^ 1024) - 1024;
        (Some(((packed >> 16) & 0xffff).unsigned_abs()), Some(scale))
    };
    TypeKind::Decimal { precision, scale, special: true, unsigned: false }
}

/// The type that a text parameter is cast to before it is assigned to a column, without modifiers, since an explicit
/// cast to `varchar(n)`, `bit(n)` or `timestamp(0)` cuts or rounds where an assignment raises an error. `None` where
/// the parameter is bound natively or as plain text.
///
/// Engines also compare with such a parameter; `char(n)` and citext are named because they compare in their own way.
pub(super) fn cast_for_assignment(data_type: &ColumnType) -> Option<String> {
    match &data_type.kind {
        TypeKind::Text { fixed: true, .. } => Some("bpchar".to_owned()),
        TypeKind::Text { .. } if data_type.declared.rsplit('.').next() == Some("citext") => {
            Some(data_type.declared.clone())
        }
        TypeKind::Boolean
        | TypeKind::Integer { .. }
        | TypeKind::Float { .. }
        | TypeKind::Text { .. }
        | TypeKind::Bytes { .. } => None,
        _ => Some(bare_type(data_type)),
    }
}

/// The type that a key's part is cast to before it is compared with a column, so that the column's own operator, and
/// with it the column's index, applies. `None` where the parameter compares as it is.
pub(super) fn cast_for_comparison(data_type: &ColumnType, case_insensitive: bool) -> Option<String> {
    match &data_type.kind {
        TypeKind::Boolean | TypeKind::Integer { .. } | TypeKind::Bytes { .. } | TypeKind::Float { bits: 64 } => None,
        // Compared as double precision, 0.1 is not the real 0.1.
        TypeKind::Float { .. } => Some("real".to_owned()),
        TypeKind::Text { fixed: true, .. } => Some("bpchar".to_owned()),
        // A case-insensitive collation comes with the column; a type (citext, or a domain over it) has to be named.
        TypeKind::Text { .. } if case_insensitive => {
            let bare = without_modifiers(&data_type.declared);
            (!matches!(bare.as_str(), "text" | "character varying" | "name" | "\"char\"")).then_some(bare)
        }
        TypeKind::Text { .. } => None,
        _ => Some(bare_type(data_type)),
    }
}

/// The type of a value that stands for one in a column: with the modifiers that change how a value reads (a scale, the padding of
/// `char(n)`), and without those that would only cut it. A domain gives way to its base where the kind says what that is, since its constraints
/// are none of an expression's business.
pub(super) fn stored_type(data_type: &ColumnType, case_insensitive: bool) -> String {
    match &data_type.kind {
        TypeKind::Text { fixed: true, max_chars: Some(chars), .. } => format!("character({chars})"),
        TypeKind::Text { .. } => cast_for_comparison(data_type, case_insensitive).unwrap_or_else(|| {
            match without_modifiers(&data_type.declared).as_str() {
                system @ ("character varying" | "name" | "\"char\"") => system.to_owned(),
                _ => "text".to_owned(),
            }
        }),
        TypeKind::Decimal { precision: Some(precision), scale: Some(scale), .. } => {
            format!("numeric({precision},{scale})")
        }
        TypeKind::Time { zoned, precision } => {
            format!("time({precision}) {} time zone", if *zoned { "with" } else { "without" })
        }
        TypeKind::Timestamp { zoned, precision } => {
            format!("timestamp({precision}) {} time zone", if *zoned { "with" } else { "without" })
        }
        _ => bare_type(data_type),
    }
}

/// A type's name without modifiers, through domains where the kind tells what is underneath.
fn bare_type(data_type: &ColumnType) -> String {
    match &data_type.kind {
        TypeKind::Boolean => "boolean".to_owned(),
        TypeKind::Integer { bits: 16, .. } => "smallint".to_owned(),
        TypeKind::Integer { unsigned: true, .. } => "oid".to_owned(),
        TypeKind::Integer { bits: 64, .. } => "bigint".to_owned(),
        TypeKind::Integer { .. } => "integer".to_owned(),
        TypeKind::Float { bits: 32 } => "real".to_owned(),
        TypeKind::Float { .. } => "double precision".to_owned(),
        TypeKind::Decimal { .. } => "numeric".to_owned(),
        TypeKind::Text { .. } => "text".to_owned(),
        TypeKind::Bytes { .. } => "bytea".to_owned(),
        TypeKind::Date => "date".to_owned(),
        TypeKind::Time { zoned: false, .. } => "time without time zone".to_owned(),
        TypeKind::Time { .. } => "time with time zone".to_owned(),
        TypeKind::Timestamp { zoned: false, .. } => "timestamp without time zone".to_owned(),
        TypeKind::Timestamp { .. } => "timestamp with time zone".to_owned(),
        TypeKind::Interval => "interval".to_owned(),
        TypeKind::Uuid => "uuid".to_owned(),
        TypeKind::Array { element } => format!("{}[]", bare_type(element)),
        TypeKind::Json | TypeKind::Enum { .. } | TypeKind::Set { .. } | TypeKind::Other | TypeKind::Dynamic => {
            without_modifiers(&data_type.declared)
        }
    }
}

/// A printed type without the modifiers in parentheses. Quoted names are left alone.
pub(super) fn without_modifiers(declared: &str) -> String {
    let mut bare = String::with_capacity(declared.len());
    let (mut quoted, mut depth) = (false, 0_usize);
    for character in declared.chars() {
        match character {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            bare.push(character);
        }
    }
    // Without quotes the parser reads these two as `bit(1)` and `character(1)`.
    match bare.as_str() {
        "bit" => "\"bit\"".to_owned(),
        "character" => "bpchar".to_owned(),
        _ => bare,
    }
}

/// A domain's condition with a column, quoted, in place of `VALUE`.
fn of_column(condition: &str, column: &str) -> String {
    let mut written = String::with_capacity(condition.len() + column.len());
    let mut rest = condition;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            // A doubled quote begins the next text, which comes to the same.
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        written.push_str(if token == "VALUE" { column } else { token });
        rest = after;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domains_condition_speaks_of_the_column() {
        for (condition, written) in [
            ("(VALUE > 0)", "(\"n\" > 0)"),
            (
                "((VALUE <> 'VALUE'::text) AND (upper(VALUE) <> 'it''s VALUE'::text))",
                "((\"n\" <> 'VALUE'::text) AND (upper(\"n\") <> 'it''s VALUE'::text))",
            ),
            ("(\"VALUE\"(VALUE) AND VALUES_OF(VALUE))", "(\"VALUE\"(\"n\") AND VALUES_OF(\"n\"))"),
            ("(VALUE ~ 'é*'::text)", "(\"n\" ~ 'é*'::text)"),
        ] {
            assert_eq!(of_column(condition, "\"n\""), written);
        }
    }

    fn table() -> TypeTable {
        let system = |name: &str| TypeRow { name: name.into(), system: true, class: "b".into(), ..TypeRow::default() };
        let domain = |base, modifier, declared: &str| TypeRow {
            name: "d".into(),
            class: "d".into(),
            base,
            base_modifier: modifier,
            base_declared: Some(declared.into()),
            ..TypeRow::default()
        };
        let mut types = TypeTable::default();
        types.insert(23, system("int4"));
        types.insert(1043, system("varchar"));
        types.insert(1560, system("bit"));
        types.insert(1015, TypeRow { array: true, element: 1043, ..system("_varchar") });
        types.insert(90, TypeRow { not_null: true, ..domain(23, -1, "integer") });
        types.insert(91, TypeRow { default: Some("7".into()), ..domain(90, -1, "d") });
        types.insert(92, domain(1560, 3, "bit(3)"));
        types.insert(93, domain(1015, 14, "character varying(10)[]"));
        types.insert(94, TypeRow { name: "citext".into(), class: "b".into(), ..TypeRow::default() });
        types
    }

    #[test]
    fn numeric_modifiers_unpack() {
        let of = |modifier| match decimal(modifier) {
            TypeKind::Decimal { precision, scale, .. } => (precision, scale),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(-1), (None, None));
        assert_eq!(of(((10 << 16) | 2) + 4), (Some(10), Some(2)));
        // numeric(3,-2), version 15 and later.
        assert_eq!(of(((3 << 16) | (-2 & 0x7ff)) + 4), (Some(3), Some(-2)));
        assert_eq!(of(((1000 << 16) | 0x3e8) + 4), (Some(1000), Some(1000)));
    }

    #[test]
    fn domains_resolve_through_each_other() {
        let types = table();
        assert_eq!(
            types.column_type(91, -1, "year"),
            ColumnType { declared: "year".into(), kind: TypeKind::Integer { bits: 32, unsigned: false } }
        );
        assert!(types.is_not_null(91));
        assert_eq!(types.domain_default(91).as_deref(), Some("7"));
        assert!(!types.is_not_null(23));
    }

    #[test]
    fn a_domain_whose_base_would_cut_shows_its_base() {
        assert_eq!(table().column_type(92, -1, "flags").declared, "bit(3)");
    }

    #[test]
    fn arrays_know_their_elements_length_also_behind_a_domain() {
        let element = |column_type: ColumnType| match column_type.kind {
            TypeKind::Array { element } => *element,
            other => panic!("{other:?}"),
        };
        let expected = ColumnType {
            declared: "character varying(10)".into(),
            kind: TypeKind::Text { max_chars: Some(10), max_bytes: None, fixed: false },
        };
        assert_eq!(element(table().column_type(1015, 14, "character varying(10)[]")), expected);
        assert_eq!(element(table().column_type(93, -1, "labels")), expected);
    }

    #[test]
    fn modifiers_are_stripped_outside_quotes_only() {
        for (declared, bare) in [
            ("character varying(10)", "character varying"),
            ("timestamp(3) without time zone", "timestamp without time zone"),
            ("bit(3)", "\"bit\""),
            ("character(4)", "bpchar"),
            ("public.geometry(Point,4326)", "public.geometry"),
            ("\"My(Type)\"", "\"My(Type)\""),
            ("numeric(10,2)[]", "numeric[]"),
        ] {
            assert_eq!(without_modifiers(declared), bare);
        }
    }

    #[test]
    fn values_stand_for_stored_ones_with_scale_and_padding_and_uncut() {
        let text = |max_chars, fixed| TypeKind::Text { max_chars, max_bytes: None, fixed };
        let decimal = TypeKind::Decimal { precision: Some(10), scale: Some(2), special: true, unsigned: false };
        for (declared, kind, expected) in [
            ("numeric(10,2)", decimal.clone(), "numeric(10,2)"),
            ("price", decimal, "numeric(10,2)"),
            ("character(4)", text(Some(4), true), "character(4)"),
            ("character varying(4)", text(Some(4), false), "character varying"),
            ("slug", text(Some(4), false), "text"),
            (
                "timestamp(0) with time zone",
                TypeKind::Timestamp { zoned: true, precision: 0 },
                "timestamp(0) with time zone",
            ),
            ("shop.mood", TypeKind::Enum { labels: vec![] }, "shop.mood"),
            ("year", TypeKind::Integer { bits: 32, unsigned: false }, "integer"),
        ] {
            assert_eq!(stored_type(&ColumnType { declared: declared.into(), kind }, false), expected, "{declared}");
        }
    }

    #[test]
    fn keys_are_compared_with_the_columns_own_operator() {
        let text = |fixed| TypeKind::Text { max_chars: None, max_bytes: None, fixed };
        let cast = |declared: &str, kind, ci| cast_for_comparison(&ColumnType { declared: declared.into(), kind }, ci);
        assert_eq!(cast("character(4)", text(true), false).as_deref(), Some("bpchar"));
        assert_eq!(cast("public.citext", text(false), true).as_deref(), Some("public.citext"));
        assert_eq!(cast("text", text(false), true), None);
        assert_eq!(cast("real", TypeKind::Float { bits: 32 }, false).as_deref(), Some("real"));
        assert_eq!(cast("integer", TypeKind::Integer { bits: 32, unsigned: false }, false), None);
    }
}
