//! Native decoding: H.264 in MP4 and MOV, without any program on the machine.
//!
//! | what | here |
//! | --- | --- |
//! | Baseline, Main, High, High 10, High 4:2:2, monochrome; CAVLC and CABAC | yes |
//! | B-frames, several references, weighted prediction | yes |
//! | interlaced: field pictures and MBAFF | yes, woven as FFmpeg does; the fields lie in one sample or in two |
//! | 8 and 10 bits | yes; 10 bits are cut to 8 |
//! | cropping on all four sides | yes; the bitstream decides, not the container |
//! | 4:4:4, other depths, lossless, slice groups, SP and SI slices | no: `ffmpeg` |
//! | several pictures in one sample, a field without its other half | no: `ffmpeg` |
//! | fragmented MP4, edit lists, rotation, variable frame rate, parameter sets in the samples | yes |
//! | several sample descriptions in one track | yes; pictures of other sizes are scaled to the first one's |
//! | encrypted tracks | no, and not by `ffmpeg` |
//! | error concealment | no: frames up to the next keyframe are left out, and the user is told |
//! | noticing damage inside a picture | mostly for progressive 8-bit 4:2:0, hardly for the rest |

mod access_unit;
mod engine;
mod order;
mod run;
mod scan;
mod show;
mod slice;

use std::fs::File;
use std::path::{Path, PathBuf};

use rust_h264::nal::SpsInfo;
use vqtoken_files::{Limit, LimitError, Limits};

use self::access_unit::Configuration;
use self::engine::EngineKind;
use self::order::LONGEST_DELAY;
use self::run::Stop;
use self::show::Showing;
use crate::cancellation::Cancellation;
use crate::colour::{self, ColourTag};
use crate::error::VideoError;
use crate::mp4::{Content, OrderSource, Track};
use crate::source::{Keep, Pass, Source, Wanted};

/// Why a track is not decoded here.
pub(crate) enum Refusal {
    /// Another codec than H.264.
    Codec,
    /// H.264 with something that is left to `ffmpeg`.
    Feature(String),
    /// It asks for too much.
    Limit(LimitError),
}

/// One for each sample description of a track.
pub(crate) struct Configurations(Vec<Configuration>);

/// The decoder configurations of a track whose pictures can be decoded here. Marks the samples in it that hold no picture.
pub(crate) fn prepare(
    file: &mut File,
    track: &mut Track,
    limits: &Limits,
) -> Result<Configurations, Refusal> {
    let mut configurations = Vec::new();
    let others = track.descriptions.iter().any(|description| !is_h264(&description.codec));
    if !is_h264(&track.codec) {
        return Err(Refusal::Codec);
    }
    if others {
        return Err(Refusal::Feature("and other codecs in one track".into()));
    }
    for description in &track.descriptions {
        let read = Configuration::read(description.avc_config.as_deref(), limits.frame_pixels);
        let configuration = read.map_err(|reason| Refusal::Feature(reason.to_string()))?;
        if let Some(info) = &configuration.info {
            limits.check(Limit::FramePixels, access_unit::coded_pixels(info)).map_err(Refusal::Limit)?;
        }
        if let Some(reason) = configuration.info.as_ref().and_then(access_unit::unsupported) {
            return Err(Refusal::Feature(reason));
        }
        configurations.push(configuration);
    }
    scan::mark_contents(file, track, &configurations);
    Ok(Configurations(configurations))
}

fn is_h264(codec: &[u8; 4]) -> bool {
    matches!(codec, b"avc1" | b"avc2" | b"avc3" | b"avc4")
}

/// The H.264 track of an MP4 file.
pub(crate) struct NativeSource {
    path: PathBuf,
    track: Track,
    /// By sample description; one at least.
    configurations: Vec<Configuration>,
    cancellation: Cancellation,
}

impl NativeSource {
    pub(crate) fn new(
        path: &Path,
        track: Track,
        configurations: Configurations,
        cancellation: Cancellation,
    ) -> Self {
        Self { path: path.to_path_buf(), track, configurations: configurations.0, cancellation }
    }

    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    fn configuration(&self, description: u16) -> &Configuration {
        access_unit::of_description(&self.configurations, description)
    }

    fn first_configuration(&self) -> &Configuration {
        self.configuration(self.track.samples.first().map_or(0, |sample| sample.description))
    }

    /// Size of the first decoded picture, before rotation.
    pub(crate) fn size(&self) -> (usize, usize) {
        match &self.first_configuration().info {
            Some(info) if info.width > 0 && info.height > 0 => (info.width as usize, info.height as usize),
            _ => (self.track.width, self.track.height),
        }
    }

    fn colour(&self, configuration: &Configuration) -> ColourTag {
        self.colour_of(configuration.info.as_ref())
    }

    /// What a sequence parameter set says of colours, else the container.
    fn colour_of(&self, info: Option<&SpsInfo>) -> ColourTag {
        let container = self.track.colour.unwrap_or(colour::UNSPECIFIED);
        match info {
            Some(info) if info.matrix != 2 => ColourTag { matrix: info.matrix, full_range: info.full_range },
            Some(info) => ColourTag { full_range: info.full_range || container.full_range, ..container },
            None => container,
        }
    }

    /// How many pictures may be decoded before one that is shown earlier.
    fn delay(&self, order: OrderSource) -> usize {
        if order == OrderSource::Times {
            let pictures = self.track.samples.iter().filter(|sample| sample.content == Content::Picture);
            return order::delay_of(pictures.map(|sample| sample.presentation));
        }
        let stated = |configuration: &Configuration| {
            let frames = configuration.info.as_ref().and_then(|info| info.max_reorder_frames);
            frames.map_or(LONGEST_DELAY, |frames| frames as usize)
        };
        self.configurations.iter().map(stated).max().unwrap_or(LONGEST_DELAY)
    }

    /// Goes through the stream once, with the broad engine if the stream turns out to need it.
    fn run(&self, showing: &mut Showing<'_, '_>) -> Result<Pass, VideoError> {
        let kinds = self.configurations.iter().map(Configuration::engine);
        let kind = kinds.max().unwrap_or(EngineKind::Strict);
        let result = match run::run(self, kind, showing) {
            Err(Stop::NeedsBroad) => {
                showing.restart();
                run::run(self, EngineKind::Broad, showing)
            }
            result => result,
        };
        let mut pass = result.map_err(|stop| match stop {
            Stop::NeedsBroad => self.unsupported("changing formats"),
            Stop::Error(error) => error,
        })?;
        pass.damage.extend(self.track.damage.iter().cloned());
        Ok(pass)
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

impl Source for NativeSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        Some(self.track.expected_timestamps())
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        if self.track.edits.keep_order() {
            let mut showing = Showing::in_order(&self.track, wanted, keep);
            let mut pass = self.run(&mut showing)?;
            pass.warnings.extend(showing.warning());
            pass.timestamps = showing.timestamps();
            // Where the stream gives the order of pictures, their times may not follow it.
            pass.timestamps.sort_by(f64::total_cmp);
            return Ok(pass);
        }
        // Where pictures are shown several times or out of order, those that decode must be known first.
        let mut counting = Showing::counting();
        let mut pass = self.run(&mut counting)?;
        pass.warnings.extend(counting.warning());
        let shown = self.track.presentations(&counting.media_times());
        if !matches!(wanted, Wanted::These(indices) if indices.is_empty()) {
            self.run(&mut Showing::listed(&shown, wanted, keep))?;
        }
        pass.timestamps = shown.iter().map(|shown| self.track.seconds(shown.time)).collect();
        Ok(pass)
    }
}
