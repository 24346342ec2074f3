//! One pass through the samples: reading, decoding, and what happens where that fails.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::NativeSource;
use super::access_unit::{Configuration, Keyframe};
use super::engine::{Engine, EngineError, EngineKind};
use super::order::DisplayOrder;
use super::show::{Picture, ShowError, Showing};
use crate::colour::{ColourTag, Planes};
use crate::damage::Damage;
use crate::error::VideoError;
use crate::mp4::{Content, OrderSource, Sample};
use crate::source::Pass;

/// Why a pass ended before its time.
pub(super) enum Stop {
    /// Parameter sets in the stream ask for the other engine: start again with that one.
    NeedsBroad,
    Error(VideoError),
}

/// Decodes the whole stream. The pass that comes back tells of damage only.
pub(super) fn run(
    source: &NativeSource,
    kind: EngineKind,
    showing: &mut Showing<'_, '_>,
) -> Result<Pass, Stop> {
    let file = File::open(&source.path)
        .map_err(|error| Stop::Error(VideoError::Unreadable { path: source.path.clone(), source: error }))?;
    let configuration = source.first_configuration();
    let order_source = source.track.order_source();
    let mut run = Run {
        source,
        samples: SampleReader { file },
        kind,
        engine: Engine::new(kind, &configuration.stream()),
        configuration,
        colour: source.colour(configuration),
        order_source,
        order: DisplayOrder::new(source.delay(order_source)),
        period: 0,
        resumed_at: None,
        state: State::Start,
        pass: Pass::default(),
        showing,
    };
    run.go()?;
    Ok(run.pass)
}

/// Reads samples out of the file.
struct SampleReader {
    file: File,
}

impl SampleReader {
    fn append(&mut self, sample: &Sample, bytes: &mut Vec<u8>) -> Result<(), String> {
        let before = bytes.len();
        let io = |error: std::io::Error| error.to_string();
        self.file.seek(SeekFrom::Start(sample.offset)).map_err(io)?;
        self.file.by_ref().take(u64::from(sample.size)).read_to_end(bytes).map_err(io)?;
        if bytes.len() - before < sample.size as usize {
            return Err("the file ends inside this frame".into());
        }
        Ok(())
    }
}

/// Why a sample gave no picture.
enum Failure {
    Stop(Stop),
    /// `loss`: what else is lost with it.
    Damaged {
        what: String,
        loss: Loss,
    },
}

enum Loss {
    /// No other picture depends on this one.
    Alone,
    /// All up to the next entry point.
    Following,
}

/// What may be decoded.
enum State {
    /// Nothing was decoded yet.
    Start,
    Decoding,
    /// Frames are left out because those they depend on are lost.
    Trouble(Damage),
}

/// The state of one pass.
struct Run<'a, 's, 'k, 'r> {
    source: &'a NativeSource,
    samples: SampleReader,
    kind: EngineKind,
    engine: Engine,
    /// Of the sample before.
    configuration: &'a Configuration,
    colour: ColourTag,
    order_source: OrderSource,
    order: DisplayOrder<Picture>,
    /// Counts the stretches between IDR pictures.
    period: i64,
    /// Rank of the picture at which decoding took up again after damage.
    resumed_at: Option<i64>,
    state: State,
    pass: Pass,
    showing: &'r mut Showing<'s, 'k>,
}

/// What a sample decodes to.
enum Decoded {
    NoPicture,
    /// It cannot be decoded without what was lost.
    Skipped,
    Picture {
        rank: i64,
        planes: Planes,
    },
}

impl Run<'_, '_, '_, '_> {
    fn go(&mut self) -> Result<(), Stop> {
        let samples = &self.source.track.samples;
        for (number, sample) in samples.iter().enumerate() {
            if self.source.cancellation.is_cancelled() {
                return Err(Stop::Error(VideoError::Cancelled { path: self.source.path.clone() }));
            }
            if sample.content == Content::SecondField {
                continue;
            }
            let second = samples.get(number + 1).filter(|next| next.content == Content::SecondField);
            match self.decode(number, sample, second) {
                Ok(Decoded::NoPicture) => {}
                Ok(Decoded::Skipped) => self.count_lost(),
                Ok(Decoded::Picture { rank, .. }) if self.resumed_at.is_some_and(|first| rank < first) => {
                    // Shown before the picture at which decoding took up again, it depends on what was lost.
                    if let Some(damage) = self.pass.damage.last_mut() {
                        damage.lost += 1;
                    }
                }
                Ok(Decoded::Picture { rank, planes }) => {
                    let picture = Picture { planes, colour: self.colour };
                    if let Some(next) = self.order.push(rank, sample.presentation, picture) {
                        self.show(next)?;
                    }
                }
                Err(Failure::Stop(stop)) => return Err(stop),
                Err(Failure::Damaged { what, loss }) => self.note_damage(number, sample, what, loss),
            }
        }
        self.show_waiting()?;
        if let State::Trouble(damage) = std::mem::replace(&mut self.state, State::Decoding) {
            self.pass.damage.push(damage);
        }
        Ok(())
    }

    fn count_lost(&mut self) {
        if let State::Trouble(damage) = &mut self.state {
            damage.lost += 1;
        }
    }

    fn note_damage(&mut self, number: usize, sample: &Sample, what: String, loss: Loss) {
        let seconds = self.source.track.seconds_of(sample);
        let damage = Damage { frame: number, seconds, lost: 1, what };
        match (&mut self.state, loss) {
            (State::Trouble(damage), _) => damage.lost += 1,
            (_, Loss::Alone) => self.pass.damage.push(damage),
            (state, Loss::Following) => *state = State::Trouble(damage),
        }
    }

