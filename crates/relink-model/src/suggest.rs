//! "Did you mean ...?": the nearest of the names that exist.

/// The candidate nearest to `name`, if it is near enough to be worth naming: equal but for case and separators,
/// or within a third of the name's length in edit distance.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(name);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = if fold(candidate) == folded { 0 } else { strsim::damerau_levenshtein(name, candidate) };
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= (name.chars().count().max(candidate.chars().count()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// A name without case and separators: `InvoiceLine`, `invoice_line` and `Invoice Line` fold to one text.
pub fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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
    fn folds_the_naming_styles_together() {
        assert_eq!(fold("InvoiceLine"), fold("invoice_line"));
        assert_eq!(fold("Order Details"), fold("order_details"));
    }
}
