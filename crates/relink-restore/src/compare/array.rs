//! PostgreSQL arrays, from their text, element by element.

use relink_model::{ColumnType, TypeKind, Value};
use relink_records::coerce::from_hexadecimal;

use super::{Verdict, of_type};

pub(super) fn compare(element: &ColumnType, written: &str, read: &str) -> Verdict {
    match (Literal::parse(written), Literal::parse(read)) {
        (Some(written), Some(read)) if written.bounds != read.bounds => Verdict::Different,
        (Some(written), Some(read)) => items(element, &written.items, &read.items),
        _ => Verdict::Unsure,
    }
}

fn items(element: &ColumnType, written: &[Item], read: &[Item]) -> Verdict {
    if written.len() != read.len() {
        return Verdict::Different;
    }
    let verdicts = written.iter().zip(read).map(|(written, read)| match (written, read) {
        (Item::Null, Item::Null) => Verdict::Same,
        (Item::List(written), Item::List(read)) => items(element, written, read),
        (Item::Text(written), Item::Text(read)) => of_type(element, &value(element, written), &value(element, read)),
        _ => Verdict::Different,
    });
    verdicts.max().unwrap_or(Verdict::Same)
}

/// An element's text as its type's value, where it has another carrier than text.
fn value(element: &ColumnType, text: &str) -> Value {
    let carried = match &element.kind {
        TypeKind::Boolean => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "1" => Some(Value::Bool(true)),
            "f" | "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        TypeKind::Float { .. } => text.parse().ok().map(Value::Float),
        TypeKind::Bytes { .. } => text.strip_prefix("\\x").and_then(from_hexadecimal).map(Value::Bytes),
        _ => None,
    };
    carried.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// `[0:1]={a,"b c",NULL,{...}}`.
#[derive(Debug)]
struct Literal<'a> {
    /// Lower bounds other than 1, with their upper ones, as they are written.
    bounds: Option<&'a str>,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Null,
    Text(String),
    List(Vec<Item>),
}

impl<'a> Literal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (bounds, body) = match text.strip_prefix('[') {
            Some(_) => text.split_once('=').map(|(bounds, body)| (Some(bounds.trim()), body.trim()))?,
            None => (None, text),
        };
        // Arrays begin at 1 unless they say otherwise.
        let from_one =
            |bounds: &&str| bounds.split('[').skip(1).all(|bound| bound.starts_with("1:") || !bound.contains(':'));
        let bounds = bounds.filter(|bounds| !from_one(bounds));
        let mut reader = Reader { rest: body.strip_prefix('{')?, depth: 1 };
        let items = reader.list()?;
        reader.rest.trim().is_empty().then_some(Self { bounds, items })
    }
}

/// PostgreSQL knows six dimensions.
const DIMENSIONS_MAX: usize = 6;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    /// The items up to the closing brace, which is taken too.
    fn list(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('}') {
            self.rest = rest;
            return Some(items);
        }
        loop {
            items.push(self.item()?);
            self.rest = self.rest.trim_start();
            let (end, rest) = (self.rest.starts_with('}'), self.rest.strip_prefix(['}', ','])?);
            self.rest = rest;
            if end {
                return Some(items);
            }
        }
    }

    fn item(&mut self) -> Option<Item> {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            self.depth += 1;
            let items = if self.depth <= DIMENSIONS_MAX { self.list()? } else { return None };
            self.depth -= 1;
            return Some(Item::List(items));
        }
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted().map(Item::Text);
        }
        let mut text = String::new();
        let mut escaped = false;
        loop {
            let c = self.rest.chars().next()?;
            if matches!(c, ',' | '}') {
                break;
            }
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => {
                    escaped = true;
                    text.push(self.take()?);
                }
                '"' | '{' => return None,
                c => text.push(c),
            }
        }
        let text = text.trim_end();
        if text.is_empty() {
            return None;
        }
        let null = !escaped && text.eq_ignore_ascii_case("NULL");
        Some(if null { Item::Null } else { Item::Text(text.to_owned()) })
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.take()? {
                '"' => return Some(text),
                '\\' => text.push(self.take()?),
                c => text.push(c),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }
}
