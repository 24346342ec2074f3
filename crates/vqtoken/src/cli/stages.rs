//! Seconds of every stage, and the memory that the process took at its peak.

use std::time::{Duration, Instant};

/// Seconds by stage, in the order of the stages.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    stages: Vec<(&'static str, Duration)>,
}

impl Stages {
    /// Runs a stage and adds its time to that of the same name.
    pub(crate) fn time<T>(&mut self, name: &'static str, stage: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = stage();
        self.add(name, start.elapsed());
        result
    }

    /// Adds to the time of a stage.
    pub(crate) fn add(&mut self, name: &'static str, elapsed: Duration) {
        match self.stages.iter_mut().find(|(known, _)| *known == name) {
            Some((_, total)) => *total += elapsed,
            None => self.stages.push((name, elapsed)),
        }
    }

    /// Name and seconds of every stage.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.stages.iter().map(|(name, elapsed)| (*name, elapsed.as_secs_f64()))
    }

    /// Seconds of all stages together.
    pub(crate) fn total(&self) -> f64 {
        self.stages.iter().map(|(_, elapsed)| elapsed.as_secs_f64()).sum()
    }

    /// Seconds of one stage, 0 if it did not run.
    pub(crate) fn seconds(&self, name: &str) -> f64 {
        self.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, seconds)| seconds)
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        self.iter()
            .map(|(name, seconds)| (name.to_owned(), serde_json::json!(seconds)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// The most memory that this process has held, in bytes, where the system tells it (Linux).
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
