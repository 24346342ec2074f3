//! Many clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{Chat, GenerationOptions, LanguageSide, SamplingOptions};
use anyhow::bail;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use vqtoken_engine::{AnswerEvent, Engine, Question, Subject, SubjectContent};
use vqtoken_model::ModelError;

use super::client::{send, send_and_hang_up};
use super::one::record;
use super::percentile;
use super::subject::{Served, memory};

/// Words a second of several questions at once about one video, against one after the other.
///
/// Nothing ends an answer but its length, so this asks the engine: random weights end theirs at any moment.
pub(super) async fn words(
    served: &Served,
    at_once: usize,
    tokens: usize,
) -> anyhow::Result<Map<String, Value>> {
    let engine = served.engine.clone();
    let measured = tokio::task::spawn_blocking(move || {
        let subject = subject(engine.model().language())?;
        answers(&engine, &subject, 1, tokens)?;
        let start = Instant::now();
        for _ in 0..at_once {
            answers(&engine, &subject, 1, tokens)?;
        }
        let one_by_one = start.elapsed().as_secs_f64();
        let start = Instant::now();
        answers(&engine, &subject, at_once, tokens)?;
        anyhow::Ok((one_by_one, start.elapsed().as_secs_f64()))
    });
    let (one_by_one, together) = measured.await??;
    let all = (at_once * tokens) as f64;
    Ok(record([
        ("at_once", json!(at_once)),
        ("tokens", json!(tokens)),
        ("one_by_one_words_per_second", json!(all / one_by_one)),
        ("together_words_per_second", json!(all / together)),
        ("ratio", json!(one_by_one / together)),
    ]))
}

/// 32 visual tokens of made-up numbers.
fn subject(language: &LanguageSide) -> Result<Subject, ModelError> {
    let d = language.config().hidden_size;
    let numbers: Vec<f32> = (0..32 * d).map(|i| (i * 7 % 101) as f32 / 1000.0 - 0.05).collect();
    let visual = Arc::new(language.tokens_of(&numbers, d)?);
    Ok(Subject { key: "made up".to_owned(), content: SubjectContent::Visual(visual) })
}

/// Asks so many questions at once and waits for all answers.
fn answers(engine: &Engine, subject: &Subject, count: usize, tokens: usize) -> anyhow::Result<()> {
    let options = GenerationOptions::default()
        .with_max_tokens(tokens)
        .with_end_tokens(Vec::new())
        .with_sampling(SamplingOptions::default());
    let asked = (0..count).map(|_| {
        let chat = Chat::new("What is shown in this video?");
        engine.ask(Question::new("bench", Some(subject.clone()), chat).with_options(options.clone()))
    });
    for mut answering in asked.collect::<Result<Vec<_>, _>>()? {
        loop {
            match answering.blocking_next() {
                Some(AnswerEvent::Finished(finished)) if finished.generated_tokens == tokens => break,
                Some(AnswerEvent::Failed(error)) => return Err(error.into()),
                None | Some(AnswerEvent::Finished(_)) => bail!("an answer is too short"),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// The questions of a crowd.
const QUESTIONS: [&str; 4] = [
    "What shapes are there?",
    "How many objects are there?",
    "Which way does the red circle move?",
    "Describe the video.",
];

/// What became of a crowd's requests.
#[derive(Default)]
struct Counts {
    next: AtomicUsize,
    answered: AtomicUsize,
    refused: AtomicUsize,
    broken_off: AtomicUsize,
    wrong: AtomicUsize,
    lost: AtomicUsize,
}

/// Clients at once, of whose requests one in twenty breaks off. Answers are compared with those of a lone client.
pub(super) async fn crowd(
    served: &Served,
    clients: usize,
    requests: usize,
) -> anyhow::Result<Map<String, Value>> {
    let extra = json!({ "max_tokens": 32 });
    let mut expected = Vec::new();
    let mut bodies = Vec::new();
    for question in QUESTIONS {
        let answer = served.ask(question, &extra).await?.good()?;
        expected.push(answer["choices"][0]["message"]["content"].clone());
        bodies.push(served.question(question, &extra));
    }
    let (expected, bodies) = (Arc::new(expected), Arc::new(bodies));
    let (counts, address) = (Arc::new(Counts::default()), served.address);
    let before = memory();
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (expected, bodies, counts) = (expected.clone(), bodies.clone(), counts.clone());
            tokio::spawn(async move {
                let mut seconds = Vec::new();
                loop {
                    let index = counts.next.fetch_add(1, Ordering::Relaxed);
                    if index >= requests {
                        return seconds;
                    }
                    let question = index % QUESTIONS.len();
                    let body = ("application/json", bodies[question].as_slice());
                    if index.is_multiple_of(20) {
                        let after = Duration::from_millis(index as u64 % 97);
                        // Breaking off is what was asked; it cannot fail.
                        let _ = send_and_hang_up(address, "/v1/chat/completions", body, sleep(after)).await;
                        counts.broken_off.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let counted = match send(address, "POST", "/v1/chat/completions", body).await {
                        Err(_) => &counts.lost,
                        Ok(answer) if answer.status == 429 => &counts.refused,
                        Ok(answer) => {
                            let text =
                                answer.good().map(|json| json["choices"][0]["message"]["content"].clone());
                            seconds.push(answer.elapsed.as_secs_f64());
                            match text {
                                Ok(text) if text == expected[question] => &counts.answered,
                                _ => &counts.wrong,
                            }
                        }
                    };
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut seconds = Vec::new();
    for task in tasks {
        seconds.extend(task.await?);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let after = memory();
    let count = |counter: &AtomicUsize| json!(counter.load(Ordering::Relaxed));
    Ok(record([
        ("clients", json!(clients)),
        ("requests", json!(requests)),
        ("answered", count(&counts.answered)),
        ("told_429", count(&counts.refused)),
        ("broken_off", count(&counts.broken_off)),
        ("wrong", count(&counts.wrong)),
        ("lost", count(&counts.lost)),
        ("seconds", json!(elapsed)),
        ("answer_median_ms", json!(percentile(&mut seconds, 0.5) * 1e3)),
        ("memory_before_bytes", json!(before)),
        ("memory_after_bytes", json!(after)),
    ]))
}
