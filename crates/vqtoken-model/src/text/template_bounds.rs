//! Bounds of what a template makes. The engine counts steps alone, and one step can double a text or print a list that holds itself.
//!
//! Whatever an operation reads is measured before it: each operand in the syntax tree gets a filter around it, and texts between tags
//! are written as expressions are. Few operations make more than they read; those are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::machinery::ast::{
    AutoEscape, BinOp, BinOpKind, Block, Break, Call, CallArg, CallBlock, Compare, CompareOp, Const,
    Continue, Do, EmitExpr, Expr, Extends, Filter, FilterBlock, ForLoop, FromImport, GetAttr, GetItem,
    IfCond, IfExpr, Import, Include, List, Macro, Map, Set, SetBlock, Slice, Spanned, Stmt, Template, Test,
    UnaryOp, UnaryOpKind, Var, WithBlock,
};
use minijinja::value::{Kwargs, Rest, StringInput, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};

/// The largest value, in bytes of text and [`ITEM`] for each item.
const MOST_OF_ONE: usize = 2 << 20;

/// The same of all values that are read and written together.
const MOST_OF_ALL: usize = 256 << 20;

/// What an item of a list or a map counts beside its text.
const ITEM: usize = 16;

/// Lists inside lists, at most.
const MOST_DEPTH: usize = 100;

/// The name of the filter that measures.
const MEASURED: &str = "measured";

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
        let bounds = self.clone();
        environment.add_filter(
            "batch",
            move |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
                bounds.take(count.saturating_mul(ITEM))?;
                filters::batch(state, value, count, fill)
            },
        );
        let bounds = self.clone();
        environment.add_filter(
            "slice",
            move |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
                bounds.take(count.saturating_mul(ITEM))?;
                filters::slice(state, value, count, fill)
            },
        );
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
                        .saturating_mul(width.or(named).unwrap_or_default())
                        .saturating_add(text.as_str().len()),
                )?;
                filters::indent(text, width, first, blank, options)
            },
        );
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
        let mut longest = 0;
        for item in items {
            longest = longest.max(self.measure(item)?);
            // A number can be the width of another item.
            longest = longest.max(usize::try_from(item.clone()).unwrap_or_default());
        }
        let numbers = format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        let widths = numbers.map(|digits| digits.parse().unwrap_or(usize::MAX));
        let width = widths.fold(0, usize::saturating_add);
        let places = format.matches(['%', '{']).count();
        let most = places.saturating_mul(longest).saturating_add(width).saturating_add(format.len());
        self.take(most).map(drop)
    }
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

