//! A streaming JSON writer that lays text out as Python's `json.dumps` or JavaScript's `JSON.stringify` would. It does
//! not check that its calls make a well-formed document; the tests read everything back.

use std::io::{self, Write};

use serde_json::Value;

/// Spaces per level; 0 is one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) indent: usize,
    /// Between elements and after a key, where everything stands on one line.
    pub(super) separators: (&'static str, &'static str),
}

impl Layout {
    /// `json.dumps(..., indent=n)`; 0 stands for `indent=None`.
    pub(super) const fn python(indent: usize) -> Self {
        Self { indent, separators: (", ", ": ") }
    }

    /// `JSON.stringify(value, null, n)`.
    pub(super) const fn javascript(indent: usize) -> Self {
        Self { indent, separators: (",", if indent == 0 { ":" } else { ": " }) }
    }
}

/// Writes one document.
pub(super) struct JsonWriter<W> {
    out: W,
    layout: Layout,
    depth: usize,
    /// Whether the container at hand has an element already.
    filled: bool,
    /// Whether a key was just written.
    after_key: bool,
}

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W, layout: Layout) -> Self {
        Self { out, layout, depth: 0, filled: false, after_key: false }
    }

    fn separate(&mut self) -> io::Result<()> {
        if self.after_key {
            self.after_key = false;
            return Ok(());
        }
        if self.depth == 0 {
            return Ok(());
        }
        if self.filled {
            self.out.write_all(if self.layout.indent == 0 { self.layout.separators.0.as_bytes() } else { b"," })?;
        }
        self.filled = true;
        self.new_line()
    }

    fn new_line(&mut self) -> io::Result<()> {
        const SPACES: &[u8] = &[b' '; 64];
        if self.layout.indent > 0 {
            self.out.write_all(b"\n")?;
            self.out.write_all(&SPACES[..(self.layout.indent * self.depth).min(SPACES.len())])?;
        }
        Ok(())
    }

    /// `{` or `[`.
    pub(super) fn open(&mut self, bracket: u8) -> io::Result<()> {
        self.separate()?;
        self.out.write_all(&[bracket])?;
        self.depth += 1;
        self.filled = false;
        Ok(())
    }

    /// `}` or `]`.
    pub(super) fn close(&mut self, bracket: u8) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.new_line()?;
        }
        self.filled = true;
        self.out.write_all(&[bracket])
    }

    /// An object's key.
    pub(super) fn key(&mut self, key: &str) -> io::Result<()> {
        self.string(key)?;
        self.out.write_all(self.layout.separators.1.as_bytes())?;
        self.after_key = true;
        Ok(())
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str) -> io::Result<()> {
        self.separate()?;
        serde_json::to_writer(&mut self.out, text).map_err(io::Error::from)
    }

    /// A number, `true`, `false` or `null`, as text.
    pub(super) fn bare(&mut self, token: &str) -> io::Result<()> {
        self.separate()?;
        self.out.write_all(token.as_bytes())
    }

    /// A whole number.
    pub(super) fn int(&mut self, value: i64) -> io::Result<()> {
        self.separate()?;
        write!(self.out, "{value}")
    }

    /// An array of strings.
    pub(super) fn strings(&mut self, texts: &[String]) -> io::Result<()> {
        self.open(b'[')?;
        for text in texts {
            self.string(text)?;
        }
        self.close(b']')
    }

    /// Any value.
    pub(super) fn value(&mut self, value: &Value) -> io::Result<()> {
        match value {
            Value::Array(elements) => {
                self.open(b'[')?;
                for element in elements {
                    self.value(element)?;
                }
                self.close(b']')
            }
            Value::Object(members) => {
                self.open(b'{')?;
                for (key, member) in members {
                    self.key(key)?;
                    self.value(member)?;
                }
                self.close(b'}')
            }
            Value::String(text) => self.string(text),
            bare => self.bare(&bare.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn laid_out(value: &Value, layout: Layout) -> String {
        let mut text = Vec::new();
        JsonWriter::new(&mut text, layout).value(value).expect("a Vec takes every write");
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    #[test]
    fn layouts_are_those_of_python_and_javascript() {
        let value = json!({"a": [], "b": [1, {"c": null}], "d": {}});
        assert_eq!(laid_out(&value, Layout::python(0)), r#"{"a": [], "b": [1, {"c": null}], "d": {}}"#);
        assert_eq!(laid_out(&value, Layout::javascript(0)), r#"{"a":[],"b":[1,{"c":null}],"d":{}}"#);
        let indented = "{\n \"a\": [],\n \"b\": [\n  1,\n  {\n   \"c\": null\n  }\n ],\n \"d\": {}\n}";
        assert_eq!(laid_out(&value, Layout::python(1)), indented);
        assert_eq!(laid_out(&value, Layout::javascript(1)), indented);
    }
}
