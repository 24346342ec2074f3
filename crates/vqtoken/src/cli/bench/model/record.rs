//! Repeated runs, their median, and what share of the machine's measured peak that is.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use vqtoken_kernels::{Kernels, WeightKind};

use crate::cli::stages::peak_memory;

/// Seconds of runs.
pub(super) struct Runs(Vec<f64>);

impl Runs {
    /// Runs something once to warm up, then `repeat` times.
    pub(super) fn measure(
        repeat: usize,
        mut run: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        run()?;
        let mut runs = Self(Vec::new());
        for _ in 0..repeat {
            let start = Instant::now();
            run()?;
            runs.push(start.elapsed());
        }
        Ok(runs)
    }

    /// No run yet.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, run: Duration) {
        self.0.push(run.as_secs_f64());
    }

    /// The middle run, in seconds; the mean of the two middle ones if they are even in number.
    pub(super) fn median(&self) -> f64 {
        let mut seconds = self.0.clone();
        seconds.sort_by(f64::total_cmp);
        match seconds.len() {
            0 => f64::NAN,
            n => (seconds[(n - 1) / 2] + seconds[n / 2]) / 2.0,
        }
    }

    /// The record of a case that takes `flops` operations a run, by the peak of a kind of weights.
    pub(super) fn record(&self, bench: &str, flops: f64, kind: WeightKind) -> Map<String, Value> {
        let seconds = self.median();
        let peak = peak(kind);
        let mut record = Map::new();
        let mut put = |key: &str, value: Value| record.insert(key.to_owned(), value);
        put("bench", json!(bench));
        put("isa", json!(Kernels::global().isa().to_string()));
        put("threads", json!(rayon::current_num_threads()));
        put("seconds", json!(seconds));
        put("runs", json!(self.0));
        put("tflops", json!(flops / seconds / 1e12));
        put("peak_tflops", json!(peak / 1e12));
        put("share_of_peak", json!(flops / seconds / peak));
        put("peak_memory_bytes", json!(peak_memory()));
        record
    }
}

/// Operations a second that the machine reaches at most with a kind of weights: the best of several measurements, as others that share its cores take
/// up to a third of each.
pub(super) fn peak(kind: WeightKind) -> f64 {
    (0..25).map(|_| Kernels::global().measure_peak(kind)).fold(0.0, f64::max)
}
