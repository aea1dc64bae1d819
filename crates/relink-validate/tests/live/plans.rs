//! The SQL of each check, so that a change of its shape is seen: the shapes are what makes it fast.

use relink_db::{Access, DatabaseUrl};
use relink_model::config::Config;
use relink_testkit::{TestDatabase, schema};
use relink_validate::{Options, compile, plan};

#[tokio::test]
async fn every_kind_of_check_has_the_shape_that_its_database_runs_fast() {
    for database in TestDatabase::each("validate_plans") {
        let tables = "customers(id pk, email text null, born date null)
                      orders(id pk, customer_id -> customers.id null, total decimal(10,2) null, placed timestamp)
                      order_lines(order_id -> orders, no int, qty int check qty > 0, price decimal(10,2), pk(order_id, no))
                      notes(id pk, order_id int null, line int null, (order_id, line) -> order_lines(order_id, no))";
        database.run(&schema(tables).ddl(database.dialect()));
        let config: Config = toml::from_str(
            "[table.order_lines]\nmin = { price = \"0.01\" }\n[table.customers]\npast = [\"born\"]\n[table.orders]\npast = [\"placed\"]\n\
             totals = [\"total = sum(order_lines.qty * order_lines.price) by order_id +- 0.01\"]",
        )
        .expect("a configuration");
        let url: DatabaseUrl = database.url().parse().expect("a URL");
        let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
        let catalog = connection.introspect().await.expect("introspects");
        let checks = plan(&catalog, &config, connection.dialect()).expect("plans");
        let now = "2026-11-20T12:00:00Z".parse().expect("an instant");
        let options = Options::new(now, std::env::temp_dir());
        let compiled = compile(&catalog, &checks, &options, connection.dialect());
        let plan = serde_json::to_string_pretty(&compiled).expect("serializes");
        insta::assert_snapshot!(format!("plan_{}", database.dialect()), plan);
        connection.close().await.expect("closes");
    }
}
