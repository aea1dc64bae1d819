//! `[[check]]`: rules in their long form.

use relink_model::config::{CheckConfig, ConfigError, NoLines, NullLeft, Rounding, RuleKind, SqlText};
use relink_model::{Column, Relation, RelationId, TypeKind};
use relink_rules::expression::{
    AmountBy, Bound, Node, Path, Sum, Tolerance, parse_amount_by, parse_sum, parse_tolerance, path_of,
};
use relink_rules::{Part, decimal};

use super::groups::{TotalRule, columns_of, key_parts, total_check};
use super::names::{Mistake, Names, level, part};
use super::references::{both, live_filter};
use super::settings::{mistake, refine};
use super::test::{RunningTest, SameSide, SameTest, Side, SqlTest, SumsTest, Test};
use super::{Check, CheckKind, Planning, conditions, groups, references, unique};

pub(super) fn plan(planning: &Planning<'_>, errors: &mut Vec<ConfigError>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut off = Vec::new();
    for (at, entry) in planning.config.check.iter().enumerate() {
        errors.extend(super::entry_keys::unused(at, entry));
        let Some(kind) = entry.kind else { continue };
        let entry = Entry { planning, at, said: entry };
        match entry.check(kind) {
            Ok(mut check) => {
                match &entry.said.id {
                    Some(id) => check.id.clone_from(id),
                    None => check.said = Some(entry.written()),
                }
                check.rule = Some(vec!["check".to_owned(), at.to_string()]);
                if let Err(error) = refine(&mut check, at, entry.said, &mut off) {
                    errors.push(error);
                }
                checks.push(check);
            }
            Err(Stop::Missing) => {}
            Err(Stop::Error(error)) => errors.push(error),
        }
    }
    checks.retain(|check| !off.contains(&check.id));
    checks
}

struct Entry<'a> {
    planning: &'a Planning<'a>,
    at: usize,
    said: &'a CheckConfig,
}

enum Stop {
    /// What the rule names is not there, and it says that this is no mistake.
    Missing,
    Error(ConfigError),
}

/// What a part of a key is called: its column, or the text that makes it.
fn named(text: &str) -> String {
    match path_of(text).as_slice() {
        [name] | [.., name] if relink_rules::parse(text).is_ok_and(|parsed| matches!(parsed.node, Node::Column(_))) => {
            name.clone()
        }
        _ => text.trim().to_owned(),
    }
}

impl<'a> Entry<'a> {
    fn stop(&self, key: &str, why: &str) -> Stop {
        Stop::Error(mistake(self.at, self.said, key, why))
    }

    fn wrong(&self, key: &str, text: &str, found: Mistake) -> Stop {
        match found {
            Mistake::Expected(expected) => self.stop(key, &format!("{text:?}: expected {expected}")),
            Mistake::Unknown(_) if self.said.if_exists => Stop::Missing,
            Mistake::Unknown(error) => {
                let text = error.to_string();
                self.stop(
                    key,
                    text.split_once("]: ").or_else(|| text.split_once(": ")).map_or(text.as_str(), |(_, why)| why),
                )
            }
        }
    }

