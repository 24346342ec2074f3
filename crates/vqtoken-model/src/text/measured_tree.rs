//! The syntax tree of a template in which each operand has a filter around it that measures it, and texts between tags are written as
//! expressions are, so that the formatter sees them.

use minijinja::machinery::ast::{
    AutoEscape, BinOp, BinOpKind, Block, Break, Call, CallArg, CallBlock, Compare, CompareOp, Const,
    Continue, Do, EmitExpr, Expr, Extends, Filter, FilterBlock, ForLoop, FromImport, GetAttr, GetItem,
    IfCond, IfExpr, Import, Include, List, Macro, Map, Set, SetBlock, Slice, Spanned, Stmt, Template, Test,
    UnaryOp, UnaryOpKind, Var, WithBlock,
};
use minijinja::value::Value;

/// The name of the filter that measures.
pub(super) const MEASURED: &str = "measured";

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
            // It cannot be copied.
            let op = if matches!(node.op, UnaryOpKind::Not) { UnaryOpKind::Not } else { UnaryOpKind::Neg };
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