    /// Decodes one sample, or two that hold a field each.
    fn decode(
        &mut self,
        number: usize,
        sample: &Sample,
        second: Option<&Sample>,
    ) -> Result<Decoded, Failure> {
        let damaged = |what: String| Failure::Damaged { what, loss: Loss::Following };
        let mut bytes = Vec::new();
        for sample in [sample].into_iter().chain(second) {
            self.samples.append(sample, &mut bytes).map_err(damaged)?;
        }
        self.use_description(sample.description);
        let unit = self.configuration.access_unit(&bytes).map_err(|what| damaged(what.to_string()))?;
        if unit.engine() > self.kind {
            return Err(Failure::Stop(Stop::NeedsBroad));
        }
        if unit.has_picture() {
            let first = matches!(self.state, State::Start);
            let keyframe = if sample.sync || first { Keyframe::Marked } else { Keyframe::Unmarked };
            let begins = unit.is_entry(keyframe);
            if !self.may_decode(number, sample, begins) {
                return Ok(Decoded::Skipped);
            }
        }
        self.check_pictures(unit.pictures())?;
        if unit.is_idr() {
            self.period += 1;
            if self.order_source == OrderSource::Stream {
                // Nothing before an IDR picture is shown after it.
                self.show_waiting().map_err(Failure::Stop)?;
            }
        }
        if let Some(info) = unit.info() {
            self.colour = self.source.colour_of(Some(&info));
        }
        let loss = || if unit.is_disposable() { Loss::Alone } else { Loss::Following };
        let decoded = self.engine.decode(&unit.stream()).map_err(|error| match error {
            EngineError::Unsupported(feature) => self.unsupported(feature),
            EngineError::Damaged(what) => Failure::Damaged { what, loss: loss() },
            EngineError::Panicked => damaged("the decoder gave up".into()),
        })?;
        match decoded {
            None if unit.has_picture() => {
                Err(Failure::Damaged { what: "the picture is incomplete".into(), loss: loss() })
            }
            None => Ok(Decoded::NoPicture),
            Some((order_count, planes)) => {
                self.check_height(&planes)?;
                let rank = match self.order_source {
                    OrderSource::Times => sample.presentation,
                    OrderSource::Stream => (self.period << 32) + i64::from(order_count),
                };
                if self.resumed_at == Some(i64::MAX) {
                    self.resumed_at = Some(rank);
                }
                Ok(Decoded::Picture { rank, planes })
            }
        }
    }

    /// Follows the state over one picture; whether it can be decoded.
    fn may_decode(&mut self, number: usize, sample: &Sample, begins: bool) -> bool {
        match (std::mem::replace(&mut self.state, State::Decoding), begins) {
            (State::Start | State::Decoding, true) | (State::Decoding, false) => true,
            (State::Start, false) => {
                let seconds = self.source.track.seconds_of(sample);
                let what = "the stream does not begin with a keyframe".into();
                self.state = State::Trouble(Damage { frame: number, seconds, lost: 0, what });
                false
            }
            (State::Trouble(damage), false) => {
                self.state = State::Trouble(damage);
                false
            }
            (State::Trouble(damage), true) => {
                self.pass.damage.push(damage);
                self.engine = Engine::new(self.kind, &self.configuration.stream());
                self.period += 1;
                // Known when the picture is decoded.
                self.resumed_at = Some(i64::MAX);
                true
            }
        }
    }

    /// Turns to the parameter sets of another sample description.
    fn use_description(&mut self, description: u16) {
        let configuration = self.source.configuration(description);
        if !configuration.decodes_like(self.configuration) {
            self.engine = Engine::new(self.kind, &configuration.stream());
            self.colour = self.source.colour(configuration);
        }
        self.configuration = configuration;
    }

    /// A sample is one picture, or the two fields of one.
    fn check_pictures(&self, pictures: usize) -> Result<(), Failure> {
        let most = if self.configuration.is_interlaced() { 2 } else { 1 };
        // Without parameter sets in the header, fields cannot be told from frames.
        let known = self.configuration.info.as_ref().is_some_and(|info| info.progressive) || most == 2;
        if known && pictures > most {
            return Err(self.unsupported("several pictures in one sample"));
        }
        Ok(())
    }

    /// A field without its other half comes out with half the rows.
    fn check_height(&self, planes: &Planes) -> Result<(), Failure> {
        let info = self.configuration.info.as_ref().filter(|_| self.configuration.is_interlaced());
        if info.is_some_and(|info| planes.height * 2 == info.height as usize) {
            return Err(self.unsupported("a single field"));
        }
        Ok(())
    }

    fn unsupported(&self, feature: &str) -> Failure {
        Failure::Stop(Stop::Error(self.source.unsupported(feature)))
    }

    fn show_waiting(&mut self) -> Result<(), Stop> {
        while let Some(next) = self.order.pop() {
            self.show(next)?;
        }
        Ok(())
    }

    fn show(&mut self, (time, picture): (i64, Picture)) -> Result<(), Stop> {
        self.showing.take(time, &picture, self.source.track.orientation).map_err(|error| {
            Stop::Error(match error {
                ShowError::WrongPlanes { frame } => {
                    let (path, what) = (self.source.path.clone(), "planes of the wrong size".into());
                    VideoError::Decode { path, frame, what }
                }
                ShowError::Refused(error) => error,
            })
        })
    }
}
