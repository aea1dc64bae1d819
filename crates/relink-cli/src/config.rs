//! Finds and reads `relink.toml`, and the profiles that it names.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use relink_model::{Config, config::ConfigError, suggest};
use relink_records::profile::{self, Profile};
use relink_validate::RulePlace;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::exit::Failure;

/// The configuration's usual name.
const FILE_NAME: &str = "relink.toml";

/// The one version of the format.
const VERSION: u32 = 1;

/// A mistake in the text of the configuration, or of a profile.
#[derive(Debug, Error)]
#[error("{name}: {message}")]
pub(crate) struct SyntaxProblem {
    name: String,
    message: String,
    help: Option<String>,
    source_text: NamedSource<String>,
    span: Option<std::ops::Range<usize>>,
}

impl Diagnostic for SyntaxProblem {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source_text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(span))))
    }
}

/// A configuration, and where its rules stand.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The file as named, and its text.
    file: Option<(String, String)>,
}

impl Loaded {
    /// The file as named; `None` where there is none.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_ref().map(|(name, _)| name.as_str())
    }

    /// Where a rule stands: `table`, `orders`, `rows`, `0`.
    pub(crate) fn place(&self, path: &[String]) -> Option<RulePlace> {
        let (file, text) = self.file.as_ref()?;
        let span = span_of(text, path)?;
        let before = text.get(..span.start)?;
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) as u64 + 1;
        Some(RulePlace { file: file.clone(), line, column })
    }
}

/// The configuration read last, for messages about it.
static READ: OnceLock<(String, String)> = OnceLock::new();

/// A mistake in what the configuration says, with its place where that is known.
pub(crate) fn mistake(error: &ConfigError) -> Option<SyntaxProblem> {
    let (file, text) = READ.get()?;
    let span = error.path().and_then(|path| span_of(text, &path))?;
    let message = error.to_string();
    let (message, help) = match message.split_once("; did you mean ") {
        Some((message, suggestion)) => (message.to_owned(), Some(format!("did you mean {suggestion}"))),
        None => (message, None),
    };
    Some(problem(file, text, message, help, Some(span)))
}

/// Where the value of a path stands in a text of TOML: of the longest part of it that is there.
fn span_of(text: &str, path: &[String]) -> Option<std::ops::Range<usize>> {
    use toml::de::{DeTable, DeValue};
    let document = DeTable::parse(text).ok()?;
    let mut found: Option<std::ops::Range<usize>> = None;
    let mut table = Some(document.get_ref());
    let mut array = None;
    for part in path {
        let value = match (table, array) {
            (Some(table), _) => {
                let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == part.as_str()) else {
                    return found;
                };
                // Of a table its name says more than its content.
                found = Some(if matches!(value.get_ref(), DeValue::Table(_)) { key.span() } else { value.span() });
                value
            }
            (None, Some(array)) => {
                let array: &toml::de::DeArray<'_> = array;
                // By its number, or by what it says.
                let said = |value: &&toml::Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::String(text) if text.as_ref() == part.as_str());
                // Of a text that names what is not there the name is all that is known.
                let names = |value: &&toml::Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::String(text) if text.contains(part.as_str()));
                let numbered = || part.parse::<usize>().ok().and_then(|at| array.get(at));
                let value = array.iter().find(said).or_else(numbered).or_else(|| array.iter().find(names));
                let Some(value) = value else { return found };
                found = Some(value.span());
                value
            }
            (None, None) => return found,
        };
        (table, array) = match value.get_ref() {
            DeValue::Table(table) => (Some(table), None),
            DeValue::Array(array) => (None, Some(array)),
            _ => (None, None),
        };
    }
    found
}

/// The configuration named, or the one found; none is an empty one.
pub(crate) fn load(named: Option<&Path>) -> Result<Config, Failure> {
    load_with_places(named).map(|loaded| loaded.config)
}

