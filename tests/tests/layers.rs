//! The dependency direction of ARCHITECTURE.md, read from `cargo metadata`: a crate uses only layers below its own, and the
//! leaves never see each other. What the sources say is judged in `repository.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Every crate of the product, with the crates of this workspace that it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("relink-model", &[]),
    ("relink-graph", &["relink-model"]),
    ("relink-rules", &["relink-model"]),
    ("relink-export", &["relink-model"]),
    ("relink-db", &["relink-model"]),
    ("relink-records", &["relink-model", "relink-export", "relink-db"]),
    ("relink-restore", &["relink-model", "relink-graph", "relink-export", "relink-db", "relink-records"]),
    (
        "relink-validate",
        &["relink-model", "relink-graph", "relink-rules", "relink-export", "relink-db", "relink-records"],
    ),
    ("relink-report", &["relink-model", "relink-validate"]),
    (
        "relink-cli",
        &[
            "relink-model",
            "relink-graph",
            "relink-export",
            "relink-db",
            "relink-records",
            "relink-restore",
            "relink-validate",
            "relink-report",
        ],
    ),
    ("relink-testkit", &["relink-model"]),
];

/// Packages beside the layers: they may use every crate, and none may use them.
const BESIDE: &[&str] = &["relink-e2e", "relink-benches"];

/// Crates that only tests may use.
const FOR_TESTS: &[&str] = &["relink-testkit"];

/// Crates without async and without I/O.
const PURE: &[&str] = &["relink-model", "relink-graph", "relink-rules", "relink-records", "relink-report"];

/// What only the database crate may depend on.
const DATABASE_ACCESS: &[&str] = &["sqlx", "sea-query", "rusqlite", "tokio-postgres", "mysql_async"];

/// What brings async or I/O along.
const RUNTIMES: &[&str] = &[
    "async-std",
    "async-trait",
    "futures",
    "futures-core",
    "futures-util",
    "mio",
    "reqwest",
    "smol",
    "sqlx",
    "tempfile",
    "tokio",
];

/// A dependency as its manifest names it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dependency {
    name: String,
    for_tests: bool,
}

/// The packages of the workspace with their own dependencies.
fn packages() -> BTreeMap<String, BTreeSet<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let dependencies = list(&package["dependencies"])
                .iter()
                .map(|dependency| Dependency {
                    name: text(&dependency["name"]),
                    for_tests: dependency["kind"] == "dev",
                })
                .collect();
            (text(&package["name"]), dependencies)
        })
        .collect()
}

/// What a crate may use of this workspace.
fn allowed(package: &str) -> &'static [&'static str] {
    LAYERS.iter().find(|(name, _)| *name == package).map_or_else(
        || panic!("{package} stands in no layer: give it one in ARCHITECTURE.md and here"),
        |(_, allowed)| *allowed,
    )
}

#[test]
fn every_package_stands_in_a_layer_and_every_layer_exists() {
    let packages = packages();
    let found: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let named: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).chain(BESIDE.iter().copied()).collect();
    assert_eq!(found, named);
}

#[test]
fn a_crate_uses_only_layers_below_its_own() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (package, dependencies) in packages.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str())) {
        for Dependency { name, for_tests } in dependencies.iter().filter(|one| ours.contains(one.name.as_str())) {
            let fine = allowed(package).contains(&name.as_str()) || (*for_tests && FOR_TESTS.contains(&name.as_str()));
            if !fine {
                wrong.push(format!("{package} must not use {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_layers_themselves_have_no_cycle_and_the_leaves_do_not_see_each_other() {
    // The list is in order: whatever a crate may use stands above it.
    for (position, (package, allowed)) in LAYERS.iter().enumerate() {
        for name in *allowed {
            let below = LAYERS[..position].iter().any(|(earlier, _)| earlier == name);
            assert!(below, "{package} may use {name}, which is not below it");
        }
    }
    for leaf in ["relink-graph", "relink-export", "relink-db"] {
        assert_eq!(allowed(leaf), ["relink-model"], "{leaf} is a leaf");
    }
    assert!(!allowed("relink-restore").contains(&"relink-validate"));
    assert!(!allowed("relink-validate").contains(&"relink-restore"));
}

#[test]
fn only_the_database_crate_depends_on_a_driver_or_a_sql_builder() {
    let packages = packages();
    let wrong: Vec<_> = packages
        .iter()
        .filter(|(package, _)| *package != "relink-db" && !BESIDE.contains(&package.as_str()))
        .flat_map(|(package, dependencies)| dependencies.iter().map(move |one| (package, &one.name)))
        .filter(|(_, name)| DATABASE_ACCESS.contains(&name.as_str()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_crates_have_no_async_and_no_io() {
    let packages = packages();
    for package in PURE {
        let runtimes: Vec<_> =
            packages[*package].iter().filter(|one| !one.for_tests && RUNTIMES.contains(&one.name.as_str())).collect();
        assert!(runtimes.is_empty(), "{package}: {runtimes:#?}");
    }
}
