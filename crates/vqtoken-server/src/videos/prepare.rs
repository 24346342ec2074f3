//! From a video to what the language model reads: out of the store, or else through the encoder and into the store.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use vqtoken_archive::{ContentHash, NewVideo, VideoKey, VideoRecord};
use vqtoken_core::{Quality, VideoTokens};
use vqtoken_engine::{
    EncodeEvent, EncodeJob, EncodeOutput, EncodeSource, EncodedVideo, Encoding, Subject, SubjectContent,
};
use vqtoken_model::{EncoderOptions, TrainedInput};

use crate::app::App;
use crate::error::ApiError;
use crate::media::{Media, VideoMedia};
use crate::metrics;
use crate::videos::fewer::with_budget;
use crate::videos::jobs::{Job, JobState};
use crate::videos::keep_frames::KeptFrames;
use crate::videos::reading::{Reading, Standing};
use crate::videos::store;

/// Codes of the set from which smaller ones are made.
pub(crate) const FINE_CODES: usize = 256;

/// What is said where a video is read as pooled patches though nobody asked for that.
const POOLED_BY_DEFAULT: &str = "this model was trained on pooled patches, so the video is read as these, and they are not stored: \
     send `tokens` to ask about codes";

/// What is said where a model reads codes that it was not trained on.
const UNTRAINED_CODES: &str =
    "this model was trained on pooled patches and has never seen codes, so its answers about codes are worse";

/// A video that can be asked about.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The stored video; none for what is not stored.
    pub(crate) record: Option<VideoRecord>,
    pub(crate) subject: Subject,
    pub(crate) warnings: Vec<String>,
    /// Seconds of decoding and vision; 0 for what was stored.
    pub(crate) seconds: f64,
    /// Whether it was there already.
    pub(crate) seen_before: bool,
}

/// A video that is there, or is being encoded.
#[derive(Debug)]
pub(crate) enum Preparing {
    Ready(Box<Prepared>),
    Running(Arc<Job>),
}

/// Finds a video, or starts to encode it.
pub(crate) async fn prepare(
    app: &Arc<App>,
    client: &Arc<str>,
    media: Media,
    reading: &Reading,
) -> Result<Preparing, ApiError> {
    match media {
        Media::Video(video) => of_video(app, client, video, reading).await,
        Media::Stored(id) => {
            refuse_sampling(reading, "a stored video")?;
            let record = store::ask(app, move |archive| archive.get(&id)).await?;
            ready(of_record(app, record, reading, true).await?)
        }
        Media::Tokens(tokens) => {
            refuse_sampling(reading, "a .vqt file")?;
            ready(of_tokens(app, *tokens, reading).await?)
        }
    }
}

fn ready(prepared: Prepared) -> Result<Preparing, ApiError> {
    Ok(Preparing::Ready(Box::new(prepared)))
}

/// Refuses parameters without effect on what is sampled and reduced already.
fn refuse_sampling(reading: &Reading, what: &str) -> Result<(), ApiError> {
    if let Some(name) = reading.sampling_parameter() {
        return Err(ApiError::parameter(
            name,
            format!(
                "says how a video is sampled, and {what} is sampled already: leave it out, or send the video"
            ),
        ));
    }
    match reading.reducer.as_deref() {
        None | Some("vqtoken") => Ok(()),
        Some(_) => Err(ApiError::parameter(
            "reducer",
            format!("needs the video, and {what} has codes alone: leave it out, or send the video"),
        )),
    }
}

/// A stored video under the budget that is asked for.
async fn of_record(
    app: &App,
    record: VideoRecord,
    reading: &Reading,
    seen_before: bool,
) -> Result<Prepared, ApiError> {
    let (tokens, note) = store::tokens(app, &record, reading.budget).await?;
    // A video that was removed and came again may have other codes under the same budget.
    let key = format!("{}/{}/{}", record.id, record.created, tokens.budget);
    let warnings = record.warnings.iter().cloned().chain(note).chain(of_codes(app)).collect();
    if seen_before {
        metrics::video("store");
    }
    let subject = Subject { key, content: SubjectContent::Tokens(tokens) };
    Ok(Prepared { record: Some(record), subject, warnings, seconds: 0.0, seen_before })
}

