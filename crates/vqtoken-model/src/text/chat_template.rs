//! Conversations as the language model reads them: ChatML, or the checkpoint's own template.

use super::chat::{Chat, DEFAULT_SYSTEM, Message, PLACEHOLDERS, VideoInPrompt};
use super::jinja::JinjaTemplate;
use super::marks::Mark;
use crate::error::ModelError;

/// A prompt, cut where the visual tokens go.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Text before the visual tokens, or all text of a prompt without any.
    pub before: String,
    /// Text after them.
    pub after: Option<String>,
}

/// A prompt that tells the special texts of the template from those that people typed.
#[derive(Clone, Debug)]
pub(crate) struct MarkedPrompt {
    pub(crate) prompt: Prompt,
    pub(crate) mark: Mark,
}

/// How a conversation becomes a prompt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChatTemplate {
    /// `<|im_start|>role\ntext<|im_end|>\n` for every message, as Qwen2 was trained.
    ChatMl,
    /// A Jinja template that came with the checkpoint.
    Jinja(JinjaTemplate),
}

impl ChatTemplate {
    /// The prompt of a conversation.
    ///
    /// # Errors
    ///
    /// If the conversation cannot be asked, or the template fails or leaves out the video.
    pub fn render(&self, chat: &Chat, video: VideoInPrompt) -> Result<Prompt, ModelError> {
        let MarkedPrompt { prompt: Prompt { before, after }, mark } = self.render_marked(chat, video, &[])?;
        Ok(Prompt { before: mark.remove(&before), after: after.map(|after| mark.remove(&after)) })
    }

    /// The prompt of a conversation in which texts of `special`, and placeholders of a video, are marked where people typed them.
    pub(crate) fn render_marked(
        &self,
        chat: &Chat,
        video: VideoInPrompt,
        special: &[String],
    ) -> Result<MarkedPrompt, ModelError> {
        chat.check()?;
        let special: Vec<&str> = special.iter().map(String::as_str).chain(PLACEHOLDERS).collect();
        let (chat, mark) = chat.marked(&special)?;
        let text = match self {
            Self::ChatMl => chat_ml(&chat, video),
            Self::Jinja(template) => template.render(&chat, video)?,
        };
        let prompt = match video {
            VideoInPrompt::Absent => Prompt { before: text, after: None },
            VideoInPrompt::Present => match PLACEHOLDERS.iter().find_map(|holder| text.split_once(holder)) {
                Some((before, after)) => Prompt { before: before.to_owned(), after: Some(after.to_owned()) },
                None => Prompt { before: text, after: Some(String::new()) },
            },
        };
        Ok(MarkedPrompt { prompt, mark })
    }

    /// Refuses a template that is no Jinja template, before anything is asked.
    ///
    /// # Errors
    ///
    /// If it cannot be parsed.
    pub fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::ChatMl => Ok(()),
            Self::Jinja(template) => template.check(),
        }
    }
}

fn chat_ml(chat: &Chat, video: VideoInPrompt) -> String {
    let default = Message { role: "system", text: DEFAULT_SYSTEM, visual: false };
    let mut prompt = String::new();
    for message in chat.system.is_none().then_some(default).into_iter().chain(chat.messages(video)) {
        let Message { role, text, visual } = message;
        let visual = if visual { "<image>\n" } else { "" };
        prompt.push_str(&format!("<|im_start|>{role}\n{visual}{text}<|im_end|>\n"));
    }
    prompt + "<|im_start|>assistant\n"
}

#[cfg(test)]
mod tests {
    use super::super::chat::PLACEHOLDER;
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
        for question in ["", "  \n"] {
            let refused = ChatTemplate::ChatMl.render(&Chat::new(question), VideoInPrompt::Present);
            assert!(matches!(refused, Err(ModelError::Question(_))), "{question:?} was taken");
        }
    }

    #[test]
    fn placeholders_in_a_question_are_text() {
        let chat = Chat::new("What does <image> mean, and <video>?");
        let prompt = ChatTemplate::ChatMl.render(&chat, VideoInPrompt::Present).unwrap();
        assert!(prompt.before.ends_with("<|im_start|>user\n"));
        assert!(prompt.after.unwrap().starts_with("\nWhat does <image> mean, and <video>?<|im_end|>"));
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::Jinja(JinjaTemplate::new("chat_template.json", source))
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
