//! Damage planted at random places, looked for by every engine and by a checker that knows nothing of them: all find the same rows, and what was planted is
//! found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    sync::Arc,
};

use relink_export::{OpenOptions, Source};
use relink_model::config::Config;
use relink_testkit::TestDatabase;
use relink_validate::{Export, Options, Report, Status, plan_export, run_export};

use crate::validated::{NOW, validate_with};

const RULES: &str = r#"
[run]
timezone = "UTC"
[table.customers]
live = "deleted_at is null"
dead = "warn"
required = ["email"]
unique = ["ci(trim(email)), tenant"]
[table.orders]
refs = ["customer_id -> customers.id", "coupon -> coupons.code where coupon != '' as ci"]
unique = ["number where kind = 'sale'"]
required_when = { shipped_at = "status = 'shipped'" }
in = { status = ["new", "paid", "shipped"], currency = { table = "currencies.code" } }
match = { number = '[A-Z]-\d+' }
min = { total = 0 }
past = ["ordered_at"]
ascending = ["ordered_at <= shipped_at"]
rows = ["kind = 'refund' or total < 100000"]
totals = ["total = sum(order_lines.quantity * order_lines.price) by order_id +- 0.01"]
[table.order_lines]
gt = { quantity = 0 }
refs = ["order_id -> orders.id"]
[table.bookings]
no_overlap = ["room: starts_at..ends_at"]
[table.nodes]
acyclic = ["parent_id"]
refs = ["parent_id -> nodes.id"]
[table.currencies]
count = "= 2"
[[check]]
id = "journal"
kind = "balance"
on = "entries"
sum = "debit - credit"
per = ["journal", "currency"]
[[check]]
id = "ledger"
kind = "running"
on = "ledger"
balance = "balance_after"
delta = "amount"
per = ["account"]
order = ["posted", "id"]
[[check]]
id = "stock"
kind = "equal"
left = "products.stock by products.id"
right = "sum(movements.quantity * sign(movements.direction)) by movements.product_id"
"#;

const SCHEMA: &str = "
CREATE TABLE customers (id int PRIMARY KEY, email varchar(60), tenant int, deleted_at timestamp NULL);
CREATE TABLE currencies (code varchar(3) PRIMARY KEY);
CREATE TABLE coupons (code varchar(20) PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, coupon varchar(20), number varchar(20), status varchar(20), currency varchar(3),
    kind varchar(20), total decimal(12,2), ordered_at timestamp NULL, shipped_at timestamp NULL);
CREATE TABLE order_lines (id int PRIMARY KEY, order_id int, quantity int, price decimal(12,2));
CREATE TABLE products (id int PRIMARY KEY, stock int);
CREATE TABLE movements (id int PRIMARY KEY, product_id int, quantity int, direction int);
CREATE TABLE entries (id int PRIMARY KEY, journal int, currency varchar(3), debit decimal(12,2), credit decimal(12,2));
CREATE TABLE ledger (id int PRIMARY KEY, account int, posted int, amount decimal(12,2), balance_after decimal(12,2));
CREATE TABLE bookings (id int PRIMARY KEY, room int, starts_at timestamp NULL, ends_at timestamp NULL);
CREATE TABLE nodes (id int PRIMARY KEY, parent_id int);
";

/// A value as the test keeps it: numbers in hundredths where they are money, moments in hours since 2020.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Null,
    Int(i64),
    Cents(i64),
    Text(String),
    Hour(i64),
}

impl Cell {
    fn written(&self, sql: bool) -> String {
        let quote = if sql { '\'' } else { '"' };
        match self {
            Self::Null => if sql { "NULL" } else { "null" }.to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Cents(cents) => {
                let sign = if *cents < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
            }
            Self::Text(text) => format!("{quote}{text}{quote}"),
            Self::Hour(hour) => {
                let start = jiff::civil::date(2020, 1, 1).at(0, 0, 0, 0);
                let at = start.checked_add(jiff::Span::new().hours(*hour)).expect("a date");
                format!("{quote}{}{quote}", at.strftime("%Y-%m-%d %H:%M:%S"))
            }
        }
    }

    fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) | Self::Cents(number) | Self::Hour(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

type Table = (Vec<&'static str>, Vec<Vec<Cell>>);

/// Hours from 2020 to the instant that counts as now, and the slack.
const NOW_HOURS: i64 = 60_372;

struct World {
    tables: BTreeMap<&'static str, Table>,
    /// What was planted: check, and the row's id.
    planted: BTreeSet<(&'static str, i64)>,
    state: u64,
}

impl World {
    fn random(&mut self, below: i64) -> i64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) as i64) % below
    }

    fn rows(&self, table: &str) -> &Vec<Vec<Cell>> {
        &self.tables[table].1
    }

    fn get(&self, table: &str, row: usize, column: &str) -> &Cell {
        &self.tables[table].1[row][self.position(table, column)]
    }

    fn position(&self, table: &str, column: &str) -> usize {
        self.tables[table].0.iter().position(|name| *name == column).expect("a column")
    }

    fn set(&mut self, table: &'static str, row: usize, column: &str, cell: Cell) {
        let at = self.position(table, column);
        self.tables.get_mut(table).expect("a table").1[row][at] = cell;
    }

    fn id(&self, table: &str, row: usize) -> i64 {
        self.rows(table)[row][0].int().expect("an id")
    }

    fn clean(seed: u64, size: i64) -> Self {
        let mut world = Self { tables: BTreeMap::new(), planted: BTreeSet::new(), state: seed };
        let mut table = |name: &'static str, columns: &[&'static str], rows: Vec<Vec<Cell>>| {
            world.tables.insert(name, (columns.to_vec(), rows));
        };
        let text = |text: String| Cell::Text(text);
        table("currencies", &["code"], vec![vec![text("EUR".into())], vec![text("USD".into())]]);
        table("coupons", &["code"], (0..5).map(|n| vec![text(format!("SAVE{n}"))]).collect());
        let customers = |n| vec![Cell::Int(n), text(format!("user{n}@example.org")), Cell::Int(n % 3), Cell::Null];
        table("customers", &["id", "email", "tenant", "deleted_at"], (1..=size).map(customers).collect());
        let order = |n: i64| {
            let shipped = n % 3 == 0;
            vec![
                Cell::Int(n),
                Cell::Int(1 + n % size),
                if n % 4 == 0 { text(format!("save{}", n % 5)) } else { text(String::new()) },
                text(format!("A-{n}")),
                text(if shipped { "shipped".into() } else { "new".into() }),
                text(if n % 2 == 0 { "EUR".into() } else { "USD".into() }),
                text("sale".into()),
                Cell::Cents(2 * (100 + n) + 3 * 50),
                Cell::Hour(1000 + n),
                if shipped { Cell::Hour(1100 + n) } else { Cell::Null },
            ]
        };
        let columns = [
            "id",
            "customer_id",
            "coupon",
            "number",
            "status",
            "currency",
            "kind",
            "total",
            "ordered_at",
            "shipped_at",
        ];
        table("orders", &columns, (1..=size).map(order).collect());
        let lines = |n: i64| {
            [
                vec![Cell::Int(2 * n), Cell::Int(n), Cell::Int(2), Cell::Cents(100 + n)],
                vec![Cell::Int(2 * n + 1), Cell::Int(n), Cell::Int(3), Cell::Cents(50)],
            ]
        };
        table("order_lines", &["id", "order_id", "quantity", "price"], (1..=size).flat_map(lines).collect());
        table("products", &["id", "stock"], (1..=size).map(|n| vec![Cell::Int(n), Cell::Int(7)]).collect());
        let moves = |n: i64| {
            [
                vec![Cell::Int(2 * n), Cell::Int(n), Cell::Int(10), Cell::Int(4)],
                vec![Cell::Int(2 * n + 1), Cell::Int(n), Cell::Int(3), Cell::Int(-2)],
            ]
        };
        table("movements", &["id", "product_id", "quantity", "direction"], (1..=size).flat_map(moves).collect());
        let entries = |n: i64| {
            [
                vec![Cell::Int(2 * n), Cell::Int(n), text("EUR".into()), Cell::Cents(10 * n), Cell::Cents(0)],
                vec![Cell::Int(2 * n + 1), Cell::Int(n), text("EUR".into()), Cell::Cents(0), Cell::Cents(10 * n)],
            ]
        };
        table("entries", &["id", "journal", "currency", "debit", "credit"], (1..=size).flat_map(entries).collect());
        let ledger = |n: i64| {
            vec![
                Cell::Int(n),
                Cell::Int(n % 5),
                Cell::Int(n / 5),
                Cell::Cents(150),
                Cell::Cents(150 * ((n - 1) / 5 + 1)),
            ]
        };
        let ledger: Vec<Vec<Cell>> = (1..=size)
            .map(|n| {
                let mut row = ledger(n);
                let before = (1..=n).filter(|other| other % 5 == n % 5).count() as i64;
                row[4] = Cell::Cents(150 * before);
                row
            })
            .collect();
        table("ledger", &["id", "account", "posted", "amount", "balance_after"], ledger);
        let booking = |n: i64| vec![Cell::Int(n), Cell::Int(n % 4), Cell::Hour(100 * n), Cell::Hour(100 * n + 50)];
        table("bookings", &["id", "room", "starts_at", "ends_at"], (1..=size).map(booking).collect());
        let node = |n: i64| vec![Cell::Int(n), if n == 1 { Cell::Null } else { Cell::Int(n / 2) }];
        table("nodes", &["id", "parent_id"], (1..=size).map(node).collect());
        world
    }

    /// Plants every kind of damage at random places, no two in one row.
    fn damage(&mut self) {
        let size = self.rows("orders").len() as i64;
        let mut taken: BTreeSet<(&'static str, usize)> = BTreeSet::new();
        let mut pick = |world: &mut Self, table: &'static str, fits: &dyn Fn(&Self, usize) -> bool| loop {
            let row = world.random(world.rows(table).len() as i64) as usize;
            if fits(world, row) && taken.insert((table, row)) {
                return row;
            }
        };
        let any = |_: &Self, _: usize| true;
        let shipped = |world: &Self, row: usize| world.get("orders", row, "status").text() == Some("shipped");
        for _ in 0..3 {
            let orders: [(&'static str, &str, Cell); 7] = [
                ("ref:orders.customer_id", "customer_id", Cell::Int(999_999)),
                ("ref:orders.coupon", "coupon", Cell::Text("NOPE".into())),
                ("in:orders.status", "status", Cell::Text("New".into())),
                ("in:orders.currency", "currency", Cell::Text("eur".into())),
                ("match:orders.number", "number", Cell::Text("a-1x".into())),
                ("past:orders.ordered_at", "ordered_at", Cell::Hour(NOW_HOURS + 500)),
                ("total:orders.total", "total", Cell::Cents(11)),
            ];
            for (check, column, cell) in orders {
                let row = pick(self, "orders", &|world, row| {
                    !(check == "in:orders.status" || check == "past:orders.ordered_at") || !shipped(world, row)
                });
                let cell = match (&cell, check) {
                    (Cell::Text(text), "match:orders.number") => Cell::Text(format!("{text}{row}")),
                    (other, _) => (*other).clone(),
                };
                self.set("orders", row, column, cell);
                self.planted.insert((check, self.id("orders", row)));
            }
            let row = pick(self, "orders", &shipped);
            self.set("orders", row, "shipped_at", Cell::Null);
            self.planted.insert(("required_when:orders.shipped_at", self.id("orders", row)));
            let row = pick(self, "orders", &shipped);
            self.set("orders", row, "shipped_at", Cell::Hour(10));
            self.planted.insert(("ascending:orders(ordered_at,shipped_at)", self.id("orders", row)));
            let row = pick(self, "orders", &any);
            self.set("orders", row, "total", Cell::Cents(-5));
            self.planted
                .extend([("min:orders.total", self.id("orders", row)), ("total:orders.total", self.id("orders", row))]);
            let row = pick(self, "orders", &any);
            self.set("orders", row, "total", Cell::Null);
            self.planted.insert(("total:orders.total", self.id("orders", row)));
            let row = pick(self, "customers", &any);
            self.set("customers", row, "email", Cell::Text(" ".into()));
            self.planted.insert(("required:customers.email", self.id("customers", row)));
            let row = pick(self, "products", &any);
            self.set("products", row, "stock", Cell::Int(8));
            self.planted.insert(("stock", self.id("products", row)));
            let row = pick(self, "ledger", &any);
            self.set("ledger", row, "balance_after", Cell::Cents(1));
            self.planted.insert(("ledger", self.id("ledger", row)));
            let row = pick(self, "order_lines", &any);
            self.set("order_lines", row, "order_id", Cell::Int(888_888));
            self.planted.insert(("ref:order_lines.order_id", self.id("order_lines", row)));
            let row = pick(self, "order_lines", &any);
            self.set("order_lines", row, "quantity", Cell::Int(0));
            self.planted.insert(("gt:order_lines.quantity", self.id("order_lines", row)));
        }
        // The same address in other letters; in another tenant it is another.
        let row = pick(self, "customers", &|world, row| row > 5 && world.id("customers", row) % 3 == 1);
        self.set("customers", row, "email", Cell::Text(" ÜSER@EXAMPLE.org".into()));
        let twin = pick(self, "customers", &|world, row| world.id("customers", row) % 3 == 1);
        self.set("customers", twin, "email", Cell::Text("üser@example.ORG\u{a0}".into()));
        let other = pick(self, "customers", &|world, row| world.id("customers", row) % 3 == 2);
        self.set("customers", other, "email", Cell::Text("üser@example.org".into()));
        for row in [row, twin] {
            self.planted.insert(("unique:customers(ci(trim(email)),tenant)", self.id("customers", row)));
        }
        let (one, two) = (pick(self, "orders", &any), pick(self, "orders", &any));
        let number = self.get("orders", one, "number").clone();
        self.set("orders", two, "number", number);
        for row in [one, two] {
            self.planted.insert(("unique:orders.number", self.id("orders", row)));
        }
        let (one, two) = (pick(self, "bookings", &any), pick(self, "bookings", &any));
        let (room, start) = (self.get("bookings", one, "room").clone(), self.get("bookings", one, "starts_at").int());
        self.set("bookings", two, "room", room);
        self.set("bookings", two, "starts_at", Cell::Hour(start.expect("a start") + 10));
        self.set("bookings", two, "ends_at", Cell::Hour(start.expect("a start") + 20));
        for row in [one, two] {
            self.planted.insert(("no_overlap:bookings(room,starts_at,ends_at)", self.id("bookings", row)));
        }
        let row = pick(self, "entries", &|_, row| row % 2 == 0);
        self.set("entries", row, "debit", Cell::Cents(1));
        let journal = self.get("entries", row, "journal").int().expect("a journal");
        self.planted.insert(("journal", journal));
        // A leaf and its parent refer to each other.
        let leaf = size as usize - 1;
        let parent = self.get("nodes", leaf, "parent_id").int().expect("a parent");
        self.set("nodes", parent as usize - 1, "parent_id", Cell::Int(leaf as i64 + 1));
        self.planted.extend([("acyclic:nodes.parent_id", parent), ("acyclic:nodes.parent_id", leaf as i64 + 1)]);
        let dead = pick(self, "customers", &|world, row| {
            let id = world.id("customers", row);
            (0..world.rows("orders").len()).any(|order| world.get("orders", order, "customer_id").int() == Some(id))
        });
        self.set("customers", dead, "deleted_at", Cell::Hour(5));
    }

    /// What a checker finds that knows nothing of the engines: plain loops over the rows.
    fn naive(&self) -> BTreeSet<(String, i64)> {
        let mut found = BTreeSet::new();
        let mut add = |check: &str, id: i64| {
            found.insert((check.to_owned(), id));
        };
        let column = |table: &str, name: &str| -> Vec<&Cell> {
            (0..self.rows(table).len()).map(|row| self.get(table, row, name)).collect()
        };
        let text = |table: &str, row: usize, name: &str| self.get(table, row, name).text();
        let int = |table: &str, row: usize, name: &str| self.get(table, row, name).int();
        let customers: BTreeSet<i64> = column("customers", "id").iter().filter_map(|cell| cell.int()).collect();
        let dead: BTreeSet<i64> = (0..self.rows("customers").len())
            .filter(|row| *self.get("customers", *row, "deleted_at") != Cell::Null)
            .map(|row| self.id("customers", row))
            .collect();
        let coupons: Vec<String> =
            column("coupons", "code").iter().filter_map(|cell| cell.text()).map(str::to_lowercase).collect();
        for row in 0..self.rows("orders").len() {
            let id = self.id("orders", row);
            let get = |name: &str| int("orders", row, name);
            let said = |name: &str| text("orders", row, name).unwrap_or_default();
            if get("customer_id").is_some_and(|customer| !customers.contains(&customer)) {
                add("ref:orders.customer_id", id);
            }
            if get("customer_id").is_some_and(|customer| dead.contains(&customer)) {
                add("dead:orders.customer_id", id);
            }
            if !said("coupon").is_empty() && !coupons.contains(&said("coupon").to_lowercase()) {
                add("ref:orders.coupon", id);
            }
            if !["new", "paid", "shipped"].contains(&said("status")) {
                add("in:orders.status", id);
            }
            if !["EUR", "USD"].contains(&said("currency")) {
                add("in:orders.currency", id);
            }
            let number: Vec<char> = said("number").chars().collect();
            let fits = number.len() > 2
                && number[0].is_ascii_uppercase()
                && number[1] == '-'
                && number[2..].iter().all(char::is_ascii_digit);
            if !fits {
                add("match:orders.number", id);
            }
            if said("status") == "shipped" && get("shipped_at").is_none() {
                add("required_when:orders.shipped_at", id);
            }
            if get("ordered_at").is_some_and(|at| at > NOW_HOURS) {
                add("past:orders.ordered_at", id);
            }
            if get("shipped_at").zip(get("ordered_at")).is_some_and(|(shipped, ordered)| shipped < ordered) {
                add("ascending:orders(ordered_at,shipped_at)", id);
            }
            if get("total").is_some_and(|total| total < 0) {
                add("min:orders.total", id);
            }
            let lines =
                (0..self.rows("order_lines").len()).filter(|line| int("order_lines", *line, "order_id") == Some(id));
            let sum: i64 = lines
                .filter_map(|line| Some(int("order_lines", line, "quantity")? * int("order_lines", line, "price")?))
                .sum();
            if get("total").is_none_or(|total| (total - sum).abs() > 1) {
                add("total:orders.total", id);
            }
            let twin = |other: usize| other != row && text("orders", other, "number") == text("orders", row, "number");
            if (0..self.rows("orders").len()).any(twin) {
                add("unique:orders.number", id);
            }
        }
        let folded = |row: usize| {
            let email = text("customers", row, "email").unwrap_or_default().trim().to_lowercase();
            (email, int("customers", row, "tenant"))
        };
        let live = |row: usize| *self.get("customers", row, "deleted_at") == Cell::Null;
        for row in (0..self.rows("customers").len()).filter(|row| live(*row)) {
            let id = self.id("customers", row);
            if folded(row).0.is_empty() {
                add("required:customers.email", id);
            }
            let twin = |other: usize| other != row && live(other) && folded(other) == folded(row);
            if (0..self.rows("customers").len()).any(twin) {
                add("unique:customers(ci(trim(email)),tenant)", id);
            }
        }
        let orders: BTreeSet<i64> = (0..self.rows("orders").len()).map(|row| self.id("orders", row)).collect();
        for row in 0..self.rows("order_lines").len() {
            if int("order_lines", row, "order_id").is_some_and(|order| !orders.contains(&order)) {
                add("ref:order_lines.order_id", self.id("order_lines", row));
            }
            if int("order_lines", row, "quantity").is_some_and(|quantity| quantity <= 0) {
                add("gt:order_lines.quantity", self.id("order_lines", row));
            }
        }
        for row in 0..self.rows("products").len() {
            let id = self.id("products", row);
            let moves = (0..self.rows("movements").len()).filter(|at| int("movements", *at, "product_id") == Some(id));
            let sum: i64 = moves
                .filter_map(|at| Some(int("movements", at, "quantity")? * int("movements", at, "direction")?.signum()))
                .sum();
            if int("products", row, "stock") != Some(sum) {
                add("stock", id);
            }
        }
        // A side that is NULL counts as nothing.
        let mut journals: BTreeMap<i64, i64> = BTreeMap::new();
        for row in 0..self.rows("entries").len() {
            let Some(journal) = int("entries", row, "journal") else { continue };
            let side = |name: &str| int("entries", row, name).unwrap_or(0);
            *journals.entry(journal).or_default() += side("debit") - side("credit");
        }
        for (journal, _) in journals.iter().filter(|(_, sum)| **sum != 0) {
            add("journal", *journal);
        }
        let mut balances: BTreeMap<i64, i64> = BTreeMap::new();
        for row in 0..self.rows("ledger").len() {
            let before = balances.entry(int("ledger", row, "account").expect("an account")).or_default();
            let (amount, after) = (int("ledger", row, "amount"), int("ledger", row, "balance_after"));
            if after != Some(*before + amount.expect("an amount")) {
                add("ledger", self.id("ledger", row));
            }
            *before = after.expect("a balance");
        }
        for one in 0..self.rows("bookings").len() {
            for other in 0..self.rows("bookings").len() {
                let span = |row| (int("bookings", row, "starts_at"), int("bookings", row, "ends_at"));
                let (a, b) = (span(one), span(other));
                let same = int("bookings", one, "room") == int("bookings", other, "room");
                if one != other && same && a.0 < b.1 && b.0 < a.1 {
                    add("no_overlap:bookings(room,starts_at,ends_at)", self.id("bookings", one));
                }
            }
        }
        for row in 0..self.rows("nodes").len() {
            let (id, mut at) = (self.id("nodes", row), int("nodes", row, "parent_id"));
            for _ in 0..self.rows("nodes").len() {
                match at {
                    Some(found) if found == id => {
                        add("acyclic:nodes.parent_id", id);
                        break;
                    }
                    Some(found) => at = int("nodes", found as usize - 1, "parent_id"),
                    None => break,
                }
            }
        }
        found
    }

    fn script(&self) -> String {
        let mut script = SCHEMA.to_owned();
        for (name, (columns, rows)) in &self.tables {
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| cell.written(true)).collect();
                let _ = writeln!(script, "INSERT INTO {name} ({}) VALUES ({});", columns.join(", "), cells.join(", "));
            }
        }
        script
    }

    fn json(&self) -> String {
        let table = |(name, (columns, rows)): (&&str, &Table)| {
            let row = |row: &Vec<Cell>| {
                let pair = |(column, cell): (&&str, &Cell)| format!("\"{column}\": {}", cell.written(false));
                format!("{{{}}}", columns.iter().zip(row).map(pair).collect::<Vec<_>>().join(", "))
            };
            format!("\"{name}\": [{}]", rows.iter().map(row).collect::<Vec<_>>().join(",\n"))
        };
        format!("{{{}}}", self.tables.iter().map(table).collect::<Vec<_>>().join(",\n"))
    }
}

