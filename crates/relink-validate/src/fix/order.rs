//! In which order rows of one relation are deleted that refer to each other: what refers goes first. Pure.

/// Rows by their number, in groups: no row is referred to by one of a later group, nor by one of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Levels {
    /// The groups.
    pub(super) groups: Vec<Vec<usize>>,
    /// Rows of circles, and what these refer to: only one statement for all can delete them, if any can.
    pub(super) circular: Vec<usize>,
}

/// The levels of so many rows; `references` are pairs of a row and the one that it refers to.
pub(super) fn levels(rows: usize, references: &[(usize, usize)]) -> Levels {
    let mut targets: Vec<Vec<usize>> = vec![Vec::new(); rows];
    let mut referred = vec![0_usize; rows];
    for (from, to) in references.iter().filter(|(from, to)| from != to) {
        targets[*from].push(*to);
        referred[*to] += 1;
    }
    let mut levels = Levels::default();
    let mut level: Vec<usize> = (0..rows).filter(|row| referred[*row] == 0).collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for to in level.iter().flat_map(|row| &targets[*row]) {
            referred[*to] -= 1;
            if referred[*to] == 0 {
                next.push(*to);
            }
        }
        next.sort_unstable();
        levels.groups.push(std::mem::replace(&mut level, next));
    }
    levels.circular = (0..rows).filter(|row| referred[*row] > 0).collect();
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refers_goes_first_and_circles_go_at_once() {
        let groups = |rows, references: &[(usize, usize)]| levels(rows, references).groups;
        assert_eq!(groups(3, &[]), [vec![0, 1, 2]]);
        // A chain, a fork, and a row that refers to itself.
        assert_eq!(groups(4, &[(1, 0), (2, 1), (3, 0), (3, 3)]), [vec![2, 3], vec![1], vec![0]]);
        // 1 and 2 refer to each other, 3 to one of them, and 0 is what they refer to.
        let circle = levels(4, &[(1, 2), (2, 1), (3, 1), (2, 0)]);
        assert_eq!(circle, Levels { groups: vec![vec![3]], circular: vec![0, 1, 2] });
    }
}
