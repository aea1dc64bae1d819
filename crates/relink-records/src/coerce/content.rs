//! Text, bytes, JSON, UUIDs, enumerations, arrays, and types that only the server reads.

use relink_export::{JsonKind, RawJson};
use relink_model::{ColumnType, TypeKind, Value, config::Reading};

use super::{How, Rules, Unfit, describe, number, string, temporal, typed};

/// Array fields that come as JSON inside a string are nested no deeper.
const NESTING_MAX: usize = 64;

pub(super) fn text(
    json: &RawJson<'_>,
    max_chars: Option<u64>,
    max_bytes: Option<u64>,
    rules: &Rules,
) -> Result<Value, Unfit> {
    let mut text = match json.kind() {
        JsonKind::String => string(json, "text")?,
        // A number's own text is exact.
        JsonKind::Number => json.text().to_owned(),
        JsonKind::Object if !rules.capabilities.enforces_types && buffer(json).is_some() => {
            return buffer(json).unwrap_or_else(|| Err(Unfit::new("is an object"))).map(Value::Bytes);
        }
        // A row of a database with arrays or JSON, in one where they are kept as their text.
        JsonKind::Array | JsonKind::Object if !rules.django => json.compact(),
        kind => return Err(Unfit::new(format!("is {}, not text", describe(kind)))),
    };
    // Django keeps UUIDs as 32 hexadecimal digits where the database has no type for them.
    if rules.django
        && max_chars == Some(32)
        && text.len() == 36
        && let Ok(uuid) = uuid(&text)
    {
        text = uuid.replace('-', "");
    }
    check_nul(&text, rules)?;
    if rules.capabilities.enforces_length {
        let chars = text.chars().count() as u64;
        if let Some(max) = max_chars.filter(|max| chars > *max) {
            return Err(Unfit::new(format!("has {chars} characters, and the column holds {max}")));
        }
        let bytes = text.len() as u64;
        if let Some(max) = max_bytes.filter(|max| bytes > *max) {
            return Err(Unfit::new(format!("has {bytes} bytes, and the column holds {max}")));
        }
    }
    Ok(Value::Text(text))
}

fn check_nul(text: &str, rules: &Rules) -> Result<(), Unfit> {
    if !rules.capabilities.text_holds_nul && text.contains('\0') {
        return Err(Unfit::new("holds the character U+0000, which this database cannot store in text"));
    }
    Ok(())
}

pub(super) fn bytes(json: &RawJson<'_>, max_bytes: Option<u64>, how: How, rules: &Rules) -> Result<Value, Unfit> {
    let bytes = match json.kind() {
        JsonKind::Object => {
            let read = buffer(json).or_else(|| byte_array(json).filter(|_| !rules.django));
            read.unwrap_or_else(|| Err(Unfit::new("is an object, not bytes")))?
        }
        JsonKind::String => {
            let text = string(json, "bytes")?;
            encoded(&text, how, rules)?
        }
        kind => return Err(Unfit::new(format!("is {}, not bytes", describe(kind)))),
    };
    let length = bytes.len() as u64;
    match max_bytes.filter(|max| rules.capabilities.enforces_length && length > *max) {
        Some(max) => Err(Unfit::new(format!("has {length} bytes, and the column holds {max}"))),
        None => Ok(Value::Bytes(bytes)),
    }
}

/// Bytes in text: `\x...` is hexadecimal; Django writes base64. `0x...` can be both, and is not guessed.
fn encoded(text: &str, how: How, rules: &Rules) -> Result<Vec<u8>, Unfit> {
    let marked = text.strip_prefix("\\x").filter(|_| !rules.django);
    let perhaps = text.strip_prefix("0x").filter(|_| !rules.django);
    let hexadecimal = marked.or(perhaps).and_then(from_hexadecimal);
    let base64 = if marked.is_some() { None } else { from_base64(text) };
    match (how.reading, hexadecimal, base64) {
        (Some(Reading::Hex), ..) => {
            let digits = marked.or(perhaps).unwrap_or(text);
            from_hexadecimal(digits).ok_or_else(|| Unfit::new("is not hexadecimal"))
        }
        (Some(Reading::Base64), _, base64) => base64.ok_or_else(|| Unfit::new("is not base64")),
        (_, Some(_), Some(_)) => Err(Unfit::with_help(
            "can be hexadecimal or base64",
            "say which: read = { column = \"hex\" } or \"base64\"",
        )),
        (_, Some(bytes), None) | (_, None, Some(bytes)) => Ok(bytes),
        (_, None, None) => Err(Unfit::new("is neither base64 nor hexadecimal")),
    }
}

