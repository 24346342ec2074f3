//! The search for the line, of any offset and of speeds from 0.5 to 2, along which a matrix of frame similarities is largest.

use crate::frames::FrameSimilarity;

/// Speeds that are tried at first; between them it is searched more finely.
const SPEEDS: [f64; 17] = [
    1.0, 0.5, 0.55, 0.6, 0.6667, 0.7333, 0.8, 0.8889, 0.9433, 1.06, 1.125, 1.25, 1.3636, 1.5, 1.6667, 1.8182,
    2.0,
];
/// Frames less alike than this speak against a line.
const NEUTRAL: f32 = 0.35;
/// How much it speaks against a line that a frame has a better partner elsewhere.
const DEFICIT_WEIGHT: f32 = 3.0;
/// How much of a line's evidence is taken off for playing at half or double speed: of two lines that are as good the slower change wins.
const SPEED_COST: f64 = 0.02;

/// A stretch of a video, in seconds of its timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// When its first frame is shown.
    pub from: f64,
    /// When its last frame is shown.
    pub to: f64,
}

/// A line, and the stretch of it along which frames are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// How alike frames are along it, on average, and for how much of the shorter video: the root of the share.
    pub(crate) alike: f32,
    pub(crate) coverage: f32,
    pub(crate) speed: f64,
    pub(crate) a: Stretch,
    pub(crate) b: Stretch,
}

#[derive(Clone, Copy)]
struct Trial {
    evidence: f64,
    speed: f64,
    offset: f64,
    first: usize,
    last: usize,
    mean: f64,
    seconds: f64,
}

/// The best line of `[Ta, Tb]` similarities between frames shown at these times, each ascending, over more than one instant.
pub(crate) fn best_line(similarity: &FrameSimilarity, a: &[f64], b: &[f64]) -> Line {
    let search = Search::new(similarity, a, b);
    let step = 0.5 * spacing(a).min(spacing(b)).max((b[b.len() - 1] - b[0]) / 20_000.0);
    let mut best = search.trial(1.0, b[0] - a[0]);
    let consider = |trial: Trial, best: &mut Trial| {
        if trial.evidence > best.evidence {
            *best = trial;
        }
    };
    for speed in SPEEDS {
        let (least, most) = (b[0] - speed * a[a.len() - 1], b[b.len() - 1] - speed * a[0]);
        for index in 0..=((most - least) / step) as usize {
            consider(search.trial(speed, least + index as f64 * step), &mut best);
        }
    }
    // Around the best one: speeds about the middle of the stretch, so that the offset follows.
    let mut width = 0.06;
    for _ in 0..4 {
        let centre = best;
        let pivot = 0.5 * (a[centre.first] + a[centre.last]);
        for turn in -2..=2 {
            let speed = (centre.speed * (1.0 + width * f64::from(turn) / 2.0)).clamp(0.5, 2.0);
            for shift in -3..=3 {
                let shift = f64::from(shift) / 3.0 * step * (width / 0.06).max(0.25);
                consider(
                    search.trial(speed, centre.offset + (centre.speed - speed) * pivot + shift),
                    &mut best,
                );
            }
        }
        width *= 0.5;
    }
    search.line(&best)
}

impl Line {
    /// In `[0, 1]`.
    pub(crate) fn score(&self) -> f32 {
        self.alike * self.coverage
    }

    /// The instant of the second video that is one of the first.
    pub(crate) fn in_b(&self, time: f64) -> f64 {
        self.speed * (time - self.a.from) + self.b.from
    }
}

/// How alike frames are along the whole of a line through a matrix of other frames' similarities, as of [`best_line`].
pub(crate) fn alike_along(line: &Line, similarity: &FrameSimilarity, a: &[f64], b: &[f64]) -> f32 {
    let search = Search::new(similarity, a, b);
    let (mut column, mut sum, mut seconds) = (0, 0.0, 0.0);
    for (row, (time, of_frame)) in a.iter().zip(&search.a_seconds).enumerate() {
        if let Some((alike, _)) = search.at(row, line.in_b(*time), &mut column) {
            sum += of_frame * f64::from(alike);
            seconds += of_frame;
        }
    }
    if seconds > 0.0 { (sum / seconds).clamp(0.0, 1.0) as f32 } else { 0.0 }
}

struct Search<'a> {
    similarity: &'a FrameSimilarity,
    a: &'a [f64],
    b: &'a [f64],
    a_seconds: Vec<f64>,
    b_seconds: Vec<f64>,
    best_of_rows: Vec<f32>,
    best_of_columns: Vec<f32>,
}

