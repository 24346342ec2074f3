//! The thread that encodes videos, one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use tokio::sync::mpsc::UnboundedSender;
use vqtoken_core::Reducer;
use vqtoken_model::{Encoded, EncodingEvent, ModelError, VideoLlm, VisionSide};
use vqtoken_video::{Cancellation, Frame, Sampling, Video, messages};

use crate::encode::{EncodeEvent, EncodeJob, EncodeOutput, EncodeSource, EncodedVideo, OnFrame};
use crate::shared::Shared;

/// Progress is told no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A video that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) job: EncodeJob,
    pub(crate) events: UnboundedSender<EncodeEvent>,
    pub(crate) cancellation: Cancellation,
}

/// What the thread works with.
pub(crate) struct Vision {
    pub(crate) model: VideoLlm,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: ThreadPool,
}

impl Vision {
    /// Works until the engine is gone.
    pub(crate) fn run(&self) {
        let next = || {
            self.shared.wait(|state| {
                state.encoding = 0;
                state.videos.retain(|waiting| !waiting.cancellation.is_cancelled());
                state.videos.pop().inspect(|_| state.encoding = 1)
            })
        };
        while let Some(Waiting { job, events, cancellation }) = next() {
            // Where nobody listens the cancellation is set.
            let _ = events.send(EncodeEvent::Started);
            let encoded = self.pool.install(|| self.encode(job, &events, &cancellation));
            let _ = events.send(match encoded {
                Ok(encoded) => EncodeEvent::Done(Box::new(encoded)),
                Err(error) => EncodeEvent::Failed(error),
            });
        }
    }

    fn encode(
        &self,
        job: EncodeJob,
        events: &UnboundedSender<EncodeEvent>,
        cancellation: &Cancellation,
    ) -> Result<EncodedVideo, ModelError> {
        let start = Instant::now();
        let vision = self.model.vision()?.clone().with_cancellation(cancellation.clone());
        let mut watch = Watch { events, on_frame: job.on_frame, told: None };
        let frames = match job.source {
            EncodeSource::Frames(frames) => Frames::Held(frames),
            EncodeSource::Video(path, options) => {
                let options = options.with_span(job.span).with_cancellation(cancellation.clone());
                Frames::Video(Box::new(Video::open_with(path, &options)?))
            }
        };
        let encoded = match job.output {
            EncodeOutput::Codes { options, fine } => {
                let options = options.with_fine(fine);
                let encoded = match frames {
                    Frames::Video(video) => {
                        vision.encode_video(&video, job.sampling, options, &mut |event| watch.see(event))
                    }
                    Frames::Held(frames) => {
                        vision.encode_held(frames, options, &mut |event| watch.see(event))
                    }
                };
                codes(encoded?)
            }
            EncodeOutput::Reduced(reducer) => {
                self.reduce(&vision, frames.sampled(job.sampling)?, Some(&*reducer), &mut watch)?
            }
            EncodeOutput::Pooled => self.reduce(&vision, frames.sampled(job.sampling)?, None, &mut watch)?,
        };
        Ok(EncodedVideo { seconds: start.elapsed().as_secs_f64(), ..encoded })
    }

    /// Visual tokens by a reducer, or of the unreduced baseline.
    fn reduce(
        &self,
        vision: &VisionSide,
        (frames, messages): Sampled,
        reducer: Option<&dyn Reducer>,
        watch: &mut Watch<'_>,
    ) -> Result<EncodedVideo, ModelError> {
        let expected = frames.len();
        let seen = frames.into_iter().enumerate().map(|(index, (frame, seconds))| {
            watch.frame(&frame, seconds);
            watch.progress(index, Some(expected));
            frame
        });
        let grid = vision.embed_frames(seen, 0.0)?.grid;
        let language = self.model.language();
        let visual = match reducer {
            Some(reducer) => language.reduce(&grid, reducer),
            None => language.pool(&grid),
        }?;
        let grid_tokens = grid.shape().len();
        Ok(EncodedVideo {
            encoded: None,
            fine: None,
            visual: Some(visual),
            grid_tokens,
            messages,
            seconds: 0.0,
        })
    }
}

/// Frames with their times, and what has to be told of them.
type Sampled = (Vec<(Frame, f64)>, Vec<String>);

/// Frames, or where they come from.
enum Frames {
    Video(Box<Video>),
    Held(Vec<(Frame, f64)>),
}

impl Frames {
    /// All sampled frames, and what has to be told of them.
    fn sampled(self, sampling: Sampling) -> Result<Sampled, ModelError> {
        match self {
            Self::Held(frames) => Ok((frames, Vec::new())),
            Self::Video(video) => {
                let clip = video.sample(sampling)?;
                let told = messages(&clip.warnings, &clip.damage);
                Ok((clip.frames.into_iter().zip(clip.timestamps).collect(), told))
            }
        }
    }
}

fn codes(encoded: Encoded) -> EncodedVideo {
    EncodedVideo {
        messages: encoded.messages(),
        fine: encoded.fine.clone(),
        grid_tokens: encoded.tokens.index_map.labels().len(),
        encoded: Some(encoded),
        visual: None,
        seconds: 0.0,
    }
}

/// Who is told how far an encoding is.
struct Watch<'a> {
    events: &'a UnboundedSender<EncodeEvent>,
    on_frame: Option<OnFrame>,
    /// When progress was told last.
    told: Option<Instant>,
}

impl Watch<'_> {
    fn see(&mut self, event: EncodingEvent<'_>) {
        match event {
            EncodingEvent::Frame(frame, seconds) => self.frame(frame, seconds),
            EncodingEvent::Progress(progress) => self.progress(progress.frames, progress.expected_frames),
            _ => {}
        }
    }

    fn frame(&mut self, frame: &Frame, seconds: f64) {
        if let Some(on_frame) = &mut self.on_frame {
            on_frame(frame, seconds);
        }
    }

    fn progress(&mut self, frames: usize, expected: Option<usize>) {
        if self.told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
            self.told = Some(Instant::now());
            let _ = self.events.send(EncodeEvent::Progress { frames, expected });
        }
    }
}