/// What `JSON.stringify` makes of a `Uint8Array`, as Prisma gives bytes: `{"0":1,"1":2}`; `None` for any other object, the empty one too.
fn byte_array(json: &RawJson<'_>) -> Option<Result<Vec<u8>, Unfit>> {
    let mut bytes = Vec::new();
    for (position, (name, value)) in json.entries().enumerate() {
        if name.as_str().ok()? != position.to_string() {
            return None;
        }
        bytes.push(value.text().parse::<u8>());
    }
    let bytes: Result<Vec<u8>, _> = bytes.into_iter().collect();
    let read = bytes.map_err(|_| Unfit::new("is an array whose elements are not bytes"));
    (read.as_ref() != Ok(&Vec::new())).then_some(read)
}

/// What `JSON.stringify` makes of a Node `Buffer`: `{"type":"Buffer","data":[1,2]}`; `None` for any other object.
pub(super) fn buffer(json: &RawJson<'_>) -> Option<Result<Vec<u8>, Unfit>> {
    let mut is_buffer = false;
    let mut data = None;
    for (name, value) in json.entries() {
        match name.as_str().ok()?.as_ref() {
            "type" => is_buffer = value.as_str().is_ok_and(|text| text == "Buffer"),
            "data" => data = Some(value),
            _ => return None,
        }
    }
    let data = data.filter(|_| is_buffer)?;
    let bytes: Result<Vec<u8>, _> = data.elements().map(|element| element.text().parse::<u8>()).collect();
    Some(bytes.map_err(|_| Unfit::new("is a Buffer whose data are not bytes")))
}

/// The bytes of hexadecimal digits; `None` where they are none.
pub fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// Strict base64 with the standard alphabet; padding as the standard wants it, line breaks ignored.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    base64::engine::general_purpose::STANDARD.decode(clean).ok()
}

/// A UUID in lower case with hyphens, of either of its two forms.
pub fn uuid(text: &str) -> Result<String, Unfit> {
    let unfit = || Unfit::new("is not a UUID");
    let digits: String = match text.len() {
        36 if text.bytes().enumerate().all(|(i, byte)| (byte == b'-') == matches!(i, 8 | 13 | 18 | 23)) => {
            text.chars().filter(|c| *c != '-').collect()
        }
        32 => text.to_owned(),
        _ => return Err(unfit()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unfit());
    }
    let digits = digits.to_ascii_lowercase();
    Ok(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}

pub(super) fn json(json: &RawJson<'_>, rules: &Rules) -> Result<Value, Unfit> {
    if json.is_cell() {
        let text = string(json, "JSON")?;
        if !is_json(&text) {
            return Err(Unfit::new("is not JSON"));
        }
        if !rules.capabilities.text_holds_nul && escapes_nul(&text) {
            return Err(Unfit::new("holds the character U+0000, which this database cannot store"));
        }
        return Ok(Value::Text(text));
    }
    if !rules.django && rules.capabilities.json_is_text && json.kind() == JsonKind::String {
        // A row of a database that keeps JSON as text shows that text: what is valid JSON inside the string is the document itself.
        let inner = string(json, "JSON")?;
        if is_json(&inner) {
            return Ok(Value::Text(inner));
        }
    }
    if contains_non_finite(json) {
        return Err(Unfit::new("holds NaN or Infinity, which JSON has not"));
    }
    let text = json.compact();
    if !rules.capabilities.text_holds_nul && escapes_nul(&text) {
        return Err(Unfit::new("holds the character U+0000, which this database cannot store"));
    }
    Ok(Value::Text(text))
}

/// Whether a JSON text holds the escape `\u0000`, not merely an escaped backslash before `u0000`.
fn escapes_nul(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        if rest[at..].starts_with("\\u0000") {
            return true;
        }
        // An escape is a backslash and one ASCII character, more where that is `u`; what follows it holds no backslash.
        rest = rest.get(at + 2..).unwrap_or("");
    }
    false
}

