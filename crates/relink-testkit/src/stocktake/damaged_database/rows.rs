//! The planted rows: each a sound row with one mistake, or one that only looks odd.

use std::collections::BTreeMap;

use crate::stocktake::cell::{Cell, DAY, days_from_civil};
use crate::stocktake::schema::Table;
use crate::stocktake::sql::Database;

/// The ids of planted rows start here.
const FIRST_ID: i64 = 900_001;

/// An id that no row has.
const NOWHERE: i64 = 990_001;

const EVERYWHERE: &[Database] = &Database::ALL;
const SQLITE: &[Database] = &[Database::Sqlite];
const POSTGRES: &[Database] = &[Database::Postgres];
const MYSQL: &[Database] = &[Database::Mysql];
const NOT_MYSQL: &[Database] = &[Database::Sqlite, Database::Postgres];

/// A planted row.
pub(super) struct PlantedRow {
    pub(super) table: Table,
    pub(super) cells: Vec<Cell>,
    pub(super) databases: &'static [Database],
    /// The checks that fail because of it; none for a row that only looks odd.
    pub(super) breaks: Vec<String>,
    pub(super) what: &'static str,
}

impl PlantedRow {
    pub(super) fn key(&self) -> BTreeMap<&'static str, String> {
        let Cell::Int(id) = self.cells[0] else { unreachable!("every primary key is a whole number") };
        BTreeMap::from([("id", id.to_string())])
    }
}

/// Collects planted rows. Each table numbers its own.
#[derive(Default)]
struct Planter {
    rows: Vec<PlantedRow>,
    ids: BTreeMap<Table, i64>,
}

impl Planter {
    /// Plants a row that is right but for these cells, and returns its id.
    fn plant(
        &mut self,
        table: Table,
        changes: &[(&str, Cell)],
        databases: &'static [Database],
        breaks: &[&str],
        what: &'static str,
    ) -> i64 {
        let next = self.ids.entry(table).or_insert(FIRST_ID);
        let id = *next;
        *next += 1;
        let mut cells = sound_row(table, id);
        for (name, cell) in changes {
            let columns = table.spec().columns;
            let at = columns.iter().position(|column| column.name == *name).expect("the table has the column");
            cells[at] = cell.clone();
        }
        let breaks = breaks.iter().map(|check| (*check).to_owned()).collect();
        self.rows.push(PlantedRow { table, cells, databases, breaks, what });
        id
    }
}

/// A row that breaks nothing, beside clean data of any size.
fn sound_row(table: Table, id: i64) -> Vec<Cell> {
    let then = Cell::Timestamp(days_from_civil(2025, 5, 5) * DAY + 18_305_000_005);
    let id_cell = Cell::Int(id);
    match table {
        Table::UserGroups => vec![id_cell, Cell::Int(1), Cell::Int(5)],
        Table::Category => {
            vec![id_cell, Cell::text("Planted"), Cell::text(format!("planted-{id}")), Cell::Null, Cell::Int(0)]
        }
        Table::Supplier => vec![
            id_cell,
            Cell::text(format!("Planted {id}")),
            Cell::text("sales@planted.example"),
            Cell::text("DE"),
            Cell::Bool(true),
            Cell::Null,
            Cell::text(""),
        ],
        Table::Item => vec![
            id_cell,
            Cell::text(format!("PLANTED-{id}")),
            Cell::text("Planted"),
            Cell::text(""),
            Cell::Null,
            Cell::Int(1),
            Cell::Int(1),
            Cell::Cents(100),
            Cell::Cents(50),
            Cell::Int(0),
            Cell::Null,
            Cell::Json(serde_json::json!({})),
            Cell::Null,
            Cell::Bool(true),
            then,
            Cell::Null,
        ],
        Table::ItemTags => vec![id_cell, Cell::Int(FIRST_ID), Cell::Int(1)],
        Table::Location => vec![
            id_cell,
            Cell::text(format!("PLANTED-{id}")),
            Cell::text("Planted"),
            Cell::Null,
            Cell::Null,
            Cell::Bool(false),
        ],
        Table::Stock => vec![id_cell, Cell::Int(FIRST_ID), Cell::Int(FIRST_ID), Cell::Int(1), Cell::Null],
        Table::Movement => vec![
            id_cell,
            Cell::Uuid((0x4 << 76) | (0x8 << 60) | id as u128),
            Cell::Int(1),
            Cell::Null,
            Cell::Int(1),
            Cell::text("transfer"),
            Cell::Int(1),
            then,
            Cell::text(""),
        ],
        Table::Order => vec![
            id_cell,
            Cell::text(format!("PLANTED-{id}")),
            Cell::Int(1),
            Cell::Int(1),
            Cell::text("draft"),
            then,
            Cell::Null,
            Cell::Cents(0),
        ],
        Table::OrderLine => {
            vec![id_cell, Cell::Int(1), Cell::Int(id), Cell::Int(1), Cell::Int(1), Cell::Cents(100), Cell::Cents(100)]
        }
        Table::Document => vec![id_cell, Cell::text(format!("Planted {id}")), Cell::Null, Cell::Null, Cell::Null],
        Table::DocumentVersion => vec![id_cell, Cell::Int(1), Cell::Int(id), Cell::Null, Cell::text(""), then],
        Table::AuditEntry => {
            vec![id_cell, then, Cell::Null, Cell::text("change"), Cell::Int(8), Cell::text("1"), Cell::Null]
        }
        other => unreachable!("nothing is planted in {other:?}"),
    }
}

