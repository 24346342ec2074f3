//! Writing to the terminal: results on standard output, everything else on standard error.

#![allow(clippy::print_stderr, reason = "the one place that writes messages for people")]

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Writes a piece of a result and makes it visible at once.
pub(crate) fn piece(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}

/// Writes a line of a result.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Tells the user something that is no result.
pub(crate) fn note(text: impl Display) {
    eprintln!("{text}");
}

/// Tells the user why the command failed, in one line.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    match json {
        true => eprintln!("{}", serde_json::json!({ "error": error.to_string() })),
        false => eprintln!("error: {error}"),
    }
}

/// Whether the reader of our output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Turns a spinner into a bar of `length` steps, if there is a length.
pub(crate) fn set_length(spinner: &ProgressBar, length: Option<usize>) {
    if let (Some(length), Ok(style)) = (length, bar_style()) {
        spinner.set_length(length as u64);
        spinner.set_style(style);
    }
}

fn bar_style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{prefix:>10} {bar:40} {pos}/{len} {eta}")
}

/// A bar on standard error if that is a terminal, for work of `length` known steps.
pub(crate) fn bar(what: &'static str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_prefix(what);
    match bar_style() {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A spinner on standard error if that is a terminal, for work of unknown length.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>10} {spinner} {elapsed}");
    let spinner = ProgressBar::new_spinner().with_prefix(what);
    spinner.enable_steady_tick(Duration::from_millis(120));
    match style {
        Ok(style) => spinner.with_style(style),
        Err(_) => spinner,
    }
}
