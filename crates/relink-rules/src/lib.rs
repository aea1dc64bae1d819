//! What rules say, and what it means: one language of conditions and amounts that has the same answer whichever database the rows are in, or
//! none. Numbers are exact decimals, texts are compared letter by letter, dates by what they say, and NULL makes unknown. It knows no database and
//! no export.

pub mod dates;
pub mod decimal;
pub mod expression;
pub mod fold;
mod key;
mod pattern;
mod sql;

pub use expression::{Expression, SyntaxError, Total, parse, parse_total};
pub use key::{Part, encode, whole_number};
pub use pattern::Pattern;
pub use sql::{Held, of_sql};
