//! What is left out when frames come faster than they are encoded. Alone in its process, since it is about time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use common::{Events, frames, options, vision};
use vqtoken_core::VideoTokens;
use vqtoken_live::{AnswerError, Live, LiveEvent, LiveStream, Offered, StandingQuestions};

#[test]
fn where_encoding_is_slower_frames_are_left_out_evenly_and_that_is_told() {
    let mut stream = LiveStream::new(vision(), options(100.0, 100.0)).unwrap();
    let begin = Instant::now();
    frames(12, 30.0, 1).for_each(|(frame, seconds)| drop(stream.push(frame, seconds).unwrap()));
    let cost = begin.elapsed() / 12;

    let events = Events::default();
    let answerer = |_: &Arc<VideoTokens>, _: &str| -> Result<String, AnswerError> { Ok(String::new()) };
    let questions = StandingQuestions::default();
    let live =
        Live::start(vision(), options(100.0, 100.0), questions, Arc::new(answerer), events.taker()).unwrap();
    let mut taken = Vec::new();
    // New pictures four times as fast as the tower takes them.
    for (index, (frame, seconds)) in frames(400, 30.0, 1).enumerate() {
        if live.offer(frame, seconds).unwrap() == Offered::Taken {
            taken.push(index);
        }
        thread::sleep(cost / 4);
    }
    live.finish();
    live.join();
    let all = events.all();
    let Some(LiveEvent::End { frames, left_out, .. }) = all.last() else { panic!("{all:?}") };
    assert_eq!((*frames, *left_out), (taken.len(), 400 - taken.len()));
    assert!(*left_out > 150, "{left_out} of 400");
    let told =
        all.iter().map(|event| if let LiveEvent::LeftOut { left_out, .. } = event { *left_out } else { 0 });
    assert_eq!(told.sum::<usize>(), *left_out, "every frame that is left out is told");
    // Once the queue has filled: gaps next to each other are alike, so there is no burst.
    let gaps: Vec<usize> = taken.windows(2).map(|pair| pair[1] - pair[0]).skip(30).collect();
    assert!(gaps.len() > 20, "{gaps:?}");
    for pair in gaps.windows(2) {
        assert!(pair[1] <= 2 * pair[0] + 2 && pair[0] <= 2 * pair[1] + 2, "{gaps:?}");
    }
}
