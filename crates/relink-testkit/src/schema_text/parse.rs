//! From text to [`Schema`].

use relink_model::{Deferrability, ReferentialAction};

use super::{Column, Kind, Reference, Schema, SchemaTextError, Table};

/// An error at a byte offset.
type At<T> = Result<T, (usize, String)>;

pub(super) fn parse(text: &str) -> Result<Schema, SchemaTextError> {
    let mut cursor = Cursor { text, at: 0 };
    schema(&mut cursor).map_err(|(offset, message)| {
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SchemaTextError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    })
}

/// What is settled only once every relation is read.
struct Pending {
    /// Where the target of each reference stands.
    references: Vec<usize>,
    /// Column lists with their place, to be checked.
    lists: Vec<(usize, Vec<String>)>,
    /// Columns without a type of their own.
    untyped: Vec<String>,
}

fn schema(cursor: &mut Cursor<'_>) -> At<Schema> {
    let mut tables: Vec<Table> = Vec::new();
    let mut pending = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.rest().is_empty() {
            break;
        }
        let start = cursor.at;
        let (table, open) = table(cursor)?;
        if tables.iter().any(|other| other.name == table.name) {
            return Err((start, format!("{} is there twice", table.name)));
        }
        tables.push(table);
        pending.push(open);
    }
    for (index, open) in pending.iter().enumerate() {
        resolve(&mut tables, index, open)?;
    }
    // Twice: a type may come through a reference to a column that has it from a reference.
    for _ in 0..2 {
        for (index, open) in pending.iter().enumerate() {
            inherit_types(&mut tables, index, &open.untyped);
        }
    }
    Ok(Schema { tables })
}

/// Fills in referenced columns, and checks that every column named exists.
fn resolve(tables: &mut [Table], index: usize, open: &Pending) -> At<()> {
    let missing = |table: &Table, names: &[String]| {
        names.iter().find(|name| table.columns.iter().all(|column| &column.name != *name)).cloned()
    };
    for (at, names) in &open.lists {
        if let Some(name) = missing(&tables[index], names) {
            return Err((*at, format!("{} has no column {name}", tables[index].name)));
        }
    }
    for (number, at) in open.references.iter().enumerate() {
        let reference = &tables[index].references[number];
        let Some(target) = tables.iter().find(|table| table.name == reference.table) else {
            return Err((*at, format!("no relation {}", reference.table)));
        };
        let columns = match reference.referenced_columns.as_slice() {
            [] => target.primary_key.clone(),
            named => named.to_vec(),
        };
        if let Some(name) = missing(target, &columns) {
            return Err((*at, format!("{} has no column {name}", target.name)));
        }
        if columns.len() != reference.columns.len() {
            return Err((*at, format!("{} columns reference {}", reference.columns.len(), columns.len())));
        }
        tables[index].references[number].referenced_columns = columns;
    }
    Ok(())
}

fn inherit_types(tables: &mut [Table], index: usize, untyped: &[String]) {
    for name in untyped {
        let kind = tables[index].references.iter().find_map(|reference| {
            let position = reference.columns.iter().position(|column| column == name)?;
            let target = tables.iter().find(|table| table.name == reference.table)?;
            target.columns.iter().find(|column| column.name == reference.referenced_columns[position]).map(|c| c.kind)
        });
        let column = tables[index].columns.iter_mut().find(|column| &column.name == name);
        if let (Some(kind), Some(column)) = (kind, column) {
            column.kind = kind;
        }
    }
}

fn table(cursor: &mut Cursor<'_>) -> At<(Table, Pending)> {
    let name = cursor.name()?;
    let mut table = Table {
        name,
        columns: Vec::new(),
        primary_key: Vec::new(),
        unique: Vec::new(),
        references: Vec::new(),
        checks: Vec::new(),
    };
    let mut open = Pending { references: Vec::new(), lists: Vec::new(), untyped: Vec::new() };
    cursor.expect('(')?;
    loop {
        item(cursor, &mut table, &mut open)?;
        if cursor.eat(')') {
            return Ok((table, open));
        }
        if !cursor.eat(',') {
            return Err((cursor.at, "expected ',' or ')'".to_owned()));
        }
    }
}

