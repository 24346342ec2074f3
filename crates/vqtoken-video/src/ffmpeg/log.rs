//! What `ffmpeg` prints: complaints, and where there is no `ffprobe`, the description of a file.

use super::description::{Description, Stream};
use crate::creation_time;
use crate::error::one_line;

/// The complaint in a line of a log with levels, safe to print; none in other lines.
pub(super) fn complaint(line: &str) -> Option<String> {
    let (_, text) = line.split_once("[error] ").or_else(|| line.split_once("[fatal] "))?;
    // Said of every run without an output file, which is how a file is described.
    let text = one_line(text);
    (!text.is_empty() && !text.starts_with("At least one output file")).then_some(text)
}

/// Adds what a line of the log says of the file. Only lines as FFmpeg writes them itself count, not those of titles and other texts,
/// which stand further to the right.
pub(super) fn read_description(description: &mut Description, line: &str) {
    if let Some(text) = complaint(line) {
        description.complain(text);
        return;
    }
    let Some(line) = line.strip_prefix("[info] ") else { return };
    if let Some(text) = line.strip_prefix("Input #0, ") {
        let end = text.find(", from").unwrap_or(text.len());
        description.container.get_or_insert_with(|| text[..end].to_owned());
    } else if let (Some(text), None) = (line.strip_prefix("  Duration: "), description.duration) {
        description.duration = text.split(',').next().and_then(clock);
    } else if let (Some(text), true) =
        (line.strip_prefix("    creation_time   : "), description.streams.is_empty())
    {
        description.created = creation_time::of_text(text);
    } else if let Some((index, text)) = stream_line(line) {
        if let Some((_, text)) = text.split_once(": Video: ") {
            description.streams.push(video_stream(index, text));
        }
    } else if let (Some((_, text)), Some(stream)) =
        (line.split_once("displaymatrix: rotation of "), description.streams.last_mut())
    {
        stream.set_rotation(text.split_whitespace().next().unwrap_or_default());
    }
}

/// The index of a stream and what follows it, from `  Stream #0:1[0x2](eng): Video: ...`.
fn stream_line(line: &str) -> Option<(usize, &str)> {
    let text = line.strip_prefix("  Stream #0:").or_else(|| line.strip_prefix("    Stream #0:"))?;
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Hours, minutes and seconds to seconds.
fn clock(text: &str) -> Option<f64> {
    let seconds = text.split(':').try_fold(0.0, |total, part| Some(total * 60.0 + part.parse::<f64>().ok()?));
    seconds.filter(|seconds| seconds.is_finite())
}

/// For example `vp9 (Profile 0), yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 352x288, 29.97 fps (default)`.
fn video_stream(index: usize, text: &str) -> Stream {
    let size = text.split([' ', ',']).find_map(|word| {
        let (width, height) = word.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    });
    let (width, height) = size.unwrap_or((0, 0));
    let transfer = ["smpte2084", "arib-std-b67"].into_iter().find(|name| text.contains(name));
    Stream {
        index,
        codec: text.split([' ', ',']).next().unwrap_or_default().to_owned(),
        width,
        height,
        transfer: transfer.map(str::to_owned),
        is_default: text.contains("(default)"),
        is_attached: text.contains("(attached pic)"),
        ..Stream::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::description::oversized;
    use super::*;

    #[test]
    fn a_refused_size_is_read() {
        let text =
            "Picture size 70000x60000 exceeds specified max pixel count 134217728, see the documentation";
        assert_eq!(oversized(text), Some((70_000, 60_000)));
        assert_eq!(oversized("Invalid data found"), None);
    }

    #[test]
    fn a_log_is_understood() {
        let text = "\
[info] Input #0, matroska,webm, from 'file:a.webm':
[info]   Metadata:
[info]     title           : Stream #0:7: Video: h264, 1x1
[info]     creation_time   : 2024-05-01T12:30:00.000000Z
[info]   Duration: 00:01:02.50, start: 0.000000, bitrate: 502 kb/s
[info]   Stream #0:0: Video: mjpeg (Baseline), yuvj420p(pc), 10x10, 90k tbr (attached pic)
[info]   Stream #0:1(eng): Video: vp9 (Profile 2) (VP90 / 0x30395056), yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 352x288, 29.97 fps (default)
[info]       displaymatrix: rotation of -90.00 degrees
[vp9 @ 0x2] [error] Invalid ref frame
[fatal] At least one output file must be specified
";
        let mut description = Description::default();
        text.lines().for_each(|line| read_description(&mut description, line));
        assert_eq!(description.container.as_deref(), Some("matroska,webm"));
        assert_eq!(description.duration, Some(62.5));
        assert!(description.created.is_some());
        assert_eq!(description.complaint.as_deref(), Some("Invalid ref frame"));
        let [cover, video] = description.streams.as_slice() else { panic!("{description:?}") };
        assert!(cover.is_attached && !cover.is_default);
        let expected = Stream {
            index: 1,
            codec: "vp9".into(),
            width: 352,
            height: 288,
            rotation: 90,
            transfer: Some("smpte2084".into()),
            is_default: true,
            is_attached: false,
        };
        assert_eq!(*video, expected);
    }
}
