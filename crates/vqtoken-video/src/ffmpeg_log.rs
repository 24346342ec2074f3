//! Reads what `ffmpeg` prints: the stream's description, the timestamp of every frame, and complaints.

use std::io::{BufRead, BufReader, Read};

/// The video stream as `ffmpeg` describes it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stream {
    pub(crate) codec: String,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Degrees clockwise.
    pub(crate) rotation: u16,
}

/// A complaint and how many frames had come before it.
#[derive(Debug, PartialEq)]
pub(crate) struct Complaint {
    pub(crate) frame: usize,
    pub(crate) text: String,
}

/// All of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) container: Option<String>,
    pub(crate) duration: Option<f64>,
    pub(crate) stream: Option<Stream>,
    /// Seconds, one a frame.
    pub(crate) timestamps: Vec<f64>,
    pub(crate) errors: usize,
    pub(crate) first_error: Option<Complaint>,
    /// The last complaint.
    pub(crate) said: String,
}

/// Reads to the end of the stream.
pub(crate) fn read_log(stream: impl Read) -> Log {
    let mut log = Log::default();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        log.add(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    log
}

impl Log {
    fn add(&mut self, line: &str) {
        if let Some((_, text)) = line.split_once("[error] ").or_else(|| line.split_once("[fatal] ")) {
            self.complain(text.trim());
        } else if line.contains("Parsed_showinfo") {
            if let Some(seconds) = field(line, "pts_time:") {
                self.frame(seconds);
            }
        } else if let Some((_, text)) = line.split_once("Input #0, ") {
            let end = text.find(", from").unwrap_or(text.len());
            self.container = Some(text[..end].to_string());
        } else if let (Some(text), None) = (field(line, "Duration: "), self.duration) {
            self.duration = clock(text.trim_end_matches(','));
        } else if let (Some((_, text)), None, true) =
            (line.split_once(" Video: "), &self.stream, line.contains("Stream #0:"))
        {
            self.stream = Some(describe(text));
        } else if let (Some((_, text)), Some(stream)) = (line.split_once("rotation of "), &mut self.stream) {
            let degrees: f64 = text.split_whitespace().next().and_then(|t| t.parse().ok()).unwrap_or(0.0);
            stream.rotation = (-degrees.round() as i32).rem_euclid(360) as u16;
        }
    }

    fn complain(&mut self, text: &str) {
        // Said of every run without an output file, which is how a file is probed.
        if text.is_empty() || text.starts_with("At least one output file") {
            return;
        }
        self.errors += 1;
        self.said = text.to_string();
        if self.first_error.is_none() {
            self.first_error = Some(Complaint { frame: self.timestamps.len(), text: text.to_string() });
        }
    }

    fn frame(&mut self, seconds: &str) {
        // A frame without a time of its own follows the one before at the usual pace.
        let guess = match self.timestamps.as_slice() {
            [] => 0.0,
            [only] => only + 0.04,
            [.., before, last] => last + (last - before).max(0.0),
        };
        self.timestamps.push(seconds.parse().unwrap_or(guess));
    }
}

/// The word after a label.
fn field<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.split_once(label)?.1.split_whitespace().next()
}

/// Hours, minutes and seconds to seconds.
fn clock(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |total, part| Some(total * 60.0 + part.parse::<f64>().ok()?))
}

/// For example `vp9 (Profile 0), yuv420p(tv), 352x288, 29.97 fps`.
fn describe(text: &str) -> Stream {
    let size = text.split([' ', ',']).find_map(|word| {
        let (width, height) = word.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    });
    let (width, height) = size.unwrap_or((0, 0));
    let codec = text.split([' ', ',']).next().unwrap_or_default().to_string();
    Stream { codec, width, height, rotation: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_understood() {
        let text = b"\
[info] Input #0, matroska,webm, from 'file:a.webm':
[info]   Duration: 00:01:02.50, start: 0.000000, bitrate: 502 kb/s
[info]   Stream #0:0: Video: vp9 (Profile 0) (VP90 / 0x30395056), yuv420p(tv), 352x288, SAR 1:1, 29.97 fps
[info]       displaymatrix: rotation of -90.00 degrees
[Parsed_showinfo_0 @ 0x1] [info] n:   0 pts:      0 pts_time:0.5       pos:  1 fmt:yuv420p
[Parsed_showinfo_0 @ 0x1] [info] n:   1 pts:     33 pts_time:0.75      pos:  1 fmt:yuv420p
[vp9 @ 0x2] [error] Invalid ref frame
[Parsed_showinfo_0 @ 0x1] [info] n:   2 pts:   NOPTS pts_time:NOPTS     pos:  1
[fatal] Conversion failed!
";
        let log = read_log(&text[..]);
        assert_eq!(log.container.as_deref(), Some("matroska,webm"));
        assert_eq!(log.duration, Some(62.5));
        let stream = Stream { codec: "vp9".into(), width: 352, height: 288, rotation: 90 };
        assert_eq!(log.stream, Some(stream));
        assert_eq!(log.timestamps, [0.5, 0.75, 1.0]);
        assert_eq!((log.errors, log.said.as_str()), (2, "Conversion failed!"));
        assert_eq!(log.first_error, Some(Complaint { frame: 2, text: "Invalid ref frame".into() }));
    }
}