/// Whether a text is a JSON document.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Whether `NaN`, `Infinity` or `-Infinity` stands anywhere outside strings.
fn contains_non_finite(json: &RawJson<'_>) -> bool {
    let mut in_string = false;
    let mut bytes = json.text().bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'N' | b'I' if !in_string => return true,
            _ => {}
        }
    }
    false
}

pub(super) fn label(json: &RawJson<'_>, labels: &[String], rules: &Rules) -> Result<Value, Unfit> {
    let text = string(json, "a label")?;
    if labels.contains(&text) || !rules.capabilities.enforces_types {
        return Ok(Value::Text(text));
    }
    let nearest = relink_model::suggest::nearest(&text, labels.iter().map(String::as_str));
    Err(Unfit {
        why: format!("is not a label of the enumeration ({})", labels.join(", ")),
        help: nearest.map(|label| format!("the nearest label is {label:?}")),
    })
}

pub(super) fn label_set(json: &RawJson<'_>, labels: &[String]) -> Result<Value, Unfit> {
    let members: Vec<String> = match json.kind() {
        JsonKind::Array => json.elements().map(|element| string(&element, "a label")).collect::<Result<_, _>>()?,
        _ => string(json, "a set of labels")?.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect(),
    };
    match members.iter().find(|member| !labels.contains(member)) {
        Some(member) => Err(Unfit::new(format!("holds {member:?}, which is not in the set ({})", labels.join(", ")))),
        None => Ok(Value::Text(members.join(","))),
    }
}

/// PostgreSQL's array literal, element by element.
pub(super) fn array(json: &RawJson<'_>, element: &ColumnType, rules: &Rules) -> Result<Value, Unfit> {
    match json.kind() {
        JsonKind::Array => {
            let mut literal = String::new();
            array_literal(json, element, rules, &mut literal)?;
            Ok(Value::Text(literal))
        }
        JsonKind::String => {
            let text = string(json, "an array")?;
            // Django serializes array fields as a JSON array inside a string; in a CSV file it has no other way to stand.
            if (rules.django || json.is_cell()) && text.starts_with('[') {
                let inner = RawJson::parse(&text, NESTING_MAX).map_err(|error| Unfit::new(error.to_string()))?;
                return array(&inner, element, rules);
            }
            if text.starts_with('{') && text.ends_with('}') {
                return Ok(Value::Text(text));
            }
            Err(Unfit::new("is not an array"))
        }
        kind => Err(Unfit::new(format!("is {}, not an array", describe(kind)))),
    }
}

fn array_literal(json: &RawJson<'_>, element: &ColumnType, rules: &Rules, literal: &mut String) -> Result<(), Unfit> {
    literal.push('{');
    for (position, item) in json.elements().enumerate() {
        if position > 0 {
            literal.push(',');
        }
        if item.kind() == JsonKind::Array && element.kind != TypeKind::Json {
            array_literal(&item, element, rules, literal)?;
            continue;
        }
        let value =
            if item.kind() == JsonKind::Null { Value::Null } else { typed(&item, element, How::default(), rules)? };
        match value {
            Value::Null => literal.push_str("NULL"),
            Value::Bytes(bytes) => {
                literal.push_str("\"\\\\x");
                literal.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
                literal.push('"');
            }
            value => {
                literal.push('"');
                for c in value.to_string().chars() {
                    if matches!(c, '"' | '\\') {
                        literal.push('\\');
                    }
                    literal.push(c);
                }
                literal.push('"');
            }
        }
    }
    literal.push('}');
    Ok(())
}

/// An interval, in the words that the server itself reads; node-postgres writes an object of its parts.
pub(super) fn interval(json: &RawJson<'_>) -> Result<Value, Unfit> {
    match json.kind() {
        JsonKind::String => string(json, "a duration").map(|text| Value::Text(sign_inside(&text))),
        JsonKind::Object => {
            let mut words = Vec::new();
            for (unit, amount) in json.entries() {
                let unit = string(&unit, "a unit")?;
                let known = matches!(
                    unit.as_str(),
                    "years" | "months" | "days" | "hours" | "minutes" | "seconds" | "milliseconds"
                );
                if !known || amount.kind() != JsonKind::Number {
                    return Err(Unfit::new("is an object that is no duration"));
                }
                words.push(format!("{} {unit}", amount.text()));
            }
            Ok(Value::Text(if words.is_empty() { "0 seconds".to_owned() } else { words.join(" ") }))
        }
        kind => Err(Unfit::new(format!("is {}, not a duration", describe(kind)))),
    }
}

