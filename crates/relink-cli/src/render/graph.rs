//! The foreign-key graph of a database, rendered: text, JSON, DOT and Mermaid. Pure; whoever calls it prints.
//!
//! Names come from somebody's database and may hold anything: blanks, quotes, emoji, reserved words, line breaks, terminal
//! escapes. Drawings name their nodes by number and show the relation's name as an escaped label.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use relink_graph::{Cycle, EdgeRef, LoadOrder, LoadStep, Way};
use relink_model::{Catalog, Enforcement, Relation, RelationId, RelationName};
use serde_json::{Value, json};

/// Relations, load order with reasons, and every cycle with the ways to break it, for people.
pub(crate) fn text(catalog: &Catalog, order: &LoadOrder) -> String {
    let mut out = String::new();
    write_text(&mut out, catalog, order).expect("writing to a string cannot fail");
    out
}

/// The same with everything that introspection found, for programs. Relations and keys are given by name.
pub(crate) fn json(catalog: &Catalog, order: &LoadOrder) -> Value {
    let steps: Vec<Value> = order.steps.iter().map(|step| json_step(catalog, step)).collect();
    json!({
        "format_version": 1,
        "server": catalog.server,
        "relations": catalog.relations,
        "load_order": steps,
    })
}

/// A drawing for Graphviz: an arrow runs from the referencing to the referenced relation; dashed where nobody enforces it.
pub(crate) fn dot(catalog: &Catalog, order: &LoadOrder) -> String {
    let mut out = String::new();
    write_dot(&mut out, catalog, order).expect("writing to a string cannot fail");
    out
}

/// The same drawing for Mermaid, which many viewers of Markdown show in place.
pub(crate) fn mermaid(catalog: &Catalog, order: &LoadOrder) -> String {
    let mut out = String::new();
    write_mermaid(&mut out, catalog, order).expect("writing to a string cannot fail");
    out
}

fn write_text(out: &mut String, catalog: &Catalog, order: &LoadOrder) -> fmt::Result {
    let server = &catalog.server;
    let keys: usize = catalog.relations.iter().map(|relation| relation.foreign_keys.len()).sum();
    let title = [&server.product, &server.version, &server.database].map(|part| plain(part)).join(" ");
    let counts = format!("{}, {}", count(catalog.relations.len(), "relation"), count(keys, "foreign key"));
    writeln!(out, "{}: {counts}", title.trim())?;
    if catalog.relations.is_empty() {
        return Ok(());
    }

    writeln!(out, "\nRelations")?;
    let width = widest(catalog.relations.iter().map(|relation| relation.name.to_string()));
    for relation in &catalog.relations {
        let name = plain(&relation.name.to_string());
        writeln!(out, "  {name}{}  {}", pad(&name, width), summary(relation))?;
    }

    writeln!(out, "\nLoad order")?;
    let digits = order.steps.len().to_string().len();
    for (number, step) in order.steps.iter().enumerate() {
        writeln!(out, "  {:>digits$}. {}: {}", number + 1, step_names(catalog, step), plain(&step.reason))?;
    }

    let cycles: Vec<(&LoadStep, &Cycle)> =
        order.steps.iter().filter_map(|step| step.cycle.as_ref().map(|cycle| (step, cycle))).collect();
    if cycles.is_empty() {
        return writeln!(out, "\nNo cycles");
    }
    writeln!(out, "\nCycles")?;
    for (step, cycle) in cycles {
        writeln!(out, "  {}", step_names(catalog, step))?;
        for edge in &cycle.edges {
            let referenced = plain(&catalog.relation(edge.referenced).name.to_string());
            let nullable = if edge.nullable { ", may be NULL" } else { "" };
            writeln!(out, "    key        {} -> {referenced}{nullable}", plain(&edge.edge().describe(catalog)))?;
        }
        for (number, way) in cycle.ways.iter().enumerate() {
            let label = if number == 0 { "broken by" } else { "else" };
            writeln!(out, "    {label:<10} {}", plain(&way.describe(catalog)))?;
        }
        for refusal in &cycle.refusals {
            writeln!(out, "    {:<10} {}: {}", "not by", refusal.way, plain(&refusal.why))?;
        }
    }
    Ok(())
}

