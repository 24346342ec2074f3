//! The parameters of a request: honoured, refused by name, or unknown and ignored.

use std::hash::{BuildHasher, RandomState};

use serde_json::{Map, Value};
use vqtoken_core::Budget;
use vqtoken_model::{GenerationOptions, SamplingOptions};

use crate::chat::messages::{self, Conversation};
use crate::error::ApiError;
use crate::http::json::Fields;
use crate::videos::reading::Reading;

/// Texts that end an answer, at most.
const MOST_STOPS: usize = 16;

/// Bytes of one of these, at most.
const LONGEST_STOP: usize = 256;

/// Alternatives to a token, at most.
const MOST_ALTERNATIVES: usize = 20;

/// A request that can be honoured.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: Option<String>,
    pub(crate) conversation: Conversation,
    pub(crate) reading: Reading,
    pub(crate) options: GenerationOptions,
    pub(crate) stop: Vec<String>,
    pub(crate) logprobs: Option<usize>,
    pub(crate) delivery: Delivery,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Stream { usage: bool },
}

/// What the server fills in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) max_tokens: usize,
    pub(crate) most_frames: u64,
}

/// Reads a request.
pub(crate) fn read(body: Map<String, Value>, defaults: &Defaults) -> Result<Asked, ApiError> {
    let mut fields = Fields::of_body(body);
    refuse(&mut fields)?;
    let options = generation(&mut fields, defaults)?;
    let delivery = delivery(&mut fields)?;
    let reading = reading(&mut fields)?;
    reading.check(defaults.most_frames)?;
    let messages = fields.need("messages", "give the conversation as an array of messages")?;
    Ok(Asked {
        model: fields.take("model")?,
        stop: stop(&mut fields)?,
        logprobs: logprobs(&mut fields)?,
        options,
        delivery,
        reading,
        conversation: messages::read(messages)?,
    })
}

/// Refuses what asks for something that is not done here.
fn refuse(fields: &mut Fields) -> Result<(), ApiError> {
    if let Some(n) = fields.take::<i64>("n")?
        && n != 1
    {
        let remedy = "one answer is generated for a request: send the request as often as you want answers";
        return Err(ApiError::Unsupported { param: "n".to_owned(), remedy });
    }
    let is_empty = |value: &Value| match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(value) => !value,
        _ => false,
    };
    let is_number = |value: &Value, harmless: f64| value.as_f64() == Some(harmless);
    let is_type = |value: &Value, kind: &str| value.get("type").is_some_and(|found| found == kind);
    let no_tools = "the model calls no tools: leave it out";
    let greedy = "answers are drawn from the model's own probabilities: leave it out";
    type IsHarmless<'a> = &'a dyn Fn(&Value) -> bool;
    let refused: [(&str, IsHarmless<'_>, &'static str); 20] = [
        ("tools", &is_empty, no_tools),
        ("tool_choice", &|value| value == "none" || value == "auto", no_tools),
        ("functions", &is_empty, no_tools),
        ("function_call", &|value| value == "none" || value == "auto", no_tools),
        (
            "response_format",
            &|value| is_type(value, "text"),
            "answers are text alone: ask for the form in words",
        ),
        ("audio", &is_empty, "answers are text alone: leave it out"),
        (
            "modalities",
            &|value| *value == serde_json::json!(["text"]),
            "answers are text alone: leave it out",
        ),
        ("prediction", &is_empty, "answers are generated without a prediction: leave it out"),
        ("web_search_options", &|_| false, "nothing is searched: leave it out"),
        ("logit_bias", &is_empty, greedy),
        ("presence_penalty", &|value| is_number(value, 0.0), greedy),
        ("frequency_penalty", &|value| is_number(value, 0.0), greedy),
        ("repetition_penalty", &|value| is_number(value, 1.0), greedy),
        ("length_penalty", &|value| is_number(value, 1.0), greedy),
        ("min_p", &|value| is_number(value, 0.0), "use top_p or top_k"),
        ("min_tokens", &|value| is_number(value, 0.0), "an answer may be of any length: leave it out"),
        ("best_of", &|value| is_number(value, 1.0), "one answer is generated for a request: leave it out"),
        ("use_beam_search", &is_empty, "tokens are taken one by one: leave it out"),
        ("echo", &is_empty, "the answer alone is sent: leave it out"),
        ("guided_json", &|_| false, "answers are free text: ask for the form in words"),
    ];
    for (name, is_harmless, remedy) in refused {
        if fields.value(name).is_some_and(|value| !is_harmless(&value)) {
            return Err(ApiError::Unsupported { param: name.to_owned(), remedy });
        }
    }
    Ok(())
}

