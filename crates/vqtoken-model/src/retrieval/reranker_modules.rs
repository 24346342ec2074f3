//! The modules of a [`TokenReranker`](crate::TokenReranker): from texts and codes to facts, and from facts to a logit.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, sigmoid, softmax};
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};
use vqtoken_nn::{Activation, FeedForward, FeedForwardConfig, LayerNorm, Linear, LinearConfig, pack_layers};

use super::retrieval_files::RetrievalFiles;
use super::text_tower::TextEmbeddings;
use super::token_modules::{LAYER_NORM_EPSILON, TokenRetrieverConfig, check_sizes};
use crate::config::SiglipTextConfig;
use crate::error::ModelError;
use crate::vision::{Encoder, EncoderConfig};

/// The shape of a [`TokenReranker`](crate::TokenReranker); `reranking/config.json` of a model directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRerankerConfig {
    /// The model whose video tokens it was trained on: a name and a checksum, as [`Checkpoint::id`](crate::checkpoint::Checkpoint::id).
    pub model: String,
    /// Features of a code, and of a word that reads codes (D).
    pub code_features: usize,
    /// Layers over the codes of a video.
    pub code_layers: usize,
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Features of a word before it reads codes.
    pub text_features: usize,
    /// Layers over a text alone.
    pub text_layers: usize,
    /// Tokens of a text; shorter ones are padded, longer ones cut.
    pub text_tokens: usize,
    /// The token that texts are padded with.
    pub pad_token: u32,
    /// Facts that a text may ask for, and that a code may know of its object.
    pub facts: usize,
    /// How many of them, from the first, happen at a time.
    pub events: usize,
    /// Attention heads of all layers.
    pub heads: usize,
    /// Inner features of the feed-forward blocks over features.
    pub expansion: usize,
}

impl TokenRerankerConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is damaged, or states a shape that no reranker has.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let bad = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        let config: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        let sizes = [
            ("code_layers", config.code_layers),
            ("vocabulary", config.vocabulary),
            ("text_layers", config.text_layers),
            ("text_tokens", config.text_tokens),
            ("facts", config.facts),
            ("events", config.events),
            ("expansion", config.expansion),
        ];
        let of_heads = [("code_features", config.code_features), ("text_features", config.text_features)];
        check_sizes(&sizes, config.heads, of_heads).map_err(bad)?;
        if config.events > config.facts {
            return Err(bad(format!("{} of {} facts cannot be events", config.events, config.facts)));
        }
        Ok(config)
    }

    /// How texts become ids, and the layers over them, as SigLIP's text tower is described.
    pub fn text(&self) -> SiglipTextConfig {
        SiglipTextConfig {
            vocabulary: self.vocabulary,
            hidden_size: self.text_features,
            intermediate_size: self.text_features * self.expansion,
            layers: self.text_layers,
            heads: self.heads,
            positions: self.text_tokens,
            layer_norm_epsilon: LAYER_NORM_EPSILON,
            activation: Activation::GeluTanh,
            pad_token: self.pad_token,
            embedding_size: self.code_features,
        }
    }

    fn layers(&self, hidden_size: usize, layers: usize) -> EncoderConfig {
        EncoderConfig {
            hidden_size,
            intermediate_size: hidden_size * self.expansion,
            layers,
            heads: self.heads,
            layer_norm_epsilon: LAYER_NORM_EPSILON,
            activation: Activation::GeluTanh,
        }
    }
}

/// Whether a text is true of a video, by facts: from a text, those that it asks for of each of at most two things; from each code after
/// the VQ-attention, those that hold for the object it belongs to, and when. A text is true as far as there is a code for which all holds
/// that is asked of the one thing, one for which all holds that is asked of the other, and the first is over before the second begins.
///
/// What the facts are is a matter of the data that it is trained on; only their number is known here. The fields' names are those of
/// `reranking/model.safetensors`; the layers over texts and over codes are named as a retriever's, from which they can begin.
#[derive(Module, Debug)]
pub struct TokenRerankerModules {
    text_model: TextReader,
    code_model: CodeReader,
    head: FeedForward,
    #[module(skip)]
    facts: usize,
}

/// From words to the facts that a text asks for.
#[derive(Module, Debug)]
struct TextReader {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    /// Of each thing all facts.
    wanted: Linear,
}

/// From codes to the facts that hold for their objects.
#[derive(Module, Debug)]
struct CodeReader {
    encoder: Encoder,
    post_layernorm: LayerNorm,
    facts: Linear,
    /// When each event is over for the first time, then when each begins for the last time.
    times: Linear,
    /// From when each fact can be seen, then until when.
    seen: Linear,
}

/// What codes know of their objects.
#[derive(Clone, Debug)]
pub struct CodeFacts {
    /// Logits of all facts, `[videos, K, facts]`.
    pub facts: Tensor<3>,
    /// When each event is over for the first time, and then when each begins for the last time, as fractions of the video,
    /// `[videos, K, 2 * events]`.
    pub times: Tensor<3>,
    /// From when each fact can be seen, and then until when, as fractions of the video, `[videos, K, 2 * facts]`.
    pub seen: Tensor<3>,
}

