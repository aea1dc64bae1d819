//! Categories, suppliers, tags, items, locations, stock and movements.

use serde_json::json;

use super::cell::{Cell, DAY};
use super::rng::Rng;
use super::schema::Table;
use super::words::{COLOURS, COMPANIES, GOODS, GRADES, NOTES, SITES, TAGS};
use super::{END, Stocktake, moment, stream};

/// Categories without a parent.
const ROOTS: i64 = 6;

/// Stock rows of three neighbouring items: one, three and two.
const STOCK_GROUP: i64 = 6;

/// Exchanges each second-to-last and last of six consecutive categories, so that some children have a lower id than
/// their parent: a dump in the order of the ids then holds forward references. Its own inverse.
fn exchanged(category: i64, count: i64) -> i64 {
    match category % 6 {
        4 if category > ROOTS && category < count => category + 1,
        5 if category > ROOTS => category - 1,
        _ => category,
    }
}

/// A category's slug, which is the natural key.
pub(super) fn category_slug(id: i64) -> String {
    let goods = &GOODS[(id - 1) as usize % GOODS.len()];
    format!("{}-{id}", goods.prefix.to_lowercase())
}

/// A supplier's name, which is the natural key.
pub(super) fn supplier_name(id: i64) -> String {
    let (name, ..) = COMPANIES[(id - 1) as usize % COMPANIES.len()];
    if id <= COMPANIES.len() as i64 { name.to_owned() } else { format!("{name} ({id})") }
}

/// A tag's name, which is the natural key.
pub(super) fn tag_name(id: i64) -> String {
    TAGS.get((id - 1) as usize).map_or_else(|| format!("tag {id}"), |name| (*name).to_owned())
}

pub(super) fn tag_row(id: i64) -> Vec<Cell> {
    vec![Cell::Int(id), Cell::text(tag_name(id))]
}

impl Stocktake {
    /// Categories with parents before their children, for a server that checks each row as it comes.
    pub(super) fn categories_parents_first(&self) -> impl Iterator<Item = i64> {
        let count = self.sizes.categories;
        (1..=count).map(move |position| exchanged(position, count))
    }

    fn category_parent(&self, id: i64) -> Option<i64> {
        let count = self.sizes.categories;
        let position = exchanged(id, count);
        let parent = match position {
            ..=ROOTS => return None,
            _ if position % 6 == 5 => position - 1,
            _ => 1 + (position - ROOTS - 1) / 3,
        };
        Some(exchanged(parent, count))
    }

    pub(super) fn category_row(&self, id: i64) -> Vec<Cell> {
        let goods = &GOODS[(id - 1) as usize % GOODS.len()];
        let name =
            if id <= GOODS.len() as i64 { goods.filed_under.to_owned() } else { format!("{} {id}", goods.filed_under) };
        vec![
            Cell::Int(id),
            Cell::text(name),
            Cell::text(category_slug(id)),
            Cell::optional(self.category_parent(id), Cell::Int),
            Cell::Int(id % 10),
        ]
    }