/// The same template with everything measured that an operation reads.
pub(super) fn bounded<'a>(statement: &Stmt<'a>) -> Stmt<'a> {
    match statement {
        Stmt::Template(node) => Stmt::Template(spanned(node, Template { children: all(&node.children) })),
        Stmt::EmitExpr(node) => Stmt::EmitExpr(spanned(node, EmitExpr { expr: inside(&node.expr) })),
        Stmt::EmitRaw(node) => {
            let value = Value::from(node.raw);
            let expr = Expr::Const(Spanned::new(Const { value }, node.span()));
            Stmt::EmitExpr(spanned(node, EmitExpr { expr }))
        }
        Stmt::ForLoop(node) => {
            let ForLoop { target, iter, filter_expr, recursive, body, else_body } = &**node;
            Stmt::ForLoop(spanned(
                node,
                ForLoop {
                    target: unchanged(target),
                    iter: measured(iter),
                    filter_expr: filter_expr.as_ref().map(inside),
                    recursive: *recursive,
                    body: all(body),
                    else_body: all(else_body),
                },
            ))
        }
        Stmt::IfCond(node) => Stmt::IfCond(spanned(
            node,
            IfCond {
                expr: inside(&node.expr),
                true_body: all(&node.true_body),
                false_body: all(&node.false_body),
            },
        )),
        Stmt::WithBlock(node) => {
            let assignments =
                node.assignments.iter().map(|(target, value)| (unchanged(target), measured(value))).collect();
            Stmt::WithBlock(spanned(node, WithBlock { assignments, body: all(&node.body) }))
        }
        Stmt::Set(node) => {
            Stmt::Set(spanned(node, Set { target: unchanged(&node.target), expr: measured(&node.expr) }))
        }
        Stmt::SetBlock(node) => {
            let SetBlock { target, filter, body } = &**node;
            let filter = filter.as_ref().map(inside);
            Stmt::SetBlock(spanned(node, SetBlock { target: unchanged(target), filter, body: all(body) }))
        }
        Stmt::AutoEscape(node) => {
            let (enabled, body) = (inside(&node.enabled), all(&node.body));
            Stmt::AutoEscape(spanned(node, AutoEscape { enabled, body }))
        }
        Stmt::FilterBlock(node) => {
            let (filter, body) = (inside(&node.filter), all(&node.body));
            Stmt::FilterBlock(spanned(node, FilterBlock { filter, body }))
        }
        Stmt::Block(node) => {
            let Block { name, required, body } = &**node;
            Stmt::Block(spanned(node, Block { name, required: *required, body: all(body) }))
        }
        Stmt::Import(node) => {
            Stmt::Import(spanned(node, Import { expr: inside(&node.expr), name: inside(&node.name) }))
        }
        Stmt::FromImport(node) => {
            let name =
                |(name, other): &(Expr<'a>, Option<Expr<'a>>)| (inside(name), other.as_ref().map(inside));
            let (expr, names) = (inside(&node.expr), node.names.iter().map(name).collect());
            Stmt::FromImport(spanned(node, FromImport { expr, names }))
        }
        Stmt::Extends(node) => Stmt::Extends(spanned(node, Extends { name: inside(&node.name) })),
        Stmt::Include(node) => {
            let ignore_missing = node.ignore_missing;
            Stmt::Include(spanned(node, Include { name: inside(&node.name), ignore_missing }))
        }
        Stmt::Macro(node) => Stmt::Macro(bounded_macro(node)),
        Stmt::CallBlock(node) => {
            let (call, macro_decl) = (bounded_call(&node.call), bounded_macro(&node.macro_decl));
            Stmt::CallBlock(spanned(node, CallBlock { call, macro_decl }))
        }
        Stmt::Do(node) => Stmt::Do(spanned(node, Do { call: bounded_call(&node.call) })),
        Stmt::Continue(node) => Stmt::Continue(spanned(node, Continue)),
        Stmt::Break(node) => Stmt::Break(spanned(node, Break)),
    }
}

fn all<'a>(statements: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
    statements.iter().map(bounded).collect()
}

fn spanned<T, U>(before: &Spanned<T>, node: U) -> Spanned<U> {
    Spanned::new(node, before.span())
}

fn bounded_macro<'a>(node: &Spanned<Macro<'a>>) -> Spanned<Macro<'a>> {
    let Macro { name, args, defaults, body } = &**node;
    let (args, defaults) = (args.iter().map(inside).collect(), defaults.iter().map(inside).collect());
    spanned(node, Macro { name, args, defaults, body: all(body) })
}

fn bounded_call<'a>(node: &Spanned<Call<'a>>) -> Spanned<Call<'a>> {
    // A method reads what it belongs to.
    let expr = match &node.expr {
        Expr::GetAttr(attribute) if !matches!(&attribute.expr, Expr::Var(var) if var.id == "self") => {
            let expr = measured(&attribute.expr);
            Expr::GetAttr(spanned(attribute, GetAttr { expr, name: attribute.name }))
        }
        other => inside(other),
    };
    spanned(node, Call { expr, args: arguments(&node.args) })
}

fn arguments<'a>(arguments: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
    let bounded = |argument: &CallArg<'a>| match argument {
        CallArg::Pos(value) => CallArg::Pos(measured(value)),
        CallArg::Kwarg(name, value) => CallArg::Kwarg(name, measured(value)),
        CallArg::PosSplat(values) => CallArg::PosSplat(measured(values)),
        CallArg::KwargSplat(values) => CallArg::KwargSplat(measured(values)),
    };
    arguments.iter().map(bounded).collect()
}

