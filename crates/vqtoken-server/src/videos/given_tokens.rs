//! A `.vqt` file that is stored without its video.

use vqtoken_archive::{ContentHash, NewVideo, VideoKey};
use vqtoken_core::VideoTokens;
use vqtoken_model::ModelError;

use crate::app::App;
use crate::error::ApiError;
use crate::media::display_name;
use crate::videos::object::VideoObject;
use crate::videos::reading::Reading;
use crate::videos::store;

/// Stores video tokens.
pub(crate) async fn keep(
    app: &App,
    tokens: VideoTokens,
    name: Option<&str>,
    reading: &Reading,
) -> Result<VideoObject, ApiError> {
    if let Some(parameter) = reading.sampling_parameter() {
        let problem = "says how a video is sampled, and a .vqt file is sampled already: leave it out";
        return Err(ApiError::parameter(parameter, problem));
    }
    if tokens.model != app.model() {
        let (found, expected) = (tokens.model, app.model().to_owned());
        return Err(ModelError::OtherModel { found, expected }.into());
    }
    let known = tokens.source.as_ref().map(|source| source.name.as_str());
    let name = display_name(name.or(known).unwrap_or("video.vqt"));
    let record = store::ask(app, move |archive| {
        let bytes = tokens.to_bytes()?;
        let key = VideoKey::new(ContentHash::of_bytes(&bytes), tokens.model.as_str(), "tokens");
        let seen = archive.find(&key.content, &key.model, &key.sampling)?;
        let budget = tokens.budget.to_string();
        match seen {
            Some(record) => Ok((record, true)),
            None => Ok((archive.insert(NewVideo::new(key, name, budget, tokens))?, false)),
        }
    });
    let (record, seen_before) = record.await?;
    Ok(VideoObject { seen_before, ..VideoObject::of(&record) })
}
