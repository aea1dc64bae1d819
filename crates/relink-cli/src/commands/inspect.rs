//! `relink inspect`: relations, load order, cycles.

use relink_db::{Access, TransactionKind};

use crate::{
    args::{GraphFormat, InspectArguments},
    config,
    exit::{Exit, Failure},
    render::graph,
};

pub(crate) async fn run(arguments: &InspectArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.url.as_deref(), "give its URL")?;
    let config = config::load(arguments.config.as_deref())?;
    let mut connection = super::connect(&url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    let abilities = relink_restore::abilities(connection.dialect().capabilities());
    connection.rollback().await?;
    connection.close().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let order = relink_graph::load_order(&catalog, abilities, None);
    match arguments.format {
        GraphFormat::Text => super::print(&graph::text(&catalog, &order)),
        GraphFormat::Json => super::print_json(&graph::json(&catalog, &order)),
        GraphFormat::Dot => super::print(&graph::dot(&catalog, &order)),
        GraphFormat::Mermaid => super::print(&graph::mermaid(&catalog, &order)),
    }
    Ok(Exit::Clean)
}
