//! A tokenizer for a small world: byte-level pairs learnt from the data's own texts, so that any text can still be written.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};
use vqtoken_model::{Chat, ChatTemplate, VideoInPrompt};
use vqtoken_shapes::{CAPTION_PROMPT, Scene, all_questions, caption, descriptions};

use crate::config::DataConfig;
use crate::data::{Clips, Use};
use crate::error::TrainError;
use crate::llava_clips::LlavaClips;

/// What begins a message.
pub(crate) const START: &str = "<|im_start|>";
/// What ends one.
pub(crate) const END: &str = "<|im_end|>";

/// Scenes, or conversations, whose texts are read.
const SCENES: usize = 2000;

/// The bytes of a `tokenizer.json` with at most `vocabulary` entries.
///
/// # Errors
///
/// If there are no texts to learn from, or the vocabulary has no room for all bytes.
pub(crate) fn learn(data: &DataConfig, vocabulary: usize) -> Result<Vec<u8>, TrainError> {
    let bad = |problem: String| TrainError::Config { file: "the tokenizer".into(), problem };
    let texts = texts(data)?;
    if texts.is_empty() {
        return Err(bad(
            "there are no texts to learn it from: name one in [model], or give [data]".to_owned()
        ));
    }
    let special = [START, END].map(|token| AddedToken::from(token, true));
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
    tokenizer.train(&mut trainer, texts.iter()).map_err(|error| bad(error.to_string()))?;
    if tokenizer.get_vocab_size(true) > vocabulary {
        return Err(bad(format!("a vocabulary of {vocabulary} has no room for all bytes: 300 is enough")));
    }
    Ok(tokenizer.to_string(true).map_err(|error| bad(error.to_string()))?.into_bytes())
}

fn texts(data: &DataConfig) -> Result<Vec<String>, TrainError> {
    // The words around every question.
    let prompt = ChatTemplate::ChatMl.render(&Chat::new("What?"), VideoInPrompt::Absent)?;
    let mut texts = vec![prompt.before; SCENES];
    if let Some(llava) = &data.llava {
        let clips = LlavaClips::read(llava)?;
        for index in 0..clips.count(Use::Training).min(SCENES) {
            let turns = clips.validation(index).into_iter().flat_map(|conversation| conversation.turns);
            texts.extend(turns.flat_map(|(question, answer)| [question, answer]));
        }
    }
    if let Some(settings) = &data.shapes {
        for index in 0..SCENES {
            let scene = Scene::of_clip(index, settings);
            texts.push(CAPTION_PROMPT.to_owned());
            texts.push(caption(&scene));
            texts.extend(descriptions(&scene).into_iter().flat_map(|(asked, told)| [asked, told]));
            for question in all_questions(&scene) {
                texts.push(question.open_prompt());
                texts.push(question.choice_prompt());
            }
        }
    }
    Ok(texts)
}
