//! Names that a user means: the nearest of those that exist ("did you mean ...?"), and those that a pattern fits.

/// The candidate nearest to `name`, if it is near enough to be worth naming: equal but for case and separators,
/// or within a third of the name's length in edit distance.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter_map(|candidate| Some((edits(name, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How far apart two names are that are near enough to be taken for each other.
fn edits(name: &str, candidate: &str) -> Option<usize> {
    if fold(candidate) == fold(name) {
        return Some(0);
    }
    let distance = strsim::damerau_levenshtein(name, candidate);
    (distance <= (name.chars().count().max(candidate.chars().count()) / 3).max(1)).then_some(distance)
}

/// How likely one name has become the other, the likeliest first: a few letters differ, or one has a word more (`price` and
/// `unit_price`). `None` where nothing speaks for it.
pub fn likeness(name: &str, candidate: &str) -> Option<usize> {
    /// Any difference in letters counts less than a word more or less.
    const WORD: usize = 1_000;
    edits(name, candidate).or_else(|| {
        let (a, b) = (words(name), words(candidate));
        let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let contained = few.iter().all(|word| many.contains(word));
        (contained && !few.is_empty()).then(|| WORD * (many.len() - few.len()).max(1))
    })
}

/// The words of `unit_price`, `unitPrice` and `unit price`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for c in name.chars() {
        let begins = match last {
            None => true,
            Some(last) => !char::is_alphanumeric(last) || last.is_lowercase() && c.is_uppercase(),
        };
        if c.is_alphanumeric() {
            if begins {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        last = Some(c);
    }
    words
}

/// A name without case and separators: `InvoiceLine`, `invoice_line` and `Invoice Line` fold to one text.
pub fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a pattern, in which `*` stands for anything, fits a text.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["natural_keys", "references", "rules"];
        assert_eq!(nearest("natural_key", names), Some("natural_keys"));
        assert_eq!(nearest("NaturalKeys", names), Some("natural_keys"));
        assert_eq!(nearest("hooks", names), None);
    }

    #[test]
    fn a_word_more_is_alike_but_less_than_a_letter() {
        let order = |name: &str, candidates: [&str; 2]| candidates.map(|candidate| likeness(name, candidate));
        assert!(matches!(order("price", ["prices", "unit_price"]), [Some(near), Some(far)] if near < far));
        assert!(matches!(order("unitPrice", ["unit_price", "price"]), [Some(0), Some(far)] if far > 0));
        assert_eq!(order("note", ["unit_price", "id"]), [None, None]);
    }

    #[test]
    fn folds_the_naming_styles_together() {
        assert_eq!(fold("InvoiceLine"), fold("invoice_line"));
        assert_eq!(fold("Order Details"), fold("order_details"));
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("*", "ref:orders.customer_id", true),
            ("ref:*", "ref:orders.customer_id", true),
            ("ref:*.customer_id", "ref:orders.customer_id", true),
            ("ref:*_id", "ref:orders.customer", false),
            ("ref:orders.customer_id", "ref:orders.customer_id", true),
            ("ref:orders", "ref:orders.customer_id", false),
            ("*a*a", "a", false),
            ("*a*a", "baca", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
