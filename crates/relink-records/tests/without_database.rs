//! Names and values of an export read against a catalog, with no database behind it.

use std::sync::Arc;

use relink_db::Capabilities;
use relink_export::RawJson;
use relink_model::{Catalog, Config, RelationId, Value};
use relink_records::{
    FieldTarget, LabelTarget, Mapping, Prepared, Reader, ReferencePart, Types, coerce::Rules, profile::Profiles,
};
use relink_testkit::schema;

const SCHEMA: &str = "
django_content_type(id pk, app_label varchar(100), model varchar(100), unique(app_label, model))
shop_tag(id pk, name varchar(20) unique)
shop_product(id pk, sku varchar(8) unique, price decimal(6,2), sold_on date null, maker_id -> shop_maker null)
shop_product_tags(id pk, product_id -> shop_product, tag_id -> shop_tag, unique(product_id, tag_id))
shop_maker(id pk, name text, country text, unique(name, country))
shop_note(id pk, content_type_id -> django_content_type, object_id int, state text default 'new')
";

const LABELS: [&str; 4] = ["shop.product", "shop.note", "shop.old", "shop.tga"];

fn json(text: &str) -> RawJson<'_> {
    RawJson::parse(text, 64).expect("the test's JSON is valid")
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

struct Fixture {
    catalog: Arc<Catalog>,
    mapping: Arc<Mapping>,
    reader: Reader,
}

impl Fixture {
    fn new(config: &str) -> Self {
        let catalog = Arc::new(schema(SCHEMA).catalog());
        let config: Config = toml::from_str(config).expect("the test's configuration is valid");
        let profiles = Profiles::new(&[], &config.profiles, &catalog).expect("it names no profile");
        let mapping = Mapping::new(&catalog, &config, &profiles, &LABELS.map(str::to_owned), true).expect("it fits");
        let mapping = Arc::new(mapping);
        let rules = Rules::new(Capabilities::permissive(), true, &config).expect("it names no zone");
        let reader = Reader::new(Arc::clone(&catalog), Arc::clone(&mapping), &config, rules, |_| None);
        Self { catalog, mapping, reader: reader.expect("it fits") }
    }

    fn relation(&self, table: &str) -> RelationId {
        self.catalog.find(table).expect("the table is there")
    }

    fn field(&self, table: &str, field: &str) -> FieldTarget {
        self.mapping.field(&self.catalog, self.relation(table), field)
    }

    fn column(&self, table: &str, field: &str) -> usize {
        match self.field(table, field) {
            FieldTarget::Column(column) => column,
            other => panic!("{field}: {other:?}"),
        }
    }

    fn value(&self, table: &str, field: &str, value: &str) -> Result<Value, String> {
        let value = self.reader.value(&json(value), self.relation(table), self.column(table, field));
        value.map_err(|unfit| unfit.why)
    }
}

#[test]
fn labels_are_relations_and_fields_are_columns_or_lists() {
    let fixture = Fixture::new("ignore_models = [\"shop.old\"]");
    let [product, note, old, misspelt] = fixture.mapping.targets() else { panic!("one for each label") };
    assert_eq!(*product, LabelTarget::Relation(fixture.relation("shop_product")));
    assert_eq!(*note, LabelTarget::Relation(fixture.relation("shop_note")));
    assert_eq!(*old, LabelTarget::Ignored);
    let unknown = LabelTarget::Unknown { expected: "shop_tga".to_owned(), nearest: Some("shop_tag".to_owned()) };
    assert_eq!(*misspelt, unknown);

    assert_eq!(fixture.field("shop_product", "maker"), fixture.field("shop_product", "maker_id"));
    let FieldTarget::Join(tags) = fixture.field("shop_product", "tags") else { panic!("tags is a list") };
    assert_eq!((tags.join, tags.target), (fixture.relation("shop_product_tags"), fixture.relation("shop_tag")));
    let nearest = Some("price".to_owned());
    assert_eq!(fixture.field("shop_product", "prise"), FieldTarget::Unknown { nearest });
}

#[test]
fn values_are_judged_by_their_declared_types_alone() {
    let fixture = Fixture::new("");
    assert_eq!(fixture.value("shop_product", "price", "\"12.50\""), Ok(text("12.50")));
    assert!(fixture.value("shop_product", "price", "\"12.505\"").is_err(), "the scale is declared");
    assert!(fixture.value("shop_product", "sku", "\"123456789\"").is_err(), "the length is declared");
    assert_eq!(fixture.value("shop_product", "sku", "\"a\\u0000\""), Ok(text("a\0")));
    assert_eq!(fixture.value("shop_product", "sold_on", "\"0001-01-01\""), Ok(text("0001-01-01")));
    assert!(fixture.value("shop_product", "sold_on", "\"2023-02-29\"").is_err());
}

#[test]
fn a_recipe_changes_what_its_column_then_reads() {
    let config = "[table.shop_product]\ntransform = { sku = \"trim\" }\n[table.shop_note]\ndefault = { state = \"-\" }";
    let fixture = Fixture::new(config);
    let prepare = |table: &str, field: &str, value: &str| {
        let (relation, column) = (fixture.relation(table), fixture.column(table, field));
        let recipe = fixture.reader.recipe(relation, column).expect("it is configured");
        let mut changes = 0;
        let prepared = fixture.reader.prepare(recipe, &json(value), relation, column, &mut |_, _, _| changes += 1);
        (prepared.expect("it passes"), changes)
    };
    assert_eq!(prepare("shop_product", "sku", "\" a \""), (Prepared::Changed("\"a\"".to_owned()), 1));
    assert_eq!(prepare("shop_product", "sku", "\"a\""), (Prepared::AsItIs, 0));
    assert_eq!(prepare("shop_note", "state", "null"), (Prepared::Default(text("-")), 1));
}

#[test]
fn a_list_names_a_row_by_its_natural_key() {
    let fixture = Fixture::new("");
    let maker = fixture.relation("shop_maker");
    let list = json(r#"["Acme", null]"#);
    let elements: Vec<RawJson<'_>> = list.elements().collect();
    let key = fixture.mapping.natural_key(maker, elements.len()).expect("a unique key has two columns");
    assert_eq!(key.columns, [1, 2]);
    let reference = fixture.reader.natural(key, &elements, &mut |_, _, _| {}).expect("it reads");
    assert_eq!(reference.parts, [ReferencePart::Value(text("Acme")), ReferencePart::Value(Value::Null)]);
    assert!(fixture.mapping.natural_key(maker, 3).is_ok_and(|key| {
        let three: Vec<RawJson<'_>> = elements.iter().chain(&elements[..1]).copied().collect();
        fixture.reader.natural(key, &three, &mut |_, _, _| {}).is_err()
    }));
}

#[test]
fn a_type_beside_an_id_names_the_relation_that_it_leads_to() {
    let fixture = Fixture::new("");
    let polymorphic = fixture.mapping.polymorphic(fixture.relation("shop_note")).expect("its columns are called so");
    let [generic] = polymorphic.generics.as_slice() else { panic!("one pair") };
    assert_eq!((generic.type_column, generic.id_column), (1, 2));
    let Types::ContentType { relation, referenced: 0, .. } = generic.types else { panic!("{:?}", generic.types) };
    assert_eq!(relation, fixture.relation("django_content_type"));
    let target = polymorphic.target("shop.product").expect("the label is known");
    assert_eq!((target.relation, target.column), (fixture.relation("shop_product"), 0));
    assert_eq!(target.value(&fixture.catalog, &text(" 7")), Some(Value::Int(7)));
    assert_eq!(polymorphic.target("shop.nothing"), None);
}
