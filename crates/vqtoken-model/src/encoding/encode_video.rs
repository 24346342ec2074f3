//! From a video of any length to video tokens: frames are decoded while those before them are encoded.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use vqtoken_core::{Budget, VideoTokens};
use vqtoken_video::{Clip, Damage, Frame, Sampling, Video, Warning, messages};

use super::encoder::{Encoder, EncoderOptions};
use super::frame_embedder::VisionSeconds;
use super::vision_side::{FRAMES_AT_ONCE, VisionSide, source_of};
use crate::error::ModelError;

/// The video tokens of a video, and how they came about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encoded {
    /// The video tokens.
    pub tokens: VideoTokens,
    /// The second set of codes, if [the options](EncoderOptions::fine) ask for one.
    pub fine: Option<VideoTokens>,
    /// Frames that were not computed because they repeat one before them.
    pub repeated_frames: usize,
    /// Where the stream is damaged; empty when it is sound.
    pub damage: Vec<Damage>,
    /// What the frames show otherwise than the file has it.
    pub warnings: Vec<Warning>,
    /// Seconds that encoding waited for decoded frames.
    pub decode_seconds: f64,
    /// Seconds from frames to tokens.
    pub vision_seconds: VisionSeconds,
    /// Seconds in the quantizer.
    pub quantizer_seconds: f64,
}

impl Encoded {
    /// All that the user has to be told of the video, a line each: warnings, then damage.
    pub fn messages(&self) -> Vec<String> {
        messages(&self.warnings, &self.damage)
    }
}

/// How far an encoding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodingProgress {
    /// Frames encoded so far.
    pub frames: usize,
    /// Frames that the headers promise; none if they do not tell.
    pub expected_frames: Option<usize>,
}

