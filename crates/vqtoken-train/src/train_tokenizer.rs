//! A tokenizer trained on the data's own texts: byte-level byte-pair encoding, so that any other text can be written, too.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};
use vqtoken_files::Limits;
use vqtoken_model::{Chat, ChatTemplate, VideoInPrompt};
use vqtoken_shapes::{CAPTION_PROMPT, Scene, all_questions, caption, descriptions};

use crate::clips::llava::LlavaClips;
use crate::clips::{Clips, Use};
use crate::config::DataConfig;
use crate::error::{TokenizerError, TrainError};

/// The token that starts a message.
const MESSAGE_START: &str = "<|im_start|>";
/// The token that ends a message.
pub(crate) const MESSAGE_END: &str = "<|im_end|>";

/// Scenes, or videos, whose texts are read.
const CLIPS: usize = 2000;

/// The bytes of a `tokenizer.json` with at most `vocabulary` entries. Without data it knows bytes and little else, which is
/// enough to train a vision tower.
///
/// # Errors
///
/// If the data cannot be read, or the vocabulary has no room for all bytes.
pub(crate) fn train_tokenizer(
    data: Option<&DataConfig>,
    vocabulary: usize,
    limits: &Limits,
) -> Result<Vec<u8>, TrainError> {
    Ok(train(&texts(data, limits)?, vocabulary)?)
}

fn train(texts: &[String], vocabulary: usize) -> Result<Vec<u8>, TokenizerError> {
    let special = [MESSAGE_START, MESSAGE_END].map(|token| AddedToken::from(token, true));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(vocabulary)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.train(&mut trainer, texts.iter())?;
    if tokenizer.get_vocab_size(true) > vocabulary {
        return Err(TokenizerError::Vocabulary { vocabulary });
    }
    Ok(tokenizer.to_string(true)?.into_bytes())
}

fn texts(data: Option<&DataConfig>, limits: &Limits) -> Result<Vec<String>, TrainError> {
    // The words around every question.
    let prompt = ChatTemplate::ChatMl.render(&Chat::new("What?"), VideoInPrompt::Absent)?;
    let mut texts = vec![prompt.before; CLIPS];
    match data {
        None => {}
        Some(DataConfig::Llava(llava)) => {
            let clips = LlavaClips::read(llava, limits)?;
            for index in 0..clips.count(Use::Training).min(CLIPS) {
                let turns = clips.validation(index).into_iter().flat_map(|conversation| conversation.turns);
                texts.extend(turns.flat_map(|(question, answer)| [question, answer]));
            }
        }
        Some(DataConfig::Shapes(settings)) => {
            for index in 0..CLIPS {
                let scene = Scene::of_clip(index, settings);
                texts.push(CAPTION_PROMPT.to_owned());
                texts.push(caption(&scene));
                texts.extend(descriptions(&scene).into_iter().flat_map(|(prompt, text)| [prompt, text]));
                for question in all_questions(&scene) {
                    texts.push(question.open_prompt());
                    texts.push(question.choice_prompt());
                }
            }
        }
    }
    Ok(texts)
}
