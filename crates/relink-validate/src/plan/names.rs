//! Names of rules, found in the catalog.

use relink_model::config::ConfigError;
use relink_model::{Catalog, Column as Definition, Relation, RelationId, TypeKind, suggest};
use relink_rules::{
    Expression, Part, SyntaxError,
    expression::{BindError, Bound, Column, Kind, Node, Path},
};

use super::Planning;

/// What is wrong with a text of a rule, before it is known whose text it is.
#[derive(Debug)]
pub(crate) enum Mistake {
    /// What would have been right there.
    Expected(String),
    /// A name that nothing has.
    Unknown(ConfigError),
}

impl From<SyntaxError> for Mistake {
    fn from(error: SyntaxError) -> Self {
        Self::Expected(format!("{} at character {}", error.expected, error.at))
    }
}

/// Binds names to the columns of one relation.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) id: RelationId,
    /// The configuration's table and key, for messages.
    pub(crate) table: &'a str,
    pub(crate) key: &'a str,
    /// Whether declared types say what is stored. Where they do not, a column of text may hold numbers.
    pub(crate) enforced: bool,
}

impl<'a> Names<'a> {
    /// Of a relation under the configuration's table and key.
    pub(crate) fn new(planning: &Planning<'a>, id: RelationId, table: &'a str, key: &'a str) -> Self {
        let enforced = planning.dialect.is_none() || planning.enforces_types(planning.catalog.relation(id));
        Self { catalog: planning.catalog, id, table, key, enforced }
    }

    pub(crate) fn relation(&self) -> &'a Relation {
        self.catalog.relation(self.id)
    }

    /// The same for another relation.
    pub(crate) fn of(self, id: RelationId) -> Self {
        Self { id, ..self }
    }

    /// The relation of a dotted name.
    pub(crate) fn table(&self, path: &[String]) -> Result<RelationId, Mistake> {
        if path.is_empty() {
            return Ok(self.id);
        }
        let found = self.catalog.find_path(path);
        found.ok_or_else(|| {
            Mistake::Unknown(ConfigError::no_target(self.catalog, self.table, self.key, &path.join(".")))
        })
    }

    /// The column of a path: its own, or one that this relation's name stands before.
    fn find(&self, path: &Path) -> Option<(usize, &'a Definition)> {
        let (column, table) = path.split_last()?;
        if !table.is_empty() && self.table(table).ok()? != self.id {
            return None;
        }
        self.relation().column(column)
    }

    /// The column of a path, or why there is none.
    pub(crate) fn column(&self, path: &Path) -> Result<(usize, &'a Definition), Mistake> {
        self.find(path).ok_or_else(|| self.unknown(path))
    }

    /// A column by its bare name.
    pub(crate) fn named(&self, name: &str) -> Result<(usize, &'a Definition), Mistake> {
        self.relation().column(name).ok_or_else(|| self.unknown(&vec![name.to_owned()]))
    }

    fn unknown(&self, path: &Path) -> Mistake {
        let relation = self.relation();
        if let Some((_, table)) = path.split_last().filter(|(_, table)| !table.is_empty()) {
            match self.table(table) {
                Err(mistake) => return mistake,
                Ok(other) if other != self.id => {
                    let other = &self.catalog.relation(other).name;
                    let expected =
                        format!("columns of {} alone, and {} is one of {other}", relation.name, path.join("."));
                    return Mistake::Expected(expected);
                }
                Ok(_) => {}
            }
        }
        let column = path.last().cloned().unwrap_or_default();
        let nearest = suggest::nearest(&column, relation.columns.iter().map(|column| column.name.as_str()));
        let nearest = nearest.map(str::to_owned);
        let own = self.catalog.find(self.table) == Some(self.id);
        Mistake::Unknown(if own {
            let (table, key) = (self.table.to_owned(), self.key.to_owned());
            ConfigError::UnknownColumn { table, key, column: path.join("."), nearest }
        } else {
            let target = relation.name.to_string();
            ConfigError::UnknownTargetColumn {
                table: self.table.to_owned(),
                key: self.key.to_owned(),
                target,
                column,
                nearest,
            }
        })
    }

    fn kinds(&self) -> impl Fn(&Path) -> Option<Column> {
        move |path: &Path| {
            let (index, column) = self.find(path)?;
            Some(Column { index, kind: Kind::of(&column.data_type.kind) })
        }
    }

    fn mistaken(&self, error: BindError, text: &str) -> Mistake {
        match error {
            BindError::Unknown(path) => self.unknown(&path),
            BindError::Kind { expected, span } => {
                let at = text.get(..span.start).map_or(0, |before| before.chars().count()) + 1;
                Mistake::Expected(format!("{expected} at character {at}"))
            }
        }
    }

    /// Binds a condition.
    pub(crate) fn condition(&self, expression: &Expression, text: &str) -> Result<Bound, Mistake> {
        expression.bind(Kind::Boolean, &self.kinds()).map_err(|error| self.mistaken(error, text))
    }

    /// Parses and binds a condition.
    pub(crate) fn parsed(&self, text: &str) -> Result<Bound, Mistake> {
        self.condition(&relink_rules::parse(text)?, text)
    }

    /// Binds a number.
    pub(crate) fn amount(&self, expression: &Expression, text: &str) -> Result<Bound, Mistake> {
        expression.bind(Kind::Number, &self.loose_kinds()).map_err(|error| self.mistaken(error, text))
    }

    /// Binds a condition about a number.
    pub(crate) fn bound(&self, expression: &Expression, text: &str) -> Result<Bound, Mistake> {
        expression.bind(Kind::Boolean, &self.loose_kinds()).map_err(|error| self.mistaken(error, text))
    }

    /// As [`Self::kinds`]; a column of text may hold numbers, where nothing keeps it from that.
    fn loose_kinds(&self) -> impl Fn(&Path) -> Option<Column> {
        let kinds = self.kinds();
        let enforced = self.enforced;
        move |path: &Path| {
            let column = kinds(path)?;
            Some(Column { kind: column.kind.filter(|kind| enforced || *kind != Kind::Text), ..column })
        }
    }

    /// Binds an expression of any kind.
    pub(crate) fn any(&self, expression: &Expression, text: &str) -> Result<Bound, Mistake> {
        expression.bind_any(&self.kinds()).map_err(|error| self.mistaken(error, text))
    }

    /// Binds a part of a key: a bare column is an identity, whatever it holds.
    pub(crate) fn part(&self, expression: &Expression, text: &str) -> Result<Part, Mistake> {
        let mut inner = expression;
        while let Node::Group(within) = &inner.node {
            inner = within;
        }
        match &inner.node {
            Node::Column(path) => self.column(path).map(|(index, column)| part(index, column, true)),
            _ => self.any(expression, text).map(Part::Expression),
        }
    }
}

