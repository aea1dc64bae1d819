//! How databases differ, as capabilities and as SQL text. No I/O.

use std::fmt;

use relink_model::{Column, ColumnType, ForeignKey, Relation, RelationName, Value};

/// Says why a value would be changed by the database that keeps it; `None` where it is kept as it is.
pub type Exactness = fn(&Value) -> Option<&'static str>;

/// What a database can do, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Declared column types are enforced (not so in SQLite, save for STRICT tables).
    pub enforces_types: bool,
    /// Declared lengths of text are enforced.
    pub enforces_length: bool,
    /// DDL rolls back with its transaction.
    pub transactional_ddl: bool,
    /// Any foreign key can be deferred, declared deferrable or not (SQLite `defer_foreign_keys`).
    pub defers_any_foreign_key: bool,
    /// Foreign keys declared deferrable can be deferred.
    pub defers_declared: bool,
    /// The owner of a relation can make its foreign keys deferrable within the transaction (PostgreSQL).
    pub owner_can_make_deferrable: bool,
    /// Foreign keys can be switched off for the transaction without superuser.
    pub can_suspend_foreign_keys: bool,
    /// For that the role must own the referencing relation (PostgreSQL).
    pub suspending_needs_owner: bool,
    /// Foreign keys are checked row by row even inside one statement, so rows must come in order (InnoDB).
    pub checks_each_row: bool,
    /// Dates, times and decimals have no storage type of their own and are kept as the text that was written (SQLite).
    pub stores_temporals_as_text: bool,
    /// Floating point columns hold NaN and the infinities.
    pub floats_hold_specials: bool,
    /// Dates and timestamps hold `infinity` and `-infinity`.
    pub temporals_hold_infinity: bool,
    /// Digits in all and behind the point that exact decimals have at most, where that is so few that sums and products pass it.
    pub decimal_max: Option<(u32, u32)>,
    /// JSON documents are kept as text, so that a row export shows a JSON string that holds the document (SQLite, MariaDB).
    pub json_is_text: bool,
    /// Booleans are a type of their own, and not numbers.
    pub has_booleans: bool,
    /// Texts are equal where every letter is, unless a column's collation says otherwise (in MySQL it always does: case, accents, blanks at the end).
    pub compares_by_letter: bool,
    /// Text can hold U+0000.
    pub text_holds_nul: bool,
    /// A failed statement leaves the transaction usable without a savepoint.
    pub statement_failure_keeps_transaction: bool,
    /// Years that dates may have, first and last.
    pub years: (i16, i16),
    /// Parameters of one statement at most.
    pub parameters_max: usize,
    /// Triggers can be switched off for the transaction by the owner of their relation (not on MySQL and MariaDB).
    pub disables_triggers: bool,
    /// There is a faster way in than multi-row inserts (PostgreSQL `COPY`), which [`crate::Connection::insert_bulk`] takes.
    pub bulk_load: bool,
}

impl Capabilities {
    /// Those of no database: whatever the declared types allow is held, and kept as it is. For values that are judged by their columns alone.
    pub fn permissive() -> Self {
        Self {
            enforces_types: true,
            enforces_length: true,
            transactional_ddl: true,
            defers_any_foreign_key: true,
            defers_declared: true,
            owner_can_make_deferrable: true,
            can_suspend_foreign_keys: true,
            suspending_needs_owner: false,
            checks_each_row: false,
            stores_temporals_as_text: false,
            floats_hold_specials: true,
            temporals_hold_infinity: true,
            decimal_max: None,
            json_is_text: false,
            has_booleans: true,
            compares_by_letter: true,
            text_holds_nul: true,
            statement_failure_keeps_transaction: true,
            years: (i16::MIN, i16::MAX),
            parameters_max: usize::MAX,
            disables_triggers: true,
            bulk_load: false,
        }
    }
}

/// Rows of one relation, aliased `c`, for which another one has no row. Written out: `FROM ... WHERE ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AntiJoin {
    /// What stands after `FROM`: the relation as `c`, and what it is joined to.
    pub from: String,
    /// What stands after `WHERE`: one condition, whose parts only AND joins.
    pub condition: String,
}

impl fmt::Display for AntiJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM {} WHERE {}", self.from, self.condition)
    }
}

/// A dialect: capabilities, quoting, and the SQL shapes that are fast on this database.
pub trait Dialect: Send + Sync {
    /// `sqlite`, `postgres` or `mysql`: names files and snapshots; nobody branches on it.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// A query whose one value is 1 where the table [`crate::JOURNAL`] exists, else 0.
    fn journal_exists(&self) -> String;

    /// The statement that makes the table [`crate::JOURNAL`]: `kind`, `place`, and `content`, a text without limit.
    fn journal_table(&self) -> String;

    /// An identifier, quoted.
    fn quote(&self, identifier: &str) -> String;

    /// A relation's qualified name, quoted.
    fn quote_relation(&self, name: &RelationName) -> String {
        match &name.namespace {
            Some(namespace) => format!("{}.{}", self.quote(namespace), self.quote(&name.name)),
            None => self.quote(&name.name),
        }
    }

