//! Conditions as SQL: where SQL is sure to agree with the rules' language it judges the rows; where it agrees only on some, it leaves out those that are
//! right beyond doubt, and the others are judged here.

use jiff::tz::Offset;
use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind};
use relink_rules::dates::Deadline;
use relink_rules::expression::{Bound, BoundNode, Comparison, Datum, Function, Kind, Moment};
use relink_rules::{decimal, fold::Fold};

/// Whole numbers up to here are the same as floats.
const FLOAT_EXACT_MAX: u64 = 1 << 53;

/// Writes conditions over one relation's rows.
#[derive(Clone, Copy)]
pub(crate) struct Pusher<'a> {
    pub(crate) dialect: &'a dyn Dialect,
    pub(crate) relation: &'a Relation,
    /// A table alias, or empty.
    pub(crate) alias: &'a str,
    pub(crate) at: &'a Moment,
}

/// A value in SQL, and when it is what the rules' language takes it for.
struct Operand {
    sql: String,
    /// True where SQL and the rules' language agree on the value; `None`: always.
    guard: Option<String>,
    /// What number it is.
    number: Number,
}

/// How the database keeps a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    /// As it is written.
    Exact,
    /// As a whole number.
    Whole,
    /// As a float, beside which the database takes any other number for one.
    Floating,
    /// As a float or a whole number, which it compares exactly.
    Either,
}

