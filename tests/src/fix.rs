//! Mendings as `relink fix` carries them out.

use relink_db::{Access, DatabaseUrl};
use relink_model::Config;
use relink_testkit::TestDatabase;
use relink_validate::{
    Options,
    fix::{Cure, Mended, Orders, Refusal, mend, relations},
};

use crate::Contents;

/// A mending to be.
#[derive(Clone, Debug)]
pub struct Fix<'a> {
    /// The checks.
    pub ids: &'a [&'a str],
    /// What is to be done.
    pub cure: Cure,
    /// `relink.toml`.
    pub config: &'a str,
    /// `--where`.
    pub condition: Option<&'a str>,
    /// SQL that someone else runs after the schema was read, and before the transaction begins.
    pub meanwhile: &'a str,
    /// The URL, where it is not the database's own.
    pub url: Option<String>,
}

impl<'a> Fix<'a> {
    /// Without anything special.
    pub fn new(ids: &'a [&'a str], cure: Cure) -> Self {
        Self { ids, cure, config: "", condition: None, meanwhile: "", url: None }
    }

    /// As the command does it: in a transaction that is kept only where it is to be applied and nothing is refused.
    ///
    /// # Panics
    /// Where the database cannot be worked with.
    pub fn run(&self, database: &TestDatabase, apply: bool) -> Mended {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            let url = self.url.clone().unwrap_or_else(|| database.url());
            let url: DatabaseUrl = url.parse().expect("a database URL");
            let config: Config = toml::from_str(self.config).expect("a configuration");
            let mut connection = relink_db::connect(&url, Access::ReadWrite).await.expect("connects");
            let mut catalog = connection.introspect().await.expect("introspects");
            config.add_virtual_references(&mut catalog).expect("references that fit");
            let checks = relink_validate::plan(&catalog, &config, connection.dialect()).expect("rules that fit");
            let orders = Orders {
                ids: self.ids.iter().map(|id| (*id).to_owned()).collect(),
                cure: self.cure.clone(),
                condition: self.condition.map(str::to_owned),
                rehearsal: !apply,
            };
            let options = Options::new("2026-11-20T12:00:00Z".parse().expect("an instant"), std::env::temp_dir());
            if !self.meanwhile.is_empty() {
                database.run(self.meanwhile);
            }
            connection.begin_alone(&relations(&catalog, &checks, &orders)).await.expect("begins");
            let mended = mend(connection.as_mut(), &catalog, &checks, &config, &orders, &options).await;
            let mended = mended.expect("a live connection");
            if apply && mended.refusal.is_none() {
                connection.commit().await.expect("commits");
                for (relation, state) in &mended.counters {
                    connection.restore_numbering(catalog.relation(*relation), state).await.expect("numbers");
                }
            } else {
                connection.rollback().await.expect("rolls back");
            }
            connection.close().await.expect("closes");
            mended
        })
    }

    /// First a dry run, which must leave no trace and say the same; then for good.
    ///
    /// # Panics
    /// Where anything is refused.
    pub fn apply(&self, database: &TestDatabase) -> Mended {
        let before = Contents::of(database);
        let rehearsed = self.run(database, false);
        before.assert_unchanged_after(database, "a dry run");
        assert!(rehearsed.refusal.is_none(), "{database:?}: {rehearsed:#?}");
        let mended = self.run(database, true);
        assert!(mended.refusal.is_none(), "{database:?}: {mended:#?}");
        assert_eq!(rehearsed.mendings, mended.mendings, "{database:?}: the dry run told the truth");
        mended
    }

    /// Refused, and nothing changed.
    ///
    /// # Panics
    /// Where nothing is refused.
    pub fn refused(&self, database: &TestDatabase) -> Refusal {
        let before = Contents::of(database);
        let mended = self.run(database, true);
        before.assert_unchanged_after(database, "a refused mending");
        mended.refusal.unwrap_or_else(|| panic!("{database:?}: {:#?}", mended.mendings))
    }
}

/// Runs SQL past the enforcement of foreign keys.
pub fn unenforced(database: &TestDatabase, sql: &str) {
    let (before, after) = match database.dialect() {
        "sqlite" => ("PRAGMA foreign_keys = OFF;", ""),
        "postgres" => ("SET session_replication_role = replica;", ""),
        _ => ("SET foreign_key_checks = 0;", "SET foreign_key_checks = 1;"),
    };
    database.run(&format!("{before}\n{sql}\n{after}"));
}

/// The statements that were run, with their rows.
pub fn statements(mended: &Mended) -> Vec<(String, u64)> {
    let all = mended.mendings.iter().flat_map(|mending| &mending.statements);
    all.map(|statement| (statement.sql.replace('`', "\"").replace(" ONLY ", " "), statement.rows.unwrap_or_default()))
        .collect()
}