/// ISO 8601 with one sign for the whole (`-P1DT2H`, as Django's encoder writes it) as servers read it, with a sign for each part.
fn sign_inside(text: &str) -> String {
    let Some(parts) = text.strip_prefix("-P") else { return text.to_owned() };
    let mut signed = String::from("P");
    let mut in_number = false;
    for c in parts.chars() {
        let number = c.is_ascii_digit() || c == '.';
        if number && !in_number {
            signed.push('-');
        }
        in_number = number;
        signed.push(c);
    }
    signed
}

/// A type that only the server reads: its text goes there as it is. Of a point, node-postgres makes an object.
pub(super) fn other(json: &RawJson<'_>, declared: &str, rules: &Rules) -> Result<Value, Unfit> {
    let text = match json.kind() {
        JsonKind::Object if declared == "point" => point(json)?,
        JsonKind::String => string(json, "text")?,
        JsonKind::Number | JsonKind::True | JsonKind::False => json.text().to_owned(),
        kind => return Err(Unfit::new(format!("is {}, and the column's type is read from text", describe(kind)))),
    };
    check_nul(&text, rules)?;
    Ok(Value::Text(text))
}

/// `{"x":1,"y":2}` as PostgreSQL's `(1,2)`.
fn point(json: &RawJson<'_>) -> Result<String, Unfit> {
    let entries: Vec<_> = json.entries().collect();
    let named = |(name, value): &(RawJson<'_>, RawJson<'_>), wanted: &str| {
        name.as_str().is_ok_and(|name| name == wanted) && value.kind() == JsonKind::Number
    };
    match entries.as_slice() {
        [x, y] if named(x, "x") && named(y, "y") => Ok(format!("({},{})", x.1.text(), y.1.text())),
        _ => Err(Unfit::new("is an object that is no point")),
    }
}

/// A column without declared type keeps whatever it is given.
pub(super) fn dynamic(json: &RawJson<'_>) -> Result<Value, Unfit> {
    match json.kind() {
        JsonKind::Null => Ok(Value::Null),
        JsonKind::True => Ok(Value::Int(1)),
        JsonKind::False => Ok(Value::Int(0)),
        JsonKind::String => string(json, "text").map(Value::Text),
        JsonKind::Number if json.text().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
            json.text().parse().map(Value::Int).map_err(|_| Unfit::new("is out of range for a 64-bit whole number"))
        }
        JsonKind::Number => {
            let value: f64 = json.text().parse().map_err(|_| Unfit::new("is not a number"))?;
            if number::double_keeps(json.text(), value) {
                Ok(Value::Float(value))
            } else {
                Err(Unfit::new("has more digits than a column without type keeps: it would be rounded"))
            }
        }
        JsonKind::Object => buffer(json).unwrap_or_else(|| Err(Unfit::new("is an object"))).map(Value::Bytes),
        kind => Err(Unfit::new(format!("is {}", describe(kind)))),
    }
}

/// A date-time column of a database that keeps dates as the text (or number) that was written: a row export shows just that.
pub(super) fn stored_timestamp(json: &RawJson<'_>, rules: &Rules) -> Result<Value, Unfit> {
    match json.kind() {
        JsonKind::String => {
            let text = string(json, "a date and time")?;
            // A cell has no other way to show a number.
            if let Ok(number) = RawJson::parse(&text, 1)
                && json.is_cell()
                && number.kind() == JsonKind::Number
            {
                return dynamic(&number);
            }
            // The text stays; only whether it is a date and time at all is judged.
            temporal::timestamp(&text, text.ends_with(['Z', 'z']) || text.contains('+'), 9, rules)
                .map(|_| Value::Text(text))
        }
        JsonKind::Number => dynamic(json),
        kind => Err(Unfit::new(format!("is {}, not a date and time", describe(kind)))),
    }
}
