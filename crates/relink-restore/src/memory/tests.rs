//! What is in the file must be what would be in memory: each structure beside a plain model, spilled at any moment; and a file that fails.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*};
use relink_export::LabelId;
use relink_model::Value;
use relink_records::Key;

use super::{table::Entry, table::Table, *};
use crate::{Error, state::External};

fn spill<'a>(parts: impl IntoIterator<Item = &'a mut dyn Spill>) {
    parts.into_iter().for_each(Spill::spill);
}

fn bytes(text: &str) -> Key {
    Key::Bytes(text.as_bytes().into())
}

/// Few keys, so that many are inserted twice; some longer than what is read of them at once.
fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        (-40_i64..40).prop_map(Key::Int),
        any::<i64>().prop_map(Key::Int),
        "[ab]{0,3}".prop_map(|text| bytes(&text)),
        (0_usize..2, 200_usize..400).prop_map(|(letter, length)| bytes(&["x", "y"][letter].repeat(length))),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..300).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        (-1e9_f64..1e9).prop_map(Value::Float),
        ".{0,20}".prop_map(Value::Text),
        vec(any::<u8>(), 0..400).prop_map(Value::Bytes),
    ]
}

#[derive(Clone, Debug)]
enum Step<T> {
    Do(T),
    Spill,
}

/// Steps with moments among them at which all is spilled.
fn steps<T: Clone + std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Step<T>>> {
    vec(prop_oneof![20 => one.prop_map(Step::Do), 1 => Just(Step::Spill)], 0..300)
}