/// As [`load`], with its text.
pub(crate) fn load_with_places(named: Option<&Path>) -> Result<Loaded, Failure> {
    let Some(path) = named.map(Path::to_owned).or_else(find) else { return Ok(Loaded::default()) };
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::File { path: path.clone(), error })?;
    let mut config =
        parse(&path.display().to_string(), &text).map_err(|problem| Failure::ConfigSyntax(Box::new(problem)))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for file in &mut config.profiles.files {
        *file = folder.join(&*file);
    }
    let file = (shown(&path), text);
    let _ = READ.set(file.clone());
    Ok(Loaded { config, file: Some(file) })
}

/// The file as a reader in the working folder names it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// The profiles that the configuration names, in its order. Two of one name would make it unclear which is meant.
pub(crate) fn profiles(config: &Config) -> Result<Vec<Profile>, Failure> {
    let mut read: Vec<Profile> = Vec::new();
    for path in &config.profiles.files {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.clone(), error })?;
        let profile: Profile =
            toml_of(&path.display().to_string(), &text).map_err(|problem| Failure::ConfigSyntax(Box::new(problem)))?;
        if read.iter().chain(profile::built_in()).any(|other| other.name == profile.name) {
            return Err(Failure::ProfileTwice { path: path.clone(), name: profile.name });
        }
        read.push(profile);
    }
    Ok(read)
}

/// `relink.toml` in the working folder or above it, no further than the root of the repository.
fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    for folder in here.ancestors() {
        let file = folder.join(FILE_NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

fn parse(name: &str, text: &str) -> Result<Config, SyntaxProblem> {
    let config: Config = toml_of(name, text)?;
    match config.version {
        None | Some(VERSION) => Ok(config),
        Some(other) => {
            let message = format!("version = {other} is not known to this relink");
            Err(problem(name, text, message, Some(format!("this relink reads version {VERSION}")), None))
        }
    }
}

fn toml_of<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, SyntaxProblem> {
    toml::from_str(text).map_err(|error| {
        problem(name, text, error.message().trim().to_owned(), did_you_mean(error.message()), error.span())
    })
}

fn problem(
    name: &str,
    text: &str,
    message: String,
    help: Option<String>,
    span: Option<std::ops::Range<usize>>,
) -> SyntaxProblem {
    let source_text = NamedSource::new(name, text.to_owned());
    SyntaxProblem { name: name.to_owned(), message, help, source_text, span }
}

/// A suggestion for `` unknown field `x`, expected one of `a`, `b` ``, or an unknown variant: the derived deserializers' words, which name
/// the candidates.
fn did_you_mean(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ").or_else(|| message.strip_prefix("unknown variant "))?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let names: Vec<&str> = names.collect();
    // A word cut short is near to nothing else, however many letters it lacks: `warn`.
    let longer = || names.iter().copied().find(|name| unknown.len() > 2 && name.starts_with(unknown));
    suggest::nearest(unknown, names.iter().copied()).or_else(longer).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let error = parse("relink.toml", "[table.items]\nnatural_keys = [\"sku\"]\n").expect_err("the key is misspelt");
        assert!(error.message.contains("natural_keys"), "{}", error.message);
        assert_eq!(error.help.as_deref(), Some("did you mean `natural_key`?"));
        assert!(error.span.is_some());
    }

    #[test]
    fn an_unknown_step_of_a_transform_is_an_error_with_a_suggestion_and_its_place() {
        for steps in ["\"trimm\"", "[\"lower\", \"trimm\"]"] {
            let text = format!("[table.items]\ntransform = {{ sku = {steps} }}\n");
            let error = parse("relink.toml", &text).expect_err("the step is misspelt");
            assert_eq!(error.help.as_deref(), Some("did you mean `trim`?"), "{}", error.message);
            assert!(error.span.is_some_and(|span| text[span].contains("trimm")));
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert!(parse("relink.toml", "version = 1").is_ok());
        assert!(parse("relink.toml", "version = 2").is_err());
    }
}