/// A column, or a key, reference or check of the relation.
fn item(cursor: &mut Cursor<'_>, table: &mut Table, open: &mut Pending) -> At<()> {
    cursor.skip_space();
    let start = cursor.at;
    if cursor.rest().starts_with('(') {
        let columns = cursor.names()?;
        open.lists.push((start, columns.clone()));
        cursor.expect('-')?;
        cursor.expect('>')?;
        return reference(cursor, columns, table, open);
    }
    let name = cursor.name()?;
    cursor.skip_space();
    if cursor.rest().starts_with('(') {
        match name.as_str() {
            "check" => table.checks.push(cursor.expression()),
            "pk" | "unique" => {
                let columns = cursor.names()?;
                open.lists.push((start, columns.clone()));
                if name == "pk" { table.primary_key = columns } else { table.unique.push(columns) }
            }
            _ => return Err((cursor.at, "expected a type".to_owned())),
        }
        return Ok(());
    }
    let kind = kind(cursor)?;
    if kind.is_none() {
        open.untyped.push(name.clone());
    }
    let mut column = Column { name: name.clone(), kind: kind.unwrap_or(Kind::Int), nullable: false, default: None };
    loop {
        cursor.skip_space();
        let at = cursor.at;
        if cursor.rest().starts_with("->") {
            cursor.at += 2;
            reference(cursor, vec![name.clone()], table, open)?;
        } else if cursor.rest().starts_with([',', ')']) || cursor.rest().is_empty() {
            break;
        } else {
            match cursor.name()?.as_str() {
                "pk" => table.primary_key = vec![name.clone()],
                "null" => column.nullable = true,
                "unique" => table.unique.push(vec![name.clone()]),
                "default" => column.default = Some(cursor.literal()),
                "check" => table.checks.push(cursor.expression()),
                other => return Err((at, format!("{other:?} is no type or modifier"))),
            }
        }
    }
    table.columns.push(column);
    Ok(())
}

fn kind(cursor: &mut Cursor<'_>) -> At<Option<Kind>> {
    let before = cursor.at;
    let kind = match cursor.name().unwrap_or_default().as_str() {
        "int" => Kind::Int,
        "bigint" => Kind::BigInt,
        "text" => Kind::Text,
        "bool" => Kind::Bool,
        "date" => Kind::Date,
        "timestamp" => Kind::Timestamp,
        "bytes" => Kind::Bytes,
        "json" => Kind::Json,
        "uuid" => Kind::Uuid,
        "float" => Kind::Float,
        "varchar" => {
            cursor.expect('(')?;
            let length = cursor.number()?;
            cursor.expect(')')?;
            Kind::Varchar(length)
        }
        "decimal" => {
            cursor.expect('(')?;
            let precision = cursor.number()? as u32;
            cursor.expect(',')?;
            let scale = cursor.number()? as u32;
            cursor.expect(')')?;
            Kind::Decimal(precision, scale)
        }
        _ => {
            cursor.at = before;
            return Ok(None);
        }
    };
    Ok(Some(kind))
}

