//! Every codec and container that is not decoded natively: frames from an `ffmpeg` program over a pipe.
//!
//! One run prints a line with the timestamp of every frame (`showinfo`) and writes the wanted ones as a row of
//! PPM pictures, which carry their own size. `ffmpeg` applies the rotation.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::damage::Damage;
use crate::error::VideoError;
use crate::ffmpeg_log::{Log, Stream, read_log};
use crate::info::{Decoder, VideoInfo};
use crate::ppm::read_ppm;
use crate::source::{Keep, Opened, Pass, Source, Wanted};

/// More single frames than this are not asked for by number: all come over the pipe instead.
const MOST_SELECTED: usize = 1000;

/// The program: what `VQTOKEN_FFMPEG` names, else `ffmpeg` on PATH.
pub(crate) fn program() -> String {
    std::env::var("VQTOKEN_FFMPEG").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "ffmpeg".into())
}

/// Opens a file of which codec and container are known, filling in what only `ffmpeg` knows.
pub(crate) fn open(info: VideoInfo, expected: Option<Vec<f64>>) -> Result<Opened, VideoError> {
    match probe(&info.path)? {
        None => Err(VideoError::UnsupportedCodec {
            path: info.path,
            codec: info.codec,
            container: info.container,
            program: program(),
        }),
        Some(log) => opened(info, log, expected),
    }
}

/// Opens a file whose first bytes say nothing.
pub(crate) fn open_unknown(info: VideoInfo) -> Result<Opened, VideoError> {
    match probe(&info.path)? {
        None => Err(VideoError::NotAVideo {
            path: info.path,
            reason: "none of the known containers (with ffmpeg on PATH there would be more)".into(),
        }),
        Some(log) => opened(info, log, None),
    }
}

fn opened(mut info: VideoInfo, log: Log, expected: Option<Vec<f64>>) -> Result<Opened, VideoError> {
    let Some(stream) = log.stream else {
        let path = info.path;
        return Err(match log.container {
            Some(container) => VideoError::NoVideoTrack { path, container },
            None => VideoError::NotAVideo { path, reason: log.said },
        });
    };
    info.decoder = Decoder::Ffmpeg;
    complete(&mut info, &stream, log.container);
    info.duration = info.duration.or(log.duration);
    let source = FfmpegSource { path: info.path.clone(), expected };
    Ok((info, Box::new(source)))
}

fn complete(info: &mut VideoInfo, stream: &Stream, container: Option<String>) {
    if info.container.is_empty() {
        info.container = container.unwrap_or_default();
    }
    if info.codec.is_empty() || info.codec == "video" {
        info.codec.clone_from(&stream.codec);
    }
    if info.width == 0 {
        info.rotation = stream.rotation;
        let turned = stream.rotation % 180 == 90;
        (info.width, info.height) =
            if turned { (stream.height, stream.width) } else { (stream.width, stream.height) };
    }
}

/// What `ffmpeg` says about a file; `None` when there is no such program.
fn probe(path: &Path) -> Result<Option<Log>, VideoError> {
    let mut command = base(path, "level+info");
    let mut running = match Running::start(command.stdout(Stdio::null())) {
        Ok(running) => running,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(path, &error.to_string())),
    };
    let log = running.0.stderr.take().map(read_log).unwrap_or_default();
    running.finish().map_err(|error| failed(path, &error.to_string()))?;
    Ok(Some(log))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn failed(path: &Path, said: &str) -> VideoError {
    VideoError::Ffmpeg { path: path.to_path_buf(), said: said.into() }
}

/// Everything up to the input. `file:` keeps a name with a colon from being taken for a protocol.
fn base(path: &Path, verbosity: &str) -> Command {
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let mut command = Command::new(program());
    command
        .args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", verbosity, "-copyts", "-i"])
        .arg(input);
    command
}