impl<'a> Search<'a> {
    fn new(similarity: &'a FrameSimilarity, a: &'a [f64], b: &'a [f64]) -> Self {
        let (mut best_of_rows, mut best_of_columns) = (Vec::new(), vec![-1.0_f32; similarity.columns]);
        for row in similarity.values.chunks_exact(similarity.columns) {
            best_of_rows.push(row.iter().copied().fold(-1.0, f32::max));
            best_of_columns.iter_mut().zip(row).for_each(|(best, value)| *best = best.max(*value));
        }
        let (a_seconds, b_seconds) = (durations(a), durations(b));
        Self { similarity, a, b, a_seconds, b_seconds, best_of_rows, best_of_columns }
    }

    /// The stretch of a line with the most evidence: the sum over its frames of seconds times how much more alike than neutral.
    fn trial(&self, speed: f64, offset: f64) -> Trial {
        let none =
            Trial { evidence: f64::NEG_INFINITY, speed, offset, first: 0, last: 0, mean: 0.0, seconds: 0.0 };
        let mut best = none;
        let mut run = none;
        let mut column = 0;
        for (row, (&time, &seconds)) in self.a.iter().zip(&self.a_seconds).enumerate() {
            let Some((alike, deficit)) = self.at(row, speed * time + offset, &mut column) else { continue };
            let gain = seconds * f64::from(alike - NEUTRAL - DEFICIT_WEIGHT * deficit);
            if run.evidence <= 0.0 {
                run = Trial { evidence: 0.0, first: row, ..none };
            }
            run.evidence += gain;
            run.mean += seconds * f64::from(alike);
            run.seconds += seconds;
            run.last = row;
            if run.evidence > best.evidence {
                best = run;
            }
        }
        // Seconds of neither video, but in between: else the slower of two would seem to say more.
        let speed_cost = 1.0 - SPEED_COST * speed.log2().abs();
        best.evidence *= if best.evidence > 0.0 { speed.sqrt().min(1.0) * speed_cost } else { 1.0 };
        best
    }

    /// The similarity of a frame of the first video with an instant of the second, and what it lacks of the best that the frame or the
    /// instant has elsewhere, linear between frames; `None` before and after the second video. `column` goes along with ascending
    /// instants.
    fn at(&self, row: usize, instant: f64, column: &mut usize) -> Option<(f32, f32)> {
        let (b, last) = (self.b, self.b.len() - 1);
        if instant < b[0] - 0.5 * self.b_seconds[0] || instant > b[last] + 0.5 * self.b_seconds[last] {
            return None;
        }
        while *column + 1 < last && b[*column + 1] <= instant {
            *column += 1;
        }
        let best_of_row = self.best_of_rows[row];
        let row = &self.similarity.values[row * self.similarity.columns..][..self.similarity.columns];
        let between = b[*column + 1] - b[*column];
        let share =
            if between > 0.0 { ((instant - b[*column]) / between).clamp(0.0, 1.0) as f32 } else { 0.0 };
        let between = |values: &[f32]| values[*column] * (1.0 - share) + values[*column + 1] * share;
        let alike = between(row);
        Some((alike, (best_of_row.max(between(&self.best_of_columns)) - alike).max(0.0)))
    }

    fn line(&self, trial: &Trial) -> Line {
        let &Trial { speed, offset, first, last, mean, seconds, .. } = trial;
        let (a_all, b_all): (f64, f64) = (self.a_seconds.iter().sum(), self.b_seconds.iter().sum());
        let coverage = (seconds / a_all.min(b_all / speed)).clamp(0.0, 1.0);
        let alike = if seconds > 0.0 { (mean / seconds).clamp(0.0, 1.0) } else { 0.0 };
        let to_b = |time: f64| (speed * time + offset).clamp(self.b[0], self.b[self.b.len() - 1]);
        let a = Stretch { from: self.a[first], to: self.a[last] };
        let b = Stretch { from: to_b(a.from), to: to_b(a.to) };
        Line { alike: alike as f32, coverage: coverage.sqrt() as f32, speed, a, b }
    }
}

/// For how long each frame is shown, as far as the times say: half the way to its neighbours, at the ends twice that.
fn durations(times: &[f64]) -> Vec<f64> {
    let last = times.len() - 1;
    let seconds = |frame: usize| match frame {
        0 => times[1] - times[0],
        frame if frame == last => times[last] - times[last - 1],
        frame => 0.5 * (times[frame + 1] - times[frame - 1]),
    };
    (0..=last).map(seconds).collect()
}

/// The mean time between two frames.
fn spacing(times: &[f64]) -> f64 {
    (times[times.len() - 1] - times[0]) / (times.len() - 1) as f64
}