/// A column as a part of a key. By the rules' word letters count; by the column's own (`own`: false) its collation does.
pub(crate) fn part(index: usize, column: &Definition, by_letter: bool) -> Part {
    Part::Column {
        index,
        kind: Kind::of(&column.data_type.kind),
        loose: false,
        padded: matches!(column.data_type.kind, TypeKind::Text { fixed: true, .. }),
        ci: !by_letter && column.case_insensitive,
    }
}

/// Makes both sides of a reference comparable: a text beside a number counts as the number that it is, and what ends in blanks is what the other
/// side says it is.
pub(crate) fn level(one: &mut Part, other: &mut Part) {
    let is_number = |part: &Part| matches!(part, Part::Column { kind: Some(Kind::Number), .. });
    let (number_here, number_there) = (is_number(one), is_number(other));
    let (
        Part::Column { loose: a, padded: a_pads, ci: a_ci, .. },
        Part::Column { loose: b, padded: b_pads, ci: b_ci, .. },
    ) = (one, other)
    else {
        return;
    };
    if number_here != number_there {
        (*a, *b) = (true, true);
    }
    let (pads, ci) = (*a_pads || *b_pads, *a_ci || *b_ci);
    (*a_pads, *b_pads) = (pads, pads);
    (*a_ci, *b_ci) = (ci, ci);
}

/// Makes both sides of a domain comparable: letter by letter, so that a number beside a text is the text that it is written as. `'007'` is no 7.
pub(crate) fn by_letter(one: &mut Part, other: &mut Part) {
    let (Part::Column { kind: a, .. }, Part::Column { kind: b, .. }) = (&mut *one, &mut *other) else { return };
    if matches!((&*a, &*b), (Some(Kind::Number), Some(Kind::Text)) | (Some(Kind::Text), Some(Kind::Number))) {
        (*a, *b) = (Some(Kind::Text), Some(Kind::Text));
    }
    level(one, other);
}