/// The rows that a report names, by check.
fn named(report: &Report) -> BTreeSet<(String, i64)> {
    let mut found = BTreeSet::new();
    for check in &report.checks {
        assert_ne!(check.status, Status::Error, "{} could not be run: {:?}", check.id, check.why);
        assert_eq!(check.samples.len() as u64, check.counts.failed, "{}", check.id);
        for sample in &check.samples {
            // A group is named by what makes it.
            let id = sample.key.get("id").or_else(|| sample.key.get("journal")).cloned().flatten();
            let id = id.unwrap_or_else(|| panic!("{}: {sample:?}", check.id));
            found.insert((check.id.clone(), id.parse().expect("a number")));
        }
    }
    found
}

async fn offline(world: &World, catalog: relink_model::Catalog) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.json");
    std::fs::File::create(&path).expect("a file").write_all(world.json().as_bytes()).expect("written");
    let source = Source::open(&path, &OpenOptions::default()).expect("opens");
    let index = source.index(&mut |_| {}).expect("it is sound");
    let config: Config = toml::from_str(RULES).expect("a configuration");
    let mut catalog = catalog;
    config.add_virtual_references(&mut catalog).expect("resolves");
    let checks = plan_export(&catalog, &config).expect("plans");
    let now = NOW.parse().expect("an instant");
    // So little memory that keys go to temporary files.
    let options = Options { samples_max: 100_000, memory: 4_096, ..Options::new(now, folder.path().to_owned()) };
    let export = Export { source: &source, index: &index, schema: "the test's" };
    let catalog = Arc::new(catalog);
    run_export(export, &catalog, &config, &[], &checks, &options, &mut |_| {}).await.expect("runs")
}

