//! When each frame is shown, from the output of FFmpeg's `framecrc` muxer.
//!
//! A line a frame: stream, decode time, time, duration, bytes, checksum. Nothing that a file's author writes, such as a title,
//! gets into this output, which is why times are not taken from the log.

/// One frame, as a line of the output tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FrameLine {
    /// When it is shown, in ticks of [`TICKS_PER_SECOND`]; none if the file does not say.
    pub(super) ticks: Option<i64>,
    /// Checksum of the marker picture: another one for the first frame after the filters were set up than for the rest.
    pub(super) checksum: u32,
}

/// The time base that is asked for.
pub(super) const TICKS_PER_SECOND: u32 = 1_000_000;

/// FFmpeg's value for no time at all.
const NO_TIME: i64 = i64::MIN;

/// Reads one line; `None` for comments and for anything else.
pub(super) fn frame_line(line: &str) -> Option<FrameLine> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split(',').map(str::trim);
    let (Some("0"), Some(_), Some(ticks)) = (fields.next(), fields.next(), fields.next()) else {
        return None;
    };
    let checksum = fields.nth(2)?.strip_prefix("0x")?;
    let ticks = if ticks == "NOPTS" { NO_TIME } else { ticks.parse::<i64>().ok()? };
    Some(FrameLine {
        ticks: (ticks != NO_TIME).then_some(ticks),
        checksum: u32::from_str_radix(checksum, 16).ok()?,
    })
}

/// The times of the frames so far, and where FFmpeg set up its filters anew.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Seconds, one a frame, never going back.
    pub(super) seconds: Vec<f64>,
    /// How many of those are estimates.
    pub(super) mended: usize,
    /// The first frame of another size or format than those before it.
    pub(super) changed_at: Option<usize>,
    first_checksum: Option<u32>,
}

impl Times {
    pub(super) fn add(&mut self, line: FrameLine) {
        // Only the first frame after filters are set up is marked, see `command::TIMES`.
        match self.first_checksum {
            None => self.first_checksum = Some(line.checksum),
            Some(first) if first == line.checksum && self.changed_at.is_none() => {
                self.changed_at = Some(self.seconds.len());
            }
            Some(_) => {}
        }
        let stated = line.ticks.map(|ticks| ticks as f64 / f64::from(TICKS_PER_SECOND));
        let time = match (self.seconds.as_slice(), stated) {
            ([], stated) => stated,
            ([.., last], Some(time)) if time > *last => Some(time),
            _ => None,
        };
        self.mended += usize::from(time.is_none());
        let time = time.unwrap_or_else(|| match self.seconds.as_slice() {
            [] => 0.0,
            // The muxer moves times that go back to the one before.
            [.., last] if stated.is_some() => *last,
            [only] => only + 0.04,
            [.., before, last] => last + (last - before),
        });
        self.seconds.push(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let line = frame_line("0,    2000000,    2000000,   100000,      768, 0xb2c4fd0f").unwrap();
        assert_eq!(line, FrameLine { ticks: Some(2_000_000), checksum: 0xb2c4_fd0f });
        let without = frame_line("0, -9223372036854775808, -9223372036854775808, 0, 768, 0x0").unwrap();
        assert_eq!(without.ticks, None);
        for nonsense in
            ["", "#tb 0: 1/25", "0, 1", "1, 0, 0, 0, 0, 0x0", "0, a, b, c, d, 0x0", "0,0,0,0,0,0xg"]
        {
            assert_eq!(frame_line(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn times_never_go_back_and_changes_are_seen() {
        let mut times = Times::default();
        for (ticks, checksum) in
            [(Some(0), 9), (Some(500_000), 1), (None, 1), (Some(400_000), 1), (Some(1_250_000), 9)]
        {
            times.add(FrameLine { ticks, checksum });
        }
        assert_eq!(times.seconds, [0.0, 0.5, 1.0, 1.0, 1.25]);
        assert_eq!((times.mended, times.changed_at), (2, Some(4)));
    }
}