fn generation(fields: &mut Fields, defaults: &Defaults) -> Result<GenerationOptions, ApiError> {
    let mut max_tokens = None;
    for name in ["max_completion_tokens", "max_tokens"] {
        let given: Option<usize> = fields.take(name)?;
        if given == Some(0) {
            return Err(ApiError::parameter(name, "is 0: allow at least 1 token"));
        }
        max_tokens = max_tokens.or(given);
    }
    let temperature: Option<f32> = fields.take("temperature")?;
    if temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(ApiError::parameter("temperature", "is not a number from 0 to 2"));
    }
    let top_p: Option<f32> = fields.take("top_p")?;
    if top_p.is_some_and(|top_p| !(top_p > 0.0 && top_p <= 1.0)) {
        return Err(ApiError::parameter("top_p", "is not a number above 0 and up to 1"));
    }
    // vLLM writes -1 for all.
    let top_k = fields.take::<i64>("top_k")?.map_or(0, |top_k| usize::try_from(top_k).unwrap_or(0));
    let seed: Option<i64> = fields.take("seed")?;
    let seed = seed.map_or_else(|| RandomState::new().hash_one(0), i64::cast_unsigned);
    let sampling = SamplingOptions::default()
        .with_temperature(temperature.unwrap_or(0.0))
        .with_top_p(top_p.unwrap_or(1.0))
        .with_top_k(top_k)
        .with_seed(seed);
    let options = GenerationOptions::default()
        .with_max_tokens(max_tokens.unwrap_or(defaults.max_tokens))
        .with_sampling(sampling);
    options.check()?;
    match fields.take("ignore_eos")? {
        Some(true) => Ok(options.with_end_tokens(Vec::new())),
        _ => Ok(options),
    }
}

fn delivery(fields: &mut Fields) -> Result<Delivery, ApiError> {
    let stream = fields.take("stream")?.unwrap_or(false);
    let options = fields.value("stream_options");
    let usage = match options {
        Some(options) if stream => {
            Fields::of("stream_options", options)?.take("include_usage")?.unwrap_or(false)
        }
        Some(_) => return Err(ApiError::parameter("stream_options", "is of use with `stream: true` alone")),
        None => false,
    };
    Ok(if stream { Delivery::Stream { usage } } else { Delivery::Whole })
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let stops = match fields.value("stop") {
        None => Vec::new(),
        Some(Value::String(stop)) => vec![stop],
        Some(list) => serde_json::from_value(list)
            .map_err(|_| ApiError::parameter("stop", "is neither a text nor an array of texts"))?,
    };
    if stops.len() > MOST_STOPS {
        return Err(ApiError::parameter("stop", format!("has more than {MOST_STOPS} texts")));
    }
    if stops.iter().any(|stop| stop.is_empty() || stop.len() > LONGEST_STOP) {
        return Err(ApiError::parameter(
            "stop",
            format!("has a text that is empty or longer than {LONGEST_STOP} bytes"),
        ));
    }
    Ok(stops)
}

fn logprobs(fields: &mut Fields) -> Result<Option<usize>, ApiError> {
    let wanted = fields.take("logprobs")?.unwrap_or(false);
    let alternatives: Option<usize> = fields.take("top_logprobs")?;
    match (wanted, alternatives) {
        (_, Some(count)) if count > MOST_ALTERNATIVES => {
            Err(ApiError::parameter("top_logprobs", format!("is above {MOST_ALTERNATIVES}")))
        }
        (false, Some(count)) if count > 0 => {
            Err(ApiError::parameter("top_logprobs", "needs `logprobs: true` beside it"))
        }
        (true, count) => Ok(Some(count.unwrap_or(0))),
        (false, _) => Ok(None),
    }
}

