//! `relink schema`: the published contracts, generated from the types that keep them.

use schemars::{Schema, generate::SchemaSettings};

use crate::{
    args::{Contract, SchemaArguments},
    commands::restore::RestoreOutput,
    exit::Exit,
};

pub(crate) fn run(arguments: &SchemaArguments) -> Exit {
    super::print_json(&contract(arguments.contract));
    Exit::Clean
}

fn contract(contract: Contract) -> Schema {
    // Editors that complete TOML read draft 7.
    let input = SchemaSettings::draft07();
    let output = SchemaSettings::draft07().for_serialize();
    match contract {
        Contract::Config => input.into_generator().into_root_schema_for::<relink_model::Config>(),
        Contract::Profile => input.into_generator().into_root_schema_for::<relink_records::profile::Profile>(),
        Contract::RestoreReport => output.into_generator().into_root_schema_for::<RestoreOutput<'static>>(),
        Contract::Baseline => input.into_generator().into_root_schema_for::<relink_validate::Baseline>(),
        Contract::ValidationReport => output.into_generator().into_root_schema_for::<relink_validate::Report>(),
    }
}
