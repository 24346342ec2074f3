//! Native decoding: H.264 in MP4 and MOV, without any program on the machine.
//!
//! | what | here |
//! | --- | --- |
//! | Baseline, Main, High, High 10, High 4:2:2, monochrome; CAVLC and CABAC | yes |
//! | B-frames, several references, weighted prediction | yes |
//! | interlaced: field pictures and MBAFF | yes, woven as FFmpeg does; both fields must lie in one sample |
//! | 8 and 10 bits | yes; 10 bits are cut to 8 |
//! | 4:4:4, other depths, lossless, slice groups, SP and SI slices | no: `ffmpeg` |
//! | fragmented MP4, edit lists, rotation, variable frame rate, parameter sets in the samples | yes |
//! | several sample entries in one track | the first only |
//! | encrypted tracks | no |
//! | error concealment | no: frames up to the next keyframe are left out, and the user is told |
//! | noticing damage inside a picture | mostly for progressive 8-bit 4:2:0, hardly for the rest |

mod access_unit;
mod engine;
mod order;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use self::access_unit::Configuration;
use self::engine::{Engine, EngineError, EngineKind};
use self::order::{DisplayOrder, LONGEST_DELAY};
use crate::colour::{self, ColourTag, Planes};
use crate::damage::Damage;
use crate::error::VideoError;
use crate::mp4::{Sample, Track};
use crate::source::{Keep, Pass, Source, Wanted};

/// The decoder configuration of a track whose pictures can be decoded here, or the reason why they cannot;
/// no reason where the codec is another.
pub(crate) fn configuration(track: &Track) -> Result<Configuration, Option<String>> {
    if &track.codec != b"avc1" && &track.codec != b"avc3" {
        return Err(None);
    }
    let configuration =
        Configuration::read(track.avc_config.as_deref()).map_err(|reason| Some(reason.to_string()))?;
    match configuration.info.as_ref().and_then(access_unit::unsupported) {
        Some(reason) => Err(Some(reason)),
        None => Ok(configuration),
    }
}

/// The H.264 track of an MP4 file.
pub(crate) struct NativeSource {
    path: PathBuf,
    track: Track,
    configuration: Configuration,
}

impl NativeSource {
    pub(crate) fn new(path: &Path, track: Track, configuration: Configuration) -> Self {
        Self { path: path.to_path_buf(), track, configuration }
    }

    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    /// Size of the decoded picture, before rotation.
    pub(crate) fn size(&self) -> (usize, usize) {
        match &self.configuration.info {
            Some(info) if info.width > 0 && info.height > 0 => (info.width as usize, info.height as usize),
            _ => (self.track.width, self.track.height),
        }
    }

    /// What the bitstream says of its colours, else the container.
    fn colour(&self) -> ColourTag {
        let container = self.track.colour.unwrap_or(colour::UNSPECIFIED);
        match &self.configuration.info {
            Some(info) if info.matrix != 2 => ColourTag { matrix: info.matrix, full_range: info.full_range },
            Some(info) => ColourTag { full_range: info.full_range || container.full_range, ..container },
            None => container,
        }
    }

    /// How many pictures may be decoded before one that is shown earlier.
    fn delay(&self) -> usize {
        if self.track.has_composition_offsets {
            return order::delay_of(self.track.samples.iter().map(|sample| sample.presentation));
        }
        let stated = self.configuration.info.as_ref().and_then(|info| info.max_reorder_frames);
        stated.map_or(LONGEST_DELAY, |frames| frames as usize)
    }
}

impl Source for NativeSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        Some(self.track.expected_timestamps())
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let result = match self.pass_with(self.configuration.engine(), wanted, keep) {
            Err(Stop::NeedsBroad) => self.pass_with(EngineKind::Broad, wanted, keep),
            result => result,
        };
        result.map_err(|stop| match stop {
            Stop::NeedsBroad => self.unsupported("changing formats"),
            Stop::Error(error) => error,
        })
    }
}

/// Why a pass ended before its time.
enum Stop {
    /// Parameter sets in the stream ask for the other engine: start again with that one.
    NeedsBroad,
    Error(VideoError),
}

impl NativeSource {
    fn pass_with(&self, engine: EngineKind, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, Stop> {
        let file = File::open(&self.path)
            .map_err(|source| Stop::Error(VideoError::Unreadable { path: self.path.clone(), source }))?;
        let mut run = Run {
            source: self,
            samples: SampleReader { file },
            kind: engine,
            engine: self.fresh_engine(engine),
            order: DisplayOrder::new(self.delay()),
            period: 0,
            trouble: None,
            pass: Pass::default(),
            wanted,
            keep,
        };
        run.go()?;
        Ok(run.pass)
    }

    fn fresh_engine(&self, kind: EngineKind) -> Engine {
        Engine::new(kind, &self.configuration.stream())
    }

    fn unsupported(&self, feature: &str) -> VideoError {
        VideoError::UnsupportedCodec {
            path: self.path.clone(),
            codec: format!("H.264 ({feature})"),
            container: "MP4".into(),
            program: crate::ffmpeg::program(),
        }
    }
}

/// Reads samples out of the file.
struct SampleReader {
    file: File,
}

impl SampleReader {
    fn read(&mut self, sample: &Sample) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let io = |error: std::io::Error| error.to_string();
        self.file.seek(SeekFrom::Start(sample.offset)).map_err(io)?;
        self.file.by_ref().take(u64::from(sample.size)).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() < sample.size as usize {
            return Err("the file ends inside this frame".into());
        }
        Ok(bytes)
    }
}

