//! What a file holds: from `ffprobe`, or from the log of `ffmpeg` where there is no `ffprobe`.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::command;
use super::description::{Description, Stream};
use super::log;
use super::process::{Halt, Running, each_line};
use crate::creation_time;
use vqtoken_files::Limits;

/// A file with more streams is not described further.
const MOST_STREAMS: usize = 1000;

/// A line of output or of the log.
enum Line {
    Output(String),
    Log(String),
}

/// Describes a file; `None` when there is no such program.
pub(super) fn describe(
    path: &Path,
    limits: &Limits,
    patience: Duration,
) -> Result<Option<Description>, Halt> {
    if let Some(program) = command::probe_program() {
        let mut reader = FlatReader::default();
        let run = run(&mut command::probe(program, path, limits), patience, &mut |line| match line {
            Line::Output(line) => reader.add(&line),
            Line::Log(line) => {
                if let Some(text) = log::complaint(&line) {
                    reader.description.complain(text);
                }
            }
        });
        match run {
            Ok(()) => return Ok(Some(reader.finish())),
            Err(Halt::Io(error)) if is_missing(&error) => {}
            Err(halt) => return Err(halt),
        }
    }
    let mut description = Description::default();
    let run = run(&mut command::describe(path, limits), patience, &mut |line| {
        if let (Line::Log(line), true) = (line, description.streams.len() < MOST_STREAMS) {
            log::read_description(&mut description, &line);
        }
    });
    match run {
        Ok(()) => Ok(Some(description)),
        Err(Halt::Io(error)) if is_missing(&error) => Ok(None),
        Err(halt) => Err(halt),
    }
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn run(command: &mut Command, patience: Duration, take: &mut dyn FnMut(Line)) -> Result<(), Halt> {
    let mut running = Running::start(command, patience).map_err(Halt::Io)?;
    let (log, output) = running.pipes();
    if let Some(log) = log {
        running.read_with(log, |log, send| each_line(log, |line| send(Line::Log(line.to_owned()))));
    }
    if let Some(output) = output {
        running
            .read_with(output, |output, send| each_line(output, |line| send(Line::Output(line.to_owned()))));
    }
    while let Some(line) = running.next()? {
        take(line);
    }
    running.finish().map(drop)
}

/// Reads `ffprobe -of flat`: lines such as `streams.stream.0.codec_name="vp9"`.
#[derive(Default)]
pub(super) struct FlatReader {
    description: Description,
    /// Of all kinds: the position of a stream is in each line, its kind in one of them.
    streams: Vec<(Stream, bool)>,
}

impl FlatReader {
    /// Reads one line; what it does not know is passed over.
    pub(super) fn add(&mut self, line: &str) {
        let Some((key, value)) = line.split_once('=') else { return };
        let value = value.trim_matches('"');
        if let Some(key) = key.strip_prefix("streams.stream.") {
            let Some((position, key)) = key.split_once('.') else { return };
            let Some(position) = position.parse().ok().filter(|&position: &usize| position < MOST_STREAMS)
            else {
                return;
            };
            if self.streams.len() <= position {
                self.streams.resize_with(position + 1, Default::default);
            }
            add_to_stream(&mut self.streams[position], key, value);
        } else if key == "format.format_name" {
            self.description.container = Some(value.to_owned());
        } else if key == "format.duration" {
            self.description.duration = value.parse().ok().filter(|seconds: &f64| seconds.is_finite());
        } else if key == "format.tags.creation_time" {
            self.description.created = creation_time::of_text(value);
        }
    }

    /// All that was read.
    pub(super) fn finish(mut self) -> Description {
        let videos = self.streams.into_iter().filter(|(_, is_video)| *is_video);
        self.description.streams = videos.map(|(stream, _)| stream).collect();
        self.description
    }
}

fn add_to_stream((stream, is_video): &mut (Stream, bool), key: &str, value: &str) {
    match key {
        "index" => stream.index = value.parse().unwrap_or(0),
        "codec_type" => *is_video = value == "video",
        "codec_name" => value.clone_into(&mut stream.codec),
        "width" => stream.width = value.parse().unwrap_or(0),
        "height" => stream.height = value.parse().unwrap_or(0),
        "color_transfer" if matches!(value, "smpte2084" | "arib-std-b67") => {
            stream.transfer = Some(value.to_owned());
        }
        "disposition.default" => stream.is_default = value == "1",
        "disposition.attached_pic" => stream.is_attached = value == "1",
        _ if key.starts_with("side_data_list.") && key.ends_with(".rotation") => stream.set_rotation(value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flat_form_is_understood() {
        let text = "\
streams.stream.0.index=0
streams.stream.0.codec_name=\"aac\"
streams.stream.0.codec_type=\"audio\"
streams.stream.0.disposition.default=1
streams.stream.1.index=1
streams.stream.1.codec_name=\"hevc\"
streams.stream.1.codec_type=\"video\"
streams.stream.1.width=160
streams.stream.1.height=120
streams.stream.1.color_transfer=\"arib-std-b67\"
streams.stream.1.disposition.default=1
streams.stream.1.disposition.attached_pic=0
streams.stream.1.side_data_list.side_data.0.rotation=-90
streams.stream.99999999999.index=5
format.format_name=\"mov,mp4,m4a,3gp,3g2,mj2\"
format.duration=\"4.000000\"
format.tags.creation_time=\"2024-05-01T12:30:00.000000Z\"
";
        let mut reader = FlatReader::default();
        text.lines().for_each(|line| reader.add(line));
        let description = reader.finish();
        assert_eq!(description.container.as_deref(), Some("mov,mp4,m4a,3gp,3g2,mj2"));
        assert_eq!(description.duration, Some(4.0));
        assert!(description.created.is_some());
        let expected = Stream {
            index: 1,
            codec: "hevc".into(),
            width: 160,
            height: 120,
            rotation: 90,
            transfer: Some("arib-std-b67".into()),
            is_default: true,
            is_attached: false,
        };
        assert_eq!(description.streams, [expected]);
    }
}