/// `~1200 rows, 5 columns, key (id), 2 foreign keys`.
fn summary(relation: &Relation) -> String {
    let key = match relation.primary_key_columns() {
        [] => "no primary key".to_owned(),
        columns => format!("key ({})", plain(&columns.join(", "))),
    };
    let mut parts = vec![rows(relation), count(relation.columns.len(), "column"), key];
    for (number, what) in [(relation.foreign_keys.len(), "foreign key"), (relation.triggers.len(), "trigger")] {
        if number > 0 {
            parts.push(count(number, what));
        }
    }
    parts.join(", ")
}

fn rows(relation: &Relation) -> String {
    match relation.estimated_rows {
        Some(1) => "~1 row".to_owned(),
        Some(rows) => format!("~{rows} rows"),
        None => "rows unknown".to_owned(),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn step_names(catalog: &Catalog, step: &LoadStep) -> String {
    plain(&names(catalog, &step.relations).join(", "))
}

fn names(catalog: &Catalog, relations: &[RelationId]) -> Vec<String> {
    relations.iter().map(|id| catalog.relation(*id).name.to_string()).collect()
}

/// Text without control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn widest(names: impl Iterator<Item = String>) -> usize {
    names.map(|name| plain(&name).chars().count()).max().unwrap_or(0).min(40)
}

fn pad(name: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(name.chars().count()))
}

fn json_step(catalog: &Catalog, step: &LoadStep) -> Value {
    let cycle = step.cycle.as_ref().map(|cycle| {
        let edges: Vec<Value> = cycle
            .edges
            .iter()
            .map(|edge| {
                json!({
                    "key": json_key(catalog, edge.edge()),
                    "referenced": catalog.relation(edge.referenced).name,
                    "nulls": edge.nulls,
                    "self_reference": edge.self_reference,
                })
            })
            .collect();
        let ways: Vec<Value> = cycle.ways.iter().map(|way| json_way(catalog, way)).collect();
        json!({ "edges": edges, "ways": ways, "refusals": cycle.refusals })
    });
    json!({ "relations": names(catalog, &step.relations), "reason": step.reason, "cycle": cycle })
}

fn json_way(catalog: &Catalog, way: &Way) -> Value {
    let keys = |keys: &[EdgeRef]| keys.iter().map(|key| json_key(catalog, *key)).collect::<Vec<_>>();
    let mut value = json!({ "way": way.kind(), "description": way.describe(catalog) });
    let fields = match way {
        Way::RowOrder => json!({}),
        Way::Defer { keys: deferred, made_deferrable, order } => json!({
            "keys": keys(deferred), "made_deferrable": keys(made_deferrable), "order": names(catalog, order),
        }),
        Way::NullThenUpdate { keys: left_out, order } | Way::Suspend { keys: left_out, order } => {
            json!({ "keys": keys(left_out), "order": names(catalog, order) })
        }
        Way::Refuse { reason, remedy } => json!({ "reason": reason, "remedy": remedy }),
    };
    if let (Value::Object(value), Value::Object(fields)) = (&mut value, fields) {
        value.extend(fields);
    }
    value
}

fn json_key(catalog: &Catalog, key: EdgeRef) -> Value {
    let foreign_key = key.foreign_key(catalog);
    json!({
        "relation": catalog.relation(key.referencing).name,
        "name": foreign_key.name,
        "columns": foreign_key.columns,
    })
}

/// One arrow of a drawing.
struct Arrow {
    from: String,
    to: String,
    label: String,
    enforced: bool,
}

/// What both drawings show.
struct Drawing<'a> {
    arrows: Vec<Arrow>,
    /// Referenced, and not there; by name, with the node's name.
    missing: BTreeMap<&'a RelationName, String>,
}

