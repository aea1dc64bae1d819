//! The generator's pseudo-random numbers: SplitMix64, seeded per row, so that any row can be made without the rows
//! before it and every machine makes the same ones. Not for anything that has to be unpredictable.

/// The golden ratio in 64 bits: SplitMix64's increment.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    /// The stream of one row. `stream` keeps the tables apart.
    pub(super) fn for_row(seed: u64, stream: u64, row: i64) -> Self {
        let start = seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03) ^ (row as u64).wrapping_mul(GOLDEN);
        let mut rng = Self { state: start };
        // Neighbouring rows start from neighbouring states; one step mixes them.
        rng.state = rng.next();
        rng
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound - 1`. The bias of the multiplication is far below what test data would show.
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        debug_assert!(bound > 0, "an empty range has no number");
        ((u128::from(self.next()) * bound as u128) >> 64) as i64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as i64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn numbers_are_the_same_on_every_run_and_machine() {
        let mut rng = Rng::for_row(1, 2, 3);
        let first = [rng.below(1000), rng.below(1000), rng.between(-5, 5)];
        let mut again = Rng::for_row(1, 2, 3);
        assert_eq!(first, [again.below(1000), again.below(1000), again.between(-5, 5)]);
        assert_eq!(Rng::for_row(0, 0, 0).next(), 0xa706_dd2f_4d19_7e6f, "a pinned value");
    }

    #[test]
    fn ranges_include_both_ends_and_nothing_beyond() {
        let mut rng = Rng::for_row(7, 7, 7);
        let seen: std::collections::BTreeSet<i64> = (0..1000).map(|_| rng.between(-1, 2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-1, 0, 1, 2]);
    }
}
