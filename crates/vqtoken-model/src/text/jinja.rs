//! The Jinja template of a checkpoint, rendered as `transformers` renders it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::machinery::{CodeGenerator, Instructions, Vm, WhitespaceConfig, make_string_output, parse};
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde::Serialize;

use super::chat::{Chat, Message, PLACEHOLDER, PLACEHOLDERS, VideoInPrompt};
use super::measured_tree::bounded;
use super::python;
use super::template_bounds::Bounds;
use crate::error::ModelError;

/// Steps that a template may take: far more than any conversation needs, and few enough to end soon.
const FUEL: u64 = 2_000_000;

/// The largest template that is read, in bytes; public ones have a few thousand.
const MOST_BYTES: usize = 1 << 20;

/// What the message of `raise_exception` begins with on its way through the template engine.
const RAISED: &str = "raised: ";

/// A question that no template holds. Digits have no case, which templates may change.
const PROBE: &str = "739157";

/// A Jinja template that came with a checkpoint.
#[derive(Clone, Debug)]
pub struct JinjaTemplate {
    file: String,
    source: String,
    special_tokens: BTreeMap<String, String>,
}

/// How a template takes the content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As text, with the placeholder in it.
    Text,
    /// As a list of parts, one of them of the type `video`.
    VideoParts,
    /// As a list of parts; a video is given as an `image`.
    ImageParts,
}

#[derive(Serialize)]
struct FormedMessage<'a> {
    role: &'a str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ContentPart<'a> {
    Image,
    Video,
    Text { text: &'a str },
}

impl JinjaTemplate {
    /// A template from its source; `file` names it in messages.
    pub fn new(file: impl Into<String>, source: impl Into<String>) -> Self {
        Self { file: file.into(), source: source.into(), special_tokens: BTreeMap::new() }
    }

    /// The same with the texts of special tokens by their names, such as `bos_token`.
    #[must_use]
    pub fn with_special_tokens(mut self, special_tokens: BTreeMap<String, String>) -> Self {
        self.special_tokens = special_tokens;
        self
    }

    /// Refuses what is no template.
    ///
    /// # Errors
    ///
    /// If it cannot be parsed.
    pub fn check(&self) -> Result<(), ModelError> {
        let source = self.prepared()?;
        Compiled::new(&source).map(drop).map_err(|error| self.failed(&error))
    }

    /// The prompt of a conversation, with a placeholder where the video goes.
    pub(super) fn render(&self, chat: &Chat, video: VideoInPrompt) -> Result<String, ModelError> {
        let source = self.prepared()?;
        let compiled = Compiled::new(&source).map_err(|error| self.failed(&error))?;
        let render = |form, chat: &Chat| self.render_in(&compiled, form, &chat.messages(video));
        let probe = Chat::new(PROBE);
        let forms = self.forms();
        let fitting =
            forms.into_iter().find(|&form| render(form, &probe).is_ok_and(|text| takes(&text, video)));
        let text = render(fitting.unwrap_or(forms[0]), chat).map_err(|error| self.failed(&error))?;
        let leaves_out = |what: &str| ModelError::Template {
            file: self.file.clone(),
            problem: format!("it leaves out {what}; remove it to use plain ChatML"),
        };
        match (fitting, video) {
            (Some(_), _) => Ok(text),
            (None, VideoInPrompt::Present) if !has_placeholder(&text) => Err(leaves_out("the video")),
            (None, _) => Err(leaves_out("the question")),
        }
    }

    /// The forms of content, likeliest first: a template that asks for the type of a part takes lists of parts.
    fn forms(&self) -> [Form; 3] {
        match ["'type'", "\"type\"", ".type"].iter().any(|needle| self.source.contains(needle)) {
            true => [Form::VideoParts, Form::ImageParts, Form::Text],
            false => [Form::Text, Form::VideoParts, Form::ImageParts],
        }
    }

    fn render_in(
        &self,
        compiled: &Compiled<'_>,
        form: Form,
        messages: &[Message<'_>],
    ) -> Result<String, Error> {
        let messages: Vec<FormedMessage<'_>> = messages
            .iter()
            .map(|message| FormedMessage { role: message.role, content: form.content(message) })
            .collect();
        let special_tokens = Value::from_serialize(&self.special_tokens);
        compiled.render(minijinja::context! {
            messages,
            add_generation_prompt => true,
            tools => Value::from(()),
            documents => Value::from(()),
            ..special_tokens
        })
    }

    fn prepared(&self) -> Result<String, ModelError> {
        match self.source.len() <= MOST_BYTES {
            true => Ok(without_generation_tags(&self.source)),
            false => Err(ModelError::Template {
                file: self.file.clone(),
                problem: format!("it has {} bytes; {MOST_BYTES} are allowed", self.source.len()),
            }),
        }
    }

    fn failed(&self, error: &Error) -> ModelError {
        ModelError::Template { file: self.file.clone(), problem: problem(error) }
    }
}

impl Form {
    fn content<'a>(self, message: &Message<'a>) -> Content<'a> {
        let Message { text, visual, .. } = *message;
        let video = match self {
            Self::Text if visual => return Content::Text(format!("{PLACEHOLDER}\n{text}").into()),
            Self::Text => return Content::Text(text.into()),
            Self::VideoParts => ContentPart::Video,
            Self::ImageParts => ContentPart::Image,
        };
        Content::Parts(visual.then_some(video).into_iter().chain([ContentPart::Text { text }]).collect())
    }
}

