//! Markdown as a renderer sees it, for tests.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::report::escape::is_unsafe;

/// What a parser makes of a text.
pub(crate) struct Parsed {
    /// The elements, begun and ended, without their texts.
    pub(crate) tags: Vec<String>,
    /// The text outside of code.
    pub(crate) text: String,
}

impl Parsed {
    /// What a tracker could make something of in the text outside of code.
    pub(crate) fn unsafe_text(&self) -> String {
        let marks = ['@', '#', '<', '|', '`', '*', '_', '~', '[', ']', '\\', '&', '$', '/'];
        let bad = |c: &char| marks.contains(c) || *c != '\n' && is_unsafe(*c);
        let mut bad: String = self.text.chars().filter(bad).collect();
        for link in ["www.", "://", "GH-"] {
            if self.text.to_lowercase().contains(&link.to_lowercase()) {
                bad.push_str(link);
            }
        }
        bad
    }
}

/// Parses with all that trackers know.
pub(crate) fn of(text: &str) -> Parsed {
    let (mut tags, mut plain, mut in_code) = (Vec::new(), String::new(), false);
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Text(text) if !in_code => plain.push_str(&text),
            Event::Text(_) => {}
            // A gap, so that the words beside it do not grow together.
            Event::Code(_) => plain.push(' '),
            event => {
                in_code = match &event {
                    Event::Start(Tag::CodeBlock(_)) => true,
                    Event::End(TagEnd::CodeBlock) => false,
                    _ => in_code,
                };
                plain.push('\n');
                tags.push(format!("{event:?}"));
            }
        }
    }
    Parsed { tags, text: plain }
}
