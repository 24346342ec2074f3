//! Bounds of what a template makes. The engine counts steps alone, and one step can double a text or print a list that holds itself.
//!
//! Whatever an operation reads is measured before it ([`measured_tree`](super::measured_tree)). Few operations make more than they read;
//! those are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};

use super::measured_tree::MEASURED;

/// The largest value, in bytes of text and [`ITEM`] for each item.
const MOST_OF_ONE: usize = 2 << 20;

/// The same of all values that are read and written together.
const MOST_OF_ALL: usize = 256 << 20;

/// What an item of a list or a map counts beside its text.
const ITEM: usize = 16;

/// Spaces that lines are indented by where nothing is said.
const INDENT: usize = 4;

/// Lists inside lists, at most.
const MOST_DEPTH: usize = 100;

/// What one rendering may still make.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    left: Arc<AtomicUsize>,
}

impl Bounds {
    /// Nothing is used up yet.
    pub(super) fn new() -> Self {
        Self { left: Arc::new(AtomicUsize::new(MOST_OF_ALL)) }
    }

    /// Uses up what a value counts.
    ///
    /// # Errors
    ///
    /// If it is too large, nested too deeply, or there is no more left.
    pub(super) fn measure(&self, value: &Value) -> Result<usize, Error> {
        let mut size = 0;
        add_size(value, 0, &mut size)?;
        self.take(size)
    }

    /// Uses up so many bytes.
    pub(super) fn take(&self, size: usize) -> Result<usize, Error> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size));
        match left {
            Ok(_) if size <= MOST_OF_ONE => Ok(size),
            _ => Err(too_large()),
        }
    }

    /// Gives an environment the filter that measures, and filters that make more than they read only within bounds.
    pub(super) fn add_filters(&self, environment: &mut Environment<'_>) {
        let bounds = self.clone();
        environment.add_filter(MEASURED, move |value: &Value| bounds.measure(value).map(|_| value.clone()));
        let bounds = self.clone();
        environment.add_filter("replace", move |text: &str, from: &str, to: &str| {
            bounds.check_replace(text, from, to).map(|()| text.replace(from, to))
        });
        let bounds = self.clone();
        environment.add_filter(
            "join",
            move |state: &State<'_, '_>, items: &Value, joiner: Option<StringInput<'_>>| {
                bounds.check_join(items, joiner.as_ref().map(StringInput::as_str).unwrap_or_default())?;
                filters::join(state, items, joiner)
            },
        );
        let bounds = self.clone();
        environment.add_filter("format", move |state: &State<'_, '_>, format: &Value, items: Rest<Value>| {
            bounds.check_format(&format.to_string(), &items)?;
            filters::format(state, format, items)
        });
        environment.add_filter("batch", self.cut_up(filters::batch));
        environment.add_filter("slice", self.cut_up(filters::slice));
        let bounds = self.clone();
        environment.add_filter(
            "indent",
            move |text: StringInput<'_>,
                  width: Option<usize>,
                  first: Option<bool>,
                  blank: Option<bool>,
                  options: Kwargs| {
                let named = if options.has("width") { options.peek("width")? } else { None };
                let lines = text.as_str().lines().count() + 1;
                bounds.take(
                    lines
                        .saturating_mul(width.or(named).unwrap_or(INDENT))
                        .saturating_add(text.as_str().len()),
                )?;
                filters::indent(text, width, first, blank, options)
            },
        );
    }

    /// A filter that cuts a list into a number of lists, or into lists of a number, and makes room for so many first.
    fn cut_up(
        &self,
        filter: fn(&State<'_, '_>, Value, usize, Option<Value>) -> Result<Value, Error>,
    ) -> impl Fn(&State<'_, '_>, Value, usize, Option<Value>) -> Result<Value, Error> + Send + Sync + 'static
    {
        let bounds = self.clone();
        move |state, value, count, fill| {
            bounds.take(count.saturating_mul(ITEM))?;
            filter(state, value, count, fill)
        }
    }

    /// Refuses to put so much in place of parts of a text that it gets too long.
    pub(super) fn check_replace(&self, text: &str, from: &str, to: &str) -> Result<(), Error> {
        let found = if to.len() > from.len() { text.matches(from).count() } else { 0 };
        self.take(text.len().saturating_add(found.saturating_mul(to.len()))).map(drop)
    }

    /// Refuses items that are too long when they are joined.
    pub(super) fn check_join(&self, items: &Value, joiner: &str) -> Result<(), Error> {
        let size = self.measure(items)?;
        let count = items.len().unwrap_or(size / ITEM);
        self.take(size.saturating_add(count.saturating_mul(joiner.len()))).map(drop)
    }

    /// Refuses widths and repeated items that make too long a text.
    pub(super) fn check_format(&self, format: &str, items: &[Value]) -> Result<(), Error> {
        let places: Vec<&str> = places(format).collect();
        // `%*d` and `{:{}}` take the width from an item.
        let takes_width = places.iter().any(|place| place.contains(['*', '{']));
        let mut longest = 0;
        for item in items {
            let width = if takes_width { usize::try_from(item.clone()).unwrap_or_default() } else { 0 };
            longest = longest.max(self.measure(item)?).max(width);
        }
        let digits = places.iter().flat_map(|place| place.split(|c: char| !c.is_ascii_digit()));
        let widths =
            digits.filter(|digits| !digits.is_empty()).map(|digits| digits.parse().unwrap_or(usize::MAX));
        let width = widths.fold(0, usize::saturating_add);
        let most = places.len().saturating_mul(longest).saturating_add(width).saturating_add(format.len());
        self.take(most).map(drop)
    }
}