/// Whether a rendered probe shows that the template takes this form: it holds the question, not a printed list, and the video.
fn takes(text: &str, video: VideoInPrompt) -> bool {
    let is_printed = ["'text':", "\"text\":"].iter().any(|key| text.contains(key));
    text.contains(PROBE) && !is_printed && (video == VideoInPrompt::Absent || has_placeholder(text))
}

fn has_placeholder(text: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder))
}

/// The name of the template in its environment.
const NAME: &str = "chat";

/// A template that can be rendered several times, within bounds for all of them together.
struct Compiled<'a> {
    environment: Environment<'a>,
    instructions: Instructions<'a>,
    blocks: BTreeMap<&'a str, Instructions<'a>>,
}

impl<'a> Compiled<'a> {
    fn new(source: &'a str) -> Result<Self, Error> {
        let spaces =
            WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true };
        let tree = parse(source, NAME, Default::default(), spaces)?;
        let mut generator = CodeGenerator::new(NAME, source);
        generator.compile_stmt(&bounded(&tree));
        let (instructions, blocks) = generator.finish();
        Ok(Self { environment: environment(), instructions, blocks })
    }

    fn render(&self, root: Value) -> Result<String, Error> {
        let mut text = String::new();
        let mut output = make_string_output(&mut text);
        let machine = Vm::new(&self.environment);
        machine.eval(&self.instructions, root, &self.blocks, &mut output, AutoEscape::None)?;
        Ok(text)
    }
}

/// The functions and filters that `transformers` gives to templates, within bounds.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    let bounds = Bounds::new();
    bounds.add_filters(&mut environment);
    environment.set_fuel(Some(FUEL));
    let of_output = bounds.clone();
    environment.set_formatter(move |out, _, value| {
        of_output.measure(value)?;
        out.write_str(&python::text(value)).map_err(|_| Error::from(ErrorKind::WriteFailure))
    });
    let of_methods = bounds.clone();
    environment.set_unknown_method_callback(move |state, value, method, arguments| {
        python::method(&of_methods, state, value, method, arguments)
    });
    environment.add_filter("string", |value: &Value| python::text(value));
    environment.add_filter("tojson", move |value: &Value, ensure_ascii: Option<bool>, options: Kwargs| {
        python::json(&bounds, value, ensure_ascii, &options)
    });
    environment.add_function("strftime_now", |format: &str| python::now(format));
    environment.add_function("raise_exception", |message: &str| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, format!("{RAISED}{message}")))
    });
    environment
}

/// What went wrong, in one line; what the template itself raised as it wrote it.
fn problem(error: &Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let detail = current.downcast_ref::<Error>().and_then(Error::detail);
        if let Some(message) = detail.and_then(|detail| detail.strip_prefix(RAISED)) {
            return format!(
                "it refuses this conversation: {}",
                message.split_whitespace().collect::<Vec<_>>().join(" ")
            );
        }
        cause = current.source();
    }
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let text = error.to_string();
    // The engine adds the name that the template has inside it, which says nothing.
    let text = text.lines().next().unwrap_or_default();
    format!("{}{line}", text.split(" (in chat:").next().unwrap_or_default())
}