    /// All that tells the rule from others.
    fn written(&self) -> String {
        let said = self.said;
        let texts =
            [&said.rule, &said.condition, &said.left, &said.right, &said.sum, &said.balance, &said.delta, &said.filter];
        let lists = [&said.per, &said.order, &said.key, &said.columns];
        texts
            .into_iter()
            .flatten()
            .chain(lists.into_iter().flatten())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" , ")
    }

    fn want<'b>(&self, key: &str, value: Option<&'b String>) -> Result<&'b str, Stop> {
        value.map(String::as_str).ok_or_else(|| self.stop(key, "it is missing, and this kind of rule needs it"))
    }

    fn table(&self, key: &str, name: &str) -> Result<RelationId, Stop> {
        self.planning
            .catalog
            .find(name)
            .ok_or_else(|| self.wrong(key, name, Mistake::Unknown(ConfigError::no_table(self.planning.catalog, name))))
    }

    fn on(&self) -> Result<Names<'a>, Stop> {
        let name = self.want("on", self.said.on.as_ref())?;
        Ok(Names::new(self.planning, self.table("on", name)?, "", ""))
    }

    fn relation(&self, id: RelationId) -> &'a Relation {
        self.planning.catalog.relation(id)
    }

    /// The condition of `where`, and that rows are live.
    fn filter(&self, names: Names<'_>) -> Result<Option<Bound>, Stop> {
        let filter = match &self.said.filter {
            Some(text) => Some(names.parsed(text).map_err(|found| self.wrong("where", text, found))?),
            None => None,
        };
        Ok(both(filter, live_filter(self.planning, names.id)))
    }

    fn tolerance(&self) -> Result<Tolerance, Stop> {
        let Some(tolerance) = &self.said.tolerance else { return Ok(Tolerance::default()) };
        let text = tolerance.to_string();
        parse_tolerance(&text).map_err(|error| self.wrong("tolerance", &text, error.into()))
    }

    fn check(&self, kind: RuleKind) -> Result<Check, Stop> {
        let entry = self.said;
        match kind {
            RuleKind::Row => {
                let (names, text) = (self.on()?, self.want("condition", entry.condition.as_ref())?);
                let made = conditions::row(self.planning, names.id, "", text);
                let mut check = made.map_err(|found| self.wrong("condition", text, found))?;
                if let Test::Row(test) = &mut check.test {
                    test.filter = self.filter(names)?;
                }
                Ok(check)
            }
            RuleKind::Ref => {
                let (names, text) = (self.on()?, self.want("rule", entry.rule.as_ref())?);
                let made = references::check(self.planning, names.id, "", "", text);
                let check = made.map_err(|found| self.wrong("rule", text, found))?;
                let mut check = check.ok_or_else(|| self.stop("rule", "it says nothing"))?;
                if let Test::Reference(test) = &mut check.test {
                    test.filter = both(test.filter.take(), self.filter(names)?);
                }
                Ok(check)
            }
            RuleKind::Unique => {
                let (names, text) = (self.on()?, self.want("rule", entry.rule.as_ref())?);
                let made = unique::check(self.planning, names.id, "", "", text);
                let mut check = made.map_err(|found| self.wrong("rule", text, found))?;
                if let Test::Unique(test) = &mut check.test {
                    test.filter = both(test.filter.take(), self.filter(names)?);
                }
                Ok(check)
            }
            RuleKind::Count | RuleKind::Fresh | RuleKind::NoOverlap | RuleKind::Acyclic => self.of_group(kind),
            RuleKind::Total => self.total(),
            RuleKind::Balance => self.balance(),
            RuleKind::Running => self.running(),
            RuleKind::Equal => self.equal(),
            RuleKind::Same => self.same(),
            RuleKind::Sql => self.sql(),
        }
    }

    fn of_group(&self, kind: RuleKind) -> Result<Check, Stop> {
        let (names, text) = (self.on()?, self.want("rule", self.said.rule.as_ref())?);
        let made = match kind {
            RuleKind::Count => groups::count(self.planning, names, text),
            RuleKind::Fresh => groups::fresh(self.planning, names, text),
            RuleKind::NoOverlap => groups::no_overlap(self.planning, names, text),
            _ => groups::acyclic(names, text),
        };
        let mut check = made.map_err(|found| self.wrong("rule", text, found))?;
        let filter = self.filter(names)?;
        match &mut check.test {
            Test::Count(test) => test.filter = filter,
            Test::Fresh(test) => test.filter = filter,
            Test::NoOverlap(test) => test.filter = both(test.filter.take(), filter),
            _ => {}
        }
        Ok(check)
    }

    fn total(&self) -> Result<Check, Stop> {
        let entry = self.said;
        let names = self.on()?;
        let left = self.want("left", entry.left.as_ref())?;
        let right = self.want("right", entry.right.as_ref())?;
        let by = entry.by.as_ref().ok_or_else(|| self.stop("by", "it is missing, and this kind of rule needs it"))?;
        let by: Vec<Path> = by.all().iter().map(|path| path_of(path)).collect();
        let sum: Sum = parse_sum(right).map_err(|error| self.wrong("right", right, error.into()))?;
        if entry.rounding.is_some() && sum.digits.is_none() {
            return Err(self.stop("rounding", "the sum is not rounded: that says \"round(sum(...), 2)\" on the right"));
        }
        let text = format!("{left} = {right}");
        let rule = TotalRule {
            text: &text,
            column: path_of(left),
            sum,
            by,
            filter: None,
            tolerance: self.tolerance()?,
            rounding: entry.rounding.unwrap_or(Rounding::HalfUp),
            no_lines: entry.no_lines.unwrap_or(NoLines::Zero),
            null_left: entry.null_left.unwrap_or(NullLeft::Finding),
            null_lines_fail: entry.null_lines_fail,
            headers: match &entry.filter {
                Some(text) => Some(names.parsed(text).map_err(|found| self.wrong("where", text, found))?),
                None => None,
            },
        };
        total_check(self.planning, names, rule).map_err(|found| self.wrong("right", right, found))
    }

    /// Amounts of one side, the columns of the amount, and those of the key.
    fn side(&self, key: &str, text: &str) -> Result<(Side, Vec<String>, Vec<String>), Stop> {
        let wrong = |found| self.wrong(key, text, found);
        let rule: AmountBy = parse_amount_by(text).map_err(|error| wrong(error.into()))?;
        let mut paths: Vec<&Path> = rule.by.iter().collect();
        rule.amount.columns(&mut |path| paths.push(path));
        let table = paths.iter().find(|path| path.len() > 1);
        let any = Names::new(self.planning, RelationId(0), "", "");
        let id = match table {
            Some(path) => any.table(&path[..path.len() - 1]).map_err(wrong)?,
            None => self.on()?.id,
        };
        let names = Names::new(self.planning, id, "", "");
        let amount = names.amount(&rule.amount, text).map_err(wrong)?;
        let filter = rule.filter.as_ref().map(|filter| names.condition(filter, text)).transpose().map_err(wrong)?;
        let filter = both(filter, live_filter(self.planning, id));
        let columns = columns_of(names.relation(), std::iter::once(&amount));
        let key = key_parts(names, &rule.by).map_err(wrong)?;
        let key_names = rule.by.iter().filter_map(|path| path.last().cloned()).collect();
        Ok((Side { relation: id, key, amount, other: None, summed: rule.summed, filter }, columns, key_names))
    }

    fn equal(&self) -> Result<Check, Stop> {
        let entry = self.said;
        let (left_text, right_text) =
            (self.want("left", entry.left.as_ref())?, self.want("right", entry.right.as_ref())?);
        let (mut left, mut columns, key_names) = self.side("left", left_text)?;
        let (mut right, ..) = self.side("right", right_text)?;
        if left.key.len() != right.key.len() {
            return Err(self.stop("right", "both sides need as many columns after \"by\""));
        }
        for (here, there) in left.key.iter_mut().zip(&mut right.key) {
            level(here, there);
        }
        let relation = self.relation(left.relation);
        let test = SumsTest {
            left,
            right: Some(right),
            digits: None,
            rounding: Rounding::HalfUp,
            elsewhere: "",
            other_digits: 0,
            tolerance: self.tolerance()?,
            no_lines: entry.no_lines.unwrap_or_default(),
            null_left: entry.null_left.unwrap_or_default(),
            null_lines_fail: entry.null_lines_fail,
            sum_name: "the other side",
            plain: false,
            key_names,
        };
        let name = format!("equal:{}", super::columns_id(&relation.name, &columns));
        // What is compared by a key is shown with it.
        columns.extend(test.key_names.iter().filter(|name| !columns.contains(name)).cloned().collect::<Vec<_>>());
        let mut check = Check::of(name, CheckKind::Equal, relation, &columns, Test::Sums(Box::new(test)));
        check.message = format!("{left_text} is not {right_text}");
        check.help = Some("correct one of the two, or the rule where it leaves something out".to_owned());
        Ok(check)
    }

    fn per(&self, names: Names<'_>) -> Result<Vec<Bound>, Stop> {
        let bind = |text: &String| {
            let parsed = relink_rules::parse(text).map_err(|error| self.wrong("per", text, error.into()))?;
            names.any(&parsed, text).map_err(|found| self.wrong("per", text, found))
        };
        self.said.per.iter().map(bind).collect()
    }

    fn amount(&self, names: Names<'_>, key: &str, text: &str) -> Result<Bound, Stop> {
        let parsed = relink_rules::parse(text).map_err(|error| self.wrong(key, text, error.into()))?;
        names.amount(&parsed, text).map_err(|found| self.wrong(key, text, found))
    }

    fn balance(&self) -> Result<Check, Stop> {
        let names = self.on()?;
        let relation = names.relation();
        let text = self.want("sum", self.said.sum.as_ref())?;
        let amount = self.amount(names, "sum", text)?;
        if self.said.per.is_empty() {
            return Err(self.stop("per", "it is missing: the columns whose rows come to nothing together"));
        }
        let per = self.per(names)?;
        let columns = columns_of(relation, per.iter().chain([&amount]));
        let left = Side {
            relation: names.id,
            key: per.into_iter().map(Part::Expression).collect(),
            amount,
            other: None,
            summed: true,
            filter: self.filter(names)?,
        };
        let test = SumsTest {
            left,
            right: None,
            digits: None,
            rounding: Rounding::HalfUp,
            elsewhere: "",
            other_digits: 0,
            tolerance: self.tolerance()?,
            no_lines: NoLines::Zero,
            null_left: NullLeft::Zero,
            null_lines_fail: false,
            sum_name: "",
            plain: false,
            key_names: self.said.per.iter().map(|text| named(text)).collect(),
        };
        let name = format!("balance:{}", super::columns_id(&relation.name, &columns));
        let mut check = Check::of(name, CheckKind::Balance, relation, &columns, Test::Sums(Box::new(test)));
        check.message = format!("{text} does not come to zero per {}", self.said.per.join(", "));
        check.help = Some("look at all rows of the group: one of them is missing, or wrong".to_owned());
        Ok(check)
    }

    fn running(&self) -> Result<Check, Stop> {
        let entry = self.said;
        let names = self.on()?;
        let relation = names.relation();
        let balance_text = self.want("balance", entry.balance.as_ref())?;
        let balance = self.amount(names, "balance", balance_text)?;
        let delta = self.amount(names, "delta", self.want("delta", entry.delta.as_ref())?)?;
        if entry.order.is_empty() {
            return Err(self.stop("order", "it is missing: the columns that say which row comes first"));
        }
        let order = |text: &String| {
            let parsed = relink_rules::parse(text).map_err(|error| self.wrong("order", text, error.into()))?;
            names.any(&parsed, text).map_err(|found| self.wrong("order", text, found))
        };
        let order = entry.order.iter().map(order).collect::<Result<Vec<_>, _>>()?;
        let tolerance = self.tolerance()?;
        if tolerance.percent {
            return Err(self.stop("tolerance", "expected an amount, not a part"));
        }
        let start = match &entry.start {
            Some(start) => decimal::parse(&start.to_string())
                .ok_or_else(|| self.stop("start", "expected a decimal number such as \"0.00\""))?,
            None => decimal::parse("0").unwrap_or_default(),
        };
        let columns = columns_of(relation, [&balance].into_iter());
        let test = RunningTest {
            relation: names.id,
            per: self.per(names)?,
            order,
            balance,
            delta,
            start,
            tolerance: tolerance.amount,
            filter: self.filter(names)?,
        };
        let name = format!("running:{}", super::columns_id(&relation.name, &columns));
        let mut check = Check::of(name, CheckKind::Running, relation, &columns, Test::Running(Box::new(test)));
        check.message = format!("{balance_text} is not the balance before and the change");
        check.help =
            Some("from each wrong row on, what is stored is gone on from: one mistake is one finding".to_owned());
        Ok(check)
    }

    fn same(&self) -> Result<Check, Stop> {
        let entry = self.said;
        let texts = [self.want("left", entry.left.as_ref())?, self.want("right", entry.right.as_ref())?];
        let ids = [self.table("left", texts[0])?, self.table("right", texts[1])?];
        let relations = ids.map(|id| self.relation(id));
        let key = if entry.key.is_empty() { relations[0].primary_key_columns().to_vec() } else { entry.key.clone() };
        if key.is_empty() {
            return Err(self.stop("key", "it is missing, and the left table has no primary key"));
        }
        let content: Vec<String> = if entry.columns.is_empty() {
            let both = |name: &&String| relations[1].column(name).is_some();
            relations[0].columns.iter().map(|column| &column.name).filter(both).cloned().collect()
        } else {
            entry.columns.clone()
        };
        let pairs = |key_name: &str, names: &[String]| -> Result<(Vec<Part>, Vec<Part>), Stop> {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for name in names {
                let found = |at: usize| {
                    let names = Names::new(self.planning, ids[at], "", "");
                    names.named(name).map(|(index, column)| part(index, column, true))
                };
                let (mut here, mut there) = (
                    found(0).map_err(|m| self.wrong(key_name, name, m))?,
                    found(1).map_err(|m| self.wrong(key_name, name, m))?,
                );
                level(&mut here, &mut there);
                left.push(here);
                right.push(there);
            }
            Ok((left, right))
        };
        let (left_key, right_key) = pairs("key", &key)?;
        let (left_content, right_content) = pairs("columns", &content)?;
        let names = |id| Names::new(self.planning, id, "", "");
        let side = |at: usize, key, content| -> Result<SameSide, Stop> {
            let is_json =
                |(index, column): (usize, &Column)| (column.data_type.kind == TypeKind::Json).then_some(index);
            let documents = relations[at].columns.iter().enumerate().filter_map(is_json).collect();
            Ok(SameSide { relation: ids[at], key, content, documents, filter: self.filter(names(ids[at]))? })
        };
        let sides = [side(0, left_key, left_content)?, side(1, right_key, right_content)?];
        let test = SameTest { sides, names: relations.map(|relation| relation.name.to_string()) };
        let name = format!("same:{}={}", relations[0].name, relations[1].name);
        let mut check = Check::of(name, CheckKind::Same, relations[0], &content, Test::Same(test));
        check.message = format!("{} and {} do not hold the same rows", texts[0], texts[1]);
        check.help = Some("copy what is missing, or correct what differs".to_owned());
        Ok(check)
    }

    fn sql(&self) -> Result<Check, Stop> {
        let entry = self.said;
        let sql =
            entry.sql.as_ref().ok_or_else(|| self.stop("sql", "it is missing, and this kind of rule needs it"))?;
        let sql = match (sql, self.planning.dialect) {
            (SqlText::All(sql), _) => Some(sql.clone()),
            (SqlText::Each(each), Some(dialect)) => each.get(dialect.name()).cloned(),
            (SqlText::Each(_), None) => None,
        };
        let value = match entry.expect.as_deref().map(str::trim) {
            None | Some("no rows") => None,
            Some(text) => {
                let value = text.strip_prefix("value").map(str::trim).and_then(|rest| rest.strip_prefix('='));
                Some(value.map(str::trim).map(str::to_owned).ok_or_else(|| {
                    self.stop("expect", "expected \"no rows\", or what the only value has to be: \"value = 0\"")
                })?)
            }
        };
        let id = entry.id.clone().ok_or_else(|| self.stop("id", "it is missing: nothing else names this rule"))?;
        let fallback;
        let relation = if let Some(name) = &entry.on {
            self.relation(self.table("on", name)?)
        } else {
            fallback = Relation { name: relink_model::RelationName::new("sql"), ..Relation::default() };
            &fallback
        };
        let mut check = Check::of(id, CheckKind::Sql, relation, &[], Test::Sql(SqlTest { sql, value }));
        check.message = match &entry.expect {
            Some(expect) => format!("the query's answer is not what is expected: {expect}"),
            None => "the query finds rows".to_owned(),
        };
        Ok(check)
    }
}