    pub(super) fn supplier_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Supplier), id);
        let (_, mailbox, country) = COMPANIES[(id - 1) as usize % COMPANIES.len()];
        let rating = (!rng.one_in(6)).then(|| rng.between(0, 50) as f64 / 10.0);
        vec![
            Cell::Int(id),
            Cell::text(supplier_name(id)),
            Cell::text(format!("sales{id}@{mailbox}.example")),
            Cell::text(country),
            Cell::Bool(!rng.one_in(8)),
            Cell::optional(rating, Cell::Float),
            Cell::text(*rng.pick(&NOTES)),
        ]
    }

    fn goods_of(&self, item: i64) -> &'static super::words::Goods {
        Rng::for_row(self.seed, stream(Table::Item) + 1000, item).pick(&GOODS)
    }

    /// An item's stock keeping unit, which is the natural key.
    pub(super) fn item_sku(&self, id: i64) -> String {
        format!("{}-{id:05}", self.goods_of(id).prefix)
    }

    /// An item's list price in hundredths.
    pub(super) fn item_price(&self, id: i64) -> i64 {
        let mut rng = Rng::for_row(self.seed, stream(Table::Item) + 2000, id);
        // Few dear things among many cheap ones; the dearest show that ten digits are kept.
        if rng.one_in(50) { rng.between(100_000, 999_999_999) } else { rng.between(5, 50_000) }
    }

    pub(super) fn item_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Item), id);
        let goods = self.goods_of(id);
        let price = self.item_price(id);
        let created = moment(&mut rng, id, self.sizes.items);
        let barcode = (!rng.one_in(4)).then(|| format!("40{:011}", id * 97 + 13));
        let weight = match rng.below(20) {
            0..=3 => None,
            4 => Some(0.1 + 0.2),
            5 => Some(1e-7),
            _ => Some(rng.between(1, 90_000) as f64 / 1000.0),
        };
        let attributes = match rng.below(4) {
            0 => json!({}),
            1 => json!({"colour": rng.pick(&COLOURS), "sizes": [1, 2.5, rng.between(3, 9)]}),
            2 => {
                json!({"colour": rng.pick(&COLOURS), "batch": 9_007_199_254_740_993_i64 + id, "certified": rng.one_in(2)})
            }
            _ => {
                json!({"dimensions": {"unit": "mm", "width": rng.between(1, 900), "height": null}, "note": rng.pick(&NOTES)})
            }
        };
        let photo = rng.one_in(7).then(|| {
            let mut bytes = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0];
            bytes.extend((0..rng.between(1, 24)).map(|_| rng.below(256) as u8));
            bytes
        });
        let discontinued = rng.one_in(15).then(|| END / DAY - rng.between(1, 400));
        vec![
            Cell::Int(id),
            Cell::text(self.item_sku(id)),
            Cell::text(format!("{}, {}", goods.name, rng.pick(&GRADES))),
            Cell::text(*rng.pick(&NOTES)),
            Cell::optional(barcode, Cell::text),
            Cell::Int(rng.between(1, self.sizes.categories)),
            Cell::Int(rng.between(1, self.sizes.suppliers)),
            Cell::Cents(price),
            Cell::Cents(price * rng.between(40, 90) / 100),
            Cell::Int(rng.between(0, 200)),
            Cell::optional(weight, Cell::Float),
            Cell::Json(attributes),
            Cell::optional(photo, Cell::Bytes),
            Cell::Bool(discontinued.is_none()),
            Cell::Timestamp(created),
            Cell::optional(discontinued, Cell::Date),
        ]
    }

    /// The tags of an item: none to three.
    pub(super) fn item_tags(&self, id: i64) -> Vec<i64> {
        let mut rng = Rng::for_row(self.seed, stream(Table::ItemTags), id);
        let mut tags: Vec<i64> = (0..rng.below(4)).map(|_| rng.between(1, self.sizes.tags)).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// A location's parent: sites have none, aisles stand in sites, shelves in aisles.
    fn location_parent(&self, id: i64) -> Option<i64> {
        let sites = SITES.len() as i64;
        let aisles = sites + (self.sizes.locations - sites) / 4;
        let mut rng = Rng::for_row(self.seed, stream(Table::Location) + 1000, id);
        if id <= sites {
            None
        } else if id <= aisles {
            Some(rng.between(1, sites))
        } else {
            Some(rng.between(sites + 1, aisles))
        }
    }

    /// A location's code, which is the natural key: `HAM`, then `HAM-7`.
    pub(super) fn location_code(&self, id: i64) -> String {
        let mut site = id;
        while let Some(parent) = self.location_parent(site) {
            site = parent;
        }
        let (code, _) = SITES[(site - 1) as usize];
        if site == id { code.to_owned() } else { format!("{code}-{id}") }
    }

    pub(super) fn location_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Location), id);
        let name = match SITES.get((id - 1) as usize) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("{} {}", rng.pick(&["Aisle", "Regal", "棚", "Étagère"]), self.location_code(id)),
        };
        // Sensors number themselves with 64 bits: beyond what a double holds exactly, up to the last one there is.
        let sensor = match id {
            2 => Some(i64::MAX),
            _ => rng.one_in(3).then(|| 9_007_199_254_740_993 + id * 1_000_003),
        };
        vec![
            Cell::Int(id),
            Cell::text(self.location_code(id)),
            Cell::text(name),
            Cell::optional(self.location_parent(id), Cell::Int),
            Cell::optional(sensor, Cell::Int),
            Cell::Bool(rng.one_in(9)),
        ]
    }

    /// The item and the location of a stock row. No pair occurs twice.
    fn stock_place(&self, id: i64) -> (i64, i64) {
        let (group, within) = ((id - 1) / STOCK_GROUP, (id - 1) % STOCK_GROUP);
        let (item, nth) = match within {
            0 => (1, 0),
            1..=3 => (2, within - 1),
            _ => (3, within - 4),
        };
        let item = group * 3 + item;
        let mut rng = Rng::for_row(self.seed, stream(Table::Stock) + 1000, item);
        let locations = self.sizes.locations;
        // At most three steps of less than a quarter of all locations: they do not meet.
        let (start, step) = (rng.below(locations), rng.between(1, locations / 4 - 1));
        (item, (start + nth * step) % locations + 1)
    }

    pub(super) fn stock_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Stock), id);
        let (item, location) = self.stock_place(id);
        let counted = (!rng.one_in(3)).then(|| moment(&mut rng, id, self.sizes.stocks));
        vec![
            Cell::Int(id),
            Cell::Int(item),
            Cell::Int(location),
            Cell::Int(if rng.one_in(12) { 0 } else { rng.between(1, 900) }),
            Cell::optional(counted, Cell::Timestamp),
        ]
    }

    pub(super) fn movement_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Movement), id);
        let reference = (u128::from(rng.next()) << 64) | u128::from(rng.next());
        // Version 4, variant 1, as any UUID library would make it.
        let reference = (reference & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let stock = rng.between(1, self.sizes.stocks);
        let (item, location) = self.stock_place(stock);
        let (kind, quantity) = match rng.below(10) {
            0..=3 => ("receipt", rng.between(1, 500)),
            4..=7 => ("issue", -rng.between(1, 80)),
            8 => ("count", if rng.one_in(2) { rng.between(1, 9) } else { -rng.between(1, 9) }),
            _ => ("transfer", rng.between(1, 60)),
        };
        // Goods in transit are nowhere: half of the composite reference is NULL.
        let in_transit = kind == "transfer" && rng.one_in(3);
        vec![
            Cell::Int(id),
            Cell::Uuid(reference),
            Cell::Int(item),
            if in_transit { Cell::Null } else { Cell::Int(location) },
            Cell::Int(rng.between(1, self.sizes.users)),
            Cell::text(kind),
            Cell::Int(quantity),
            Cell::Timestamp(moment(&mut rng, id, self.sizes.movements)),
            Cell::text(if rng.one_in(4) { *rng.pick(&NOTES) } else { "" }),
        ]
    }
}
