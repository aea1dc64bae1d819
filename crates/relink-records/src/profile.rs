//! Profiles: what is known of widespread applications, as data. A profile says less than the configuration does and never overrides it; what it
//! says of columns that a table does not have does not apply.

use std::{collections::BTreeMap, sync::LazyLock};

use relink_model::{
    Catalog, RelationId,
    config::{ConfigError, EmbeddedIdConfig, GenericConfig, NaturalKeyConfig, ProfilesConfig, Reading, TableConfig},
    suggest,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of one application, or of a family of applications. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its short name.
    pub name: String,
    /// What it covers.
    pub about: String,
    /// Package -> the versions whose sources and schemas it was taken from.
    #[serde(default)]
    pub packages: BTreeMap<String, Vec<String>>,
    /// Tables by which the application is known: the profile applies where the database has all of them.
    #[serde(default)]
    pub detect: Vec<String>,
    /// Label -> why its records usually need no restoring. Only a suggestion, see `[profiles] ignore`.
    #[serde(default)]
    pub ignore: BTreeMap<String, String>,
    /// What to know that no key of a profile says.
    #[serde(default)]
    pub notes: Vec<String>,
    /// By label in the export.
    #[serde(default)]
    pub model: BTreeMap<String, ModelProfile>,
}

/// What is known of one model. Each key but `about`, `table` and `refs` is the configuration's of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelProfile {
    /// What to know of it.
    pub about: Option<String>,
    /// Its table.
    pub table: String,
    /// More labels of the same table, such as Django's proxy models.
    #[serde(default)]
    pub models: Vec<String>,
    /// Field of the export -> column.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Its natural key.
    pub natural_key: Option<NaturalKeyConfig>,
    /// Column -> how its values are read.
    #[serde(default)]
    pub read: BTreeMap<String, Reading>,
    /// Many-to-many field -> join table.
    #[serde(default)]
    pub join_tables: BTreeMap<String, String>,
    /// Polymorphic references.
    #[serde(default)]
    pub generic: Vec<GenericConfig>,
    /// Column -> the ids inside its JSON documents.
    #[serde(default)]
    pub embedded_ids: BTreeMap<String, Vec<EmbeddedIdConfig>>,
    /// References that the schema does not declare. Shown, and taken by nobody but a configuration that repeats them: the application itself
    /// does not keep them, so sound data may break them.
    #[serde(default)]
    pub refs: Vec<String>,
}

impl Profile {
    /// The models with their labels, `models` included.
    fn labels(&self) -> impl Iterator<Item = (&str, &ModelProfile)> {
        self.model.iter().flat_map(|(label, model)| {
            std::iter::once(label).chain(&model.models).map(move |label| (label.as_str(), model))
        })
    }

    fn applies_to(&self, catalog: &Catalog) -> bool {
        self.detect.iter().all(|table| catalog.find(table).is_some())
    }

    /// The profile as the tables of `relink.toml`, by name.
    pub fn tables(&self) -> BTreeMap<&str, TableConfig> {
        self.model.iter().map(|(label, model)| (model.table.as_str(), model.settings(label))).collect()
    }
}

impl ModelProfile {
    /// What `relink.toml` would say.
    fn settings(&self, label: &str) -> TableConfig {
        let labels = std::iter::once(label).chain(self.models.iter().map(String::as_str));
        TableConfig {
            models: labels.filter(|label| rule(label) != self.table).map(str::to_owned).collect(),
            fields: self.fields.clone(),
            natural_key: self.natural_key.clone(),
            read: self.read.clone(),
            join_tables: self.join_tables.clone(),
            generic: self.generic.clone(),
            embedded_ids: self.embedded_ids.clone(),
            refs: self.refs.clone(),
            ..TableConfig::default()
        }
    }
}

/// The table of a label by Django's rule.
pub(crate) fn rule(label: &str) -> String {
    label.replacen('.', "_", 1)
}

/// The sources of the built-in profiles, in the order in which they are asked.
const SOURCES: &[&str] = &[
    include_str!("../profiles/django.toml"),
    include_str!("../profiles/allauth.toml"),
    include_str!("../profiles/guardian.toml"),
    include_str!("../profiles/mptt.toml"),
    include_str!("../profiles/oscar.toml"),
    include_str!("../profiles/reversion.toml"),
    include_str!("../profiles/simple-history.toml"),
    include_str!("../profiles/taggit.toml"),
    include_str!("../profiles/treebeard.toml"),
    include_str!("../profiles/wagtail.toml"),
];

static BUILT_IN: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    SOURCES.iter().map(|text| parse(text).expect("built-in profiles parse: a test reads each of them")).collect()
});

/// The profiles that relink carries.
pub fn built_in() -> &'static [Profile] {
    &BUILT_IN
}

/// Reads the text of a profile.
pub fn parse(text: &str) -> Result<Profile, toml::de::Error> {
    toml::from_str(text)
}