/// Video tokens that came without a video.
async fn of_tokens(app: &App, tokens: VideoTokens, reading: &Reading) -> Result<Prepared, ApiError> {
    if tokens.model != app.model() {
        return Err(vqtoken_model::ModelError::OtherModel {
            found: tokens.model,
            expected: app.model().to_owned(),
        }
        .into());
    }
    let budget = reading.budget;
    let (tokens, key) = crate::blocking(move || -> Result<_, ApiError> {
        let tokens = match budget {
            Some(budget) if budget != tokens.budget => with_budget(&tokens, budget)?,
            _ => tokens,
        };
        let bytes =
            tokens.to_bytes().map_err(|source| ApiError::Vqt { param: "video_tokens".to_owned(), source })?;
        Ok((tokens, format!("tokens/{}", ContentHash::of_bytes(&bytes))))
    })
    .await??;
    let subject = Subject { key, content: SubjectContent::Tokens(Arc::new(tokens)) };
    Ok(Prepared {
        record: None,
        subject,
        warnings: of_codes(app).collect(),
        seconds: 0.0,
        seen_before: false,
    })
}

/// What has to be said where codes are read.
fn of_codes(app: &App) -> impl Iterator<Item = String> {
    let is_untrained = app.engine.model().trained_input() == TrainedInput::Pooled;
    is_untrained.then(|| UNTRAINED_CODES.to_owned()).into_iter()
}

async fn of_video(
    app: &Arc<App>,
    client: &Arc<str>,
    video: VideoMedia,
    reading: &Reading,
) -> Result<Preparing, ApiError> {
    let standing = reading.standing(app.engine.model().trained_input())?;
    let sampling = reading.sampling_text(app.options.frames, video.pictures.is_some());
    let key = VideoKey::new(video.content, app.model(), sampling.as_str());
    let made = match &standing {
        Standing::Codes => {
            let (content, model, sampling) = (video.content, app.model().to_owned(), sampling.clone());
            let found = store::ask(app, move |archive| archive.find(&content, &model, &sampling)).await?;
            if let Some(record) = found {
                return ready(of_record(app, record, reading, true).await?);
            }
            reading.budget().to_string()
        }
        Standing::Pooled => "pooled".to_owned(),
        Standing::Reduced(_) => reading.reducer.clone().unwrap_or_default(),
    };
    let name = format!("{}/{made}", key.id());
    if let Some(visual) = app.visuals.get(&name) {
        metrics::video("store");
        let subject = Subject { key: name, content: SubjectContent::Visual(visual) };
        let warnings = of_pooled(reading, &standing).collect();
        return ready(Prepared { record: None, subject, warnings, seconds: 0.0, seen_before: true });
    }
    let job = app.jobs.join_or_start(&name, |sender| {
        let kept = KeptFrames::new(&app.uploads);
        let encoding = app.engine.encode(encode_job(app, client, &video, reading, &standing, &kept))?;
        metrics::video("encoder");
        let work = Work {
            app: app.clone(),
            video,
            key,
            name: name.clone(),
            reading: reading.clone(),
            standing,
            kept,
        };
        Ok(tokio::spawn(work.follow(encoding, sender)).abort_handle())
    })?;
    Ok(Preparing::Running(job))
}

/// What has to be said where nobody asked for pooled patches.
fn of_pooled(reading: &Reading, standing: &Standing) -> impl Iterator<Item = String> {
    let by_default = matches!(standing, Standing::Pooled) && reading.reducer.is_none();
    by_default.then(|| POOLED_BY_DEFAULT.to_owned()).into_iter()
}