/// What is assigned to: nothing is read there.
fn unchanged<'a>(target: &Expr<'a>) -> Expr<'a> {
    match target {
        Expr::List(node) => {
            Expr::List(spanned(node, List { items: node.items.iter().map(unchanged).collect() }))
        }
        other => inside(other),
    }
}

/// An expression whose value is measured, too.
fn measured<'a>(expression: &Expr<'a>) -> Expr<'a> {
    let bounded = inside(expression);
    match bounded {
        Expr::Const(_) => bounded,
        _ => {
            let span = expression.span();
            Expr::Filter(Spanned::new(Filter { name: MEASURED, expr: Some(bounded), args: Vec::new() }, span))
        }
    }
}

/// An expression of which everything is measured that its operations read.
fn inside<'a>(expression: &Expr<'a>) -> Expr<'a> {
    let some = |value: &Option<Expr<'a>>| value.as_ref().map(inside);
    match expression {
        Expr::Var(node) => Expr::Var(spanned(node, Var { id: node.id })),
        Expr::Const(node) => Expr::Const(spanned(node, Const { value: node.value.clone() })),
        Expr::Slice(node) => {
            let Slice { expr, start, stop, step } = &**node;
            let (start, stop, step) = (some(start), some(stop), some(step));
            Expr::Slice(spanned(node, Slice { expr: measured(expr), start, stop, step }))
        }
        Expr::UnaryOp(node) => {
            let op = match node.op {
                UnaryOpKind::Not => UnaryOpKind::Not,
                UnaryOpKind::Neg => UnaryOpKind::Neg,
            };
            Expr::UnaryOp(spanned(node, UnaryOp { op, expr: inside(&node.expr) }))
        }
        Expr::BinOp(node) => {
            let BinOp { op, left, right } = &**node;
            let (left, right) = match op {
                // These read no more than whether a value is true.
                BinOpKind::ScAnd | BinOpKind::ScOr => (inside(left), inside(right)),
                _ => (measured(left), measured(right)),
            };
            Expr::BinOp(spanned(node, BinOp { op: *op, left, right }))
        }
        Expr::Compare(node) => {
            let operation = |one: &CompareOp<'a>| CompareOp { op: one.op, expr: measured(&one.expr) };
            let ops = node.ops.iter().map(operation).collect();
            Expr::Compare(spanned(node, Compare { expr: measured(&node.expr), ops }))
        }
        Expr::IfExpr(node) => {
            let (test_expr, true_expr) = (inside(&node.test_expr), inside(&node.true_expr));
            Expr::IfExpr(spanned(node, IfExpr { test_expr, true_expr, false_expr: some(&node.false_expr) }))
        }
        Expr::Filter(node) => {
            let expr = node.expr.as_ref().map(measured);
            Expr::Filter(spanned(node, Filter { name: node.name, expr, args: arguments(&node.args) }))
        }
        Expr::Test(node) => {
            let (expr, args) = (measured(&node.expr), arguments(&node.args));
            Expr::Test(spanned(node, Test { name: node.name, expr, args }))
        }
        Expr::GetAttr(node) => {
            Expr::GetAttr(spanned(node, GetAttr { expr: inside(&node.expr), name: node.name }))
        }
        Expr::GetItem(node) => {
            let (expr, subscript_expr) = (inside(&node.expr), inside(&node.subscript_expr));
            Expr::GetItem(spanned(node, GetItem { expr, subscript_expr }))
        }
        Expr::Call(node) => Expr::Call(bounded_call(node)),
        Expr::List(node) => {
            Expr::List(spanned(node, List { items: node.items.iter().map(measured).collect() }))
        }
        Expr::Map(node) => {
            let all = |values: &[Expr<'a>]| values.iter().map(measured).collect();
            Expr::Map(spanned(node, Map { keys: all(&node.keys), values: all(&node.values) }))
        }
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
            "{{ '{:>999999999}'.format(1) }}",
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
            (
                "{{ 'a\nb' | indent(2) }}{{ [1, 2, 3] | batch(2) | list }}{{ '%s-%d' | format('a', 2) }}",
                "a\n  b[[1, 2], [3]]a-2",
            ),
        ] {
            assert_eq!(rendered(source), Ok(format!("{text}What?")), "{source}");
        }
    }
}
