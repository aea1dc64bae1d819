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
                Err(UrlError::Scheme(text.to_owned()))
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
    if masked.password().is_some() {
        // A URL with a host accepts a password; one that had a password has a host.
        let _ = masked.set_password(Some("***"));
    }
    let secret = |name: &str| name.to_ascii_lowercase().contains("pass");
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        masked.query_pairs_mut().clear().extend_pairs(
            pairs.into_iter().map(|(name, value)| if secret(&name) { (name, "***".to_owned()) } else { (name, value) }),
        );
    }
    masked.to_string()
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