impl<'a> Pusher<'a> {
    fn column(&self, index: usize) -> &'a Column {
        &self.relation.columns[index]
    }

    fn name(&self, index: usize) -> String {
        super::sql::qualified(self.dialect, self.alias, &self.column(index).name)
    }

    fn enforced(&self) -> bool {
        self.relation.strict || self.dialect.capabilities().enforces_types
    }

    /// A condition that is true, false and NULL of the same rows; `None` where a value may be stored that SQL judges otherwise.
    pub(crate) fn exact(&self, bound: &Bound) -> Option<String> {
        let pair = |sign: &str, a: &Bound, b: &Bound| Some(format!("({} {sign} {})", self.exact(a)?, self.exact(b)?));
        match &bound.node {
            BoundNode::Constant(Datum::Boolean(truth)) => Some(if *truth { "TRUE" } else { "FALSE" }.to_owned()),
            BoundNode::Constant(Datum::Null) => Some("NULL".to_owned()),
            BoundNode::Column(index) if bound.kind == Kind::Boolean => self.truth(*index),
            BoundNode::Not(a) => Some(format!("(NOT {})", self.exact(a)?)),
            BoundNode::And(a, b) => pair("AND", a, b),
            BoundNode::Or(a, b) => pair("OR", a, b),
            BoundNode::IsNull(a) => self.is_null(a),
            BoundNode::Comparison(comparison, a, b) => {
                self.comparison(*comparison, a, b).filter(|(_, guards)| guards.is_empty()).map(|(sql, _)| sql)
            }
            BoundNode::In(a, values) => {
                self.membership(a, values).filter(|(_, guards)| guards.is_empty()).map(|(sql, _)| sql)
            }
            _ => None,
        }
    }

    /// A condition that is true only of rows of which the rule surely says `truth`.
    pub(crate) fn sure(&self, bound: &Bound, truth: bool) -> Option<String> {
        if let Some(sql) = self.exact(bound) {
            return Some(if truth { sql } else { format!("(NOT {sql})") });
        }
        let both = |a: &Bound, b: &Bound| Some(format!("({} AND {})", self.sure(a, truth)?, self.sure(b, truth)?));
        let either = |a: &Bound, b: &Bound| match (self.sure(a, truth), self.sure(b, truth)) {
            (Some(a), Some(b)) => Some(format!("({a} OR {b})")),
            (a, b) => a.or(b),
        };
        let guarded = |(sql, guards): (String, Vec<String>)| {
            let sql = if truth { sql } else { format!("NOT {sql}") };
            let all: Vec<String> = guards.into_iter().chain([sql]).collect();
            Some(format!("({})", all.join(" AND ")))
        };
        match &bound.node {
            BoundNode::Not(a) => self.sure(a, !truth),
            BoundNode::And(a, b) => {
                if truth {
                    both(a, b)
                } else {
                    either(a, b)
                }
            }
            BoundNode::Or(a, b) => {
                if truth {
                    either(a, b)
                } else {
                    both(a, b)
                }
            }
            BoundNode::Comparison(comparison, a, b) => {
                if let (true, Some(sql)) = (truth && *comparison == Comparison::Different, self.filled_in(a, b)) {
                    return Some(sql);
                }
                self.comparison(*comparison, a, b).and_then(guarded)
            }
            BoundNode::In(a, values) => self.membership(a, values).and_then(guarded),
            _ => None,
        }
    }

    /// A column of truth values; where it is a number, that may be 2.
    fn truth(&self, index: usize) -> Option<String> {
        let column = self.column(index);
        let real =
            self.enforced() && self.dialect.capabilities().has_booleans && column.data_type.kind == TypeKind::Boolean;
        real.then(|| self.name(index))
    }

    fn is_null(&self, bound: &Bound) -> Option<String> {
        // What is there counts as there, whatever it is; a blank stands for something else.
        match &bound.node {
            BoundNode::Column(index) if self.dialect.blank("", self.column(*index)).is_none() => {
                Some(format!("({} IS NULL)", self.name(*index)))
            }
            _ => None,
        }
    }

    /// A comparison, and the conditions under which SQL means the same.
    fn comparison(&self, comparison: Comparison, a: &Bound, b: &Bound) -> Option<(String, Vec<String>)> {
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::Different => "<>",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        };
        let equality = matches!(comparison, Comparison::Equal | Comparison::Different);
        let (a, b) = match a.kind {
            Kind::Number => self.numbers(a, b)?,
            Kind::Text if equality => (self.text(a)?, self.text(b)?),
            Kind::Moment => self.moments(a, b)?,
            Kind::Boolean if equality => (plain(self.exact(a)?), plain(self.exact(b)?)),
            _ => return None,
        };
        let guards = a.guard.into_iter().chain(b.guard).collect();
        Some((format!("({} {sign} {})", a.sql, b.sql), guards))
    }

    fn membership(&self, a: &Bound, values: &[Bound]) -> Option<(String, Vec<String>)> {
        let (operand, values): (Operand, Vec<String>) = match a.kind {
            Kind::Number => {
                let of = |value: &Bound| self.numbers(a, value).map(|(_, value)| value.sql);
                (self.number(a)?, values.iter().map(of).collect::<Option<_>>()?)
            }
            Kind::Text => {
                let of = |value: &Bound| self.text(value).map(|value| value.sql);
                (self.text(a)?, values.iter().map(of).collect::<Option<_>>()?)
            }
            _ => return None,
        };
        let guards = operand.guard.into_iter().collect();
        Some((format!("({} IN ({}))", operand.sql, values.join(", ")), guards))
    }

    fn numbers(&self, a: &Bound, b: &Bound) -> Option<(Operand, Operand)> {
        let (a_operand, b_operand) = (self.number(a)?, self.number(b)?);
        // What SQL makes of a fraction beside a float differs from the float's shortest decimal.
        let beside = |float: Number, other: Operand, bound: &Bound| match (&bound.node, float) {
            (_, Number::Exact | Number::Whole) | (BoundNode::Constant(Datum::Null), _) => Some(other),
            (BoundNode::Constant(datum), _) => {
                let whole = datum.whole().is_some_and(|number| {
                    number.unsigned_abs() <= FLOAT_EXACT_MAX && *datum == Datum::Number(number.into())
                });
                whole.then_some(other)
            }
            (_, Number::Either) => Some(other),
            (_, Number::Floating) => match other.number {
                Number::Floating => Some(other),
                Number::Whole => {
                    let guard = Some(format!("ABS({}) < 9e15", other.sql));
                    Some(Operand { guard, ..other })
                }
                Number::Exact | Number::Either => None,
            },
        };
        let (a_number, b_number) = (a_operand.number, b_operand.number);
        Some((beside(b_number, a_operand, a)?, beside(a_number, b_operand, b)?))
    }

    fn number(&self, bound: &Bound) -> Option<Operand> {
        match &bound.node {
            BoundNode::Constant(Datum::Number(number)) => Some(plain(decimal::plain(number))),
            BoundNode::Constant(Datum::Null) => Some(plain("NULL".to_owned())),
            BoundNode::Column(index) => {
                let sql = self.name(*index);
                if !self.enforced() {
                    // What is stored as a number, and not so large that its digits are not all known.
                    let class = self.dialect.storage_class(&sql)?;
                    let guard = format!("({class} = 'integer' OR {class} = 'real' AND ABS({sql}) < 9e15)");
                    return Some(Operand { sql, guard: Some(guard), number: Number::Either });
                }
                let sql = self.dialect.number(&sql, self.column(*index));
                match self.column(*index).data_type.kind {
                    TypeKind::Integer { .. } => Some(Operand { sql, guard: None, number: Number::Whole }),
                    TypeKind::Decimal { special: false, .. } => Some(plain(sql)),
                    TypeKind::Decimal { special: true, .. } => {
                        Some(Operand { guard: Some(format!("{sql} <> 'NaN'")), ..plain(sql) })
                    }
                    TypeKind::Float { bits: 64 } => {
                        let specials = self.dialect.capabilities().floats_hold_specials;
                        let nan = if specials { format!("{sql} <> 'NaN' AND ") } else { String::new() };
                        let guard = format!("({nan}ABS({sql}) < 9e15)");
                        Some(Operand { sql, guard: Some(guard), number: Number::Floating })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn text(&self, bound: &Bound) -> Option<Operand> {
        match &bound.node {
            BoundNode::Constant(Datum::Text(text)) if !text.contains('\0') => {
                Some(plain(self.dialect.text_literal(text)))
            }
            BoundNode::Column(index) => {
                let sql = self.name(*index);
                let by_letter = self.dialect.by_letter(&sql, self.column(*index))?;
                let guard = if self.enforced() {
                    None
                } else {
                    Some(format!("{} = 'text'", self.dialect.storage_class(&sql)?))
                };
                Some(Operand { guard, ..plain(by_letter) })
            }
            _ => None,
        }
    }

    /// Two moments of one form, where the database has that form.
    fn moments(&self, a: &Bound, b: &Bound) -> Option<(Operand, Operand)> {
        if !self.enforced() || self.dialect.capabilities().stores_temporals_as_text {
            return None;
        }
        let form = |bound: &Bound| match &bound.node {
            BoundNode::Column(index) => Form::of(&self.column(*index).data_type.kind),
            _ => None,
        };
        let form = form(a).or_else(|| form(b))?;
        Some((self.moment(a, form)?, self.moment(b, form)?))
    }

    fn moment(&self, bound: &Bound, form: Form) -> Option<Operand> {
        match &bound.node {
            BoundNode::Column(index) if Form::of(&self.column(*index).data_type.kind) == Some(form) => {
                let name = self.name(*index);
                let guard = match self.dialect.blank(self.alias, self.column(*index)) {
                    Some(blank) => Some(format!("NOT ({blank})")),
                    // Before our era, and past four digits, no application reads a year.
                    None if self.dialect.capabilities().years == (1, 9999) => None,
                    None => Some(format!("{name} >= '0001-01-01' AND {name} < '9999-12-31'")),
                };
                Some(Operand { guard, ..plain(name) })
            }
            BoundNode::Now if form == Form::Instant || form == Form::Wall && self.is_plain_now() => {
                Some(plain(form.literal(&Deadline::of(self.at.now, Some(&self.at.zone)))))
            }
            BoundNode::Constant(Datum::Day(day)) if form == Form::Day => Some(plain(format!("'{day}'"))),
            BoundNode::Constant(Datum::Wall(wall)) if form == Form::Wall => {
                Some(plain(format!("'{}'", wall.strftime("%Y-%m-%d %H:%M:%S%.6f"))))
            }
            _ => None,
        }
    }

    /// Whether the clock of the rules' zone was not set about now: else a reading may be two instants, and not in the order of the readings.
    fn is_plain_now(&self) -> bool {
        let offset = |hours: i64| {
            let moment = self.at.now.checked_add(jiff::SignedDuration::from_hours(hours));
            moment.map(|moment| self.at.zone.to_offset(moment)).ok()
        };
        offset(-26).is_some_and(|before| Some(before) == offset(0) && Some(before) == offset(26))
    }

    /// `trim(c) != ''` is true of a text with something to print in it.
    fn filled_in(&self, a: &Bound, b: &Bound) -> Option<String> {
        let (BoundNode::Call(Function::Fold(Fold::Trim), arguments), BoundNode::Constant(Datum::Text(empty))) =
            (&a.node, &b.node)
        else {
            return None;
        };
        let BoundNode::Column(index) = arguments.first()?.node else { return None };
        let is_text = matches!(self.column(index).data_type.kind, TypeKind::Text { .. });
        (empty.is_empty() && is_text).then(|| {
            let name = self.name(index);
            let guard = match self.dialect.storage_class(&name).filter(|_| !self.enforced()) {
                Some(class) => format!("{class} = 'text' AND "),
                None => String::new(),
            };
            format!("({guard}{})", self.dialect.has_print(&name))
        })
    }

    /// A date beside now: exactly where the database has dates, else what is past beyond doubt.
    pub(crate) fn deadline(
        &self,
        column: usize,
        deadline: &Deadline,
        future: bool,
    ) -> (Option<String>, Option<String>) {
        let name = self.name(column);
        let typed = self.enforced() && !self.dialect.capabilities().stores_temporals_as_text;
        match Form::of(&self.column(column).data_type.kind).filter(|_| typed) {
            Some(form) => {
                let sign = if future { ">" } else { "<=" };
                let sql = format!("({name} {sign} {})", form.literal(deadline));
                // What is no date lies nowhere; that it is none is a finding of its own.
                let sql = match self.dialect.blank(self.alias, self.column(column)) {
                    Some(blank) => format!("(CASE WHEN {blank} THEN NULL ELSE {sql} END)"),
                    None => sql,
                };
                (Some(sql), None)
            }
            None if future => (None, None),
            None => {
                // A day that lies before now wherever on Earth and whatever the slack.
                let day = deadline.wall.date().yesterday().and_then(jiff::civil::Date::yesterday);
                let day = day.unwrap_or(jiff::civil::Date::MIN).to_string();
                (None, self.dialect.plainly_before(&name, &day))
            }
        }
    }
}

fn plain(sql: String) -> Operand {
    Operand { sql, guard: None, number: Number::Exact }
}

/// What a column of dates holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Day,
    Wall,
    Instant,
}

impl Form {
    fn of(kind: &TypeKind) -> Option<Self> {
        match kind {
            TypeKind::Date => Some(Self::Day),
            TypeKind::Timestamp { zoned: false, .. } => Some(Self::Wall),
            TypeKind::Timestamp { zoned: true, .. } => Some(Self::Instant),
            _ => None,
        }
    }

    fn literal(self, deadline: &Deadline) -> String {
        let written = |wall: jiff::civil::DateTime| format!("'{}'", wall.strftime("%Y-%m-%d %H:%M:%S%.6f"));
        match self {
            Self::Day => format!("'{}'", deadline.day),
            Self::Wall => written(deadline.wall),
            // Sessions run in UTC, so that an instant needs no offset.
            Self::Instant => written(Offset::UTC.to_datetime(deadline.instant)),
        }
    }
}