#[tokio::test]
async fn every_engine_finds_the_planted_rows_and_no_others() {
    for seed in [1_u64, 20_261_120, 987_654_321] {
        let mut world = World::clean(seed, 240);
        assert_eq!(world.naive(), BTreeSet::new(), "the data is clean before it is damaged");
        world.damage();
        let expected = world.naive();
        let planted: BTreeSet<(String, i64)> =
            world.planted.iter().map(|(check, id)| ((*check).to_owned(), *id)).collect();
        let missed: Vec<_> = planted.difference(&expected).collect();
        assert!(missed.is_empty(), "the checker of the test misses {missed:?}");
        let compare = |engine: &str, report: &Report| {
            let found = named(report);
            let right = found.intersection(&expected).count();
            let (recall, precision) = (right as f64 / expected.len() as f64, right as f64 / found.len() as f64);
            println!(
                "seed {seed} {engine}: {} rows of {} checks, recall {recall:.3}, precision {precision:.3}",
                found.len(),
                report.checks.len()
            );
            let (missed, wrong): (Vec<_>, Vec<_>) =
                (expected.difference(&found).collect(), found.difference(&expected).collect());
            assert!(missed.is_empty() && wrong.is_empty(), "{engine}, seed {seed}: missed {missed:?}, wrong {wrong:?}");
        };
        for database in TestDatabase::each(&format!("validate_differential_{seed}")) {
            database.run(&world.script());
            let report = validate_with(&database, RULES, 100_000).await.expect("it fits");
            compare(database.dialect(), &report);
            let url: relink_db::DatabaseUrl = database.url().parse().expect("a URL");
            let mut connection = relink_db::connect(&url, relink_db::Access::ReadOnly).await.expect("connects");
            let catalog = connection.introspect().await.expect("introspects");
            connection.close().await.expect("closes");
            compare(&format!("export by the schema of {}", database.dialect()), &offline(&world, catalog).await);
        }
    }
}
