//! What is known of a video beside its tokens: where it lies, how long it is, when it was recorded.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use vqtoken_video::VideoInfo;

use crate::error::SearchError;

/// The fact by which [`crate::Filter`] knows when a video was recorded.
pub const RECORDED: &str = "recorded";

/// A point in time as it is stored and compared: `2024-05-01T12:30:00Z`, or the beginning of such a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(String);

impl Time {
    /// Of a year, a month, a date, or a date and time.
    ///
    /// # Errors
    /// If the text is none of these.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let trimmed = text.trim();
        let pattern = b"0000-00-00T00:00:00Z";
        let fits = matches!(trimmed.len(), 4 | 7 | 10 | 13 | 16 | 19 | 20)
            && trimmed.bytes().zip(pattern).all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                b'T' => byte == b'T' || byte == b' ',
                other => byte == *other,
            });
        match fits {
            true => Ok(Self(trimmed.replace(' ', "T"))),
            false => Err(SearchError::Time { text: text.to_owned() }),
        }
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a video file tells of itself: `path`, `seconds`, `width`, `height`, `bytes`, `container`, `codec`, and `recorded`: the time of
/// recording that the container states, else when the file was last changed, as camera files are not changed after the recording.
pub fn file_facts(path: &Path, info: &VideoInfo) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    // A path that cannot be made absolute is kept as it was given.
    let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    add("path", absolute.to_string_lossy().into_owned());
    if let Some(seconds) = info.duration {
        add("seconds", format!("{seconds:.3}"));
    }
    for (name, number) in
        [("width", info.width as u64), ("height", info.height as u64), ("bytes", info.file_bytes)]
    {
        if number > 0 {
            add(name, number.to_string());
        }
    }
    for (name, text) in [("container", &info.container), ("codec", &info.codec)] {
        if !text.is_empty() {
            add(name, text.clone());
        }
    }
    let modified = || std::fs::metadata(path).and_then(|about| about.modified()).ok();
    if let Some(time) = info.created.or_else(modified).and_then(seconds_of) {
        add(RECORDED, time);
    }
    facts
}

fn seconds_of(time: SystemTime) -> Option<String> {
    let seconds = Timestamp::try_from(time).ok()?.as_second();
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_texts_that_can_be_compared() {
        for text in [
            "2024",
            "2024-05",
            "2024-05-01",
            "2024-05-01T12:30",
            "2024-05-01 12:30:10",
            "2024-05-01T12:30:10Z",
        ] {
            assert_eq!(Time::parse(text).unwrap().as_str(), text.replace(' ', "T"));
        }
        for text in ["", "24", "yesterday", "2024-5-1", "2024/05/01", "2024-05-01T12:30:10+02:00", "２０２４"]
        {
            assert!(Time::parse(text).is_err(), "{text}");
        }
        let epoch = seconds_of(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_500));
        assert_eq!(epoch.as_deref(), Some("1970-01-01T00:00:01Z"));
    }
}
