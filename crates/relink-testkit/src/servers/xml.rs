//! Reads what `mariadb --xml` prints: its plain formats cannot tell NULL from the text `NULL`. No XML reader beyond that.

/// The rows of the first result.
pub(super) fn rows(xml: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for row in xml.split("<row>").skip(1) {
        let row = row.split_once("</row>").map_or(row, |(row, _)| row);
        let mut values = Vec::new();
        for field in row.split("<field ").skip(1) {
            let (attributes, content) = field.split_once('>').unwrap_or((field, ""));
            if attributes.contains("xsi:nil=\"true\"") {
                values.push(None);
            } else {
                let content = content.split_once("</field>").map_or("", |(content, _)| content);
                values.push(Some(unescaped(content)));
            }
        }
        rows.push(values);
    }
    rows
}

/// The ampersand last, so that `&amp;lt;` becomes `&lt;`.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_the_text_null_differ() {
        let xml = "<?xml version=\"1.0\"?>\n<resultset statement=\"x\">\n  <row>\n\t<field name=\"a\" xsi:nil=\"true\" />\n\t<field name=\"b\">NULL</field>\n\t\
                   <field name=\"c &gt; d\"></field>\n\t<field name=\"e\">&lt;b&gt; &amp;lt;\n</field>\n  </row>\n</resultset>\n";
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(rows(xml), [[None, text("NULL"), text(""), text("<b> &lt;\n")]]);
        assert!(rows("").is_empty());
    }
}
