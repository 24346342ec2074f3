//! Questions to answers.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use vqtoken::{Chat, GenerationOptions, SamplingOptions, VideoLlm, VisualTokens};

use crate::errors::{Exception, OrRaise};
use crate::work;

/// How answers are generated.
pub(crate) fn generation_options(
    max_tokens: usize,
    temperature: f32,
    top_p: f32,
    top_k: usize,
    seed: u64,
) -> PyResult<GenerationOptions> {
    let sampling = SamplingOptions::default()
        .with_temperature(temperature)
        .with_top_p(top_p)
        .with_top_k(top_k)
        .with_seed(seed);
    let options = GenerationOptions::default().with_max_tokens(max_tokens).with_sampling(sampling);
    options.check().or_raise()?;
    Ok(options)
}

/// A conversation of one question.
pub(crate) fn chat_of(question: &str, system: Option<&str>) -> PyResult<Chat> {
    let chat = match system {
        Some(system) => Chat::new(question).with_system(system),
        None => Chat::new(question),
    };
    chat.check().or_raise()?;
    Ok(chat)
}

/// The answers to questions, each on its own.
pub(crate) fn answers(
    py: Python<'_>,
    model: &VideoLlm,
    visual: Option<VisualTokens>,
    chats: Vec<Chat>,
    options: GenerationOptions,
) -> PyResult<Vec<String>> {
    let language = model.language().clone();
    work::run(py, None, move |watch| {
        let answer = |chat: &Chat| -> PyResult<String> {
            let mut text = String::new();
            for piece in language.chat(visual.as_ref(), chat, &options).or_raise()? {
                if watch.cancellation.is_cancelled() {
                    return Err(Exception::Model.error("interrupted"));
                }
                text.push_str(&piece.or_raise()?);
            }
            Ok(text)
        };
        chats.iter().map(answer).collect()
    })
}

/// An answer that has been begun.
pub(crate) fn begun(
    py: Python<'_>,
    model: &VideoLlm,
    visual: Option<VisualTokens>,
    chat: Chat,
    options: GenerationOptions,
) -> PyResult<Answer> {
    let language = model.language().clone();
    let answer = work::run(py, None, move |_| language.chat(visual.as_ref(), &chat, &options).or_raise())?;
    Ok(Answer(Mutex::new(Box::new(answer))))
}

/// An answer, piece by piece: each piece is computed when it is asked for.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct Answer(Mutex<Box<vqtoken::Answer>>);

impl Answer {
    fn with<T>(&self, look: impl FnOnce(&mut vqtoken::Answer) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl Answer {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        work::check_not_forked()?;
        py.detach(|| self.with(Iterator::next)).transpose().or_raise()
    }

    /// All that is left of the answer.
    fn text(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = String::new();
        while let Some(piece) = self.__next__(py)? {
            text.push_str(&piece);
            py.check_signals()?;
        }
        Ok(text)
    }

    /// Tokens of the prompt, the visual ones included.
    #[getter]
    fn prompt_tokens(&self) -> usize {
        self.with(|answer| answer.prompt_tokens())
    }

    /// Tokens generated so far.
    #[getter]
    fn generated_tokens(&self) -> usize {
        self.with(|answer| answer.generated_tokens())
    }
}
