//! Conditions and amounts out of a schema's own SQL, as far as the rules' language can say the same.

use std::sync::LazyLock;

use regex::Regex;

use crate::Expression;

/// A CHECK, a predicate or a part of an index in the rules' language; `None` where it has no word for something of it.
pub fn of_sql(text: &str) -> Option<Expression> {
    /// Casts that change no value that a comparison sees.
    static CASTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)::(text|character varying|varchar|bpchar|numeric|integer|bigint|smallint)(\(\d+(,\s*\d+)?\))?(\[\])?",
        )
        .expect("it is sound")
    });
    static ANY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)= ANY \(+ARRAY\[([^\[\]]*)\]\)+").expect("it is sound"));
    static INTRODUCERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\b_(utf8mb4|utf8mb3|utf8|latin1|ascii|binary)\s*'").expect("it is sound"));
    let text = CASTS.replace_all(text, "");
    let mut text = INTRODUCERS.replace_all(&text, "'").replace('`', "\"");
    // The parentheses around the array are closed where it ends: one of them may belong to what stands around it.
    while let Some(found) = ANY.captures(&text) {
        let whole = found.get(0)?;
        let opened = whole.as_str().split("ARRAY").next()?.matches('(').count();
        let closed = whole.as_str().len() - whole.as_str().trim_end_matches(')').len();
        let rest = ")".repeat(closed.checked_sub(opened)?);
        let replacement = format!("in ({}){rest}", found.get(1)?.as_str());
        text = format!("{}{replacement}{}", &text[..whole.start()], &text[whole.end()..]);
    }
    let text = text.replace("lcase(", "lower(").replace("ucase(", "upper(").replace("char_length(", "length(");
    crate::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_print_is_read_where_it_means_the_same() {
        for sql in [
            "qty > 0",
            "(quantity >= 0)",
            "((status)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[]))",
            "((total >= (0)::numeric) AND (kind = ANY (ARRAY['a'::text, 'b'::text])))",
            "`qty` > 0 and `kind` <> _utf8mb4'x'",
            "lower((email)::text)",
            "(deleted_at IS NULL)",
            "char_length(`name`) > 2",
        ] {
            assert!(of_sql(sql).is_some(), "{sql}");
        }
        for sql in ["a ~ '^x'", "json_valid(`doc`)", "a::date > b", "(SELECT 1)"] {
            assert!(of_sql(sql).is_none(), "{sql}");
        }
    }
}