/// What follows the arrow.
fn reference(cursor: &mut Cursor<'_>, columns: Vec<String>, table: &mut Table, open: &mut Pending) -> At<()> {
    cursor.skip_space();
    open.references.push(cursor.at);
    let mut reference = Reference {
        columns,
        table: cursor.name()?,
        referenced_columns: Vec::new(),
        full: false,
        deferrability: Deferrability::NotDeferrable,
        on_delete: ReferentialAction::NoAction,
        is_virtual: false,
    };
    cursor.skip_space();
    if cursor.rest().starts_with('(') {
        reference.referenced_columns = cursor.names()?;
    } else if cursor.eat('.') {
        reference.referenced_columns = vec![cursor.name()?];
    }
    loop {
        if cursor.words("match full") {
            reference.full = true;
        } else if cursor.words("deferrable") {
            reference.deferrability = Deferrability::InitiallyImmediate;
        } else if cursor.words("deferred") {
            reference.deferrability = Deferrability::InitiallyDeferred;
        } else if cursor.words("on delete cascade") {
            reference.on_delete = ReferentialAction::Cascade;
        } else if cursor.words("on delete restrict") {
            reference.on_delete = ReferentialAction::Restrict;
        } else if cursor.words("on delete set null") {
            reference.on_delete = ReferentialAction::SetNull;
        } else if cursor.words("virtual") {
            reference.is_virtual = true;
        } else {
            table.references.push(reference);
            return Ok(());
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Skips white space, semicolons and comments.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == ';');
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, wanted: char) -> At<()> {
        if self.eat(wanted) { Ok(()) } else { Err((self.at, format!("expected {wanted:?}"))) }
    }

    /// Eats these words if all of them are next.
    fn words(&mut self, wanted: &str) -> bool {
        let before = self.at;
        let found = wanted.split(' ').all(|word| self.name().is_ok_and(|name| name == word));
        if !found {
            self.at = before;
        }
        found
    }

    /// A bare word, or a name in double quotes.
    fn name(&mut self) -> At<String> {
        self.skip_space();
        let rest = self.rest();
        if rest.starts_with('"') {
            let quoted = quoted(rest).ok_or((self.at, "expected a closing quote".to_owned()))?;
            self.at += quoted.len();
            return Ok(quoted[1..quoted.len() - 1].replace("\"\"", "\""));
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            return Err((self.at, "expected a name".to_owned()));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// `(a, b)`.
    fn names(&mut self) -> At<Vec<String>> {
        self.expect('(')?;
        let mut names = vec![self.name()?];
        while self.eat(',') {
            names.push(self.name()?);
        }
        self.expect(')')?;
        Ok(names)
    }

    fn number(&mut self) -> At<u64> {
        self.skip_space();
        let at = self.at;
        self.name()?.parse().map_err(|_| (at, "expected a number".to_owned()))
    }

    /// A literal: a quoted text or everything up to the next blank, comma or parenthesis.
    fn literal(&mut self) -> String {
        self.skip_space();
        let rest = self.rest();
        let literal = quoted(rest).filter(|_| rest.starts_with('\'')).unwrap_or_else(|| {
            &rest[..rest.find(|c: char| c.is_whitespace() || ",)".contains(c)).unwrap_or(rest.len())]
        });
        self.at += literal.len();
        literal.to_owned()
    }

    /// Everything up to the comma or parenthesis that ends the item, without an outer pair of parentheses.
    fn expression(&mut self) -> String {
        self.skip_space();
        let rest = self.rest();
        let mut depth = 0_usize;
        let mut end = 0;
        while let Some(next) = rest[end..].chars().next() {
            match next {
                '\'' | '"' => {
                    end += quoted(&rest[end..]).map_or(1, str::len);
                    continue;
                }
                ',' | ')' if depth == 0 => break,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            end += next.len_utf8();
        }
        self.at += end;
        let whole = rest[..end].trim();
        let outer = whole.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
        // `(a) or (b)` also starts and ends with parentheses, but they are not a pair.
        let is_pair = |inner: &str| {
            let mut depth = 0_i32;
            inner.chars().all(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth >= 0
            })
        };
        outer.filter(|inner| is_pair(inner)).unwrap_or(whole).to_owned()
    }
}

/// The quoted text at the start, quotes included; doubled quotes stand for one.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next()?;
    let mut end = 1;
    loop {
        end += text[end..].find(quote)? + 1;
        if !text[end..].starts_with(quote) {
            return Some(&text[..end]);
        }
        end += 1;
    }
}