fn drawing<'a>(catalog: &'a Catalog, order: &LoadOrder) -> Drawing<'a> {
    let mut drawing = Drawing { arrows: Vec::new(), missing: BTreeMap::new() };
    for id in order.relations() {
        for key in &catalog.relation(id).foreign_keys {
            let to = if let Some(to) = catalog.id(&key.referenced) {
                node(to)
            } else {
                let number = drawing.missing.len();
                drawing.missing.entry(&key.referenced).or_insert_with(|| format!("missing{number}")).clone()
            };
            let enforced = matches!(key.enforcement, Enforcement::Enforced | Enforcement::NotValidated);
            drawing.arrows.push(Arrow { from: node(id), to, label: key.columns.join(", "), enforced });
        }
    }
    drawing
}

fn node(id: RelationId) -> String {
    format!("r{}", id.0)
}

/// What will break the cycle, in few words: row order, else the first way that is left. `None` for a relation alone,
/// whose arrow to itself says enough.
fn in_short(step: &LoadStep) -> Option<String> {
    let cycle = step.cycle.as_ref().filter(|_| step.relations.len() > 1)?;
    let kinds: Vec<String> = cycle.ways.iter().take(2).map(|way| way.kind().to_string()).collect();
    Some(format!("cycle: {}", kinds.join(", else ")))
}

fn write_dot(out: &mut String, catalog: &Catalog, order: &LoadOrder) -> fmt::Result {
    let drawing = drawing(catalog, order);
    writeln!(out, "digraph relink {{\n  rankdir=RL;\n  node [shape=box];")?;
    for (number, step) in order.steps.iter().enumerate() {
        let frame = in_short(step);
        let indent = if frame.is_some() { "    " } else { "  " };
        if let Some(label) = &frame {
            writeln!(out, "  subgraph cluster_{} {{\n    label={};", number + 1, dot_text(label))?;
        }
        for id in &step.relations {
            let relation = catalog.relation(*id);
            let label = dot_text(&format!("{}\nstep {}, {}", relation.name, number + 1, rows(relation)));
            writeln!(out, "{indent}{} [label={label}];", node(*id))?;
        }
        if frame.is_some() {
            writeln!(out, "  }}")?;
        }
    }
    for (name, node) in &drawing.missing {
        writeln!(out, "  {node} [label={}, style=dashed];", dot_text(&format!("{name}\nmissing")))?;
    }
    for Arrow { from, to, label, enforced } in &drawing.arrows {
        let style = if *enforced { "" } else { ", style=dashed" };
        writeln!(out, "  {from} -> {to} [label={}{style}];", dot_text(label))?;
    }
    writeln!(out, "}}")
}

/// A quoted string of the DOT language. Labels are its "escape strings": a backslash must be doubled as well.
fn dot_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn write_mermaid(out: &mut String, catalog: &Catalog, order: &LoadOrder) -> fmt::Result {
    let drawing = drawing(catalog, order);
    writeln!(out, "flowchart RL")?;
    for (number, step) in order.steps.iter().enumerate() {
        let frame = in_short(step);
        let indent = if frame.is_some() { "    " } else { "  " };
        if let Some(label) = &frame {
            writeln!(out, "  subgraph cycle{}[\"{}\"]", number + 1, mermaid_text(label))?;
        }
        for id in &step.relations {
            let relation = catalog.relation(*id);
            let name = mermaid_text(&relation.name.to_string());
            writeln!(out, "{indent}{}[\"{name}<br/>step {}, {}\"]", node(*id), number + 1, rows(relation))?;
        }
        if frame.is_some() {
            writeln!(out, "  end")?;
        }
    }
    for (name, node) in &drawing.missing {
        writeln!(out, "  {node}[\"{}<br/>missing\"]:::missing", mermaid_text(&name.to_string()))?;
    }
    for Arrow { from, to, label, enforced } in &drawing.arrows {
        let arrow = if *enforced { "-->" } else { "-.->" };
        writeln!(out, "  {from} {arrow}|\"{}\"| {to}", mermaid_text(label))?;
    }
    if !drawing.missing.is_empty() {
        writeln!(out, "  classDef missing stroke-dasharray: 4")?;
    }
    Ok(())
}

