//! Profiles: what is known of widespread applications, as data. A profile says less than configuration does and never overrides it.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// An application's models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its short name.
    pub name: String,
    /// What it covers.
    pub about: String,
    /// By label in the export.
    pub model: BTreeMap<String, ModelProfile>,
}

/// One model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelProfile {
    /// Its table.
    pub table: String,
    /// Its natural key, in the grammar of the configuration's `natural_key`.
    pub natural_key: Option<Vec<String>>,
}

static BUILT_IN: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    [include_str!("../profiles/django.toml")]
        .into_iter()
        .map(|text| toml::from_str(text).expect("built-in profiles parse: a test reads each of them"))
        .collect()
});

/// The profiles that relink carries.
pub fn built_in() -> &'static [Profile] {
    &BUILT_IN
}

/// What the profiles know of a label.
pub fn model(label: &str) -> Option<&'static ModelProfile> {
    built_in().iter().find_map(|profile| profile.model.get(label))
}

/// The natural key that the profiles know for a table.
pub fn natural_key(table: &str) -> Option<&'static [String]> {
    built_in()
        .iter()
        .flat_map(|profile| profile.model.values())
        .find(|model| model.table == table)
        .and_then(|model| model.natural_key.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_parses() {
        assert!(built_in().iter().all(|profile| !profile.model.is_empty()));
        assert_eq!(model("sites.site").expect("known").table, "django_site");
        assert_eq!(natural_key("auth_group").expect("known"), ["name"]);
    }
}