fn reading(fields: &mut Fields) -> Result<Reading, ApiError> {
    let mut frames = fields.take("num_frames")?;
    let mut fps = fields.take("fps")?;
    // vLLM takes them here.
    for (outer, inner) in [("media_io_kwargs", Some("video")), ("mm_processor_kwargs", None)] {
        let Some(value) = fields.value(outer) else { continue };
        let mut options = Fields::of(outer, value)?;
        if let Some(inner) = inner {
            let Some(value) = options.value(inner) else { continue };
            options = Fields::of(&options.name(inner), value)?;
        }
        if frames.is_none() && fps.is_none() {
            // There -1 stands for all frames that the rate gives.
            frames = options.take::<i64>("num_frames")?.and_then(|frames| usize::try_from(frames).ok());
            let rate = options.take("fps")?;
            fps = if frames.is_none() { rate } else { None };
        }
    }
    let budget = match fields.value("tokens") {
        None => None,
        Some(Value::String(text)) => Some(text.parse::<Budget>()?),
        Some(Value::Number(number)) => Some(number.to_string().parse::<Budget>()?),
        Some(_) => {
            return Err(ApiError::parameter(
                "tokens",
                "is neither a number nor a text such as adaptive:elbow:8-32",
            ));
        }
    };
    Ok(Reading {
        frames,
        fps,
        start: fields.take("start_time")?,
        end: fields.take("end_time")?,
        budget,
        reducer: fields.take("reducer")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(more: Value) -> Result<Asked, ApiError> {
        let mut body = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
        let object = body.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        read(object.clone(), &Defaults { max_tokens: 64, most_frames: 1000 })
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (name, value) in [
            ("n", json!(2)),
            ("tools", json!([{ "type": "function" }])),
            ("tool_choice", json!("required")),
            ("response_format", json!({ "type": "json_object" })),
            ("audio", json!({ "voice": "x" })),
            ("modalities", json!(["text", "audio"])),
            ("logit_bias", json!({ "50256": -100 })),
            ("presence_penalty", json!(0.5)),
            ("temperature", json!(3)),
            ("temperature", json!("hot")),
            ("top_p", json!(0)),
            ("max_tokens", json!(0)),
            ("max_completion_tokens", json!(-1)),
            ("stop", json!([""])),
            ("stop", json!(7)),
            ("logprobs", json!(5)),
            ("top_logprobs", json!(21)),
            ("top_logprobs", json!(3)),
            ("stream_options", json!({ "include_usage": true })),
            ("num_frames", json!(0)),
            ("tokens", json!(0)),
            ("tokens", json!("adaptive:knee")),
            ("reducer", json!("nonsense")),
            ("messages", json!("hi")),
        ] {
            let error = asked(json!({ name: value })).unwrap_err();
            let body = serde_json::to_value(error.body()).unwrap();
            assert_eq!(body["error"]["param"], name, "{body}");
        }
    }

    #[test]
    fn what_says_nothing_and_what_is_unknown_is_ignored() {
        let asked = asked(json!({
            "n": 1, "tools": [], "tool_choice": "none", "response_format": { "type": "text" }, "logit_bias": {},
            "presence_penalty": 0, "frequency_penalty": 0.0, "user": "u", "store": true, "metadata": { "a": "b" },
            "something_new": 7, "stop": null, "temperature": null,
        }))
        .unwrap();
        assert_eq!(asked.options.max_tokens, 64);
        assert_eq!(asked.options.sampling.temperature, 0.0);
        assert_eq!((asked.stop.len(), asked.logprobs, asked.delivery), (0, None, Delivery::Whole));
    }

    #[test]
    fn what_is_given_is_taken() {
        let asked = asked(json!({
            "max_tokens": 5, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": -1, "stop": "end",
            "logprobs": true, "top_logprobs": 2, "stream": true, "stream_options": { "include_usage": true },
            "fps": 2, "start_time": 1, "end_time": 4.5, "tokens": 16, "ignore_eos": true,
        }))
        .unwrap();
        assert_eq!((asked.options.max_tokens, asked.options.sampling.seed), (7, u64::MAX));
        assert_eq!(asked.options.end_tokens, Some(Vec::new()));
        assert_eq!((asked.stop, asked.logprobs), (vec!["end".to_owned()], Some(2)));
        assert_eq!(asked.delivery, Delivery::Stream { usage: true });
        assert_eq!((asked.reading.fps, asked.reading.end), (Some(2.0), Some(4.5)));
        assert_eq!(asked.reading.budget, Some(Budget::Fixed(16)));
    }

    #[test]
    fn frames_may_be_asked_for_as_vllm_has_it() {
        let video =
            |options: Value| asked(json!({ "media_io_kwargs": { "video": options } })).unwrap().reading;
        assert_eq!(video(json!({ "num_frames": 8 })).frames, Some(8));
        let rate = video(json!({ "num_frames": -1, "fps": 2 }));
        assert_eq!((rate.frames, rate.fps), (None, Some(2.0)));
    }
}