/// Why a sample gave no picture.
enum Failure {
    Stop(Stop),
    /// `disposable`: no other picture depends on the lost one.
    Damaged {
        what: String,
        disposable: bool,
    },
}

/// The state of one pass.
struct Run<'a> {
    source: &'a NativeSource,
    samples: SampleReader,
    kind: EngineKind,
    engine: Engine,
    order: DisplayOrder<Planes>,
    /// Counts the stretches between IDR pictures.
    period: i64,
    /// Set while frames are left out because those they depend on are lost.
    trouble: Option<Damage>,
    pass: Pass,
    wanted: &'a Wanted,
    keep: Keep<'a>,
}

impl Run<'_> {
    fn go(&mut self) -> Result<(), Stop> {
        let track = &self.source.track;
        // A track that marks no keyframe at all is tried from its first frame.
        let any_sync = track.samples.iter().any(|sample| sample.sync);
        // Frames shown before the keyframe at which decoding took up again depend on what was lost.
        let mut resumed_at = i64::MIN;
        for (number, sample) in track.samples.iter().enumerate() {
            let starts_here = sample.sync || (!any_sync && number == 0);
            if number == 0 && !starts_here {
                self.lose(number, "the stream does not begin with a keyframe".into());
            }
            if let Some(mut damage) = self.trouble.take() {
                if !starts_here {
                    damage.lost += 1;
                    self.trouble = Some(damage);
                    continue;
                }
                self.pass.damage.push(damage);
                self.engine = self.source.fresh_engine(self.kind);
                resumed_at = sample.presentation;
            }
            match self.decode(sample) {
                Ok(None) => {}
                Ok(Some((_, planes))) if sample.presentation < resumed_at => {
                    drop(planes);
                    if let Some(damage) = self.pass.damage.last_mut() {
                        damage.lost += 1;
                    }
                }
                Ok(Some((rank, planes))) => {
                    if let Some(seconds) = track.seconds(sample) {
                        let next = self.order.push(rank, seconds, planes);
                        self.show(next)?;
                    }
                }
                Err(Failure::Stop(stop)) => return Err(stop),
                Err(Failure::Damaged { what, disposable: true }) => {
                    let seconds = track.seconds(sample);
                    self.pass.damage.push(Damage { frame: number, seconds, lost: 1, what });
                }
                Err(Failure::Damaged { what, disposable: false }) => {
                    self.lose(number, what);
                    if let Some(damage) = &mut self.trouble {
                        damage.lost = 1;
                    }
                }
            }
        }
        while let Some(next) = self.order.pop() {
            self.show(Some(next))?;
        }
        self.pass.damage.extend(self.trouble.take());
        Ok(())
    }

    /// From here on frames are left out, up to the next keyframe.
    fn lose(&mut self, number: usize, what: String) {
        let track = &self.source.track;
        let seconds = track.samples.get(number).and_then(|sample| track.seconds(sample));
        self.trouble = Some(Damage { frame: number, seconds, lost: 0, what });
    }

    /// Decodes one sample to its rank in display order and its planes; `None` when it holds no picture.
    fn decode(&mut self, sample: &Sample) -> Result<Option<(i64, Planes)>, Failure> {
        let damaged = |what: String| Failure::Damaged { what, disposable: false };
        let bytes = self.samples.read(sample).map_err(damaged)?;
        let unit = self.source.configuration.access_unit(&bytes).map_err(|what| damaged(what.to_string()))?;
        if unit.is_idr() {
            self.period += 1;
        }
        if unit.engine() > self.kind {
            return Err(Failure::Stop(Stop::NeedsBroad));
        }
        let disposable = unit.is_disposable();
        let decoded = self.engine.decode(&unit.stream()).map_err(|error| match error {
            EngineError::Unsupported(feature) => Failure::Stop(Stop::Error(self.source.unsupported(feature))),
            EngineError::Damaged(what) => Failure::Damaged { what, disposable },
            EngineError::Panicked => damaged("the decoder gave up".into()),
        })?;
        match decoded {
            None if unit.has_picture() => {
                Err(Failure::Damaged { what: "the picture is incomplete".into(), disposable })
            }
            None => Ok(None),
            Some((_, planes)) if self.source.track.has_composition_offsets => {
                Ok(Some((sample.presentation, planes)))
            }
            Some((order_count, planes)) => Ok(Some(((self.period << 32) + i64::from(order_count), planes))),
        }
    }

    /// Counts a picture and hands it out if it is wanted.
    fn show(&mut self, next: Option<(f64, Planes)>) -> Result<(), Stop> {
        let Some((seconds, planes)) = next else { return Ok(()) };
        let index = self.pass.timestamps.len();
        self.pass.timestamps.push(seconds);
        if self.wanted.contains(index) {
            let frame = colour::to_rgb(&planes, self.source.colour()).ok_or_else(|| {
                let (path, what) = (self.source.path.clone(), "planes of the wrong size".into());
                Stop::Error(VideoError::Decode { path, frame: index, what })
            })?;
            (self.keep)(index, self.source.track.orientation.apply(frame)).map_err(Stop::Error)?;
        }
        Ok(())
    }
}
