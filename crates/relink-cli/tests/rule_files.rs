//! Mistakes in `relink.toml`: each ends with 2 before anything is measured, says what is wrong and where, and which name was probably meant.

use std::{fs, process::Command};

const SCHEMA: &str = "CREATE TABLE customers (id integer PRIMARY KEY, email text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total decimal(9,2), status text, placed_at timestamp);
CREATE TABLE order_lines (id integer PRIMARY KEY, order_id integer, amount decimal(9,2));
CREATE VIEW recent AS SELECT * FROM orders;
";

const EXPORT: &str = r#"{"customers": [{"id": 1, "email": "a@x.org"}], "orders": [{"id": 1, "customer_id": 1, "total": -5}], "order_lines": []}"#;

/// A rule file, the line of the mistake, and what is said of it.
struct Mistake {
    text: String,
    line: usize,
    said: &'static [&'static str],
}

fn mistake(text: &str, line: usize, said: &'static [&'static str]) -> Mistake {
    Mistake { text: text.to_owned(), line, said }
}

fn mistakes() -> Vec<Mistake> {
    let deep = format!("[table.orders]\nrows = [\n  \"{}total > 0{}\",\n]", "(".repeat(2_000), ")".repeat(2_000));
    let many = format!("[table.orders]\nrows = [\n  \"{}total > 0\",\n]", "not ".repeat(2_000));
    vec![
        // Keys.
        mistake("[table.orders]\nrequried = [\"total\"]", 2, &["unknown field `requried`", "did you mean `required`"]),
        mistake("[runs]\nnow = \"clock\"", 1, &["unknown field `runs`", "did you mean `run`"]),
        mistake("[[check]]\nid = \"a\"\nkinds = \"row\"", 3, &["unknown field `kinds`", "did you mean `kind`"]),
        mistake("[[allow]]\nchekc = \"a\"\nwhy = \"x\"", 2, &["unknown field `chekc`", "did you mean `check`"]),
        mistake("[run]\nunknown = \"counts\"", 2, &["unknown variant `counts`", "did you mean `count`"]),
        mistake("[severity]\n\"ref:*\" = \"warn\"", 2, &["unknown variant `warn`", "did you mean `warning`"]),
        mistake("[table.orders]\nrows = [\"total > 0\"", 2, &["relink.toml"]),
        // Names.
        mistake("[table.ordres]\nmin = { total = 0 }", 1, &["no such table", "did you mean \"orders\""]),
        mistake("[table.orders]\nmin = { totl = 0 }", 2, &["no column \"totl\"", "did you mean \"total\""]),
        mistake("[table.orders]\nunique = [\"ci(statsu)\"]", 2, &["no column \"statsu\"", "did you mean \"status\""]),
        mistake(
            "[table.orders]\nrows = [\n  \"total > 0\",\n  \"totl > 0\",\n]",
            4,
            &["no column \"totl\"", "did you mean \"total\""],
        ),
        mistake(
            "[table.orders]\nascending = [\n  \"placed_on <= now\"\n]",
            3,
            &["no column \"placed_on\"", "did you mean \"placed_at\""],
        ),
        mistake(
            "[table.orders]\nrefs = [\"customer_id -> custmers.id\"]",
            2,
            &["custmers", "did you mean \"customers\""],
        ),
        mistake(
            "[table.orders]\nrefs = [\"customer_id -> customers.ids where total > 0\"]",
            2,
            &["\"ids\"", "did you mean \"id\""],
        ),
        mistake(
            "[table.orders]\ntotals = [\"total = sum(order_line.amount) by order_id\"]",
            2,
            &["order_line", "did you mean \"order_lines\""],
        ),
        mistake(
            "[table.orders]\nin = { status = { table = \"customers.emial\" } }",
            2,
            &["\"emial\"", "did you mean \"email\""],
        ),
        mistake("[table.orders]\nfresh = \"placed within 1d\"", 2, &["no column \"placed\""]),
        mistake("[table.orders]\nlive = \"statsu = 'x'\"", 2, &["no column \"statsu\"", "did you mean \"status\""]),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"row\"\non = \"ordres\"\ncondition = \"total > 0\"",
            4,
            &["\"a\"", "did you mean \"orders\""],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"row\"\non = \"orders\"\ncondition = \"totl > 0\"",
            5,
            &["\"a\"", "did you mean \"total\""],
        ),
        mistake(
            "[[check]]\nid = \"uniqe:orders.id\"\nmax = 3",
            2,
            &["no such check", "did you mean \"unique:orders.id\""],
        ),
        // What fits nothing.
        mistake(
            "[severity]\n\"unique:*\" = \"off\"\n\"uniqe:orders.id\" = \"off\"",
            3,
            &["fits no check", "did you mean \"unique:orders.id\""],
        ),
        mistake("[severity]\n\"unique:ordres.*\" = \"off\"", 2, &["\"unique:ordres.*\" fits no check"]),
        mistake(
            "[severity]\n\"ref:orders.custmer_id\" = \"off\"",
            2,
            &["fits no check", "did you mean \"ref:orders.customer_id\""],
        ),
        mistake("[run]\nmask = [\"*.email\", \"EMAIL\"]", 2, &["\"EMAIL\" fits no column", "did you mean \"email\""]),
        mistake("[run]\nmask = [\"public.customers.email\"]", 2, &["fits no column"]),
        mistake(
            "[infer]\nignore = [\"orders.custmer_id\"]",
            2,
            &["fits no column", "did you mean \"orders.customer_id\""],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"count\"\non = \"orders\"\nrule = \"> 0\"\n[[check]]\nid = \"a\"\nkind = \"count\"\non = \"customers\"\nrule = \"> 0\"",
            7,
            &["entry number 1 has it, too"],
        ),
        mistake(
            "[[check]]\nid = \"unique:orders.id\"\nkind = \"count\"\non = \"orders\"\nrule = \"> 0\"",
            2,
            &["the id of a promise of the schema already"],
        ),
        mistake(
            "[table.orders]\nmin = { total = 0 }\n[[check]]\nid = \"min:orders.total\"\nkind = \"count\"\non = \"orders\"\nrule = \"> 0\"",
            4,
            &["the id of another rule already"],
        ),
        mistake(
            "[table.orders]\nmin = { total = 0 }\n[table.\"main.orders\"]\nmax = { total = 9 }",
            1,
            &["the same table as [table.", "put both into one"],
        ),
        // Keys that a kind has no use for.
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"sql\"\nsql = \"SELECT 1\"\nwhere = \"total > 0\"",
            5,
            &["where: this kind of rule has no such key", "on, sql, expect"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"ref\"\non = \"orders\"\nrule = \"customer_id -> customers.id\"\nrounding = \"half_even\"",
            6,
            &["rounding: this kind of rule has no such key", "on, where, rule"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"row\"\non = \"orders\"\ncondition = \"total > 0\"\nrule = \"total > 1\"",
            6,
            &["rule: this kind"],
        ),
        mistake(
            "[[check]]\nid = \"unique:orders.id\"\nwhere = \"total > 0\"",
            3,
            &["without a kind an entry changes a check"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"total\"\non = \"orders\"\nleft = \"total\"\nright = \"sum(order_lines.amount)\"\nby = \"order_id\"\nrounding = \"half_even\"",
            8,
            &["rounding: the sum is not rounded"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"total\"\non = \"orders\"\nleft = \"total\"\nright = \"sum(order_lines.amount)\"\nby = \"order_id\"\nwhere = \"id = 2 or order_lines.id < 100\"",
            8,
            &["columns of orders alone, and order_lines.id is one of order_lines"],
        ),
        mistake("[table.recent]\nmin = { total = 0 }", 1, &["recent is a view"]),
        // Types.
        mistake("[table.orders]\nrows = [\"status = null\"]", 2, &["is null", "unknown for every row at character 1"]),
        mistake("[run]\nnow = \"2024-02-30T00:00:00Z\"", 2, &["[run] now", "no instant"]),
        mistake(
            "[table.orders]\nmatch = {\n  status = '[a-' }",
            3,
            &["a pattern, and this is none (unclosed character class)"],
        ),
        mistake("[table.orders]\nmin = {\n  id = 1,\n  total = \"many\" }", 4, &["a decimal number"]),
        mistake("[table.orders]\nmin = { status = 0 }", 2, &["numeric column", "status"]),
        mistake("[table.orders]\nmin = { total = \"many\" }", 2, &["a decimal number"]),
        mistake("[table.orders]\nrows = [\"total = 'x'\"]", 2, &["a number at character 9"]),
        mistake("[table.orders]\nrows = [\"total + 1\"]", 2, &["true or false at character 1"]),
        mistake("[table.orders]\nmatch = { total = 'a' }", 2, &["text"]),
        mistake("[table.orders]\nmatch = { status = '[' }", 2, &["a pattern, and this is none"]),
        mistake("[table.orders]\nrequired = \"total\"", 2, &["invalid type: string"]),
        mistake("[run]\ntimezone = \"Mars/Olympus\"", 2, &["no known time zone"]),
        // Texts that do not parse.
        mistake("[table.orders]\nrows = [\"total >\"]", 2, &["expected", "at character 8"]),
        mistake("[table.orders]\npast = [\"placed_at +5y\"]", 2, &["column +5m"]),
        mistake("[table.orders]\ncount = \"some\"", 2, &["how many rows"]),
        mistake("[table.orders]\nno_overlap = [\"placed_at\"]", 2, &["expected"]),
        mistake("[table.orders]\nrefs = [\"customer_id customers.id\"]", 2, &["->"]),
        mistake("[table.orders]\nrequired_when = { status = \"total >\" }", 2, &["at character 8"]),
        mistake(&deep, 3, &["expected"]),
        mistake(&many, 3, &["expected"]),
        // Entries without what they need.
        mistake("[[check]]\nid = \"a\"\nkind = \"rwo\"", 3, &["unknown variant `rwo`", "did you mean `row`"]),
        mistake("[[check]]\nid = \"a\"\nkind = \"row\"\non = \"orders\"", 1, &["\"a\"", "condition: it is missing"]),
        mistake("[[check]]\nid = \"a\"\nkind = \"row\"\ncondition = \"total > 0\"", 1, &["on: it is missing"]),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"total\"\non = \"orders\"\nleft = \"total\"\nright = \"sum(order_lines.amount)\"",
            1,
            &["by: it is missing"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"running\"\non = \"orders\"\nbalance = \"total\"\ndelta = \"total\"",
            1,
            &["order: it is missing"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"balance\"\non = \"orders\"\nsum = \"total\"",
            1,
            &["per: it is missing"],
        ),
        mistake(
            "[[check]]\nid = \"a\"\nkind = \"equal\"\nleft = \"orders.total by orders.id\"",
            1,
            &["right: it is missing"],
        ),
        mistake("[[check]]\nkind = \"sql\"\nsql = \"SELECT 1\"", 1, &["id: it is missing"]),
        mistake("[[check]]\nid = \"a\"\nkind = \"sql\"", 1, &["sql: it is missing"]),
        mistake("[[check]]\nid = \"a\"\nkind = \"sql\"\nsql = \"SELECT 1\"\nexpect = \"nothing\"", 5, &["no rows"]),
        mistake("[[check]]\nmax = 3", 1, &["neither a kind"]),
        mistake("[[check]]\nid = \"unique:orders.id\"\nmax_percent = \"some\"", 3, &["0.1%"]),
        mistake("[[allow]]\ncheck = \"unique:orders.id\"", 1, &["why: it is missing"]),
        mistake("[[allow]]\nwhy = \"x\"", 1, &["check: it is missing"]),
        mistake(
            "[[allow]]\ncheck = \"min:orders.total\"\nwhy = \"x\"\nwhere = \"total <\"\n[table.orders]\nmin = { total = 0 }",
            4,
            &["expected"],
        ),
    ]
}

#[test]
fn every_mistake_in_a_rule_file_ends_with_2_and_is_named_with_its_place_and_the_nearest_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it is written");
    write("schema.sql", SCHEMA);
    write("export.json", EXPORT);
    let mut wrong = Vec::new();
    for Mistake { text, line, said } in mistakes() {
        write("relink.toml", &text);
        let output = Command::new(env!("CARGO_BIN_EXE_relink"))
            .args(["validate", "export.json", "--schema", "schema.sql"])
            .current_dir(folder.path())
            .env_remove("RELINK_DATABASE_URL")
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        // Long messages are broken over several lines, behind a bar.
        let flat: String = stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = text.chars().take(200).collect();
        if output.status.code() != Some(2) {
            wrong.push(format!("{short}\n  ended with {:?}: {flat}", output.status.code()));
        }
        let place = format!("relink.toml:{line}:");
        for expected in said.iter().copied().chain([place.as_str()]) {
            if !flat.contains(expected) {
                wrong.push(format!("{short}\n  lacks {expected:?}: {flat}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} mistakes are told badly:\n{}", wrong.len(), wrong.join("\n"));
}