/// Makes `{% generation %}` blocks, with which `transformers` marks what is trained on, plain blocks that are always rendered.
///
/// Signs that control whitespace stay.
fn without_generation_tags(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // The two signs of `{%}` share a character: it opens a tag.
        let Some(length) = rest[start + 2..].find("%}") else { break };
        let (inner, end) = (start + 2..start + 2 + length, start + length + 4);
        let tag = &rest[inner];
        let name = tag.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let plain = match name {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => name,
        };
        kept.push_str(&rest[..start]);
        match plain == name {
            true => kept.push_str(&rest[start..end]),
            false => kept.push_str(&format!("{{%{}%}}", tag.replacen(name, plain, 1))),
        }
        rest = &rest[end..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, tokens: &[(&str, &str)]) -> Result<String, String> {
        let tokens = tokens.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let template = JinjaTemplate::new("chat_template.jinja", source).with_special_tokens(tokens);
        let chat = Chat::new("What <é> 'moves'?").then("It's.", "Where?").with_system("Be brief.");
        template.render(&chat, VideoInPrompt::Absent).map_err(|error| error.to_string())
    }

    const EACH: &str = "{% for m in messages %}{{ m.content }}|{% endfor %}";
    const ALL: &str = "Be brief.|What <é> 'moves'?|It's.|Where?|";

    #[test]
    fn special_tokens_have_names() {
        let source = format!("{{{{ bos_token }}}}{EACH}{{{{ eos_token + '!' }}}}{{{{ unk_token }}}}");
        let text = rendered(&source, &[("bos_token", "<s>"), ("eos_token", "</s>")]).unwrap();
        assert_eq!(text, format!("<s>{ALL}</s>!"));
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let source = "{% for m in messages %}{{ m | tojson }}{% endfor %}{{ {'b': [1, 2.5, none, true], 'a': {}} | tojson(indent=2) }}";
        let text = rendered(source, &[]).unwrap();
        assert!(text.starts_with(r#"{"role": "system", "content": "Be brief."}"#), "{text}");
        assert!(text.contains(r#""What <é> 'moves'?""#), "{text}");
        let indented = "{\n  \"b\": [\n    1,\n    2.5,\n    null,\n    true\n  ],\n  \"a\": {}\n}";
        assert!(text.ends_with(indented), "{text}");
        let ascii = format!("{EACH}{{{{ 'é😀' | tojson(ensure_ascii=true) }}}}");
        assert_eq!(rendered(&ascii, &[]).unwrap(), format!("{ALL}\"\\u00e9\\ud83d\\ude00\""));
    }

    #[test]
    fn the_date_can_be_asked_for() {
        let source = format!(
            "{{{{ strftime_now('%Y-%m-%d %B') | length > 13 }}}}{{{{ strftime_now('%Y')[:2] }}}}{EACH}"
        );
        assert_eq!(rendered(&source, &[]).unwrap(), format!("True20{ALL}"));
    }

    #[test]
    fn python_is_spoken() {
        for (source, text) in [
            ("{{ none }} {{ true }} {{ [1, 'a', none] }} {{ missing }}", "None True [1, 'a', None] "),
            ("{{ ' a '.strip() }}{{ 'a,b'.split(',')[-1] }}{{ 'ab'.startswith('a') }}", "abTrue"),
            ("{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ '  '.isspace() }}", "bcabTrue"),
            (
                "{% set ns = namespace(n=0) %}{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i > 3 %}{% break %}{% endif %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
                "5",
            ),
            ("a\n    {% if true %}\nb\n    {% endif %}\nc", "a\nb\nc"),
            ("a {%- if true -%} b {%- endif %} c", "ab c"),
            ("a {%- generation -%} b {% endgeneration %}c", "ab c"),
        ] {
            assert_eq!(
                rendered(&format!("{source}#{EACH}"), &[]).unwrap(),
                format!("{text}#{ALL}"),
                "{source}"
            );
        }
    }

    #[test]
    fn a_tag_that_never_closes_is_refused() {
        for source in ["{{ 5'<|im{%}{{ mse_", "{%}", "{%", "{%}%}"] {
            assert!(rendered(source, &[]).is_err(), "{source}");
        }
    }

    #[test]
    fn what_a_template_raises_is_shown() {
        let source =
            "{% if messages[0].role == 'system' %}{{ raise_exception('no\nsystem here') }}{% endif %}"
                .to_owned()
                + EACH;
        let error = rendered(&source, &[]).unwrap_err();
        assert!(error.ends_with("it refuses this conversation: no system here"), "{error}");
    }

    #[test]
    fn a_template_gets_the_content_that_it_takes() {
        let chat = Chat::new("What?");
        let prompt =
            |source: &str| JinjaTemplate::new("t", source).render(&chat, VideoInPrompt::Present).unwrap();
        // It knows pictures only, and asks for a type by another name.
        let images = "{% for m in messages %}{% for p in m.content %}{% if p['type'] == 'image' %}<image>{% else %}{{ p.text }}{% endif %}{% endfor %}{% endfor %}";
        assert_eq!(prompt(images), "<image>What?");
        // The word `type` alone is no sign of parts.
        let text = "{% for m in messages %}{{ {'type': m.role} | tojson }}{{ m.content }}{% endfor %}";
        assert_eq!(prompt(text), "{\"type\": \"user\"}<image>\nWhat?");
        let either = "{% for m in messages %}{% if m.content is string %}T{{ m.content }}{% else %}{% for p in m.content %}{% if p.type == 'video' %}<video>{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}";
        assert_eq!(prompt(either), "<video>What?");
    }
}
