//! A block of frames: its positions by label, and those of one label line by line.

/// The positions of a block of frames, sorted by label.
pub(super) struct Block {
    /// `[codes + 1]`: the positions of code `c` are `starts[c]..starts[c + 1]` of all.
    starts: Vec<usize>,
    /// Indices into `[frames, height, width]`, ascending within a code.
    positions: Vec<usize>,
    height: usize,
    width: usize,
}

impl Block {
    /// Of labels `[frames, height, width]` below `codes`.
    pub(super) fn new(labels: &[u32], codes: usize, height: usize, width: usize) -> Self {
        let mut starts = vec![0; codes + 1];
        labels.iter().for_each(|&label| starts[label as usize + 1] += 1);
        for code in 0..codes {
            starts[code + 1] += starts[code];
        }
        let mut next = starts.clone();
        let mut positions = vec![0; labels.len()];
        for (position, &label) in labels.iter().enumerate() {
            positions[next[label as usize]] = position;
            next[label as usize] += 1;
        }
        Self { starts, positions, height, width }
    }

    pub(super) fn positions(&self, code: usize) -> &[usize] {
        &self.positions[self.starts[code]..self.starts[code + 1]]
    }

    /// Ascending positions as lines.
    pub(super) fn lines(&self, positions: &[usize]) -> Lines {
        let mut lines = Lines {
            lines: Vec::new(),
            columns: Vec::with_capacity(positions.len()),
            occupied: [const { Vec::new() }; 3],
        };
        let mut line_end = 0;
        for &position in positions {
            if position >= line_end {
                let line = position / self.width;
                line_end = (line + 1) * self.width;
                let (frame, row) = (line / self.height, line % self.height);
                lines.lines.push(Line { frame, row, start: lines.columns.len() });
            }
            lines.columns.push(position + self.width - line_end);
        }
        lines.occupied = [
            distinct(lines.lines.iter().map(|line| line.frame)),
            distinct(lines.lines.iter().map(|line| line.row)),
            distinct(lines.columns.iter().copied()),
        ];
        lines
    }
}

/// The positions of one code within a block: lines are rows of one frame.
pub(super) struct Lines {
    lines: Vec<Line>,
    /// The columns of all lines, one line after the other.
    columns: Vec<usize>,
    /// The frames (counted from the block's first), rows and columns with any position, ascending.
    pub(super) occupied: [Vec<usize>; 3],
}

struct Line {
    frame: usize,
    row: usize,
    /// Where its columns start.
    start: usize,
}

impl Lines {
    /// Frame, row and columns of each line, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize, &[usize])> {
        let ends = self.lines.iter().skip(1).map(|line| line.start).chain([self.columns.len()]);
        self.lines.iter().zip(ends).map(|(line, end)| (line.frame, line.row, &self.columns[line.start..end]))
    }
}

/// The distinct ones of some coordinates, ascending.
fn distinct(coordinates: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen: Vec<bool> = Vec::new();
    for coordinate in coordinates {
        if coordinate >= seen.len() {
            seen.resize(coordinate + 1, false);
        }
        seen[coordinate] = true;
    }
    (0..seen.len()).filter(|&coordinate| seen[coordinate]).collect()
}
