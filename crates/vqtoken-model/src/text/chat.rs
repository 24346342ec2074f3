//! Conversations as the language model reads them: ChatML, or the checkpoint's own template.

use serde::Serialize;

use crate::error::ModelError;

/// Where the visual tokens stand in a prompt.
pub(crate) const PLACEHOLDER: &str = "<image>";

/// The other placeholder that public templates write for a video.
const VIDEO_PLACEHOLDER: &str = "<video>";

/// What the assistant is told if nobody says otherwise.
pub(crate) const DEFAULT_SYSTEM: &str = "You are a helpful assistant.";

/// Steps that a template may take: far more than any conversation needs, and few enough to end soon.
const TEMPLATE_FUEL: u64 = 10_000_000;

/// A conversation that ends with a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    system: Option<String>,
    answered: Vec<(String, String)>,
    question: String,
}

impl Chat {
    /// A single question.
    pub fn new(question: impl Into<String>) -> Self {
        Self { system: None, answered: Vec::new(), question: question.into() }
    }

    /// The same conversation under another system message.
    pub fn with_system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// Goes on: the question got this answer, and another one follows.
    pub fn then(mut self, answer: impl Into<String>, question: impl Into<String>) -> Self {
        let asked = std::mem::replace(&mut self.question, question.into());
        self.answered.push((asked, answer.into()));
        self
    }

    /// Refuses what cannot be asked: nothing, or a text that holds the video's placeholder.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.question.trim().is_empty() {
            return Err(ModelError::Question("the question is empty: say what you want to know"));
        }
        let texts = self.answered.iter().flat_map(|(question, answer)| [question, answer]);
        let mut texts = texts.chain([&self.question]).chain(&self.system);
        match texts.any(|text| text.contains(PLACEHOLDER) || text.contains(VIDEO_PLACEHOLDER)) {
            false => Ok(()),
            true => Err(ModelError::Question(
                "the question holds <image> or <video>, which mark where the video goes: leave them out",
            )),
        }
    }
}

/// Whether a conversation is about a video, whose visual tokens go into its first question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoInPrompt {
    /// There is one.
    Present,
    /// The conversation is text alone.
    Absent,
}

impl VideoInPrompt {
    /// [`Self::Present`] if there is something.
    pub fn of<T>(video: Option<&T>) -> Self {
        match video {
            Some(_) => Self::Present,
            None => Self::Absent,
        }
    }
}

/// A prompt, cut where the visual tokens go.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Text before the visual tokens, or all text of a prompt without any.
    pub before: String,
    /// Text after them.
    pub after: Option<String>,
}

/// How a conversation becomes a prompt.
#[derive(Clone, Debug)]
pub enum ChatTemplate {
    /// `<|im_start|>role\ntext<|im_end|>\n` for every message, as Qwen2 was trained.
    ChatMl,
    /// A Jinja template that came with the checkpoint.
    Jinja {
        /// The file it stands in.
        file: String,
        /// The template.
        source: String,
    },
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Content<'a>,
}

/// Public templates take the text of a message either as it is or as a list of parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(String),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ContentPart<'a> {
    Video,
    Text { text: &'a str },
}

impl ChatTemplate {
    /// The prompt of a conversation.
    ///
    /// # Errors
    ///
    /// If the conversation cannot be asked, or the template fails or leaves out the video.
    pub fn render(&self, chat: &Chat, video: VideoInPrompt) -> Result<Prompt, ModelError> {
        chat.check()?;
        let visual = video == VideoInPrompt::Present;
        let text = match self {
            Self::ChatMl => chat_ml(chat, visual),
            Self::Jinja { file, source } => jinja(file, source, chat, visual)?,
        };
        if !visual {
            return Ok(Prompt { before: text, after: None });
        }
        let cut =
            [PLACEHOLDER, VIDEO_PLACEHOLDER].iter().find_map(|placeholder| text.split_once(placeholder));
        match (cut, self) {
            (Some((before, after)), _) => {
                Ok(Prompt { before: before.to_owned(), after: Some(after.to_owned()) })
            }
            (None, Self::Jinja { file, .. }) => Err(ModelError::Template {
                file: file.clone(),
                problem: "it leaves out the video; remove it to use plain ChatML".to_owned(),
            }),
            (None, Self::ChatMl) => Ok(Prompt { before: text, after: Some(String::new()) }),
        }
    }
}

/// Every message as (role, text, whether the visual tokens stand before the text).
fn messages<'a>(
    chat: &'a Chat,
    system: Option<&'a str>,
    visual: bool,
) -> impl Iterator<Item = (&'static str, &'a str, bool)> {
    let answered = chat.answered.iter().enumerate().flat_map(move |(turn, (question, answer))| {
        [("user", question.as_str(), visual && turn == 0), ("assistant", answer.as_str(), false)]
    });
    let last = ("user", chat.question.as_str(), visual && chat.answered.is_empty());
    system.map(|text| ("system", text, false)).into_iter().chain(answered).chain([last])
}

