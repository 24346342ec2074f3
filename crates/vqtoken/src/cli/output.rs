//! Writing to the terminal: results on standard output, everything else on standard error.

#![allow(clippy::print_stderr, reason = "the one place that writes messages for people")]

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use vqtoken_files::visible;

/// Writes a piece of a result and flushes it.
pub(crate) fn piece(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{}", for_reader(&text.to_string(), out.is_terminal()))?;
    out.flush()
}

/// Writes a line of a result.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", for_reader(&text.to_string(), out.is_terminal()))
}

/// Results go to files and pipes as they are; control characters of names and answers do not reach a terminal.
fn for_reader(text: &str, is_terminal: bool) -> Cow<'_, str> {
    if is_terminal { visible(text) } else { Cow::Borrowed(text) }
}

/// Writes a message that is not a result.
pub(crate) fn note(text: impl Display) {
    eprintln!("{}", visible(&text.to_string()));
}

/// Writes why the command failed, with all causes, in one line.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let message = with_causes(error);
    match json {
        true => eprintln!("{}", serde_json::json!({ "error": message })),
        false => eprintln!("error: {}", visible(&message)),
    }
}

/// The message of an error and those of its causes, but for causes that a message before them already holds.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| {
        match (message.is_empty(), message.contains(&cause)) {
            (true, _) => cause,
            (false, true) => message,
            (false, false) => format!("{message}: {cause}"),
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_are_told_once() {
        let cause = || io::Error::other("the disk is full");
        let error = Err::<(), _>(cause()).context("a.vqt cannot be written").unwrap_err();
        assert_eq!(with_causes(&error), "a.vqt cannot be written: the disk is full");
        let error = Err::<(), _>(cause()).context("a.vqt cannot be written (the disk is full)").unwrap_err();
        assert_eq!(with_causes(&error), "a.vqt cannot be written (the disk is full)");
    }

    #[test]
    fn a_terminal_is_not_steered() {
        let answer = "a\u{1b}[31m red\tcircle\n";
        assert_eq!(for_reader(answer, true), "a\\u001b[31m red\tcircle\n");
        assert_eq!(for_reader(answer, false), answer);
    }
}
