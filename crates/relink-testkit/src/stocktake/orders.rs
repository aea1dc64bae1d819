//! Orders and their lines. An order's total is the exact sum of its lines' amounts.

use super::cell::Cell;
use super::rng::Rng;
use super::schema::Table;
use super::{Stocktake, moment, stream};

/// A line of an order.
struct Line {
    item: i64,
    quantity: i64,
    price: i64,
}

impl Line {
    fn amount(&self) -> i64 {
        self.quantity * self.price
    }
}

/// How many lines an order has: mostly few, and none at times.
pub(super) fn line_count(seed: u64, order: i64) -> i64 {
    let mut rng = Rng::for_row(seed, stream(Table::OrderLine), order);
    match rng.below(20) {
        0 => 0,
        1..=13 => rng.between(1, 4),
        14..=18 => rng.between(4, 8),
        _ => rng.between(9, 14),
    }
}

impl Stocktake {
    fn lines(&self, order: i64) -> impl Iterator<Item = Line> {
        let mut rng = Rng::for_row(self.seed, stream(Table::OrderLine) + 1000, order);
        (0..line_count(self.seed, order)).map(move |_| {
            let item = rng.between(1, self.sizes.items);
            let list = self.item_price(item);
            // Dear things are bought one at a time, so that every amount fits twelve digits.
            let quantity = if list > 50_000 { rng.between(1, 3) } else { rng.between(1, 60) };
            Line { item, quantity, price: if rng.one_in(3) { list * 95 / 100 } else { list } }
        })
    }

    pub(super) fn order_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Order), id);
        let total = self.lines(id).map(|line| line.amount()).sum();
        let deliver_to = rng.one_in(3).then(|| self.location_code(rng.between(1, self.sizes.locations)));
        vec![
            Cell::Int(id),
            Cell::text(format!("PO-{id:06}")),
            Cell::Int(rng.between(1, self.sizes.suppliers)),
            Cell::Int(rng.between(1, self.sizes.users)),
            Cell::text(*rng.pick(&["draft", "placed", "received", "received", "received", "cancelled"])),
            Cell::Timestamp(moment(&mut rng, id, self.sizes.orders)),
            Cell::optional(deliver_to, Cell::text),
            Cell::Cents(total),
        ]
    }

    /// The rows of one order's lines; `id` is the first one's.
    pub(super) fn order_line_rows(&self, order: i64, first_id: i64) -> impl Iterator<Item = Vec<Cell>> {
        (0_i64..).zip(self.lines(order)).map(move |(nth, line)| {
            vec![
                Cell::Int(first_id + nth),
                Cell::Int(order),
                Cell::Int(nth + 1),
                Cell::Int(line.item),
                Cell::Int(line.quantity),
                Cell::Cents(line.price),
                Cell::Cents(line.amount()),
            ]
        })
    }
}
