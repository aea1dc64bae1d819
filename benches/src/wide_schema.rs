//! A schema of many relations, for introspection.

use std::fmt::Write as _;

use relink_testkit::{Schema, schema};

/// A schema of so many relations with two foreign keys each: to the relation before, and to the one at half the number, so
/// that it is both deep and wide. Each has a unique key and a CHECK as well, so that every catalog query has something to read.
pub fn wide_schema(relations: usize) -> Schema {
    let mut text = String::new();
    for number in 0..relations {
        let before = number.saturating_sub(1);
        let half = number / 2;
        writeln!(
            text,
            "t{number:05}(id pk, code varchar(40) unique, before_id null -> t{before:05}, half_id null -> t{half:05} on delete cascade, \
             quantity int default 0 check quantity >= 0, price decimal(10,2) null, note text null)"
        )
        .expect("writing to a string cannot fail");
    }
    schema(&text)
}