fn encode_job(
    app: &App,
    client: &Arc<str>,
    video: &VideoMedia,
    reading: &Reading,
    standing: &Standing,
    kept: &KeptFrames,
) -> EncodeJob {
    let mut options = app.open_options();
    if let Some(pictures) = video.pictures {
        options = options.with_images_per_second(pictures.per_second);
    }
    let output = match standing {
        Standing::Codes => {
            EncodeOutput::Codes { options: EncoderOptions::new(reading.budget()), fine: Some(FINE_CODES) }
        }
        Standing::Pooled => EncodeOutput::Pooled,
        Standing::Reduced(reducer) => EncodeOutput::Reduced(reducer.clone()),
    };
    let job = EncodeJob::new(client.clone(), EncodeSource::Video(video.path.clone(), options), output)
        .with_sampling(reading.sampling(app.options.frames, video.pictures.is_some()))
        .with_span(reading.span());
    match standing {
        Standing::Codes => job.with_on_frame(kept.keeper()),
        _ => job,
    }
}

/// An encoding and what becomes of it.
struct Work {
    app: Arc<App>,
    video: VideoMedia,
    key: VideoKey,
    name: String,
    reading: Reading,
    standing: Standing,
    kept: KeptFrames,
}

impl Work {
    async fn follow(self, mut encoding: Encoding, sender: watch::Sender<JobState>) {
        let done = loop {
            match encoding.next().await {
                Some(EncodeEvent::Started) => {
                    sender.send_replace(JobState::Encoding { frames: 0, expected: None });
                }
                Some(EncodeEvent::Progress { frames, expected }) => {
                    sender.send_replace(JobState::Encoding { frames, expected });
                }
                Some(EncodeEvent::Done(encoded)) => break self.keep(*encoded).await,
                Some(EncodeEvent::Failed(error)) => {
                    break Err(told(error.into(), &self.video.path, &self.video.name));
                }
                Some(_) => {}
                None => break Err(ApiError::Draining),
            }
        };
        sender.send_replace(match done {
            Ok(prepared) => JobState::Done(Box::new(prepared)),
            Err(error) => JobState::Failed(Arc::new(error)),
        });
    }

    /// Stores codes; visual tokens of others are held in memory.
    async fn keep(&self, encoded: EncodedVideo) -> Result<Prepared, ApiError> {
        let seconds = encoded.seconds;
        metrics::stage("encode", seconds);
        if let Some(visual) = encoded.visual {
            let visual = Arc::new(visual);
            let bytes = visual.count() * self.app.engine.model().config().text.hidden_size * 4;
            self.app.visuals.put(self.name.clone(), visual.clone(), bytes);
            let warnings =
                encoded.messages.into_iter().chain(of_pooled(&self.reading, &self.standing)).collect();
            let subject = Subject { key: self.name.clone(), content: SubjectContent::Visual(visual) };
            return Ok(Prepared { record: None, subject, warnings, seconds, seen_before: false });
        }
        let Some(made) = encoded.encoded else { return Err(ApiError::Internal) };
        let named = |tokens: VideoTokens| {
            let source =
                tokens.source.map(|source| vqtoken_core::Source { name: self.video.name.clone(), ..source });
            // As `vqtoken encode` keeps them: half the bytes, and answers do not change.
            VideoTokens { source, quality: Quality::Bf16, ..tokens }
        };
        let tokens = named(made.tokens);
        let (kept, frames) = (self.kept.clone(), tokens.index_map.shape().frames);
        let kept = crate::blocking(move || kept.take(frames)).await?;
        let note = kept.as_ref().err().map(ToString::to_string);
        let warnings = encoded.messages.into_iter().chain(note).collect();
        let new = NewVideo::new(self.key.clone(), self.video.name.clone(), tokens.budget.to_string(), tokens)
            .with_fine(encoded.fine.map(named))
            .with_jpegs(kept.unwrap_or_default())
            .with_warnings(warnings);
        let record = store::ask(&self.app, move |archive| archive.insert(new)).await?;
        let mut prepared = of_record(&self.app, record, &self.reading, false).await?;
        prepared.seconds = seconds;
        Ok(prepared)
    }
}

/// The error as the client may read it: by its name of the video, not by where that lies here.
fn told(error: ApiError, path: &Path, name: &str) -> ApiError {
    match error {
        ApiError::Refused { param, code, message } => {
            let message = message.replace(&vqtoken_files::quoted(path).to_string(), name);
            let message = message.replace(&path.display().to_string(), name);
            ApiError::Refused { param, code, message }
        }
        error => error,
    }
}