proptest! {
    #[test]
    fn a_key_map_says_the_same_wherever_it_is(steps in steps((any_key(), 0_u32..1_000))) {
        let budget = Budget::new(Some(0));
        let mut map = KeyMap::new(&budget);
        let mut model: HashMap<Key, (Ordinal, bool)> = HashMap::new();
        for step in steps {
            let Step::Do((key, record)) = step else {
                spill(map.parts());
                continue;
            };
            let first = model.get(&key).map(|(first, _)| *first);
            prop_assert_eq!(map.insert(&key, record), first);
            model.entry(key).and_modify(|(_, several)| *several = true).or_insert((record, false));
        }
        for (key, (first, several)) in model {
            let expected = if several { Found::Several } else { Found::Record(first) };
            prop_assert_eq!(map.get(&key), expected);
        }
        prop_assert_eq!(map.get(&bytes("never there")), Found::Nowhere);
        budget.check().expect("the file works");
    }

    #[test]
    fn a_column_has_the_values_that_were_set_last(steps in steps((0_u32..5_000, any_value()))) {
        let budget = Budget::new(Some(0));
        let mut column = ColumnValues::new(&budget);
        let mut model: HashMap<Ordinal, Value> = HashMap::new();
        for step in steps {
            let Step::Do((ordinal, value)) = step else {
                spill(column.parts());
                continue;
            };
            column.set(ordinal, &value);
            model.insert(ordinal, value);
        }
        for ordinal in 0..5_100 {
            let expected = model.get(&ordinal).filter(|value| !value.is_null()).cloned();
            prop_assert_eq!(column.get(ordinal), expected);
        }
        budget.check().expect("the file works");
    }

    #[test]
    fn integers_are_what_was_set_last(steps in steps((0_usize..20_000, prop_oneof![-200_i64..200, any::<i64>()], any::<bool>()))) {
        let budget = Budget::new(Some(0));
        let mut ints = packed::PackedInts::new(&budget);
        let mut model: std::collections::BTreeMap<usize, i64> = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Spill => ints.spill(),
                Step::Do((at, value, true)) => {
                    ints.set(at, value);
                    model.insert(at, value);
                }
                Step::Do((at, _, false)) => {
                    ints.unset(at);
                    model.remove(&at);
                }
            }
        }
        prop_assert_eq!(ints.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn positions_are_kept_in_order(steps in steps((any::<u32>(), 0_u64..1 << 50, 0_u32..3))) {
        let budget = Budget::new(Some(0));
        let mut positions = Positions::new(&budget);
        let mut model = Vec::new();
        for step in steps {
            let Step::Do((file_ordinal, offset, label)) = step else {
                spill(positions.parts());
                continue;
            };
            let position = Position { offset, file_ordinal: u64::from(file_ordinal), label: LabelId(label) };
            positions.push(position);
            model.push(position);
        }
        prop_assert_eq!(positions.len(), model.len());
        for (ordinal, position) in (0..).zip(model) {
            prop_assert_eq!(positions.get(ordinal), position);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in(steps in steps(0_u32..9_000)) {
        let budget = Budget::new(Some(0));
        let mut set = OrdinalSet::new(&budget);
        let mut model = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Spill => spill(set.parts()),
                Step::Do(ordinal) => prop_assert_eq!(set.insert(ordinal), model.insert(ordinal)),
            }
        }
        prop_assert_eq!(set.len(), model.len());
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_was_looked_up_is_known_by_its_key(
        steps in steps((any_key(), prop_oneof![
            Just(External::Absent),
            Just(External::Several),
            vec(any_value(), 0..4).prop_map(External::Row),
        ]))
    ) {
        let budget = Budget::new(Some(0));
        let mut rows = ExternalRows::new(&budget);
        let mut model: HashMap<Key, External> = HashMap::new();
        for step in steps {
            let Step::Do((key, external)) = step else {
                spill(rows.parts());
                continue;
            };
            rows.insert(&key, &external);
            model.insert(key, external);
        }
        prop_assert_eq!(rows.get(&bytes("never there")), None);
        for (key, external) in model {
            prop_assert_eq!(rows.get(&key), Some(external));
        }
    }
}

/// Keys of both kinds, in no order, each twice where a multiple of ten.
fn many_keys(count: u32) -> impl Iterator<Item = (Key, Ordinal)> {
    (0..count).flat_map(|at| {
        let scattered = i64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
        let twice = if at % 10 == 0 { 2 } else { 1 };
        std::iter::repeat_n([Key::Int(scattered), bytes(&format!("SKU-{at:08}"))], twice)
            .flatten()
            .map(move |key| (key, at))
    })
}

#[test]
fn many_keys_survive_every_way_of_growing() {
    const COUNT: u32 = 20_000;
    let spilled_after = |calls: usize| {
        let budget = Budget::new(None);
        let mut map = KeyMap::new(&budget);
        for (done, (key, record)) in many_keys(COUNT).enumerate() {
            if done == calls {
                spill(map.parts());
            }
            map.insert(&key, record);
        }
        for (key, record) in many_keys(COUNT) {
            let expected = if record % 10 == 0 { Found::Several } else { Found::Record(record) };
            assert_eq!(map.get(&key), expected, "{key:?}, spilled after {calls}");
            let Key::Int(key) = key else { continue };
            assert_eq!(map.get(&Key::Int(!key)), Found::Nowhere);
        }
        budget.check().expect("the file works");
        budget.facts().spilled_bytes
    };
    assert_eq!(spilled_after(usize::MAX), 0);
    assert!(spilled_after(0) > 0 && spilled_after(15_000) > 0);
    // Nothing of it hangs on chance: reports of a dry run and a real one say the same.
    assert_eq!(spilled_after(15_000), spilled_after(15_000));
}

#[test]
fn a_key_takes_little_more_than_itself() {
    let budget = Budget::new(None);
    let mut map = KeyMap::new(&budget);
    for count in 1..=200_000_u32 {
        map.insert(&Key::Int(i64::from(count).wrapping_mul(7_919)), count);
        if count % 25_000 == 0 {
            let used = budget.used();
            assert!(used < u64::from(count) * 21, "{count} keys take {used} bytes");
        }
    }
    let mut positions = Positions::new(&budget);
    let mut column = ColumnValues::new(&budget);
    let before = budget.used();
    for at in 0..200_000 {
        positions.push(Position { offset: (1 << 34) + at * 180, file_ordinal: at + 77, label: LabelId(3) });
        column.set(at as u32, &Value::Int(5_000_000 + at as i64));
    }
    let each = (budget.used() - before) as f64 / 200_000.0;
    assert!(each < 7.5, "a record's position and its id take {each} bytes");
    drop((map, positions, column));
    assert_eq!(budget.used(), 0, "what is dropped is given back");
}

#[test]
fn the_largest_spill_first_and_only_until_there_is_room() {
    let budget = Budget::new(Some(200_000));
    let fill = |map: &mut KeyMap, keys: std::ops::Range<i64>| {
        for key in keys {
            map.insert(&Key::Int(key), 0);
        }
    };
    let [mut small, mut large] = [KeyMap::new(&budget), KeyMap::new(&budget)];
    fill(&mut small, 0..1_000);
    fill(&mut large, 0..5_000);
    let within = |small: &mut KeyMap, large: &mut KeyMap| {
        keep_within(&budget, small.parts().into_iter().chain(large.parts()));
    };
    within(&mut small, &mut large);
    assert_eq!(budget.facts().spilled_bytes, 0, "all is within the budget");
    fill(&mut large, 5_000..15_000);
    within(&mut small, &mut large);
    assert!(budget.used() <= 150_000 && budget.facts().spilled_bytes > 0);
    let resident = |map: &mut KeyMap| map.parts().iter().map(|part| part.resident_bytes()).sum::<u64>();
    assert_eq!(resident(&mut large), 0);
    assert!(resident(&mut small) > 13_000);
}

#[test]
fn a_structure_that_has_spilled_stays_small_however_much_it_grows() {
    let budget = Budget::new(Some(0));
    let mut column = ColumnValues::new(&budget);
    let mut map = KeyMap::new(&budget);
    spill(column.parts().into_iter().chain(map.parts()));
    for at in 0..80_000_u32 {
        column.set(at, &Value::Text(format!("value {at}")));
        map.insert(&Key::Int(i64::from(at) << 20), at);
    }
    // Pages that are open, and what says where the others are.
    assert!(budget.used() < 400_000, "{} bytes", budget.used());
    // In no order, as rows of a cycle settle.
    for at in (0..80_000_u32).step_by(997).chain((0..80_000).step_by(1_009)) {
        column.set(at, &Value::Int(i64::from(at)));
        assert!(budget.used() < 400_000, "{} bytes", budget.used());
    }
    assert_eq!(column.get(997), Some(Value::Int(997)));
    assert_eq!(column.get(998), Some(Value::Text("value 998".to_owned())));
}

/// An entry whose hash says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Alike(u32);

impl Entry for Alike {
    const BYTES: usize = 5;

    fn hash(&self) -> u32 {
        0x5555_5555
    }

    fn write(&self, bytes: &mut [u8]) {
        bytes[0] = 1;
        bytes[1..5].copy_from_slice(&self.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self(u32::from_le_bytes(bytes[1..5].try_into().expect("four bytes")))
    }
}

#[test]
fn keys_of_one_hash_only_cost_time() {
    for spilled in [false, true] {
        let budget = Budget::new(None);
        let mut table: Table<Alike> = Table::new(&budget);
        if spilled {
            table.spill();
        }
        for number in 0..3_000 {
            let entry = Alike(number);
            let free = table.find(entry.hash(), |known| known == entry).map(|found| found.expect_err("a new one"));
            table.insert(entry, free);
        }
        for number in 0..3_000 {
            let entry = Alike(number);
            let found = table.find(entry.hash(), |known| known == entry).expect("the file works");
            assert_eq!(found.map(|(entry, _)| entry).ok(), Some(entry));
        }
        assert!(budget.used() < 64_000, "{} bytes", budget.used());
    }
}

/// Everything that spills, over a file whose calls fail after so many; what it said, and whether the file failed.
fn answers(calls: u64) -> (Vec<String>, Result<(), Error>) {
    let budget = Budget::failing_after(calls);
    let (mut map, mut column) = (KeyMap::new(&budget), ColumnValues::new(&budget));
    let (mut positions, mut rows) = (Positions::new(&budget), ExternalRows::new(&budget));
    let mut said = Vec::new();
    for round in 0..3_u32 {
        for at in round * 40..round * 40 + 60 {
            let key = if at % 2 == 0 { Key::Int(i64::from(at)) } else { bytes(&format!("key {at}")) };
            said.push(format!("{:?}", map.insert(&key, at)));
            column.set(at, &Value::Text(format!("value {at}")));
            positions.push(Position {
                offset: u64::from(at) * 300,
                file_ordinal: u64::from(at),
                label: LabelId(at % 2),
            });
            rows.insert(&key, &External::Row(vec![Value::Int(i64::from(at))]));
            said.push(format!("{:?} {:?} {:?}", map.get(&key), column.get(at), rows.get(&key)));
        }
        said.push(format!("{:?}", positions.get(round)));
        spill(map.parts().into_iter().chain(column.parts()).chain(positions.parts()).chain(rows.parts()));
    }
    (said, budget.check())
}

#[test]
fn whichever_call_to_the_file_fails_is_noticed() {
    let (expected, fine) = answers(u64::MAX);
    fine.expect("no call fails");
    for calls in 0.. {
        let (said, checked) = answers(calls);
        match checked {
            Ok(()) => {
                assert!(calls > 100, "only {calls} calls were made");
                assert_eq!(said, expected);
                break;
            }
            Err(Error::Spill { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::StorageFull),
            Err(other) => panic!("{other:?}"),
        }
    }
}