/// What stands between `{` and `}`, and between `%` and the letter that ends it, but for a name in parentheses.
fn places(format: &str) -> impl Iterator<Item = &str> {
    format.match_indices(['%', '{']).map(|(at, sign)| {
        let rest = &format[at + 1..];
        let end = match sign {
            "{" => rest.find('}'),
            _ => {
                let name = if rest.starts_with('(') { rest.find(')').unwrap_or_default() } else { 0 };
                rest[name..].find(char::is_alphabetic).map(|letter| name + letter)
            }
        };
        &rest[..end.unwrap_or(rest.len())]
    })
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, "it makes a value that is too large")
}

fn add_size(value: &Value, depth: usize, size: &mut usize) -> Result<(), Error> {
    *size += ITEM;
    if depth > MOST_DEPTH || *size > MOST_OF_ONE {
        return Err(too_large());
    }
    match value.kind() {
        ValueKind::String | ValueKind::Bytes => {
            *size += value.as_bytes().map_or(0, <[u8]>::len);
            if *size > MOST_OF_ONE { Err(too_large()) } else { Ok(()) }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.try_for_each(|item| add_size(&item, depth + 1, size))
        }
        ValueKind::Map => value.try_iter()?.try_for_each(|key| {
            add_size(&key, depth + 1, size)?;
            add_size(&value.get_item(&key)?, depth + 1, size)
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::text::chat::{Chat, VideoInPrompt};
    use crate::text::jinja::JinjaTemplate;

    fn rendered(source: &str) -> Result<String, String> {
        let source = format!("{source}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}");
        let template = JinjaTemplate::new("chat_template.jinja", source);
        template.render(&Chat::new("What?"), VideoInPrompt::Absent).map_err(|error| error.to_string())
    }

    #[test]
    fn small_templates_cannot_make_large_values() {
        for source in [
            "{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{% set ns = namespace(x=['aa']) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}",
            "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}",
            "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
            "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns | tojson }}",
            "{{ 'a' ~ 444446 * messages }}",
            "{{ 999999999 * messages }}",
            "{{ 'a' * 100000000 }}",
            "{% macro d(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = d(ns.x) %}{% endfor %}",
            "{% set x = 'a' * 100000 %}{% for i in range(99999) %}{{ x }}{% endfor %}",
            "{% set x %}{% for i in range(99999) %}and on and on and on and on and on and on and on{% endfor %}{% endset %}{{ x | length }}",
            "{% set x = 'a' * 1000000 %}{{ x | replace('a', x) }}",
            "{% set x = 'a' * 1000000 %}{{ x.replace('a', x) }}",
            "{% set x = 'a' * 1000000 %}{{ x.replace('a', x, 900000) }}",
            "{% set x = 'a' * 1000000 %}{{ range(50000) | join(x) }}",
            "{% set x = 'a' * 1000000 %}{{ x.join(range(50000)) }}",
            "{% set x = 'a' * 1000000 %}{{ range(50000) | map('string') | map('replace', '0', x) | list | length }}",
            "{{ 'a' | indent(999999999999) }}",
            "{{ 'a' | indent(width=999999999999) }}",
            "{{ [1] | batch(999999999999999) }}",
            "{{ [1] | slice(999999999999999) }}",
            "{{ '%999999999d' | format(1) }}",
            "{{ '%*d' | format(999999999, 1) }}",
            "{{ '%-999999999s' | format('a') }}",
            "{{ '{:>999999999}'.format(1) }}",
            "{{ '{:>{}}'.format(1, 999999999) }}",
            "{% set x = 'a' * 1000000 %}{{ ('{0}' * 100000).format(x) }}",
            "{{ range(50000) | list | tojson(indent='a' * 1000000) }}",
            "{{ range(50000) | list | tojson(separators=['a' * 1000000, 'b']) }}",
        ] {
            let error = rendered(source).expect_err(source);
            assert!(error.contains("too large"), "{source}: {error}");
        }
    }

    #[test]
    fn what_is_read_again_and_again_is_counted() {
        let source =
            "{% set x = 'a' * 1000000 %}{% for i in range(90000) %}{% if 'b' in x %}{% endif %}{% endfor %}";
        let error = rendered(source).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }

    #[test]
    fn measuring_changes_nothing() {
        for (source, text) in [
            ("{% set a, b = [1, 2] %}{{ b }}{{ a }}", "21"),
            ("{% for k, v in {'a': 1}.items() %}{{ k ~ v }}{% endfor %}", "a1"),
            ("{{ missing is defined }}{{ missing | default('d') }}{{ messages is defined }}", "FalsedTrue"),
            ("{% macro m(x, y=3) %}{{ x + y }}{{ caller() if caller else '' }}{% endmacro %}{{ m(1) }}", "4"),
            ("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{% endcall %}", "<in>"),
            (
                "{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}{% endfor %}",
                "123",
            ),
            ("{% block b %}one{% endblock %}{{ self.b() }}", "oneone"),
            ("{% filter upper %}a{% endfilter %}{% set x | trim %} b {% endset %}{{ x }}", "Ab"),
            ("{{ 'abc'[1:] }}{{ 1 < 2 < 3 }}{{ 'a' if true }}{{ not (1 in [1]) or -1 }}", "bcTruea-1"),
            (
                "{{ ['b', 'a'] | sort | join('-') }}{{ 'x'.join(['1', '2']) }}{{ 'aXa'.replace('a', 'b', 1) }}",
                "a-b1x2bXa",
            ),
            ("{{ '%d of 123456789' | format(987654321) }}", "987654321 of 123456789"),
            ("{{ '{} of 123456789'.format(987654321) }}", "987654321 of 123456789"),
            (
                "{{ 'a\nb' | indent(2) }}{{ [1, 2, 3] | batch(2) | list }}{{ '%s-%d' | format('a', 2) }}",
                "a\n  b[[1, 2], [3]]a-2",
            ),
        ] {
            assert_eq!(rendered(source), Ok(format!("{text}What?")), "{source}");
        }
    }
}
