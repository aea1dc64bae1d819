//! A set of keys that are all known before anyone asks for one.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::log::Key;

/// Bytes that a key takes at most, in a table that has just grown.
const BYTES_EACH: usize = 40;

/// Which keys there are.
#[derive(Debug)]
pub(super) enum Known {
    /// One bit for each number from the first to the last: the keys of most tables are numbers with few gaps.
    Dense {
        /// The first number.
        first: u64,
        /// Its bit, and those that follow.
        bits: Vec<u64>,
    },
    /// Anything else.
    Sparse(HashSet<u128, FixedState>),
}

impl Known {
    /// How many bytes of keys may be given, so that what is made of them takes so many bytes at most.
    pub(super) fn keys_max(bytes: usize) -> usize {
        bytes / BYTES_EACH * size_of::<Key>()
    }

    /// The set of these keys.
    pub(super) fn of(keys: &[Key]) -> Self {
        let numbers = || keys.iter().map(|key| u64::try_from(key.hash()).ok());
        if let (Some(Some(first)), Some(Some(last))) = (numbers().min(), numbers().max())
            && (last - first) / 64 < 2 * keys.len() as u64
        {
            let mut bits = vec![0_u64; ((last - first) / 64 + 1) as usize];
            for number in numbers().flatten() {
                let at = number - first;
                bits[(at / 64) as usize] |= 1 << (at % 64);
            }
            return Self::Dense { first, bits };
        }
        let mut set = HashSet::with_capacity_and_hasher(keys.len(), FixedState::default());
        set.extend(keys.iter().map(Key::hash));
        Self::Sparse(set)
    }

    /// Whether a key is one of them.
    pub(super) fn contains(&self, hash: u128) -> bool {
        match self {
            Self::Dense { first, bits } => {
                let at = u64::try_from(hash).ok().and_then(|number| number.checked_sub(*first));
                let word = at.and_then(|at| bits.get(usize::try_from(at / 64).ok()?).map(|word| word >> (at % 64) & 1));
                word == Some(1)
            }
            Self::Sparse(set) => set.contains(&hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_known_and_nothing_else() {
        let dense: Vec<u128> = (1..=1_000).filter(|number| number % 3 != 0).map(|number| number + (1 << 63)).collect();
        let sparse = vec![5, 1 << 40, u128::from(u64::MAX)];
        let hashes = vec![7, u128::MAX, 1 << 64, (1 << 64) + 7];
        for (keys, is_dense) in [(dense, true), (sparse, false), (hashes, false), (Vec::new(), false), (vec![9], true)]
        {
            let given: Vec<Key> = keys.iter().map(|hash| Key::new(*hash, 0, 0)).collect();
            let known = Known::of(&given);
            assert_eq!(matches!(known, Known::Dense { .. }), is_dense, "{keys:?}");
            let near = keys.iter().flat_map(|key| [key.wrapping_sub(1), *key, key.wrapping_add(1), key ^ 1 << 64]);
            for asked in near.chain([0, u128::MAX]) {
                assert_eq!(known.contains(asked), keys.contains(&asked), "{asked} of {keys:?}");
            }
        }
    }
}