fn chat_ml(chat: &Chat, visual: bool) -> String {
    let system = chat.system.as_deref().unwrap_or(DEFAULT_SYSTEM);
    let mut prompt = String::new();
    for (role, text, visual) in messages(chat, Some(system), visual) {
        let visual = if visual { "<image>\n" } else { "" };
        prompt.push_str(&format!("<|im_start|>{role}\n{visual}{text}<|im_end|>\n"));
    }
    prompt + "<|im_start|>assistant\n"
}

fn jinja(file: &str, source: &str, chat: &Chat, visual: bool) -> Result<String, ModelError> {
    // A template that asks for the type of a part takes lists of parts.
    let in_parts = ["'type'", "\"type\"", ".type"].iter().any(|needle| source.contains(needle));
    let content = |text, visual| match (in_parts, visual) {
        (true, true) => Content::Parts(vec![ContentPart::Video, ContentPart::Text { text }]),
        (true, false) => Content::Parts(vec![ContentPart::Text { text }]),
        (false, true) => Content::Text(format!("{PLACEHOLDER}\n{text}")),
        (false, false) => Content::Text(text.to_owned()),
    };
    let messages: Vec<_> = messages(chat, chat.system.as_deref(), visual)
        .map(|(role, text, visual)| Message { role, content: content(text, visual) })
        .collect();

    let failed =
        |error: minijinja::Error| ModelError::Template { file: file.to_owned(), problem: one_line(&error) };
    let mut environment = minijinja::Environment::new();
    environment.set_fuel(Some(TEMPLATE_FUEL));
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<String, minijinja::Error> {
        Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message))
    });
    let source = without_generation_tags(source);
    environment.add_template("chat", &source).map_err(failed)?;
    environment
        .get_template("chat")
        .and_then(|template| template.render(minijinja::context! { messages, add_generation_prompt => true }))
        .map_err(failed)
}

/// Leaves out `{% generation %}` and `{% endgeneration %}`, which `transformers` uses to mark what is trained on.
fn without_generation_tags(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let end = start + length + "%}".len();
        let inside =
            rest[start + 2..end - 2].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let keep = if matches!(inside, "generation" | "endgeneration") { start } else { end };
        kept.push_str(&rest[..keep]);
        rest = &rest[end..];
    }
    kept + rest
}

fn one_line(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    format!("{}{line}", error.to_string().lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_ml_with_turns() {
        let chat = Chat::new("What moves?").with_system("Be brief.").then("A circle.", "Where to?");
        let prompt = ChatTemplate::ChatMl.render(&chat, VideoInPrompt::Present).unwrap();
        assert_eq!(prompt.before, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n");
        assert_eq!(
            prompt.after.unwrap(),
            "\nWhat moves?<|im_end|>\n<|im_start|>assistant\nA circle.<|im_end|>\n\
             <|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>assistant\n"
        );
        let text = ChatTemplate::ChatMl.render(&Chat::new("Hello?"), VideoInPrompt::Absent).unwrap();
        assert!(text.before.contains(DEFAULT_SYSTEM) && !text.before.contains(PLACEHOLDER));
        assert_eq!(text.after, None);
    }

    #[test]
    fn questions_that_cannot_be_asked() {
        for question in ["", "  \n", "what is in <image>?", "and in <video>?"] {
            let refused = ChatTemplate::ChatMl.render(&Chat::new(question), VideoInPrompt::Present);
            assert!(matches!(refused, Err(ModelError::Question(_))), "{question:?} was taken");
        }
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::Jinja { file: "chat_template.json".to_owned(), source: source.to_owned() }
    }

    #[test]
    fn a_template_of_parts() {
        let source = "{% for m in messages %}<|im_start|>{{ m['role'] }} \
            {% for c in m['content'] | selectattr('type', 'equalto', 'video') %}<video>{% endfor %}\
            {% if m['role'] != 'assistant' %}{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}\
            {{ '\n' + c['text'] }}{% endfor %}{% else %}{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}\
            {% generation %}{{ '\n' + c['text'].strip() }}{% endgeneration %}{% endfor %}{% endif %}<|im_end|>\
            {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
        let chat = Chat::new("What moves?").then(" A circle. ", "Where to?");
        let prompt = template(source).render(&chat, VideoInPrompt::Present).unwrap();
        assert_eq!(prompt.before, "<|im_start|>user ");
        assert_eq!(
            prompt.after.unwrap(),
            "\nWhat moves?<|im_end|><|im_start|>assistant \nA circle.<|im_end|>\
             <|im_start|>user \nWhere to?<|im_end|><|im_start|>assistant\n"
        );
    }

    #[test]
    fn a_template_of_texts() {
        let source = "{%- for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
        let prompt = template(source).render(&Chat::new("What moves?"), VideoInPrompt::Present).unwrap();
        assert_eq!(prompt, Prompt { before: "[user]".to_owned(), after: Some("\nWhat moves?".to_owned()) });
    }

    #[test]
    fn a_bad_template_is_named() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
        for source in ["{% for %}", endless, "{{ raise_exception('no') }}", "no messages at all"] {
            let error = template(source).render(&Chat::new("What?"), VideoInPrompt::Present).unwrap_err();
            assert!(error.to_string().contains("chat_template.json"), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}
