//! `relink profile`: what relink knows of widespread applications.

use relink_model::suggest;
use relink_records::profile::{self, Profile};

use crate::{
    args::{ProfileArguments, ProfileFormat},
    config,
    exit::{Exit, Failure},
    render::profile as render,
};

pub(crate) fn run(arguments: &ProfileArguments) -> Result<Exit, Failure> {
    let config = config::load(arguments.config.as_deref())?;
    let own = config::profiles(&config)?;
    let known: Vec<&Profile> = own.iter().chain(profile::built_in()).collect();
    let chosen = match &arguments.name {
        Some(name) => vec![named(&known, name)?],
        None => known,
    };
    match (arguments.format, &arguments.name) {
        (ProfileFormat::Text, None) => super::print(&render::list(&chosen, &config.profiles)),
        (ProfileFormat::Text, Some(_)) => super::print(&render::explain(chosen[0])),
        (ProfileFormat::Json, None) => super::print_json(&chosen),
        (ProfileFormat::Json, Some(_)) => super::print_json(chosen[0]),
        (ProfileFormat::Toml, _) => super::print(&render::configuration(&chosen)),
    }
    Ok(Exit::Clean)
}

fn named<'a>(known: &[&'a Profile], name: &str) -> Result<&'a Profile, Failure> {
    known.iter().copied().find(|profile| profile.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names = known.iter().map(|profile| profile.name.as_str());
        Failure::NoProfile { name: name.to_owned(), nearest: suggest::nearest(name, names).map(str::to_owned) }
    })
}
