//! A small strict reader of HTML: the pages are checked by something that did not write them.

use std::collections::HashSet;

/// Elements without an end tag.
const VOID: [&str; 6] = ["meta", "br", "input", "link", "img", "col"];
/// All elements that the templates use. Any other came from a dump.
const KNOWN: &str = "html head meta title style body a header p nav ol ul li main h1 h2 h3 h4 h5 article section div \
    span dl dt dd strong code svg desc rect g table colgroup col thead tbody tr th td details summary br script footer figure \
    figcaption label input button";

/// Reads all of `page`; panics at what is not well-formed. Returns the names of the elements and the attributes.
pub(super) fn read(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    let known: HashSet<&str> = KNOWN.split_whitespace().collect();
    let (mut open, mut ids, mut all) = (Vec::<String>::new(), HashSet::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        check_text(text);
        let (name, attributes, after) = read_tag(&tag[1..]);
        rest = after;
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {:.80}", rest);
            continue;
        }
        assert!(known.contains(name.as_str()), "<{name}>");
        for (key, value) in &attributes {
            assert!(!key.starts_with("on") && key != "src", "<{name} {key}>");
            assert!(key != "href" || value.starts_with('#'), "{value}");
            assert!(key != "id" || ids.insert(value.clone()), "id {value} twice");
        }
        if name == "style" || name == "script" {
            let end = rest.find("</").expect("an end");
            rest = &rest[end..];
            open.push(name.clone());
        } else if !VOID.contains(&name.as_str()) && !rest_is_self_closed(page, rest) {
            open.push(name.clone());
        }
        all.push((name, attributes));
    }
    assert!(open.is_empty(), "never ended: {open:?}");
    assert_eq!(rest.trim(), "");
    all
}

fn rest_is_self_closed(page: &str, rest: &str) -> bool {
    page[..page.len() - rest.len()].ends_with("/>")
}

fn check_text(text: &str) {
    assert!(!text.contains('>'), "a bare > in {text:?}");
    for part in text.split('&').skip(1) {
        let name = part.split(';').next().unwrap();
        assert!(part.contains(';') && name.len() < 8, "a bare & before {part:?}");
    }
    assert!(!text.chars().any(|c| c != '\n' && crate::report::escape::is_unsafe(c)), "{text:?}");
}

/// Name (with `/` for an end tag), attributes, and what follows.
fn read_tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let end = text.find([' ', '>', '\n']).expect("an end of the tag");
    let (name, mut rest) = text.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return (name.to_owned(), attributes, rest);
        }
        let end = rest.find(['=', '>', ' ', '/']).expect("an end of the attribute");
        let (key, after) = rest.split_at(end);
        assert!(
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || "-:".contains(c)),
            "{key}"
        );
        rest = after;
        let mut value = "";
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (inside, after) = quoted.split_once('"').expect("a closing quote");
            assert!(!inside.contains('<'), "{inside}");
            (value, rest) = (inside, after);
        }
        attributes.push((key.to_owned(), value.to_owned()));
    }
}
