//! The JSON rendering: one compact line per dump, and its schema.

use std::io;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::escape;
use super::handles::HandlesReport;
use super::model::Line;

/// `line` as JSON with a line end: on one line, or indented when `pretty`.
///
/// # Errors
/// When `serde_json` refuses the value; no value of the model is known to make it do so.
pub fn render(line: &Line, pretty: bool) -> Result<String, serde_json::Error> {
    render_value(line, pretty)
}

/// Any value of a report's model, as [`render`] writes lines.
///
/// # Errors
/// As [`render`].
pub fn render_value<T: Serialize>(line: &T, pretty: bool) -> Result<String, serde_json::Error> {
    let mut bytes = if pretty {
        write_with(line, PrettyFormatter::new())?
    } else {
        write_with(line, CompactFormatter)?
    };
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// The JSON Schema (draft 2020-12) of all that csdump prints as JSON: a [`Line`], or a [`HandlesReport`].
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(NeverNull))
        .into_generator();
    let handles = handles_schema(&mut generator);
    let mut root = generator.into_root_schema_for::<Line>();
    if let Some(Value::Array(lines)) = root.get_mut("oneOf") {
        lines.push(handles);
    }
    root.to_value()
}

/// The handles are a line of `csdump handles` alone; one among the `Line`s would have to be told apart by all who read those.
fn handles_schema(generator: &mut SchemaGenerator) -> Value {
    let mut handles = generator.subschema_for::<HandlesReport>();
    handles.insert("description".to_owned(), "The handles of one dump, or one of them.".into());
    handles.to_value()
}

/// Takes `null` out of the schema of an optional field: what is not known is absent, never `null`.
#[derive(Debug, Clone)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                object.extend(only);
            }
        }
    }
}

fn write_with<T: Serialize, F: Formatter>(
    line: &T,
    formatter: F,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    line.serialize(&mut Serializer::with_formatter(&mut bytes, Ascii(formatter)))?;
    Ok(bytes)
}

/// Writes characters that a terminal would act on as `\u` escapes. JSON itself demands that only below
/// U+0020; the value that a parser sees is the same.
struct Ascii<F>(F);

impl<F: Formatter> Formatter for Ascii<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all of a report is printable ASCII; looking at each character cost a tenth of a small dump's time.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        for piece in fragment.split_inclusive(escape::is_unsafe) {
            let last = piece.chars().next_back().filter(|c| escape::is_unsafe(*c));
            let plain = piece.trim_end_matches(escape::is_unsafe);
            writer.write_all(plain.as_bytes())?;
            for unit in last.into_iter().flat_map(utf16_units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

fn utf16_units(c: char) -> impl Iterator<Item = u16> {
    let mut units = [0; 2];
    let used = c.encode_utf16(&mut units).len();
    units.into_iter().take(used)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::report::fixture;
    use crate::report::model::ErrorLine;

    fn contains_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(contains_null),
            Value::Object(fields) => fields.values().any(contains_null),
            _ => false,
        }
    }

    #[test]
    fn every_line_is_one_line_without_null_and_starts_with_its_type() {
        for line in fixture::lines() {
            let text = render(&line, false).unwrap();
            assert_eq!(text.matches('\n').count(), 1);
            assert!(text.ends_with('\n'));
            let start = if matches!(line, Line::Report(_)) { "report" } else { "error" };
            assert!(text.starts_with(&format!("{{\"type\":\"{start}\",")), "{text}");
            assert!(!contains_null(&serde_json::from_str(&text).unwrap()), "{text}");
        }
    }

    #[test]
    fn every_line_validates_against_the_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for line in fixture::lines() {
            let value = serde_json::from_str(&render(&line, false).unwrap()).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_refuses_what_the_contract_does_not_have() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let good = json!({"type": "error", "path": "a.dmp", "error": "cut off", "offset": 4});
        assert!(validator.is_valid(&good));
        for (field, value) in [
            ("stream", json!(null)),
            ("offset", json!(-1)),
            ("path", json!(7)),
            ("type", json!("x")),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(!validator.is_valid(&bad), "{bad}");
        }
        assert!(!validator.is_valid(&json!({"type": "error", "path": "a.dmp"})));
    }

    #[test]
    fn the_schema_has_no_null_and_names_its_draft() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(!schema.to_string().contains("\"null\""), "{schema:#}");
    }

    #[test]
    fn pretty_and_compact_are_the_same_value() {
        for line in fixture::lines() {
            let compact: Value = serde_json::from_str(&render(&line, false).unwrap()).unwrap();
            let text = render(&line, true).unwrap();
            assert!(text.starts_with("{\n  \"type\": "), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), compact);
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_and_no_unsafe_character_is_written(
            path in "\\PC*|[\\x00-\\x{ff}\\x{2000}-\\x{2070}\\x{e0000}-\\x{e0100}\"\\\\]*",
        ) {
            let error = ErrorLine { path, error: String::new(), stream: None, offset: None, member: None, file: None };
            let text = render(&Line::Error(error.clone()), false).unwrap();
            prop_assert!(!text.trim_end_matches('\n').chars().any(escape::is_unsafe));
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["path"].as_str(), Some(error.path.as_str()));
        }
    }

    #[test]
    fn hostile_text_is_escaped_and_survives() {
        let hostile = "a\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2028}\u{7f}\n\"\\é\u{e0041}漢";
        let line = Line::Error(ErrorLine {
            path: hostile.to_owned(),
            error: String::new(),
            stream: None,
            offset: None,
            member: None,
            file: None,
        });
        let text = render(&line, false).unwrap();
        assert!(!text.trim_end_matches('\n').chars().any(escape::is_unsafe), "{text}");
        assert!(text.contains("é") && text.contains("漢") && text.contains("\\u202e"), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["path"], hostile);
    }
}