/// Things that a text may ask for.
const THINGS: usize = 2;

/// What a text's logit is made of: how far each of two things holds, whether there is a second one, and how long after the first it is.
const EVIDENCE: usize = 4;

/// Inner features of the block that makes a logit of it.
const WEIGHING: usize = 32;

/// Where no event is wanted, the mean time is 0.
const NO_EVENT: f64 = 1e-3;

/// Brings sums of logarithms of probabilities to about one.
const SUM_SCALE: f64 = 0.25;

impl TokenRerankerModules {
    /// Modules of this shape; parameters are initialised when they are first read.
    pub fn new(config: &TokenRerankerConfig, device: &Device) -> Self {
        let text = config.layers(config.text_features, config.text_layers);
        let codes = config.layers(config.code_features, config.code_layers);
        let linear = |d_input, d_output| LinearConfig::new(d_input, d_output).init(device);
        let (d_inner, activation) = (WEIGHING, Activation::GeluTanh);
        Self {
            text_model: TextReader {
                embeddings: TextEmbeddings::new(&config.text(), device),
                encoder: text.init(device),
                wanted: linear(config.text_features, THINGS * config.facts),
            },
            code_model: CodeReader {
                encoder: codes.init(device),
                post_layernorm: codes.norm(device),
                facts: linear(config.code_features, config.facts),
                times: linear(config.code_features, 2 * config.events),
                seen: linear(config.code_features, 2 * config.facts),
            },
            head: FeedForwardConfig { d_input: EVIDENCE, d_inner, d_output: 1, activation }.init(device),
            facts: config.facts,
        }
    }

    /// With the layers over texts alone and over codes alone of a retriever, if that has as many of them and they are as wide.
    ///
    /// # Errors
    ///
    /// If the retriever's files do not fit their own configuration, or hold values that are not finite.
    pub fn begin_as(
        self,
        retriever: &RetrievalFiles,
        config: &TokenRerankerConfig,
    ) -> Result<Self, ModelError> {
        let other = TokenRetrieverConfig::parse(&retriever.config_file(), &retriever.config)?;
        let sizes = |text: SiglipTextConfig, code_features, code_layers| {
            let text =
                (text.vocabulary, text.hidden_size, text.intermediate_size, text.layers, text.positions);
            (text, code_features, code_layers)
        };
        let is_alike = sizes(other.text(), other.code_features, other.code_layers)
            == sizes(config.text(), config.code_features, config.code_layers)
            && (other.heads, other.expansion) == (config.heads, config.expansion);
        let new =
            ["text_model.wanted.", "code_model.facts.", "code_model.times.", "code_model.seen.", "head."];
        match is_alike {
            true => retriever.begin(self, &new),
            false => Ok(self),
        }
    }

    /// Logits of the facts that texts ask for, of each of two things, from token ids that are padded to `length`. Nothing is asked of a
    /// second thing that there is not.
    ///
    /// # Shapes
    ///
    /// - ids: `[texts, length]`
    /// - output: `[texts, 2, facts]`
    pub fn wanted(&self, ids: &[u32], length: usize) -> Tensor<3> {
        let text = &self.text_model;
        let words = text.encoder.forward(text.embeddings.forward(ids, length)); // [texts, length, D]
        let [texts, _, d] = words.dims();
        let last = words.narrow(1, length - 1, 1).reshape([texts, d]); // [texts, D]
        text.wanted.forward(last).reshape([texts, THINGS, self.facts])
    }

    /// What the codes of videos with as many codes each, after the VQ-attention, know of their objects.
    ///
    /// # Shapes
    ///
    /// - codes: `[videos, K, D]`, K above 0
    pub fn facts(&self, codes: Tensor<3>) -> CodeFacts {
        let model = &self.code_model;
        let codes = model.post_layernorm.forward(model.encoder.forward(codes)); // [videos, K, D]
        CodeFacts {
            facts: model.facts.forward(codes.clone()),
            times: model.times.forward(codes.clone()),
            seen: model.seen.forward(codes),
        }
    }

    /// The logits of texts about videos.
    ///
    /// # Shapes
    ///
    /// - wanted: `[videos * texts, 2, facts]`, as [`Self::wanted`] gives it, the texts about one video after those about the one before
    /// - output: `[videos, texts]`
    pub fn logits(&self, wanted: Tensor<3>, codes: &CodeFacts) -> Tensor<2> {
        let ([count, ..], [videos, ..]) = (wanted.dims(), codes.facts.dims());
        self.head.forward(evidence(wanted, codes)).reshape([videos, count / videos])
    }
}

