//! Names as words: `primaryBillingUserID` is primary, billing, user, id; `categories` is what `category` is.
//!
//! Whether two nouns are the same is asked, never what the plural of one is: each is given all the singulars that it might have, and they are the same where
//! one of these is shared. What English leaves open (`cookies`: cooky or cookie?) needs no decision then, and neither does what is in the singular already.

/// Nouns whose plural follows no rule: plural, singular.
const IRREGULAR: [(&str, &str); 26] = [
    ("analyses", "analysis"),
    ("axes", "axis"),
    ("bases", "basis"),
    ("children", "child"),
    ("crises", "crisis"),
    ("criteria", "criterion"),
    ("curricula", "curriculum"),
    ("data", "datum"),
    ("diagnoses", "diagnosis"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("genera", "genus"),
    ("hypotheses", "hypothesis"),
    ("indices", "index"),
    ("matrices", "matrix"),
    ("media", "medium"),
    ("men", "man"),
    ("mice", "mouse"),
    ("people", "person"),
    ("phenomena", "phenomenon"),
    ("schemata", "schema"),
    ("synopses", "synopsis"),
    ("teeth", "tooth"),
    ("theses", "thesis"),
    ("vertices", "vertex"),
    ("women", "woman"),
];

/// The words of a name in lower case. `_`, `-`, blanks and dots separate, and so do humps; a run of capitals is one word.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        let letters: Vec<char> = part.chars().collect();
        let mut word = String::new();
        for (at, letter) in letters.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| letters[before]);
            let after = letters.get(at + 1);
            let hump = letter.is_uppercase()
                && before.is_some_and(|before| {
                    // `userId`; `HTTPServer` breaks before its last capital.
                    !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
                });
            if hump && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            word.extend(letter.to_lowercase());
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words
}

/// Every singular that a noun might have, itself among them.
fn singulars(noun: &str) -> Vec<String> {
    let mut found = vec![noun.to_owned()];
    for (plural, singular) in IRREGULAR {
        if let Some(before) = noun.strip_suffix(plural) {
            // `salespeople`, but not `women` as wo-men: longer ones stand for themselves.
            if before.is_empty() || before.len() > 2 {
                found.push(format!("{before}{singular}"));
            }
        }
    }
    let Some(stem) = noun.strip_suffix('s').filter(|stem| stem.len() > 1 && !stem.ends_with('s')) else { return found };
    found.push(stem.to_owned());
    if let Some(root) = stem.strip_suffix("ie") {
        found.push(format!("{root}y"));
    }
    if let Some(root) = stem.strip_suffix("ve") {
        found.push(format!("{root}f"));
        found.push(format!("{root}fe"));
    }
    if let Some(root) = stem.strip_suffix('e')
        && ["s", "sh", "ch", "x", "z", "o"].iter().any(|end| root.ends_with(end))
    {
        found.push(root.to_owned());
        if let Some(root) = root.strip_suffix("zz") {
            found.push(format!("{root}z"));
        }
    }
    found
}

/// Every form under which a noun of several words might be known: `order_lines` is `orderline`, too.
pub(super) fn forms(words: &[String]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let before = before.concat();
    let mut forms: Vec<String> = singulars(last).iter().map(|singular| format!("{before}{singular}")).collect();
    forms.dedup();
    forms
}

/// Whether two nouns are the same but for their number.
pub(super) fn same_noun(one: &[String], other: &[String]) -> bool {
    let others = forms(other);
    forms(one).iter().any(|form| others.contains(form))
}

/// Whether one of the words is one of these nouns, in whatever number.
pub(super) fn has_noun(words: &[String], nouns: &[&str]) -> bool {
    words.iter().any(|word| singulars(word).iter().any(|singular| nouns.contains(&singular.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_separators_and_humps() {
        for (name, expected) in [
            ("customer_id", "customer id"),
            ("customerId", "customer id"),
            ("CustomerID", "customer id"),
            ("CUSTOMER_ID", "customer id"),
            ("customer-id", "customer id"),
            ("HTTPServerId", "http server id"),
            ("address2_id", "address2 id"),
            ("id_user", "id user"),
            ("Kunden Nr.", "kunden nr"),
            ("élève_id", "élève id"),
            ("__", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn nouns_are_the_same_in_whatever_number() {
        let same = |one: &str, other: &str| same_noun(&words(one), &words(other));
        for (one, other) in [
            ("customer", "customers"),
            ("category", "categories"),
            ("movie", "movies"),
            ("address", "addresses"),
            ("status", "statuses"),
            ("status", "status"),
            ("box", "boxes"),
            ("branch", "branches"),
            ("house", "houses"),
            ("database", "databases"),
            ("hero", "heroes"),
            ("quiz", "quizzes"),
            ("leaf", "leaves"),
            ("wife", "wives"),
            ("person", "people"),
            ("sales_person", "salespeople"),
            ("child", "children"),
            ("woman", "women"),
            ("analysis", "analyses"),
            ("index", "indices"),
            ("index", "indexes"),
            ("news", "news"),
            ("series", "series"),
            ("order_line", "OrderLines"),
            ("order_line", "orderlines"),
        ] {
            assert!(same(one, other) && same(other, one), "{one} {other}");
        }
        for (one, other) in [("user", "uses"), ("class", "clas"), ("man", "women"), ("order", "orders_old")] {
            assert!(!same(one, other), "{one} {other}");
        }
        assert!(has_noun(&words("stock_movements"), &["movement"]) && !has_noun(&words("removal"), &["movement"]));
    }
}