/// What can be seen of an encoding.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EncodingEvent<'a> {
    /// A sampled frame came, which is shown at this time, in seconds.
    Frame(&'a Frame, f64),
    /// The tower's hidden states `[N, Dv]` of the next frame, in the order of the frames, a few frames after it came. Only if
    /// [the options](EncoderOptions::tower_states) ask for them.
    Tower(&'a [f32]),
    /// Frames were encoded.
    Progress(EncodingProgress),
    /// Other frames decode than the headers promised: the frames so far do not count, all of them come once more.
    Restart,
}

impl VisionSide {
    /// Video tokens of a sampled video. Only a few frames are held at a time. `observe` is told of each step.
    ///
    /// A stream may hold fewer frames than its headers promise; an even sample is then taken once more, over the
    /// frames that decode.
    ///
    /// # Errors
    ///
    /// If the video cannot be decoded, has no frames, or the quantizer refuses its tokens.
    pub fn encode_video(
        &self,
        video: &Video,
        sampling: Sampling,
        options: EncoderOptions,
        observe: &mut dyn FnMut(EncodingEvent<'_>),
    ) -> Result<Encoded, ModelError> {
        let start = Instant::now();
        let expected_frames = video.sampled_frames(sampling)?;
        let mut decode_seconds = start.elapsed().as_secs_f64();
        let mut encoder = self.encoder(options)?;
        let (sender, receiver) = sync_channel::<(Frame, f64)>(FRAMES_AT_ONCE);
        let clip = thread::scope(|scope| -> Result<Clip, ModelError> {
            let decoder = scope.spawn(move || {
                // Sending fails only once encoding has failed, and that error is returned.
                video.sample_each(sampling, &mut |frame, seconds| drop(sender.send((frame, seconds))))
            });
            loop {
                let start = Instant::now();
                let received = receiver.recv();
                decode_seconds += start.elapsed().as_secs_f64();
                let Ok((frame, seconds)) = received else { break };
                observe(EncodingEvent::Frame(&frame, seconds));
                encoder.push(frame, seconds)?;
                hand_out_states(&mut encoder, observe);
                let frames = encoder.quantized_frames();
                observe(EncodingEvent::Progress(EncodingProgress { frames, expected_frames }));
            }
            drop(receiver);
            match decoder.join() {
                Ok(clip) => Ok(clip?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        if is_short_of(&clip, sampling) {
            let start = Instant::now();
            let clip = video.sample(sampling)?;
            decode_seconds += start.elapsed().as_secs_f64();
            observe(EncodingEvent::Restart);
            return Ok(Encoded { decode_seconds, ..self.encode_observed(&clip, options, observe)? });
        }
        finish(encoder, &clip, decode_seconds, observe)
    }

    /// Video tokens of frames that are held, each with the time at which it is shown, in seconds; `observe` is told of each step.
    ///
    /// # Errors
    ///
    /// As [`Self::encode_frames`].
    pub fn encode_held(
        &self,
        frames: Vec<(Frame, f64)>,
        options: EncoderOptions,
        observe: &mut dyn FnMut(EncodingEvent<'_>),
    ) -> Result<Encoded, ModelError> {
        let expected_frames = Some(frames.len());
        let mut encoder = self.encoder(options)?;
        for (frame, seconds) in frames {
            observe(EncodingEvent::Frame(&frame, seconds));
            encoder.push(frame, seconds)?;
            hand_out_states(&mut encoder, observe);
            let frames = encoder.quantized_frames();
            observe(EncodingEvent::Progress(EncodingProgress { frames, expected_frames }));
        }
        let tokens = encoder.finish()?;
        hand_out_states(&mut encoder, observe);
        Ok(encoded(encoder, tokens))
    }

    /// Video tokens of a clip under a budget.
    ///
    /// # Errors
    ///
    /// As [`Self::encode_frames`].
    pub fn encode(&self, clip: &Clip, budget: Budget) -> Result<VideoTokens, ModelError> {
        Ok(self.encode_clip(clip, EncoderOptions::new(budget))?.tokens)
    }

    /// Video tokens of a clip whose frames are held, with what they took.
    ///
    /// # Errors
    ///
    /// As [`Self::encode_frames`].
    pub fn encode_clip(&self, clip: &Clip, options: EncoderOptions) -> Result<Encoded, ModelError> {
        self.encode_observed(clip, options, &mut |_| {})
    }

    fn encode_observed(
        &self,
        clip: &Clip,
        options: EncoderOptions,
        observe: &mut dyn FnMut(EncodingEvent<'_>),
    ) -> Result<Encoded, ModelError> {
        let mut encoder = self.encoder(options)?;
        for (frame, &seconds) in clip.frames.iter().zip(&clip.timestamps) {
            observe(EncodingEvent::Frame(frame, seconds));
            encoder.push(frame.clone(), seconds)?;
            hand_out_states(&mut encoder, observe);
        }
        finish(encoder, clip, 0.0, observe)
    }
}

fn hand_out_states(encoder: &mut Encoder, observe: &mut dyn FnMut(EncodingEvent<'_>)) {
    encoder.take_states().iter().for_each(|states| observe(EncodingEvent::Tower(states)));
}

fn finish(
    mut encoder: Encoder,
    clip: &Clip,
    decode_seconds: f64,
    observe: &mut dyn FnMut(EncodingEvent<'_>),
) -> Result<Encoded, ModelError> {
    let tokens = encoder.finish()?;
    hand_out_states(&mut encoder, observe);
    let source = Some(source_of(clip));
    let encoded = encoded(encoder, VideoTokens { source: source.clone(), ..tokens });
    Ok(Encoded {
        fine: encoded.fine.map(|fine| VideoTokens { source, ..fine }),
        damage: clip.damage.clone(),
        warnings: clip.warnings.clone(),
        decode_seconds,
        ..encoded
    })
}

/// What an encoder that has finished tells.
fn encoded(mut encoder: Encoder, tokens: VideoTokens) -> Encoded {
    Encoded {
        tokens,
        fine: encoder.fine(),
        repeated_frames: encoder.repeated_frames(),
        damage: Vec::new(),
        warnings: Vec::new(),
        decode_seconds: 0.0,
        vision_seconds: encoder.vision_seconds(),
        quantizer_seconds: encoder.quantizer_seconds(),
    }
}

/// Whether an even sample has fewer frames than it could have: others decoded than the headers promised.
fn is_short_of(clip: &Clip, sampling: Sampling) -> bool {
    let Sampling::Uniform(wanted) = sampling else { return false };
    clip.timestamps.len() < wanted.min(clip.decoded_frames)
}