/// The profiles that apply to a database: the user's own before the built-in ones.
#[derive(Clone, Debug)]
pub struct Profiles<'a> {
    in_force: Vec<&'a Profile>,
    ignoring: Vec<&'a Profile>,
}

/// What a profile says of a table that exists, as far as the table has the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The profile's name.
    pub profile: String,
    /// The table.
    pub relation: RelationId,
    /// As the configuration would say it; `models` and `refs` are empty.
    pub settings: TableConfig,
}

impl<'a> Profiles<'a> {
    /// Picks the profiles that apply, or lists every name of the configuration that is no profile's.
    pub fn new(own: &'a [Profile], config: &ProfilesConfig, catalog: &Catalog) -> Result<Self, Vec<ConfigError>> {
        let known: Vec<&Profile> = own.iter().chain(built_in()).collect();
        let mut errors = Vec::new();
        for (key, name) in
            config.off.iter().map(|name| ("off", name)).chain(config.ignore.iter().map(|name| ("ignore", name)))
        {
            let names = || known.iter().map(|profile| profile.name.as_str());
            if !names().any(|other| other == name) {
                errors.push(ConfigError::UnknownProfile {
                    key: key.to_owned(),
                    name: name.clone(),
                    nearest: suggest::nearest(name, names()).map(str::to_owned),
                });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let on = known.iter().copied().filter(|profile| !config.off.contains(&profile.name));
        let in_force = on.filter(|profile| profile.applies_to(catalog)).collect();
        // Who names a profile there wants what it suggests, also where its tables are not there at all.
        let ignoring = known.into_iter().filter(|profile| config.ignore.contains(&profile.name)).collect();
        Ok(Self { in_force, ignoring })
    }

    /// What is known of a label, in lower case.
    pub fn model(&self, label: &str) -> Option<&'a ModelProfile> {
        self.in_force
            .iter()
            .flat_map(|profile| profile.labels())
            .find_map(|(other, model)| (other == label).then_some(model))
    }

    /// What is known of a table, whatever columns it has, and by which profile.
    pub fn table(&self, table: &str) -> Option<(&'a Profile, &'a ModelProfile)> {
        self.in_force.iter().find_map(|profile| {
            profile.model.values().find(|model| model.table == table).map(|model| (*profile, model))
        })
    }

    /// Whether the configuration takes a profile's suggestion to leave a label out.
    pub fn ignores(&self, label: &str) -> bool {
        let suggested = |profile: &&Profile| profile.ignore.keys().any(|other| other.eq_ignore_ascii_case(label));
        self.ignoring.iter().any(suggested)
    }

    /// What is known of the tables that exist.
    pub fn fit(&self, catalog: &Catalog) -> Vec<Fitted> {
        let fitted = |(id, relation): (RelationId, &relink_model::Relation)| {
            let (profile, model) = self.table(&relation.name.name)?;
            Some(Fitted { profile: profile.name.clone(), relation: id, settings: fit(catalog, id, model) })
        };
        catalog.iter().filter_map(fitted).collect()
    }
}

/// Leaves out what names columns or tables that do not exist.
fn fit(catalog: &Catalog, id: RelationId, model: &ModelProfile) -> TableConfig {
    let relation = catalog.relation(id);
    let has = |column: &String| relation.column(column).is_some();
    let exists = |table: &String| catalog.find(table).is_some();
    let mut settings = TableConfig { natural_key: model.natural_key.clone(), ..TableConfig::default() };
    let takes = |column: &String, reading: Reading| {
        relation.column(column).is_some_and(|(_, column)| column.nullable || reading != Reading::EmptyIsNull)
    };
    let natural_key_fits = match &model.natural_key {
        Some(NaturalKeyConfig::Columns(parts)) => {
            parts.iter().all(|part| relation.column(part.split('.').next().unwrap_or(part)).is_some())
        }
        Some(NaturalKeyConfig::Tree(tree)) => has(&tree.column) && has(&tree.path),
        None => true,
    };
    if !natural_key_fits {
        settings.natural_key = None;
    }
    settings.fields.clone_from(&model.fields);
    settings.fields.retain(|_, column| column.is_empty() || has(column));
    settings.read = model.read.clone();
    settings.read.retain(|column, reading| takes(column, *reading));
    settings.join_tables.clone_from(&model.join_tables);
    settings.join_tables.retain(|_, table| exists(table));
    settings.generic.clone_from(&model.generic);
    settings.generic.retain(|generic| has(&generic.type_column) && has(&generic.id));
    for (column, ids) in model.embedded_ids.iter().filter(|(column, _)| has(column)) {
        let ids: Vec<EmbeddedIdConfig> = ids.iter().filter(|ids| exists(&ids.table)).cloned().collect();
        if !ids.is_empty() {
            settings.embedded_ids.insert(column.clone(), ids);
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use relink_testkit::schema;

    use super::*;

    fn config(text: &str) -> ProfilesConfig {
        let config: relink_model::Config = toml::from_str(text).expect("a configuration");
        config.profiles
    }

    fn fitted<'a>(profiles: &Profiles<'_>, catalog: &'a Catalog) -> BTreeMap<&'a str, TableConfig> {
        let fitted = profiles.fit(catalog).into_iter();
        fitted.map(|fitted| (catalog.relation(fitted.relation).name.name.as_str(), fitted.settings)).collect()
    }

    #[test]
    fn every_built_in_profile_parses_and_says_something() {
        for profile in built_in() {
            assert!(!profile.model.is_empty() || !profile.notes.is_empty(), "{}", profile.name);
            assert!(!profile.packages.is_empty(), "{} says where it is from", profile.name);
        }
        let names: BTreeSet<&str> = built_in().iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names.len(), built_in().len(), "names are unique");
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
            .collect();
        let named: BTreeSet<String> = built_in().iter().map(|profile| format!("{}.toml", profile.name)).collect();
        assert_eq!(files, named);
    }

    #[test]
    fn no_table_and_no_label_is_claimed_twice_and_labels_are_in_lower_case() {
        let (mut tables, mut labels) = (BTreeSet::new(), BTreeSet::new());
        for profile in built_in() {
            for model in profile.model.values() {
                assert!(tables.insert(&model.table), "{}", model.table);
            }
            for (label, _) in profile.labels() {
                assert!(labels.insert(label), "{label}");
                assert_eq!(label, label.to_lowercase());
            }
        }
    }

    #[test]
    fn a_profile_says_what_relink_toml_could_say() {
        for profile in built_in() {
            for (table, settings) in profile.tables() {
                let text = toml::to_string(&settings).expect("it is TOML");
                assert_eq!(toml::from_str::<TableConfig>(&text).expect("and configuration"), settings, "{table}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = "name = \"a\"\nabout = \"b\"\n[model.\"shop.item\"]\ntable = \"shop_item\"\nmode = \"skip\"\n";
        assert!(parse(text).expect_err("a profile sets no mode").message().contains("mode"));
    }

    #[test]
    fn a_profile_applies_where_its_tables_are_there_and_as_far_as_the_columns_are() {
        let oscar = "catalogue_productclass(id pk)\npartner_stockrecord(id pk)\n";
        let product = "catalogue_product(id pk, upc text null, code text)\noffer_range(id pk, name text)\n";
        let with = schema(&format!("{oscar}{product}")).catalog();
        let config = ProfilesConfig::default();
        let profiles = Profiles::new(&[], &config, &with).expect("no names");
        let known = fitted(&profiles, &with);
        let product_reading = &known["catalogue_product"].read;
        // `code` may not be NULL here, so it is not read as NULL.
        assert_eq!(product_reading, &BTreeMap::from([("upc".to_owned(), Reading::EmptyIsNull)]));
        assert_eq!(known["offer_range"].natural_key, None, "there is no slug");

        let without = schema(product).catalog();
        let profiles = Profiles::new(&[], &config, &without).expect("no names");
        assert_eq!(fitted(&profiles, &without), BTreeMap::new(), "another application's tables of that name");
    }

    #[test]
    fn ones_own_profile_comes_first_and_profiles_can_be_switched_off() {
        let catalog = schema("auth_group(id pk, name text, code text)\n").catalog();
        let own = parse(
            "name = \"ours\"\nabout = \"b\"\n[model.\"auth.group\"]\ntable = \"auth_group\"\nnatural_key = [\"code\"]\n",
        );
        let own = [own.expect("a profile")];
        let key = |config: &ProfilesConfig| {
            let profiles = Profiles::new(&own, config, &catalog).expect("names that exist");
            profiles.fit(&catalog).first().map(|fitted| (fitted.profile.clone(), fitted.settings.natural_key.clone()))
        };
        let columns = |name: &str| Some(NaturalKeyConfig::Columns(vec![name.to_owned()]));
        assert_eq!(key(&config("")), Some(("ours".to_owned(), columns("code"))));
        assert_eq!(key(&config("profiles.off = [\"ours\"]")), Some(("django".to_owned(), columns("name"))));
        assert_eq!(key(&config("profiles.off = [\"ours\", \"django\"]")), None);
    }

    #[test]
    fn what_a_profile_suggests_to_leave_out_is_left_out_only_when_asked() {
        let catalog = Catalog::default();
        let asked = config("profiles.ignore = [\"django\"]");
        let ignores = |config: &ProfilesConfig| {
            Profiles::new(&[], config, &catalog).expect("it exists").ignores("Sessions.Session")
        };
        assert!(!ignores(&ProfilesConfig::default()));
        assert!(ignores(&asked));
    }

    #[test]
    fn every_unknown_name_is_reported_with_the_nearest() {
        let config = config("profiles.off = [\"wagtial\"]\nprofiles.ignore = [\"django\", \"oskar\"]");
        let errors = Profiles::new(&[], &config, &Catalog::default()).expect_err("two are unknown");
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "[profiles] off: there is no profile \"wagtial\"; did you mean \"wagtail\"?",
                "[profiles] ignore: there is no profile \"oskar\"; did you mean \"oscar\"?",
            ]
        );
    }
}
