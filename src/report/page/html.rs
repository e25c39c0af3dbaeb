//! Markup in which a text can only stand as text.

use crate::escape;

/// What is written of a page.
#[derive(Debug, Default)]
pub struct Html(String);

/// What a column of a table holds, which decides how it is aligned and sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// From the left, sorted as text.
    Text(&'static str),
    /// From the right, sorted as a number.
    Number(&'static str),
}

impl Html {
    /// Markup of the program's own: no text that was read at run time can be given.
    pub fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// A text from anywhere, between tags or in an attribute within double quotes.
    pub fn text(&mut self, text: &str) -> &mut Html {
        for character in escape::lines(text).chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A text between two pieces of markup.
    pub fn tag(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Html {
        self.markup(open).text(text).markup(close)
    }

    /// The beginning of a table that scrolls by itself where it is wider than the page.
    pub fn begin_table(&mut self, label: &str, columns: &[Column]) {
        self.tag(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
            label,
            "\"><table><thead><tr>",
        );
        for column in columns {
            match column {
                Column::Text(name) => self.tag("<th scope=\"col\">", name, "</th>"),
                Column::Number(name) => self.tag("<th scope=\"col\" class=\"n\">", name, "</th>"),
            };
        }
        self.markup("</tr></thead><tbody>");
    }

    /// The end of a table.
    pub fn end_table(&mut self) {
        self.markup("</tbody></table></div>");
    }

    /// A bar as long as the part of `whole` is, for the eye alone.
    pub fn share(&mut self, part: u64, whole: u64) -> &mut Html {
        let percent = part as f64 * 100.0 / whole.max(1) as f64;
        self.tag(
            "<svg class=\"share\" aria-hidden=\"true\"><rect height=\"100%\" width=\"",
            &format!("{percent:.1}%"),
            "\"/></svg>",
        )
    }

    /// JSON within a script element: nothing in it can end the element or begin a comment.
    pub fn json(&mut self, json: &str) -> &mut Html {
        for character in json.chars() {
            match character {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.0.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                other => self.0.push(other),
            }
        }
        self
    }

    /// All that was written.
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        fn check(text: &str, expected: &str) {
            let mut html = Html::default();
            html.tag("<i title=\"", text, "\">");
            assert_eq!(html.finish(), format!("<i title=\"{expected}\">"));
        }
        check("plain é 日本", "plain é 日本");
        check("<img onerror=x>", "&lt;img onerror=x&gt;");
        check("\" onclick='x", "&quot; onclick=&#39;x");
        check("&lt;", "&amp;lt;");
    }

    #[test]
    fn json_does_not_leave_its_element() {
        fn check(text: &str) {
            let json = serde_json::Value::from(text).to_string();
            let mut html = Html::default();
            html.json(&json);
            let written = html.finish();
            let risky = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            assert!(!written.contains(risky), "{written}");
            let read: String = serde_json::from_str(&written).expect("JSON");
            assert_eq!(read, text);
        }
        check("</script><script>alert(1)</script>");
        check("<!--<script>");
        check("&amp; \u{2028}\u{2029} \\u003c");
    }
}
