//! The parts of a message: text, and the video in all the forms in which clients give one.

use serde_json::Value;

use crate::error::ApiError;
use crate::http::json::Fields;
use crate::media::given::{Form, Given};

/// The text of a message and the videos in it.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) videos: Vec<Given>,
}

/// A run of pictures that is not complete yet.
#[derive(Debug)]
struct Run {
    place: String,
    pictures: Vec<String>,
}

/// Reads the content of a message that stands at `place`.
pub(crate) fn read(content: Value, place: &str) -> Result<Content, ApiError> {
    let parts = match content {
        Value::String(text) => return Ok(Content { text, videos: Vec::new() }),
        Value::Array(parts) => parts,
        _ => return Err(ApiError::parameter(place, "is neither a text nor an array of parts")),
    };
    let mut texts = Vec::new();
    let mut videos = Vec::new();
    let mut run: Option<Run> = None;
    for (index, part) in parts.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        let part = match part {
            Value::String(text) => Part::Text(text),
            part => one(Fields::of(&place, part)?, &place)?,
        };
        if let Part::Picture(picture) = part {
            run.get_or_insert_with(|| Run { place, pictures: Vec::new() }).pictures.push(picture);
            continue;
        }
        videos.extend(run.take().map(Run::end));
        match part {
            Part::Text(text) => texts.push(text),
            Part::Video(place, form) => videos.push(Given { place, form }),
            Part::Picture(_) => {}
        }
    }
    videos.extend(run.take().map(Run::end));
    Ok(Content { text: texts.join("\n"), videos })
}

impl Run {
    /// A run of pictures is one clip.
    fn end(self) -> Given {
        Given { place: self.place, form: Form::Pictures(self.pictures) }
    }
}

enum Part {
    Text(String),
    Picture(String),
    Video(String, Form),
}

const KINDS: &str =
    "has a type that is not known here: give text, video_url, input_video, video_tokens, frames or image_url";

fn one(mut fields: Fields, place: &str) -> Result<Part, ApiError> {
    let kind: String = fields.need("type", "each part says what it is")?;
    let at = |field: &str| format!("{place}.{field}");
    match kind.as_str() {
        "text" | "input_text" | "output_text" => Ok(Part::Text(fields.need("text", "give the text")?)),
        "image_url" | "input_image" => {
            let (_, url) = url(&mut fields, "image_url")?;
            Ok(Part::Picture(url))
        }
        "video_url" => {
            let (place, url) = url(&mut fields, "video_url")?;
            Ok(Part::Video(place, Form::Url(url)))
        }
        // As Qwen's tools write it: an address, or a list of pictures.
        "video" => match fields.value("video") {
            Some(Value::String(url)) => Ok(Part::Video(at("video"), Form::Url(url))),
            Some(list @ Value::Array(_)) => pictures(list, at("video")),
            _ => Err(ApiError::parameter(at("video"), "is neither an address nor an array of pictures")),
        },
        "input_video" => {
            let (place, data) = base64_of(&mut fields, "input_video", at("input_video"))?;
            Ok(Part::Video(place, Form::Base64(data)))
        }
        "video_tokens" => {
            let (place, data) = base64_of(&mut fields, "video_tokens", at("video_tokens"))?;
            Ok(Part::Video(place, Form::Tokens(data)))
        }
        "frames" => match fields.value("frames") {
            Some(list @ Value::Array(_)) => pictures(list, at("frames")),
            _ => Err(ApiError::parameter(at("frames"), "is not an array of pictures")),
        },
        _ => Err(ApiError::parameter(at("type"), KINDS)),
    }
}

/// Base64 in a field, or in `data` of an object there; and where it stands.
fn base64_of(fields: &mut Fields, name: &str, place: String) -> Result<(String, String), ApiError> {
    match fields.value(name) {
        Some(Value::String(data)) => Ok((place, data)),
        Some(object @ Value::Object(_)) => {
            let data = Fields::of(&place, object)?.need("data", "give the bytes of the file in base64")?;
            Ok((format!("{place}.data"), data))
        }
        _ => Err(ApiError::parameter(place, "is neither base64 nor an object with `data`")),
    }
}

/// `{"url": ..}` or the address itself.
fn url(fields: &mut Fields, name: &str) -> Result<(String, String), ApiError> {
    let place = fields.name(name);
    match fields.value(name) {
        Some(Value::String(url)) => Ok((place, url)),
        Some(object @ Value::Object(_)) => {
            let mut fields = Fields::of(&place, object)?;
            Ok((format!("{place}.url"), fields.need("url", "give an address")?))
        }
        _ => Err(ApiError::parameter(place, "is neither an address nor an object with `url`")),
    }
}

fn pictures(list: Value, place: String) -> Result<Part, ApiError> {
    let Value::Array(list) = list else { return Err(ApiError::Internal) };
    let picture = |(index, value): (usize, Value)| match value {
        Value::String(picture) => Ok(picture),
        object => {
            let mut fields = Fields::of(&format!("{place}[{index}]"), object)?;
            fields.need("url", "give data:image/jpeg;base64,DATA")
        }
    };
    let pictures = list.into_iter().enumerate().map(picture).collect::<Result<_, ApiError>>()?;
    Ok(Part::Video(place, Form::Pictures(pictures)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_video_may_be_given_in_every_form() {
        let form = |part: Value| {
            let content = read(json!([{ "type": "text", "text": "What?" }, part]), "content").unwrap();
            assert_eq!(content.text, "What?");
            let [given] = content.videos.try_into().unwrap();
            (given.place, format!("{:?}", given.form))
        };
        for (part, place, expected) in [
            (
                json!({ "type": "video_url", "video_url": { "url": "vqt:v1" } }),
                "video_url.url",
                "Url(\"vqt:v1\")",
            ),
            (json!({ "type": "video_url", "video_url": "vqt:v1" }), "video_url", "Url(\"vqt:v1\")"),
            (
                json!({ "type": "input_video", "input_video": { "data": "AA" } }),
                "input_video.data",
                "Base64(\"AA\")",
            ),
            (json!({ "type": "video_tokens", "video_tokens": "AA" }), "video_tokens", "Tokens(\"AA\")"),
            (json!({ "type": "frames", "frames": ["AA", "BB"] }), "frames", "Pictures([\"AA\", \"BB\"])"),
            (json!({ "type": "video", "video": ["AA"] }), "video", "Pictures([\"AA\"])"),
        ] {
            assert_eq!(form(part), (format!("content[1].{place}"), expected.to_owned()));
        }
    }

    #[test]
    fn pictures_in_a_row_are_one_clip_and_others_are_two() {
        let picture = |data: &str| json!({ "type": "image_url", "image_url": { "url": data } });
        let text = json!({ "type": "text", "text": "and" });
        let clips = |parts: Value| read(parts, "content").unwrap().videos.len();
        assert_eq!(clips(json!([picture("AA"), picture("BB"), text])), 1);
        assert_eq!(clips(json!([picture("AA"), text, picture("BB")])), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (content, name) in [
            (json!(7), "`content`"),
            (json!([{ "text": "hi" }]), "`content[0].type`"),
            (json!([{ "type": "input_audio" }]), "`content[0].type`"),
            (json!([{ "type": "video_url", "video_url": { "uri": "x" } }]), "`content[0].video_url.url`"),
            (json!([{ "type": "frames", "frames": [{}] }]), "`content[0].frames[0].url`"),
            (json!([{ "type": "text", "text": 7 }]), "`content[0].text`"),
        ] {
            let message = read(content, "content").unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
        }
    }
}
