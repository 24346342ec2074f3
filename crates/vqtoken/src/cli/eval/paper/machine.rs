//! With what, where and when results were made.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What a reader needs to make the same results again.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Provenance {
    pub(super) command: String,
    /// That the program was built from, as the build script recorded it.
    pub(super) commit: String,
    pub(super) machine: String,
    /// Year, month and day in universal time.
    pub(super) date: String,
}

impl Provenance {
    /// Of this process.
    pub(super) fn new() -> Self {
        let arguments = std::env::args().skip(1).map(quoted);
        let command = ["vqtoken".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ");
        let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
        Self { command, commit: env!("VQTOKEN_COMMIT").to_owned(), machine: machine(), date: date(days) }
    }
}

fn quoted(argument: String) -> String {
    let is_plain = argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+%@".contains(c));
    if is_plain && !argument.is_empty() { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or("unknown CPU", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { ", debug build" } else { "" };
    format!("{name}, {cores} cores, {} {}{build}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The date of a day since 1970-01-01, by whole cycles of 400 years from a 1st of March.
fn date(days: u64) -> String {
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    format!("{}-{month:02}-{day:02}", era * 400 + year + u64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        let dates =
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (11_017, "2000-03-01"), (20_454, "2026-01-01")];
        for (days, expected) in dates {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn arguments_can_be_typed_again() {
        assert_eq!(quoted("--reducer=tome:10%".into()), "--reducer=tome:10%");
        assert_eq!(quoted("my data's".into()), r"'my data'\''s'");
        assert_eq!(quoted(String::new()), "''");
    }
}