/// Every planted row.
pub(super) fn planted() -> Vec<PlantedRow> {
    let mut planter = Planter::default();
    plant_orphans(&mut planter);
    plant_duplicates(&mut planter);
    plant_column_damage(&mut planter);
    plant_broken_rules(&mut planter);
    plant_totals(&mut planter);
    planter.rows
}

fn plant_orphans(planter: &mut Planter) {
    let nowhere = || Cell::Int(NOWHERE);
    let mut orphan = |table, column: &'static str, check: &str, what| {
        planter.plant(table, &[(column, nowhere())], EVERYWHERE, &[check], what);
    };
    for _ in 0..2 {
        orphan(Table::OrderLine, "order_id", "ref:stocktake_orderline.order_id", "order lines whose order is gone");
    }
    orphan(Table::Item, "supplier_id", "ref:stocktake_item.supplier_id", "an item whose supplier is gone");
    orphan(Table::Category, "parent_id", "ref:stocktake_category.parent_id", "a self-reference to a row that is gone");
    orphan(Table::ItemTags, "tag_id", "ref:stocktake_item_tags.tag_id", "a join row whose tag is gone");
    orphan(Table::UserGroups, "group_id", "ref:auth_user_groups.group_id", "a join row whose role is gone");
    let current = "ref:stocktake_document.current_version_id";
    orphan(Table::Document, "current_version_id", current, "within the cycle, from its nullable side");
    let document = "ref:stocktake_documentversion.document_id";
    orphan(Table::DocumentVersion, "document_id", document, "within the cycle, from its other side");
    let content_type = "ref:stocktake_auditentry.content_type_id";
    orphan(Table::AuditEntry, "content_type_id", content_type, "an audit entry whose content type is gone");

    let deliver_to = ("deliver_to", Cell::text("NOWHERE"));
    let check = "ref:stocktake_order.deliver_to";
    planter.plant(Table::Order, &[deliver_to], EVERYWHERE, &[check], "a virtual reference without target");
    let location = planter.plant(Table::Location, &[], EVERYWHERE, &[], "a location without stock of item 1");
    let pair = "ref:stocktake_movement(item_id,location_id)";
    planter.plant(
        Table::Movement,
        &[("location_id", Cell::Int(location))],
        EVERYWHERE,
        &[pair],
        "item and location exist, stock of this item there does not",
    );
    planter.plant(
        Table::Movement,
        &[("item_id", nowhere()), ("location_id", Cell::Int(1))],
        EVERYWHERE,
        &["ref:stocktake_movement.item_id", pair],
        "the item is gone, and with it the stock",
    );
    planter.plant(Table::Movement, &[], EVERYWHERE, &[], "half of the composite key is NULL: no reference");
    let own_id = planter.ids[&Table::Category];
    planter.plant(Table::Category, &[("parent_id", Cell::Int(own_id))], EVERYWHERE, &[], "its own parent");
}

fn plant_duplicates(planter: &mut Planter) {
    let sku = || ("sku", Cell::text("PLANTED-TWICE"));
    let check = "unique:stocktake_item.sku";
    planter.plant(Table::Item, &[sku()], NOT_MYSQL, &[check], "two items with the same sku");
    planter.plant(Table::Item, &[sku()], NOT_MYSQL, &[check], "two items with the same sku");
    let check = "unique:stocktake_item_tags(item_id,tag_id)";
    planter.plant(Table::ItemTags, &[], NOT_MYSQL, &[check], "the same tag twice at one item");
    planter.plant(Table::ItemTags, &[], NOT_MYSQL, &[check], "the same tag twice at one item");
    for _ in 0..3 {
        let number = ("number", Cell::text("PLANTED-THRICE"));
        let check = "unique:stocktake_order.number";
        planter.plant(Table::Order, &[number], NOT_MYSQL, &[check], "three orders with the same number");
    }
}

