//! The mistakes, kind by kind.

use serde_json::{Map, Value, json};

use super::{ExpectedFinding, On, Planted};
use crate::stocktake::schema::Table;
use crate::stocktake::sql::Database;

const UNKNOWN_MODEL: &str = "restore::unknown-model";
const UNKNOWN_FIELD: &str = "restore::unknown-field";
const MISSING_VALUE: &str = "restore::missing-value";
const UNFIT_VALUE: &str = "restore::unfit-value";
const DUPLICATE_KEY: &str = "restore::duplicate-key";
const DANGLING_REFERENCE: &str = "restore::dangling-reference";
const AMBIGUOUS_NATURAL_KEY: &str = "restore::ambiguous-natural-key";

impl Planted<'_> {
    pub(super) fn unknown_names(&mut self) {
        let (ordinal, pk) = (self.ordinal(), json!(self.next_id()));
        self.findings.push(ExpectedFinding {
            code: UNKNOWN_MODEL,
            model: "stocktake.shelf".to_owned(),
            relation: None,
            field: None,
            columns: &[],
            pk: pk.clone(),
            ordinal,
            databases: On::All.names(),
            what: "a model without a table",
        });
        self.push("stocktake.shelf", &pk, &json!({"label": "A1"}));
        self.field(Table::Supplier, UNKNOWN_FIELD, "fax", json!("+49 40 1"), On::All, "a field without a column");
    }

    pub(super) fn missing_values(&mut self) {
        let mut fields = self.fields(Table::Supplier);
        without(&mut fields, "country");
        let what = "a field left out, whose column is NOT NULL and has no default";
        self.mistake(Table::Supplier, &fields, MISSING_VALUE, Some("country"), &[], On::All, what);
        self.field(Table::Supplier, MISSING_VALUE, "email", Value::Null, On::All, "null in a NOT NULL column");
        self.field(Table::OrderLine, MISSING_VALUE, "item", Value::Null, On::All, "null in a NOT NULL reference");
    }

    pub(super) fn unfit_text_and_numbers(&mut self) {
        let mut unfit = |table, field, value, on, what| self.field(table, UNFIT_VALUE, field, value, on, what);
        unfit(Table::Supplier, "country", json!("DEU"), On::Servers, "three characters in char(2)");
        unfit(Table::Tag, "name", json!("ä".repeat(61)), On::Servers, "61 characters in varchar(60)");
        unfit(Table::Item, "name", json!({"en": "Odd"}), On::All, "an object in a text column");
        unfit(Table::Item, "description", json!("a\u{0}b"), On::One(Database::Postgres), "U+0000 in text");
        unfit(Table::Item, "reorder_level", json!(3_000_000_000_i64), On::Servers, "past 32 bits");
        unfit(Table::Item, "reorder_level", json!(1.5), On::All, "a fraction in a whole number");
        unfit(Table::Item, "reorder_level", json!("twelve"), On::All, "a word in a whole number");
        unfit(Table::Location, "sensor_id", json!(9_223_372_036_854_775_808_u64), On::All, "past 64 bits");
        unfit(Table::Item, "unit_price", json!("12.345"), On::All, "three digits after the point of decimal(10,2)");
        unfit(
            Table::Item,
            "unit_price",
            json!("123456789.00"),
            On::All,
            "nine digits before the point of decimal(10,2)",
        );
        unfit(Table::Item, "unit_price", json!("1,50"), On::All, "a decimal comma");
        unfit(Table::Item, "weight", json!("heavy"), On::All, "a word in a floating point number");
        unfit(Table::Item, "weight", json!("Infinity"), On::AllButPostgres, "infinity where no column holds it");
        unfit(Table::Supplier, "active", json!("maybe"), On::All, "a boolean that is neither");
        unfit(Table::Supplier, "active", json!(2), On::All, "2 in a boolean");
        let (pk, fields) = (json!("seven"), self.fields(Table::Tag));
        self.mistake_with_pk(Table::Tag, &pk, &fields, UNFIT_VALUE, None, &[], On::All, "a word as an id");
    }

    pub(super) fn unfit_content(&mut self) {
        let mut unfit = |table, field, value, on, what| self.field(table, UNFIT_VALUE, field, value, on, what);
        unfit(Table::Item, "discontinued_on", json!("2025-02-29"), On::All, "a day that no calendar has");
        unfit(Table::Item, "discontinued_on", json!("31/12/2025"), On::All, "a date in another order");
        unfit(Table::Item, "discontinued_on", json!("0000-00-00"), On::All, "MySQL's zero date");
        unfit(Table::Item, "discontinued_on", json!("2025-12-31T10:00:00Z"), On::All, "a time of day in a date column");
        unfit(Table::Item, "created_at", json!("2025-13-01T00:00:00Z"), On::All, "a thirteenth month");
        unfit(Table::Item, "created_at", json!("2025-05-05T25:00:00Z"), On::All, "a 25th hour");
        unfit(Table::Item, "created_at", json!("2025-05-05T05:05:05.0000001Z"), On::All, "a tenth of a microsecond");
        unfit(Table::Item, "created_at", json!(1_746_421_505), On::All, "seconds since 1970 in a timestamp");
        let reference = json!("0000000-00000-4000-8000-000000000000");
        unfit(Table::Movement, "reference", reference, On::One(Database::Postgres), "a UUID with its hyphens astray");
        unfit(Table::Item, "photo", json!("not base64!"), On::All, "bytes that are not base64");
        unfit(Table::Item, "photo", json!("aGk"), On::All, "base64 without its padding");
        unfit(Table::Item, "tags", json!("fragile"), On::All, "a many-to-many field that is no list");
        unfit(Table::Item, "tags", Value::Null, On::All, "a many-to-many field that is null");
        unfit(Table::Item, "tags", json!([null]), On::All, "null in a many-to-many list");
        let attributes = json!({"note": "a\u{0}b"});
        unfit(Table::Item, "attributes", attributes, On::One(Database::Postgres), "U+0000 in JSON");
    }

    pub(super) fn unfit_references(&mut self) {
        let mut unfit = |table, field, value, what| self.field(table, UNFIT_VALUE, field, value, On::All, what);
        unfit(Table::AuditEntry, "content_type", json!(["item"]), "a natural key of one part where two make one");
        unfit(Table::Item, "category", json!(["bolt-1", "x"]), "a natural key of two parts where one makes one");
        unfit(Table::Item, "tags", json!([["fragile", "x"]]), "the same within a many-to-many list");
        unfit(Table::Group, "permissions", json!([["add_user", "auth"]]), "a nested natural key that lacks a part");
        unfit(Table::Item, "supplier", json!("Supplier"), "text where a reference is an id or a list");
    }

    pub(super) fn duplicates(&mut self) {
        let fields = self.fields(Table::Supplier);
        let what = "the primary key of another record";
        self.mistake_with_pk(Table::Supplier, &json!(1), &fields, DUPLICATE_KEY, None, &["id"], On::All, what);
        let mut fields = self.fields(Table::Order);
        fields["number"] = json!("PO-000001");
        let what = "a unique value of another record";
        self.mistake(Table::Order, &fields, DUPLICATE_KEY, Some("number"), &["number"], On::All, what);
        let fields = self.fields(Table::Tag);
        self.valid(Table::Tag, &fields, "the first of two tags with the same name");
        let what = "the natural key, unique, of another record";
        self.mistake(Table::Tag, &fields, DUPLICATE_KEY, Some("name"), &["name"], On::All, what);
        let fields = self.fields(Table::OrderLine);
        self.valid(Table::OrderLine, &fields, "the first of two lines with the same number in the same order");
        let (columns, what) = (&["order_id", "line_no"], "both parts of a composite key");
        self.mistake(Table::OrderLine, &fields, DUPLICATE_KEY, Some("order"), columns, On::All, what);

        let fields = self.fields(Table::Document);
        self.valid_with_pk(Table::Document, &Value::Null, &fields, "its natural key alone names it");
        let what = "a natural key that is not unique in the database, of two records without any other name";
        self.mistake_with_pk(
            Table::Document,
            &Value::Null,
            &fields,
            DUPLICATE_KEY,
            Some("title"),
            &["title"],
            On::All,
            what,
        );
        let mut fields = self.fields(Table::Document);
        fields["title"] = json!("Twice titled");
        self.valid(Table::Document, &fields, "the database does not hold titles unique,");
        self.valid(Table::Document, &fields, "so two documents may share one until somebody refers to it");
        let what = "a reference by a natural key that two records have";
        self.field(Table::DocumentVersion, AMBIGUOUS_NATURAL_KEY, "document", json!(["Twice titled"]), On::All, what);
    }

    pub(super) fn dangling_references(&mut self) {
        let mut dangling =
            |table, field, value, what| self.field(table, DANGLING_REFERENCE, field, value, On::All, what);
        dangling(Table::OrderLine, "order", json!(990_001), "an id that no record has");
        dangling(Table::Item, "supplier", json!(["Nobody & Sons"]), "a natural key that no record has");
        dangling(Table::AuditEntry, "content_type", json!(["stocktake", "shelf"]), "a content type that no record has");
        dangling(
            Table::Group,
            "permissions",
            json!([["fly_user", "auth", "user"]]),
            "a nested natural key that no record has",
        );
        dangling(Table::Group, "permissions", json!([1, 990_001]), "an id in a many-to-many list that no record has");
        dangling(
            Table::Item,
            "tags",
            json!([["no such tag"]]),
            "a natural key in a many-to-many list that no record has",
        );
        dangling(Table::Category, "parent", json!(["nowhere"]), "a parent that no record of the same table is");
        dangling(Table::Document, "current_version", json!(990_001), "within the cycle, from its nullable side");
        dangling(Table::DocumentVersion, "document", json!(["No such paper"]), "within the cycle, from its other side");
        dangling(Table::Order, "deliver_to", json!("NOWHERE"), "a virtual reference without target");
        let odd_location = self.fields(Table::Location);
        let code = odd_location["code"].clone();
        self.valid(Table::Location, &odd_location, "a location without stock");
        let mut fields = self.fields(Table::Movement);
        fields["location"] = json!([code]);
        let columns = &["item_id", "location_id"];
        let what = "a composite reference: item and location exist, stock of this item there does not";
        self.mistake(Table::Movement, &fields, DANGLING_REFERENCE, Some("item"), columns, On::All, what);
    }

    pub(super) fn odd_but_valid(&mut self) {
        let slug = format!("sundries-{}", self.next_id + 1);
        let mut fields = self.fields(Table::Category);
        fields["parent"] = json!([slug]);
        self.valid(Table::Category, &fields, "its parent follows");
        let fields = self.fields(Table::Category);
        self.valid(Table::Category, &fields, "the parent of the record before");
        let mut fields = self.fields(Table::Tag);
        fields["name"] = json!("ö".repeat(60));
        self.valid(Table::Tag, &fields, "60 characters, and more bytes, in varchar(60)");
        let mut fields = self.fields(Table::Item);
        fields["unit_price"] = json!(12.5);
        fields["cost"] = json!("1.5E+1");
        fields["reorder_level"] = json!("12");
        fields["tags"] = json!([["fragile"], ["fragile"]]);
        fields["discontinued_on"] = json!("2024-02-29");
        self.valid(
            Table::Item,
            &fields,
            "a decimal as a number and with an exponent, a whole number as text, a tag twice in the list",
        );
        let fields = self.fields(Table::Movement);
        self.valid(Table::Movement, &fields, "half of its composite reference is null");
        let own_id = self.next_id;
        let mut fields = self.fields(Table::Category);
        fields["parent"] = json!(own_id);
        self.valid(Table::Category, &fields, "its own parent, by id among natural keys");
    }
}

fn without(fields: &mut Value, field: &str) {
    let fields: &mut Map<String, Value> = fields.as_object_mut().expect("fields are an object");
    fields.shift_remove(field).expect("the field is there");
}
