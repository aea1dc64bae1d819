//! Mistakes in `relink.toml`: each ends with 2 before anything is measured, says what is wrong and where, and which name was probably meant.

use std::{fs, process::Command};

const SCHEMA: &str = "CREATE TABLE customers (id integer PRIMARY KEY, email text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total decimal(9,2), status text, placed_at timestamp);
CREATE TABLE order_lines (id integer PRIMARY KEY, order_id integer, amount decimal(9,2));
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
        // Types.
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
