//! When a video was recorded, as containers state it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Seconds from the beginning of 1904, from which MP4 counts, to that of 1970.
const FROM_1904_TO_1970: u64 = 2_082_844_800;

/// How far a time may lie ahead of the clock, which may be wrong itself.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// Of seconds since the beginning of 1904 (UTC); 0 means that the writer knew none.
pub(crate) fn of_1904(seconds: u64) -> Option<SystemTime> {
    let since_1970 = Duration::from_secs(seconds.checked_sub(FROM_1904_TO_1970)?);
    plausible(SystemTime::UNIX_EPOCH.checked_add(since_1970)?)
}

/// Of a text with an offset from UTC: `2024-05-01T12:30:00.000000Z`, `2024-05-01T14:30:00+0200`.
pub(crate) fn of_text(text: &str) -> Option<SystemTime> {
    plausible(text.trim().parse::<Timestamp>().ok()?.into())
}

/// Cameras whose clock was never set, and writers that count from another year, state impossible times.
fn plausible(time: SystemTime) -> Option<SystemTime> {
    let last = SystemTime::now().checked_add(AHEAD)?;
    (SystemTime::UNIX_EPOCH < time && time <= last).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_forms_are_the_same_and_impossible_ones_are_none() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_566_600);
        for text in [
            "2024-05-01T12:30:00.000000Z",
            "2024-05-01T14:30:00+0200",
            "2024-05-01T14:30:00+02:00",
            " 2024-05-01 12:30:00Z\n",
        ] {
            assert_eq!(of_text(text), Some(expected), "{text}");
        }
        assert_eq!(of_1904(1_714_566_600 + FROM_1904_TO_1970), Some(expected));
        for text in ["", "2024", "2024-05-01T12:30:00", "1904-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
            assert_eq!(of_text(text), None, "{text}");
        }
        // Unknown, seconds since 1970 by mistake, and the largest.
        for seconds in [0, 1_714_566_600, FROM_1904_TO_1970, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(of_1904(seconds), None, "{seconds}");
        }
    }
}
