//! The sets of columns by which rows of a relation are found: primary keys, unique keys, referenced columns, natural keys.

use relink_model::{Catalog, RelationId, UniqueKey};
use relink_records::{Comparison, IdColumn, KeyPart, Mapping, NaturalKey};

/// Names an [`IndexSpec`] in its [`IndexRegistry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct IndexId(pub(crate) usize);

/// What an index is there for; one set of columns can have several roles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    /// The primary key.
    pub(crate) primary: bool,
    /// The name of a plain unique key.
    pub(crate) unique: Option<String>,
    /// NULL parts of that unique key equal each other.
    pub(crate) nulls_not_distinct: bool,
    /// A foreign key references these columns.
    pub(crate) referenced: bool,
    /// The relation's rows are identified by these columns (its natural key).
    pub(crate) identity: bool,
}

/// A set of columns of one relation.
#[derive(Clone, Debug)]
pub(crate) struct IndexSpec {
    pub(crate) relation: RelationId,
    /// Indexes into the relation's columns, in key order.
    pub(crate) columns: Vec<usize>,
    /// Their names.
    pub(crate) names: Vec<String>,
    /// How each of them is compared.
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) roles: Roles,
    /// The rows that the index is about, as SQL, where it is about a part of them.
    pub(crate) predicate: Option<String>,
}

impl IndexSpec {
    /// Whether records are filed under the values that the export gives, not under those that references resolve to: references
    /// by key name the export's own values.
    pub(crate) fn files_original_values(&self) -> bool {
        self.roles.primary || self.roles.referenced
    }
}

/// All indexes of a restore.
#[derive(Debug, Default)]
pub(crate) struct IndexRegistry {
    specs: Vec<IndexSpec>,
    by_relation: Vec<Vec<IndexId>>,
}

impl IndexRegistry {
    /// The indexes that a catalog asks for by itself: primary keys, plain unique keys, referenced columns.
    pub(crate) fn of(catalog: &Catalog) -> Self {
        let mut registry = Self { specs: Vec::new(), by_relation: vec![Vec::new(); catalog.relations.len()] };
        for (id, relation) in catalog.iter() {
            let position = |name: &String| relation.column(name).map(|(index, _)| index);
            let positions = |names: &[String]| names.iter().map(position).collect::<Option<Vec<usize>>>();
            if let Some(columns) = positions(relation.primary_key_columns()).filter(|columns| !columns.is_empty()) {
                let index = registry.add(catalog, id, columns);
                registry.specs[index.0].roles.primary = true;
            }
            let by_columns = |key: &&UniqueKey| key.expressions.is_none() && key.valid;
            for key in relation.unique_keys.iter().filter(by_columns) {
                if let Some(columns) = positions(&key.columns) {
                    let index = match &key.predicate {
                        None => registry.add(catalog, id, columns),
                        Some(predicate) => registry.push(catalog, id, columns, Some(predicate.clone())),
                    };
                    let roles = &mut registry.specs[index.0].roles;
                    roles.unique = Some(key.name.to_string());
                    roles.nulls_not_distinct = key.nulls_not_distinct;
                }
            }
        }
        for (id, relation) in catalog.iter() {
            // A relation with two references and nothing else to tell its rows apart is a join table: the pair is its identity.
            let sides: Vec<&String> =
                relation.foreign_keys.iter().filter(|key| key.columns.len() == 1).map(|key| &key.columns[0]).collect();
            if let ([first, second], true) = (sides.as_slice(), registry.of_relation(id).len() <= 1) {
                let columns = [first, second].map(|name| relation.column(name).map(|(index, _)| index));
                if let [Some(first), Some(second)] = columns {
                    registry.add(catalog, id, vec![first, second]);
                }
            }
            // A key that does not say which columns it refers to refers to no row.
            for key in relation.foreign_keys.iter().filter(|key| key.referenced_columns.len() == key.columns.len()) {
                let Some(target) = catalog.id(&key.referenced) else { continue };
                let columns =
                    key.referenced_columns.iter().map(|name| catalog.relation(target).column(name).map(|(i, _)| i));
                if let Some(columns) = columns.collect::<Option<Vec<usize>>>() {
                    let index = registry.add(catalog, target, columns);
                    registry.specs[index.0].roles.referenced = true;
                }
            }
        }
        registry
    }

    /// Adds what references by natural key and lists go by: the columns of the natural keys, and the pairs of the join tables.
    pub(crate) fn add_mapping(&mut self, catalog: &Catalog, mapping: &Mapping) {
        for key in mapping.all_natural_keys() {
            self.add_natural_key(catalog, key);
        }
        for (id, _) in catalog.iter() {
            if let Some(key) = mapping.identity(id) {
                // A tree's rows are told apart by their paths.
                let index = self.of_natural_key(key);
                self.specs[index.0].roles.identity = true;
            }
        }
        // The pairs of join tables tell whether a row of a list is there already, whatever else is unique in them.
        for field in mapping.list_fields(catalog) {
            let pair = [field.source_column, field.target_column];
            if self.find(field.join, &pair).is_none() && self.find(field.join, &[pair[1], pair[0]]).is_none() {
                self.add(catalog, field.join, pair.to_vec());
            }
        }
    }

    fn add_natural_key(&mut self, catalog: &Catalog, key: &NaturalKey) {
        for part in &key.parts {
            if let KeyPart::Through { through, .. } = part {
                self.add_natural_key(catalog, &through.key);
            }
        }
        self.add(catalog, key.relation, key.columns.clone());
    }

    /// The index over a natural key's own columns.
    pub(crate) fn of_natural_key(&self, key: &NaturalKey) -> IndexId {
        self.find(key.relation, &key.columns).expect("the natural keys of the mapping have been added")
    }

    /// The index over the column whose values ids are.
    pub(crate) fn of_ids(&self, ids: IdColumn) -> IndexId {
        self.find(ids.relation, &[ids.column]).expect("primary keys and referenced columns have an index")
    }

    /// The index over these columns, made if it is not there.
    fn add(&mut self, catalog: &Catalog, relation: RelationId, columns: Vec<usize>) -> IndexId {
        match self.find(relation, &columns) {
            Some(index) => index,
            None => self.push(catalog, relation, columns, None),
        }
    }

    fn push(
        &mut self,
        catalog: &Catalog,
        relation: RelationId,
        columns: Vec<usize>,
        predicate: Option<String>,
    ) -> IndexId {
        let definition = catalog.relation(relation);
        let index = IndexId(self.specs.len());
        self.specs.push(IndexSpec {
            relation,
            names: columns.iter().map(|column| definition.columns[*column].name.clone()).collect(),
            comparisons: columns.iter().map(|column| Comparison::of(&definition.columns[*column])).collect(),
            columns,
            roles: Roles::default(),
            predicate,
        });
        self.by_relation[relation.index()].push(index);
        index
    }

    /// The index over exactly these columns in this order.
    pub(crate) fn find(&self, relation: RelationId, columns: &[usize]) -> Option<IndexId> {
        let over = |index: &IndexId| self.specs[index.0].columns == columns && self.specs[index.0].predicate.is_none();
        self.by_relation[relation.index()].iter().copied().find(over)
    }

    pub(crate) fn spec(&self, index: IndexId) -> &IndexSpec {
        &self.specs[index.0]
    }

    pub(crate) fn of_relation(&self, relation: RelationId) -> &[IndexId] {
        &self.by_relation[relation.index()]
    }

    pub(crate) fn len(&self) -> usize {
        self.specs.len()
    }
}