fn plant_column_damage(planter: &mut Planter) {
    let check = "not_null:stocktake_supplier.email";
    planter.plant(Table::Supplier, &[("email", Cell::Null)], NOT_MYSQL, &[check], "NULL in a NOT NULL column");
    let check = "check:stocktake_stock.stocktake_stock_quantity_check";
    planter.plant(Table::Stock, &[("quantity", Cell::Int(-5))], EVERYWHERE, &[check], "stock below nothing");
    let check = "check:stocktake_movement.stocktake_movement_kind_check";
    planter.plant(Table::Movement, &[("kind", Cell::text("stolen"))], EVERYWHERE, &[check], "a kind that there is not");
    let check = "check:stocktake_item.stocktake_item_attributes_check";
    planter.plant(Table::Item, &[("attributes", Cell::text("{not json"))], SQLITE, &[check], "text that is no JSON");
    let check = "type:stocktake_category.position";
    planter.plant(
        Table::Category,
        &[("position", Cell::text("zwölf"))],
        SQLITE,
        &[check],
        "a word in an integer column",
    );
    let check = "type:stocktake_item.discontinued_on";
    planter.plant(Table::Item, &[("discontinued_on", Cell::text("0000-00-00"))], MYSQL, &[check], "the zero date");
}

fn plant_broken_rules(planter: &mut Planter) {
    let order =
        planter.plant(Table::Order, &[("total", Cell::Cents(-300))], EVERYWHERE, &[], "the order of the next line");
    planter.plant(
        Table::OrderLine,
        &[("order_id", Cell::Int(order)), ("quantity", Cell::Int(-3)), ("amount", Cell::Cents(-300))],
        EVERYWHERE,
        &["min:stocktake_orderline.quantity"],
        "a negative quantity in a column without CHECK",
    );
    let check = "min:stocktake_item.cost";
    planter.plant(Table::Item, &[("cost", Cell::Cents(-1))], EVERYWHERE, &[check], "a cost of less than nothing");
    let check = "max:stocktake_supplier.rating";
    planter.plant(Table::Supplier, &[("rating", Cell::Float(7.5))], EVERYWHERE, &[check], "a rating past the highest");
    planter.plant(Table::Supplier, &[("rating", Cell::Float(5.0))], EVERYWHERE, &[], "the highest rating");

    let future = || Cell::Timestamp(days_from_civil(2099, 1, 1) * DAY);
    let check = "past:stocktake_item.created_at";
    planter.plant(Table::Item, &[("created_at", future())], EVERYWHERE, &[check], "made in the future");
    let check = "past:stocktake_movement.moved_at";
    planter.plant(Table::Movement, &[("moved_at", future())], EVERYWHERE, &[check], "moved in the future");
    let check = "past:stocktake_order.ordered_at";
    planter.plant(Table::Order, &[("ordered_at", future())], EVERYWHERE, &[check], "ordered in the future");
    let soon = Cell::Timestamp(days_from_civil(2026, 6, 1) * DAY + 240_000_000);
    planter.plant(
        Table::Order,
        &[("ordered_at", soon)],
        EVERYWHERE,
        &[],
        "four minutes ahead, within the slack of five",
    );
}

fn plant_totals(planter: &mut Planter) {
    const CHECK: &[&str] = &["total:stocktake_order.total"];
    let mut order = |total: Cell, lines: &[i64], databases, breaks: &[&str], what| {
        let order = planter.plant(Table::Order, &[("total", total)], databases, breaks, what);
        for cents in lines {
            let cells =
                [("order_id", Cell::Int(order)), ("unit_price", Cell::Cents(*cents)), ("amount", Cell::Cents(*cents))];
            planter.plant(Table::OrderLine, &cells, databases, &[], "a line of the order before");
        }
    };
    order(Cell::Cents(10_000), &[6_000, 3_000], EVERYWHERE, CHECK, "a total that is ten more than its lines");
    order(
        Cell::Cents(9_002),
        &[6_000, 3_000],
        EVERYWHERE,
        CHECK,
        "a total that is off by two cents, past the tolerance",
    );
    order(
        Cell::Cents(9_001),
        &[6_000, 3_000],
        EVERYWHERE,
        &[],
        "a total that is off by one cent, within the tolerance",
    );
    order(Cell::Cents(2_500), &[], EVERYWHERE, CHECK, "a total without lines");
    order(Cell::Cents(0), &[], EVERYWHERE, &[], "no total, no lines");
    order(Cell::Null, &[500], EVERYWHERE, CHECK, "lines without a total");
    order(Cell::text("NaN"), &[1_000], POSTGRES, CHECK, "a total that is not a number");
}