/// What speaks for texts: the logarithm of the probability that all that is wanted of the first thing, and of the second, holds for the
/// code for which it holds best, over four; how many facts are wanted of a second thing; how long after the first is over it begins.
///
/// The times are those of the codes for which all holds, each as far as it does, and of the events that are wanted.
///
/// # Shapes
///
/// - wanted: `[videos * texts, 2, facts]`, logits
/// - output: `[videos * texts, 4]`
fn evidence(wanted: Tensor<3>, codes: &CodeFacts) -> Tensor<2> {
    let ([count, ..], [videos, k, facts]) = (wanted.dims(), codes.facts.dims());
    let both_times = codes.times.dims()[2];
    let events = both_times / 2;
    assert_shape!(wanted, [count, THINGS, facts]);
    assert_shape!(codes.times, [videos, k, both_times]);
    assert!(videos > 0 && count.is_multiple_of(videos), "as many texts about each video");
    let wanted = sigmoid(wanted); // [videos * texts, 2, facts]
    let rows = wanted.clone().reshape([videos, count / videos * THINGS, facts]);
    let holds = rows.matmul(log_sigmoid(codes.facts.clone()).swap_dims(1, 2)); // [videos, texts * 2, K]
    let best = holds.clone().max_dim(2).reshape([count, THINGS]) * SUM_SCALE; // [videos * texts, 2]
    let times = softmax(holds, 2).matmul(codes.times.clone()); // [videos, texts * 2, 2 * events]
    let times = times.reshape([count, THINGS, both_times]);
    let time = |thing: usize| {
        let wanted = wanted.clone().narrow(1, thing, 1).narrow(2, 0, events); // [videos * texts, 1, events]
        let times = times.clone().narrow(1, thing, 1).narrow(2, thing * events, events);
        let mean = (times * wanted.clone()).sum_dim(2) / (wanted.sum_dim(2) + NO_EVENT);
        mean.reshape([count, 1]) // [videos * texts, 1]
    };
    let gap = time(1) - time(0);
    let second = wanted.clone().narrow(1, 1, 1).sum_dim(2).reshape([count, 1]); // [videos * texts, 1]
    Tensor::cat(vec![best, second, gap], 1)
}

pack_layers!(TokenRerankerModules { text_model, code_model, head });
pack_layers!(TextReader { embeddings, encoder, wanted });
pack_layers!(CodeReader { encoder, facts, times, seen });

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    const SURE: f32 = 20.0;

    fn tensor(shape: [usize; 3], values: Vec<f32>) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// Logits of being sure of some of three facts.
    fn sure(of: [bool; 3]) -> [f32; 3] {
        of.map(|is_true| if is_true { SURE } else { -SURE })
    }

    /// Of a video with two codes: facts 0 and 1, which are events, hold for the one, fact 2 for the other.
    fn video() -> CodeFacts {
        let facts = [sure([true, true, false]), sure([false, false, true])].concat();
        // When each of two events is over for the first time, then when each begins for the last time.
        let times = vec![0.2, 0.9, 0.1, 0.8, 0.7, 0.6, 0.5, 0.4];
        CodeFacts {
            facts: tensor([1, 2, 3], facts),
            times: tensor([1, 2, 4], times),
            seen: tensor([1, 2, 6], vec![0.0; 12]),
        }
    }

    fn of(things: [[bool; 3]; 2]) -> Vec<f32> {
        let wanted = tensor([1, 2, 3], things.map(sure).concat());
        evidence(wanted, &video()).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn all_that_is_wanted_has_to_hold_for_one_code() {
        let nothing = [false; 3];
        let found = of([[true, true, false], nothing]);
        assert!(found[..3].iter().all(|value| value.abs() < 1e-3), "{found:?}");
        let split = of([[false, true, true], nothing]);
        assert!((split[0] + 0.25 * SURE).abs() < 1e-3, "one of two facts is missing everywhere: {split:?}");
    }

    #[test]
    fn the_gap_is_from_the_end_of_the_first_thing_to_the_beginning_of_the_second() {
        let both = of([[true, true, false], [false, true, false]]);
        assert!((both[2] - 1.0).abs() < 1e-3, "one fact is wanted of the second thing: {both:?}");
        // Event 0 of code 0 is over at 0.2 and begins for the last time at 0.1; event 1 of code 0 begins at 0.8.
        let same = of([[true, false, false], [true, false, false]]);
        assert!((same[3] - (0.1 - 0.2)).abs() < 1e-2, "{same:?}");
        let then = of([[true, false, false], [true, true, false]]);
        assert!((then[3] - (0.5 * (0.1 + 0.8) - 0.2)).abs() < 1e-2, "{then:?}");
    }

    #[test]
    fn videos_have_their_own_texts() {
        let one = video();
        let other = CodeFacts { facts: one.facts.clone() * 0.0 - SURE, ..one.clone() };
        let both = CodeFacts {
            facts: Tensor::cat(vec![one.facts, other.facts], 0),
            times: Tensor::cat(vec![one.times, other.times], 0),
            seen: Tensor::cat(vec![one.seen, other.seen], 0),
        };
        let text = [sure([true, true, false]), sure([false; 3])].concat();
        let wanted = tensor([2, 2, 3], [text.clone(), text].concat());
        let found: Vec<f32> = evidence(wanted, &both).into_data().try_to_vec().unwrap();
        assert!(found[0].abs() < 1e-3 && found[4] < -0.2 * SURE, "{found:?}");
    }
}