/// The inside of a quoted label of Mermaid, which reads `#34;` as the character of that number. Everything in ASCII that
/// is neither alphanumeric nor plainly harmless is written so: Mermaid takes Markdown, HTML and keywords for what they are.
/// A full stop is harmless, but for a text that begins like a numbered list.
fn mermaid_text(text: &str) -> String {
    let harmless = if text.starts_with(|c: char| c.is_ascii_digit()) { " _,:()" } else { " _.,:()" };
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push('\u{fffd}'),
            c if c.is_alphanumeric() || !c.is_ascii() || harmless.contains(c) => out.push(c),
            c => write!(out, "#{};", u32::from(c)).expect("writing to a string cannot fail"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use relink_graph::{Abilities, load_order};
    use relink_model::ServerInfo;
    use relink_testkit::schema;

    use super::*;

    fn example() -> Catalog {
        let mut catalog = schema(
            "documents(id pk, current_id null -> versions.id, owner_id -> users)
             versions(id pk, document_id -> documents.id)
             users(id pk, manager_id null -> users.id)
             notes(text text, user_id int -> users virtual)",
        )
        .catalog();
        catalog.server =
            ServerInfo { product: "PostgreSQL".to_owned(), version: "15.9".to_owned(), database: "shop".to_owned() };
        catalog.relations[0].estimated_rows = Some(1200);
        catalog.relations[1].estimated_rows = Some(1);
        catalog
    }

    /// Names that would break out of a quoted text, or be taken for a keyword.
    fn odd_names() -> Catalog {
        let mut catalog = schema(
            "\"end\"(id pk, \"a \"\"b\"\" | c\" -> \"order\"\" \\ details\")
             \"order\"\" \\ details\"(id pk)
             \"📦 [x] `y` <b>#1;</b>\"(id pk, lost_id -> \"end\")
             \"two\nlines\u{1b}[31m\"(id pk)",
        )
        .catalog();
        let lost = catalog.find("📦 [x] `y` <b>#1;</b>").expect("the relation is there");
        catalog.relations[lost.index()].foreign_keys[0].referenced = RelationName::qualified("old \"space\"", "class");
        catalog
    }

    fn postgres() -> Abilities {
        Abilities {
            defers_declared: true,
            owner_can_make_deferrable: true,
            can_suspend_foreign_keys: true,
            suspending_needs_owner: true,
            ..Abilities::default()
        }
    }

    #[test]
    fn text_shows_relations_order_and_cycles() {
        let catalog = example();
        insta::assert_snapshot!(text(&catalog, &load_order(&catalog, postgres(), None)));
    }

    #[test]
    fn text_of_a_database_without_cycles_and_of_an_empty_one() {
        let catalog = Catalog { server: example().server, ..schema("a(id pk)").catalog() };
        insta::assert_snapshot!(text(&catalog, &load_order(&catalog, postgres(), None)));
        let empty = Catalog { server: example().server, ..Catalog::default() };
        assert_eq!(text(&empty, &LoadOrder::default()), "PostgreSQL 15.9 shop: 0 relations, 0 foreign keys\n");
    }

    #[test]
    fn a_terminal_obeys_no_name() {
        let catalog = odd_names();
        let text = text(&catalog, &load_order(&catalog, postgres(), None));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains("two\\nlines\\u{1b}[31m"), "{text}");
    }

    #[test]
    fn json_gives_names_where_the_plan_has_numbers() {
        let catalog = example();
        let json = json(&catalog, &load_order(&catalog, postgres(), None));
        assert_eq!(json["relations"].as_array().map(Vec::len), Some(4));
        insta::assert_json_snapshot!(json["load_order"]);
    }

    #[test]
    fn dot_draws_cycles_as_clusters_and_quotes_every_name() {
        let (example, odd) = (example(), odd_names());
        insta::assert_snapshot!("dot", dot(&example, &load_order(&example, postgres(), None)));
        insta::assert_snapshot!("dot_odd_names", dot(&odd, &load_order(&odd, postgres(), None)));
    }

    #[test]
    fn mermaid_draws_the_same_and_quotes_every_name() {
        let (example, odd) = (example(), odd_names());
        insta::assert_snapshot!("mermaid", mermaid(&example, &load_order(&example, postgres(), None)));
        insta::assert_snapshot!("mermaid_odd_names", mermaid(&odd, &load_order(&odd, postgres(), None)));
    }
}
