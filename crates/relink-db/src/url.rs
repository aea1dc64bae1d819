//! Database URLs, whose password is never shown.

use std::{fmt, path::PathBuf, str::FromStr};

use thiserror::Error;

/// A database, as a URL names it.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// `sqlite:PATH` or `sqlite://PATH`; also a plain path that ends in `.db`, `.sqlite`, `.sqlite3`.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// `postgres://` or `postgresql://`.
    Postgres {
        /// The URL with its credentials.
        url: url::Url,
    },
    /// `mysql://` or `mariadb://`.
    MySql {
        /// The URL with its credentials.
        url: url::Url,
    },
}

/// A text that is no database URL.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// No scheme, or one that is not known.
    #[error(
        "{0:?} is not a database URL: expected sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"
    )]
    Scheme(String),
    /// A URL that does not parse; the text is left out as it may hold a password.
    #[error("the database URL is malformed: {0}")]
    Malformed(String),
    /// A parameter that the driver would ignore: a misspelt `sslmode` must not connect without encryption.
    #[error("the database URL has a parameter {name:?} that is not known{suggestion}")]
    Parameter {
        /// As written.
        name: String,
        /// The nearest that is known.
        suggestion: String,
    },
    /// No database is named.
    #[error("the database URL {0} names no database")]
    NoDatabase(String),
}

/// What a URL begins with.
const SCHEMES: [&str; 5] = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"];

/// What the PostgreSQL driver reads of a URL's query.
const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// What the MySQL driver reads of a URL's query.
const MYSQL_PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslca",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "charset",
    "collation",
    "socket",
    "timezone",
    "time-zone",
    "statement-cache-capacity",
];

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(UrlError::NoDatabase(text.to_owned()));
            }
            return Ok(Self::Sqlite { path: PathBuf::from(path) });
        }
        let Some((scheme, _)) = text.split_once("://") else {
            let known = [".db", ".sqlite", ".sqlite3"].iter().any(|extension| text.ends_with(extension));
            return if known {
                Ok(Self::Sqlite { path: PathBuf::from(text) })
            } else {
                Err(UrlError::Scheme(hide(text)))
            };
        };
        let postgres = matches!(scheme, "postgres" | "postgresql");
        if !postgres && !matches!(scheme, "mysql" | "mariadb") {
            return Err(UrlError::Scheme(format!("{scheme}://...")));
        }
        let url = url::Url::parse(text).map_err(|error| UrlError::Malformed(error.to_string()))?;
        if url.path().trim_matches('/').is_empty() {
            return Err(UrlError::NoDatabase(mask(&url)));
        }
        let known = if postgres { POSTGRES_PARAMETERS } else { MYSQL_PARAMETERS };
        let is_known = |name: &str| known.contains(&name) || postgres && name.starts_with("options[");
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !is_known(name)) {
            let nearest = relink_model::suggest::nearest(&name, known.iter().copied());
            return Err(UrlError::Parameter {
                name: name.into_owned(),
                suggestion: relink_model::config::suggestion(nearest),
            });
        }
        Ok(if postgres { Self::Postgres { url } } else { Self::MySql { url } })
    }
}

impl DatabaseUrl {
    /// Whether a text is meant as a URL, however it is misspelt, and not as the name of a file.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        text.contains("://") || scheme.is_some_and(|scheme| SCHEMES.contains(&scheme))
    }

    /// The name of the dialect, as [`crate::Dialect::name`] gives it: known before anything is connected or created.
    pub fn dialect_name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgres",
            Self::MySql { .. } => "mysql",
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { url } | Self::MySql { url } => f.write_str(&mask(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URL with `***` for the password, also where it is given as a query parameter.
fn mask(url: &url::Url) -> String {
    let mut masked = url.clone();
    let secret = |name: &str| name.to_ascii_lowercase().contains("pass");
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        masked.query_pairs_mut().clear().extend_pairs(
            pairs.into_iter().map(|(name, value)| if secret(&name) { (name, "***".to_owned()) } else { (name, value) }),
        );
    }
    hide(masked.as_str())
}

/// A text with `***` for what may be a password: everything up to its last `@` but the user's name. A password that is not encoded may hold `@`, `/` and `?`
/// itself.
fn hide(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_owned() };
    let user = before.split_once(':').map_or(0, |(scheme, rest)| {
        let slashes = rest.len() - rest.trim_start_matches('/').len();
        if SCHEMES.contains(&scheme) || slashes > 0 { scheme.len() + 1 + slashes } else { 0 }
    });
    match before[user..].split_once(':') {
        Some((name, _)) => format!("{}{name}:***@{after}", &before[..user]),
        None if before[user..].contains(['/', '?', '@']) => format!("{}***@{after}", &before[..user]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        for text in [
            "postgres://app:s3cret@db/shop",
            "mysql://app:s3cret@db/shop?ssl-mode=disabled",
            "postgres://app@db/shop?password=s3cret",
        ] {
            let url: DatabaseUrl = text.parse().expect("a valid URL");
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
        }
        let url: DatabaseUrl = "postgres://app@db/shop".parse().expect("a valid URL");
        assert_eq!(url.to_string(), "postgres://app@db/shop");
    }

    #[test]
    fn no_part_of_a_password_is_shown_that_is_not_encoded_or_of_a_url_that_is_none() {
        for text in ["mysql://app:s3@cret/x@db/shop", "mysql://app:s3@cr?et@db/shop", "mysql://app/s3cret@db/shop"] {
            let shown = match text.parse::<DatabaseUrl>() {
                Ok(url) => url.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(!shown.contains("s3") && !shown.contains("cr") && shown.contains("***@db/shop"), "{shown}");
        }
        for text in ["postgres:/app:s3cret@db/shop", "postgres:app:s3cret@db/shop", "app:s3cret@db/shop"] {
            assert!(text.starts_with("app") || DatabaseUrl::is_meant(text), "{text}");
            let error = text.parse::<DatabaseUrl>().expect_err("it is none").to_string();
            assert!(!error.contains("s3cret") && error.contains("app:***@db/shop"), "{error}");
        }
        assert!(!DatabaseUrl::is_meant("shop.json") && !DatabaseUrl::is_meant("C:\\shop.json"));
    }

    #[test]
    fn a_misspelt_parameter_is_an_error() {
        let error = "postgres://app@db/shop?sslmod=verify-full".parse::<DatabaseUrl>().expect_err("sslmod is none");
        assert!(error.to_string().contains("sslmode"), "{error}");
        assert!("mysql://app@db/shop?socket=/run/s&ssl-mode=REQUIRED".parse::<DatabaseUrl>().is_ok());
    }

    #[test]
    fn what_is_no_url_says_what_one_looks_like() {
        assert!(matches!("shop".parse::<DatabaseUrl>(), Err(UrlError::Scheme(_))));
        assert!(matches!("oracle://x/y".parse::<DatabaseUrl>(), Err(UrlError::Scheme(_))));
        assert!(matches!("postgres://host".parse::<DatabaseUrl>(), Err(UrlError::NoDatabase(_))));
        assert!(matches!("stock.db".parse::<DatabaseUrl>(), Ok(DatabaseUrl::Sqlite { .. })));
    }
}
