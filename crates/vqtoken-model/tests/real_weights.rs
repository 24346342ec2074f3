//! What precisions cost on real weights: SmolLM2-135M-Instruct in this project's layout, with what NumPy makes of it beside it. `golden/smollm2.py` writes
//! both; `VQTOKEN_SMOLLM2` names the folder.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use vqtoken_model::{GenerationOptions, LanguageSide, Precision};

/// Tokens that the reference read together.
const CONTEXT: usize = 512;

/// How much higher the perplexity may be than in f32. The bar for int4 is 4%; it is missed (docs/performance.md), and the bound here only keeps it from getting
/// worse.
const MOST: [(Precision, f64); 3] =
    [(Precision::Bf16, 0.002), (Precision::Int8, 0.01), (Precision::Int4, 0.35)];

struct Reference(Vec<u8>);

impl Reference {
    fn open(folder: &Path) -> Self {
        Self(std::fs::read(folder.join("reference.safetensors")).unwrap())
    }

    fn words(&self, name: &str) -> Vec<[u8; 4]> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        tensors.tensor(name).unwrap().data().as_chunks::<4>().0.to_vec()
    }

    fn ids(&self, name: &str) -> Vec<u32> {
        self.words(name).into_iter().map(u32::from_le_bytes).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name).into_iter().map(f32::from_le_bytes).collect()
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VQTOKEN_SMOLLM2").map(PathBuf::from);
    if folder.is_none() {
        locate::skip("VQTOKEN_SMOLLM2 names no folder that golden/smollm2.py wrote");
    }
    folder
}

fn perplexity(language: &LanguageSide, ids: &[u32]) -> f64 {
    let losses: Vec<f64> = ids.chunks(CONTEXT).flat_map(|block| language.losses(block).unwrap()).collect();
    (losses.iter().sum::<f64>() / losses.len() as f64).exp()
}

#[test]
fn perplexity_of_real_weights_in_every_precision() {
    let Some(folder) = folder() else { return };
    let reference = Reference::open(&folder);
    let ids = reference.ids("ids");
    let exact = LanguageSide::load_as(&folder, Precision::F32).unwrap();
    let text = std::fs::read_to_string(folder.join("reference.txt")).unwrap();
    assert!(exact.tokenizer().encode(&text).unwrap()[..ids.len()] == ids, "ids of the text");

    let question = reference.ids("question_ids");
    let logits = exact.logits(&question, None, &[]).unwrap();
    let expected = reference.floats("question_logits");
    let worst = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("logits: largest difference {worst:e}");
    assert!(worst < 5e-4, "logits differ by {worst}");

    let greedy = reference.ids("greedy_ids");
    let options = GenerationOptions::default().with_max_tokens(greedy.len()).with_end_tokens(vec![]);
    let words: Result<Vec<u32>, _> = exact.generate(&question, None, &[], &options).unwrap().collect();
    assert_eq!(words.unwrap(), greedy, "greedy words");

    let found = perplexity(&exact, &ids);
    let stated = f64::from(reference.floats("loss")[0]).exp();
    println!("f32: perplexity {found:.4}, NumPy {stated:.4}");
    assert!((found / stated - 1.0).abs() < 1e-4, "perplexity {found} is not {stated}");
    for (precision, most) in MOST {
        let language = LanguageSide::load_as(&folder, precision).unwrap();
        let perplexity = perplexity(&language, &ids);
        println!("{precision}: perplexity {perplexity:.4}, {:+.2}%", (perplexity / found - 1.0) * 100.0);
        assert!(perplexity / found - 1.0 < most, "{precision}: perplexity {perplexity} after {found}");
    }
}
