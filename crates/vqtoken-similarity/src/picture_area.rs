//! The picture without black bars: bars are codes of their own along two opposite sides, much unlike all that is between them.

use std::ops::Range;

use vqtoken_core::VideoTokens;

use crate::prepare::unit_codes;

/// The share of bars' cells that bars' codes must hold, and the share of these codes' cells that must be in the bars.
const EXCLUSIVE: f64 = 0.98;
/// How far the mean of each bar must be from the mean of the picture, in variances of the picture: bars of real letterboxes were at 7 and
/// more in trials.
const LEAST_DISTANCE: f64 = 3.0;
/// How far the means of the two bars may be from each other: in variances of the picture, or in distances from it if that is more, since a plain
/// picture varies little.
const MOST_DIFFERENCE: f64 = 1.0;
const MOST_OF_DISTANCE: f64 = 0.15;

/// The rows and columns of the grid that show the picture; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureArea {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl PictureArea {
    /// The area of checked video tokens between bars above and below, or left and right, or both.
    pub(crate) fn of(video: &VideoTokens) -> Self {
        let shape = video.index_map.shape();
        let whole = Self { rows: 0..shape.height, columns: 0..shape.width };
        let units = unit_codes(&video.codebook);
        let rows = Lines::new(video, &whole, |row, _| row).between_bars(&units);
        let area = Self { rows, ..whole };
        let columns = Lines::new(video, &area, |_, column| column).between_bars(&units);
        Self { columns, ..area }
    }

    /// What a crop by a share of rows and columns leaves of it, wherever it is. None where no line is that thin.
    pub(crate) fn crops(&self, share: f32) -> Vec<Self> {
        let [rows, columns] = self.cropped_lines(share);
        let thin = rows == 0 || columns == 0;
        let corners = (0..=rows).flat_map(|row| (0..=columns).map(move |column| [row, column]));
        corners.filter(|_| !thin).map(|corner| self.crop(corner, [rows, columns])).collect()
    }

    /// Some of the same: in the middle and in the corners.
    pub(crate) fn corner_crops(&self, share: f32) -> Vec<Self> {
        let [rows, columns] = self.cropped_lines(share);
        let thin = rows == 0 || columns == 0;
        let corners = [[0, 0], [0, columns], [rows, 0], [rows, columns], [rows / 2, columns / 2]];
        corners.into_iter().filter(|_| !thin).map(|corner| self.crop(corner, [rows, columns])).collect()
    }

    fn cropped_lines(&self, share: f32) -> [usize; 2] {
        self.size().map(|lines| (share * lines as f32).round() as usize)
    }

    /// Without so many rows and columns, of which some are taken off before the rest.
    fn crop(&self, before: [usize; 2], all: [usize; 2]) -> Self {
        let rest = |range: &Range<usize>, before: usize, all: usize| {
            range.start + before..range.end - (all - before)
        };
        Self { rows: rest(&self.rows, before[0], all[0]), columns: rest(&self.columns, before[1], all[1]) }
    }

    /// Rows and columns of the picture.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.rows.len(), self.columns.len()]
    }

    /// The cells of a frame `[H, W]` that are in it, row by row.
    pub(crate) fn rows_of<'a, T>(&self, frame: &'a [T], width: usize) -> impl Iterator<Item = &'a [T]> {
        let columns = self.columns.clone();
        frame[self.rows.start * width..self.rows.end * width]
            .chunks_exact(width)
            .map(move |row| &row[columns.clone()])
    }
}

/// How often each code stands in each row, or in each column.
struct Lines {
    codes: usize,
    /// `[lines, K]`.
    counts: Vec<f64>,
}

impl Lines {
    fn new(video: &VideoTokens, area: &PictureArea, line: impl Fn(usize, usize) -> usize) -> Self {
        let (map, codes) = (&video.index_map, video.codebook.codes());
        let shape = map.shape();
        let mut counts = vec![0.0; codes * shape.height.max(shape.width)];
        for frame in 0..shape.frames {
            for (row, labels) in area.rows.clone().zip(area.rows_of(map.frame(frame), shape.width)) {
                for (column, &label) in area.columns.clone().zip(labels) {
                    counts[line(row, column) * codes + label as usize] += 1.0;
                }
            }
        }
        let lines = 1 + line(shape.height - 1, shape.width - 1);
        counts.truncate(lines * codes);
        Self { codes, counts }
    }

    fn lines(&self) -> usize {
        self.counts.len() / self.codes
    }

    /// The codes of some lines, `[K]`.
    fn sum(&self, lines: Range<usize>) -> Vec<f64> {
        let mut sums = vec![0.0; self.codes];
        for line in self.counts[lines.start * self.codes..lines.end * self.codes].chunks_exact(self.codes) {
            sums.iter_mut().zip(line).for_each(|(sum, count)| *sum += count);
        }
        sums
    }

    /// The lines between the widest bars that there are; all lines if there are none. Bars differ by one line at most.
    fn between_bars(&self, units: &[f32]) -> Range<usize> {
        let lines = self.lines();
        for width in (1..=lines / 3).rev() {
            for (first, last) in [(width, width), (width, width - 1), (width - 1, width)] {
                if first > 0 && last > 0 && self.are_bars(first, last, units) {
                    return first..lines - last;
                }
            }
        }
        0..lines
    }

    fn are_bars(&self, first: usize, last: usize, units: &[f32]) -> bool {
        let lines = self.lines();
        let (before, after) = (self.sum(0..first), self.sum(lines - last..lines));
        let picture = self.sum(first..lines - last);
        let (mut bars, mut of_own_codes) = (0.0, 0.0);
        for ((before, after), picture) in before.iter().zip(&after).zip(&picture) {
            let here = before + after;
            bars += here;
            of_own_codes += if here >= EXCLUSIVE * (here + picture) { here } else { 0.0 };
        }
        if of_own_codes < EXCLUSIVE * bars {
            return false;
        }
        let (before, after, mean) = (mean(&before, units), mean(&after, units), mean(&picture, units));
        let dim = mean.len();
        let variance: f64 = picture
            .iter()
            .zip(units.chunks_exact(dim))
            .map(|(count, code)| {
                let distance = code.iter().zip(&mean).map(|(a, b)| (f64::from(*a) - b).powi(2));
                count * distance.sum::<f64>()
            })
            .sum::<f64>()
            / picture.iter().sum::<f64>();
        let distance = squared_distance(&before, &mean).min(squared_distance(&after, &mean));
        let most_difference = (MOST_DIFFERENCE * variance).max(MOST_OF_DISTANCE * distance);
        variance > 0.0
            && distance > LEAST_DISTANCE * variance
            && squared_distance(&before, &after) <= most_difference
    }
}

/// The mean unit code of some cells, `[D]`.
fn mean(counts: &[f64], units: &[f32]) -> Vec<f64> {
    let dim = units.len() / counts.len();
    let mut sums = vec![0.0; dim];
    for (count, code) in counts.iter().zip(units.chunks_exact(dim)).filter(|(count, _)| **count > 0.0) {
        sums.iter_mut().zip(code).for_each(|(sum, value)| *sum += count * f64::from(*value));
    }
    let all: f64 = counts.iter().sum();
    sums.iter_mut().for_each(|sum| *sum /= all);
    sums
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