/// A child process that is stopped and reaped whatever happens.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map(Running)
    }

    fn finish(mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct FfmpegSource {
    path: PathBuf,
    expected: Option<Vec<f64>>,
}

impl Source for FfmpegSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        self.expected.clone()
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let (log, status) = match self.run(wanted, &["-fps_mode", "passthrough"], keep)? {
            // Before ffmpeg 5.1 the option had another name.
            (log, status) if !status.success() && log.said.contains("fps_mode") => {
                self.run(wanted, &["-vsync", "passthrough"], keep)?
            }
            result => result,
        };
        if log.timestamps.is_empty() && !status.success() {
            return Err(failed(&self.path, &log.said));
        }
        let damage = log.first_error.map(|error| Damage {
            frame: error.frame,
            seconds: log.timestamps.get(error.frame).copied(),
            lost: 0,
            what: format!("ffmpeg reports {} problems, the first: {}", log.errors, error.text),
        });
        Ok(Pass { timestamps: log.timestamps, damage: damage.into_iter().collect() })
    }
}

impl FfmpegSource {
    fn run(
        &self,
        wanted: &Wanted,
        passthrough: &[&str],
        keep: Keep<'_>,
    ) -> Result<(Log, ExitStatus), VideoError> {
        let io_failed = |error: io::Error| failed(&self.path, &error.to_string());
        let (filter, output) = filter_and_output(wanted);
        let mut command = base(&self.path, "level+info");
        command.args(["-map", "0:v:0", "-vf", &filter]).args(passthrough).args(output);
        let mut running = Running::start(command.stdout(Stdio::piped())).map_err(io_failed)?;
        let logs = running.0.stderr.take();
        let pictures = running.0.stdout.take();
        std::thread::scope(|scope| {
            let log = scope.spawn(|| logs.map(read_log).unwrap_or_default());
            if let Some(pictures) = pictures {
                self.keep_pictures(BufReader::with_capacity(1 << 20, pictures), wanted, keep)?;
            }
            let status = running.finish().map_err(io_failed)?;
            let log = log.join().map_err(|_| failed(&self.path, "its messages could not be read"))?;
            Ok((log, status))
        })
    }

    fn keep_pictures(
        &self,
        mut pictures: impl Read,
        wanted: &Wanted,
        keep: Keep<'_>,
    ) -> Result<(), VideoError> {
        let mut position = 0;
        while let Some(frame) =
            read_ppm(&mut pictures).map_err(|error| failed(&self.path, &error.to_string()))?
        {
            let index = match wanted {
                Wanted::These(indices) if indices.len() <= MOST_SELECTED => indices.get(position).copied(),
                _ => Some(position).filter(|index| wanted.contains(*index)),
            };
            if let Some(index) = index {
                keep(index, frame);
            }
            position += 1;
        }
        Ok(())
    }
}

/// The filter that prints timestamps and lets wanted frames through, and where those go.
fn filter_and_output(wanted: &Wanted) -> (String, &'static [&'static str]) {
    const PICTURES: &[&str] = &["-f", "image2pipe", "-c:v", "ppm", "pipe:1"];
    const NOWHERE: &[&str] = &["-f", "null", "-"];
    match wanted {
        Wanted::These(indices) if indices.is_empty() => ("showinfo=checksum=0".into(), NOWHERE),
        Wanted::These(indices) if indices.len() <= MOST_SELECTED => {
            let terms: Vec<String> = indices.iter().map(|index| format!("eq(n,{index})")).collect();
            (format!("showinfo=checksum=0,select='{}'", terms.join("+")), PICTURES)
        }
        _ => ("showinfo=checksum=0".into(), PICTURES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_frames_are_asked_for_by_number() {
        let filter = |wanted| filter_and_output(&wanted).0;
        assert_eq!(filter(Wanted::These(vec![0, 7])), "showinfo=checksum=0,select='eq(n,0)+eq(n,7)'");
        assert_eq!(filter(Wanted::These((0..2000).collect())), "showinfo=checksum=0");
        assert_eq!(filter_and_output(&Wanted::These(vec![])).1[1], "null");
    }
}
