//! Names that stand twice in one object.

use std::{borrow::Cow, cmp::Ordering};

use crate::{scan::Member, unescape::unescape};

/// Finds duplicate names. Records of one label mostly have the same names in the same order, so the last order that
/// was proved free of duplicates is remembered, and an equal one needs a comparison only.
#[derive(Debug, Default)]
pub(super) struct KeyLayout {
    names: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyLayout {
    /// The first two members (by the second one's position) of the same name, escapes resolved.
    pub(super) fn duplicate<'m>(&mut self, bytes: &[u8], members: &'m [Member]) -> Option<(&'m Member, &'m Member)> {
        if self.is(bytes, members) {
            return None;
        }
        let mut order: Vec<usize> = (0..members.len()).collect();
        let name = |index: &usize| name(bytes, &members[*index]);
        order.sort_unstable_by(|a, b| name(a).cmp(&name(b)).then(a.cmp(b)));
        let duplicate = order
            .windows(2)
            .filter(|pair| name(&pair[0]).cmp(&name(&pair[1])) == Ordering::Equal)
            .min_by_key(|pair| pair[1])
            .map(|pair| (&members[pair[0]], &members[pair[1]]));
        if duplicate.is_none() {
            self.remember(bytes, members);
        }
        duplicate
    }

    fn is(&self, bytes: &[u8], members: &[Member]) -> bool {
        let mut start = 0;
        self.ends.len() == members.len()
            && self.ends.iter().zip(members).all(|(&end, member)| {
                let same = bytes[member.key.clone()] == self.names[start..end];
                start = end;
                same
            })
    }

    fn remember(&mut self, bytes: &[u8], members: &[Member]) {
        self.names.clear();
        self.ends.clear();
        for member in members {
            self.names.extend_from_slice(&bytes[member.key.clone()]);
            self.ends.push(self.names.len());
        }
    }
}

/// A member's name for comparing: escapes resolved, and as written where they cannot be.
pub(super) fn name<'b>(bytes: &'b [u8], member: &Member) -> Cow<'b, [u8]> {
    let raw = &bytes[member.key.clone()];
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    match std::str::from_utf8(raw).map(|text| unescape(text, 0)) {
        Ok(Ok(Cow::Owned(text))) => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Scanner;

    fn duplicate(layout: &mut KeyLayout, object: &str) -> Option<(usize, usize)> {
        let mut members = Vec::new();
        Scanner::new(object.as_bytes(), &mut Vec::new(), 9, true).members(0, &mut members).unwrap();
        layout.duplicate(object.as_bytes(), &members).map(|(first, second)| (first.key.start, second.key.start))
    }

    #[test]
    fn finds_the_earliest_repetition_escaped_or_not() {
        let mut layout = KeyLayout::default();
        assert_eq!(duplicate(&mut layout, r#"{"a":1,"b":2}"#), None);
        assert_eq!(duplicate(&mut layout, r#"{"a":1,"b":2}"#), None);
        assert_eq!(duplicate(&mut layout, r#"{"a":1,"a":2}"#), Some((2, 8)));
        assert_eq!(duplicate(&mut layout, r#"{"z":1,"b":2,"\u0062":3,"z":4}"#), Some((8, 14)));
        assert_eq!(duplicate(&mut layout, r#"{"ab":1,"a":2,"b":3}"#), None);
        assert_eq!(duplicate(&mut layout, r#"{"a":1,"bb":2,"a":3}"#), Some((2, 15)));
        assert_eq!(duplicate(&mut layout, "{}"), None);
    }
}