    /// The placeholder of parameter `ordinal` (from 1) as a value of this type, with the cast that it needs:
    /// `$1`, `CAST($1 AS uuid)`, `?`.
    fn placeholder(&self, ordinal: usize, data_type: &ColumnType) -> String;

    /// An expression that reads a column as a type that [`crate::Connection::query`] decodes, exactly, and in the same form
    /// as relink writes it (decimals as text with their scale, timestamps as `YYYY-MM-DD HH:MM:SS[.ffffff][+00:00]`, UUIDs
    /// lower-case with hyphens, JSON as text). `alias` is a table alias or empty.
    fn read_expression(&self, alias: &str, column: &Column) -> String;

    /// The rows of `referencing` (aliased `c`) whose key has no target in `referenced`, in the shape that is
    /// fast here: NULLs judged by the key's MATCH, never a cast of a key column, so that collations and padding apply as in the constraint.
    fn orphans(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> AntiJoin;

    /// The condition that a row of `referencing` (aliased `c`) refers to a row of `referenced` (aliased `p`), compared as the constraint compares:
    /// under its collation and affinity, which need not be those of the referencing column.
    fn refers(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> String;

    /// How to tell whether this database would change a value of this type when it keeps it, beyond what the type itself says: a plain function,
    /// so that values can be judged away from the connection, which says why; `None` where nothing is changed.
    fn exactness(&self, _: &ColumnType) -> Option<Exactness> {
        None
    }

    /// An exact decimal expression of a numeric SQL expression, where the database has one: a cast that loses nothing, or the expression itself.
    fn exact_numeric(&self, expression: &str) -> String;

    /// A column of numbers, given as the expression that reads it, so that it compares with other numbers as the number that it is.
    fn number(&self, expression: &str, column: &Column) -> String {
        let _ = column;
        expression.to_owned()
    }

    /// The columns or pseudo-columns that name a row of a relation without any key (`ctid`, `rowid`), as SQL with the alias applied; `None` where there is none.
    fn row_locator(&self, alias: &str, relation: &Relation) -> Option<String>;

    /// What sorts the rows of a relation without any key as they are kept, always the same within a snapshot; `None` where nothing does.
    fn row_order(&self, relation: &Relation) -> Option<String> {
        self.row_locator("", relation)
    }

    /// The rows that come after one in the order of these columns, none of which is NULL. `value` writes that row's value of a column, by its place;
    /// it is called for each in the order in which they stand in the text.
    fn after(&self, columns: &[&str], value: &mut dyn FnMut(usize) -> String) -> String {
        let values: Vec<String> = (0..columns.len()).map(value).collect();
        format!("({}) > ({})", columns.join(", "), values.join(", "))
    }

    /// What to read `FROM` for the rows that belong to this relation itself, without those of relations that inherit from it:
    /// a constraint speaks of its own rows only (PostgreSQL `ONLY`, save for partitioned tables, whose rows are all elsewhere).
    fn own_rows(&self, relation: &Relation) -> String {
        self.quote_relation(&relation.name)
    }

    /// SQL that names how an expression's value is really stored (`integer`, `real`, `text`, `blob`, `null`); `None` where the
    /// declared type settles it.
    fn storage_class(&self, expression: &str) -> Option<String> {
        let _ = expression;
        None
    }

    /// Where dates are kept as text or numbers ([`Capabilities::stores_temporals_as_text`]): a condition that is true only of values which
    /// are beyond doubt a date before `day` (`YYYY-MM-DD`), so that a scan can leave most rows out. Other past dates may be missed. `None`: every
    /// value has to be looked at.
    fn plainly_before(&self, expression: &str, day: &str) -> Option<String> {
        let _ = (expression, day);
        None
    }

    /// A text as SQL writes it.
    fn text_literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    /// Bytes as SQL writes them.
    fn bytes_literal(&self, bytes: &[u8]) -> String {
        format!("x'{}'", crate::statement::hex(bytes))
    }

    /// The statement that makes the counter behind the relation's numbered column hand out this number next; `None` where none is needed.
    fn numbering_statement(&self, relation: &Relation, next: i64) -> Option<String> {
        let _ = (relation, next);
        None
    }

    /// A text column (or an expression of its name) in a form that is equal where every letter is, whatever its collation says; `None` where there
    /// is none. Where types are not enforced, that holds of texts only.
    fn by_letter(&self, expression: &str, column: &Column) -> Option<String>;

    /// A condition that is true of texts with a printable ASCII character that is no blank: of others it may be false or true.
    fn has_print(&self, expression: &str) -> String;

    /// A condition that is true where the column holds what the database stored in place of a value that it could not read
    /// (MySQL: the zero date, the empty enum label); `None` where this cannot be. `alias` is a table alias or empty.
    fn blank(&self, alias: &str, column: &Column) -> Option<String> {
        let _ = (alias, column);
        None
    }
}
