//! What templates expect of Python: how values are printed and written as JSON, methods of strings, the date.

use jiff::Zoned;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat;

use super::template_bounds::Bounds;

/// A value as `str` prints it.
pub(super) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.to_string(),
        _ => printed(value),
    }
}

/// A value as `repr` prints it.
fn printed(value: &Value) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::String => printed_string(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .map_or_else(|_| value.to_string(), |items| list(items.map(|item| printed(&item)).collect())),
        ValueKind::Map => {
            let entry = |key: Value| {
                let item = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", printed(&key), printed(&item))
            };
            let entries = value.try_iter().map(|keys| keys.map(entry).collect::<Vec<_>>());
            entries.map_or_else(|_| value.to_string(), |entries| format!("{{{}}}", entries.join(", ")))
        }
        _ => value.to_string(),
    }
}

fn printed_string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut printed = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => printed.push_str("\\n"),
            '\r' => printed.push_str("\\r"),
            '\t' => printed.push_str("\\t"),
            '\\' => printed.push_str("\\\\"),
            c if c == quote => printed.extend(['\\', c]),
            c => printed.push(c),
        }
    }
    printed.push(quote);
    printed
}

/// `json.dumps` with the options that `transformers` lets templates give.
pub(super) fn json(
    bounds: &Bounds,
    value: &Value,
    ensure_ascii: Option<bool>,
    options: &Kwargs,
) -> Result<Value, Error> {
    let ascii: Option<bool> = options.get("ensure_ascii")?;
    let indent: Option<Value> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let indent = match indent.filter(|indent| !indent.is_none()) {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(indent)?.min(MOST_INDENT)),
        }),
    };
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson takes two separators")),
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let ascii = ascii.or(ensure_ascii).unwrap_or(false);
    let sorted = sort_keys == Some(true);
    let mut writer = JsonWriter { bounds, out: String::new(), ascii, indent, item, key, sorted };
    writer.value(value, 0)?;
    Ok(Value::from(writer.out))
}

/// More spaces than anybody indents by.
const MOST_INDENT: usize = 64;

/// Lists inside lists, at most.
const MOST_DEPTH: usize = 100;

struct JsonWriter<'a> {
    bounds: &'a Bounds,
    out: String,
    ascii: bool,
    indent: Option<String>,
    /// Between items.
    item: String,
    /// Between a key and its value.
    key: String,
    sorted: bool,
}

impl JsonWriter<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let refused =
            |what: &str| Err(Error::new(ErrorKind::InvalidOperation, format!("tojson cannot write {what}")));
        if depth > MOST_DEPTH {
            return refused("lists nested that deep");
        }
        // What separates items can be long.
        let line = self.indent.as_ref().map_or(0, |indent| indent.len() * (depth + 1));
        self.bounds.take(line + self.item.len() + self.key.len())?;
        match value.kind() {
            ValueKind::Undefined => return refused("an undefined value"),
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&value.to_string()),
            ValueKind::String => self.string(&value.to_string()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.list(['[', ']'], depth, &items, |writer, item| writer.value(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.list(['{', '}'], depth, &keys, |writer, key| {
                    writer.string(&key.to_string());
                    let between = writer.key.clone();
                    writer.out.push_str(&between);
                    writer.value(&value.get_item(key)?, depth + 1)
                })?;
            }
            other => return refused(&format!("a value of type {other}")),
        }
        Ok(())
    }

    fn list(
        &mut self,
        [open, close]: [char; 2],
        depth: usize,
        items: &[Value],
        mut write: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                let between = self.item.clone();
                self.out.push_str(&between);
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            let indent = indent.repeat(depth);
            self.out.push('\n');
            self.out.push_str(&indent);
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' => self.escaped(c),
                // Marks of special texts have to be found afterwards.
                c if self.ascii && !c.is_ascii() && !('\u{fdd0}'..='\u{fdef}').contains(&c) => {
                    self.escaped(c)
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escaped(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            self.out.push_str(&format!("\\u{unit:04x}"));
        }
    }
}

/// The local time as a `strftime` format writes it.
pub(super) fn now(format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, &Zoned::now())
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}")))
}

/// Methods of Python's types that the template engine does not have.
pub(super) fn method(
    bounds: &Bounds,
    state: &State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let argument = || args.first().and_then(Value::as_str);
    match (value.as_str(), method, args) {
        (Some(text), "replace", [from, to, ..]) => {
            bounds.check_replace(text, from.as_str().unwrap_or_default(), to.as_str().unwrap_or_default())?;
        }
        (Some(text), "join", [items]) => bounds.check_join(items, text)?,
        (Some(text), "format", items) => bounds.check_format(text, items)?,
        _ => {}
    }
    match (value.as_str(), method, argument()) {
        (Some(text), "removeprefix", Some(prefix)) => Ok(text.strip_prefix(prefix).unwrap_or(text).into()),
        (Some(text), "removesuffix", Some(suffix)) => Ok(text.strip_suffix(suffix).unwrap_or(text).into()),
        (Some(text), "isspace", None) => {
            Ok((!text.is_empty() && text.chars().all(char::is_whitespace)).into())
        }
        _ => pycompat::unknown_method_callback(state, value, method, args),
    }
}
