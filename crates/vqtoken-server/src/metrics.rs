//! What is measured, for Prometheus.

use std::sync::{Mutex, OnceLock, PoisonError};

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use vqtoken_engine::Load;

/// Bounds of histograms of seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The recorder of the process; the first server starts it. `None` if the program has another recorder.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _held = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if RECORDER.get().is_none() {
        let built = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), &SECONDS)
            .and_then(PrometheusBuilder::install_recorder);
        match built {
            Ok(handle) => drop(RECORDER.set(handle)),
            Err(error) => tracing::warn!(%error, "metrics are not recorded"),
        }
        describe();
    }
    RECORDER.get()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};

    describe_counter!("vqtoken_requests_total", "Requests by route and status");
    describe_histogram!("vqtoken_request_seconds", "Seconds until the head of the response, by route");
    describe_histogram!("vqtoken_stage_seconds", "Seconds of a stage: queue, encode, prefill, generation");
    describe_histogram!(
        "vqtoken_first_token_seconds",
        "Seconds from the request to the first piece of its answer"
    );
    describe_counter!("vqtoken_tokens_total", "Tokens by kind: prompt, cached, video, generated");
    describe_counter!(
        "vqtoken_video_lookups_total",
        "Videos asked for, by where they came from: store, encoder"
    );
    describe_gauge!("vqtoken_queue_length", "What waits, by kind: questions, videos");
    describe_gauge!("vqtoken_at_work", "What is being done, by kind: answers, videos");
    describe_gauge!("vqtoken_store_bytes", "Bytes of the store");
    describe_gauge!("vqtoken_store_videos", "Videos in the store");
}

/// A request has been answered, or its answer has begun.
pub(crate) fn request(route: &str, status: u16, seconds: f64) {
    counter!("vqtoken_requests_total", "route" => route.to_owned(), "status" => status.to_string())
        .increment(1);
    histogram!("vqtoken_request_seconds", "route" => route.to_owned()).record(seconds);
}

/// A stage took so many seconds.
pub(crate) fn stage(stage: &'static str, seconds: f64) {
    histogram!("vqtoken_stage_seconds", "stage" => stage).record(seconds);
}

/// The first piece of an answer came so many seconds after its request.
pub(crate) fn first_token(seconds: f64) {
    histogram!("vqtoken_first_token_seconds").record(seconds);
}

/// So many tokens of a kind.
pub(crate) fn tokens(kind: &'static str, count: usize) {
    counter!("vqtoken_tokens_total", "kind" => kind).increment(count as u64);
}

/// A video was looked for, and came from here.
pub(crate) fn video(from: &'static str) {
    counter!("vqtoken_video_lookups_total", "from" => from).increment(1);
}

/// What waits and works now.
pub(crate) fn load(load: Load) {
    gauge!("vqtoken_queue_length", "kind" => "questions").set(load.questions_waiting as f64);
    gauge!("vqtoken_queue_length", "kind" => "videos").set(load.videos_waiting as f64);
    gauge!("vqtoken_at_work", "kind" => "answers").set(load.answering as f64);
    gauge!("vqtoken_at_work", "kind" => "videos").set(load.encoding as f64);
}

/// The size of the store.
pub(crate) fn store(bytes: u64, videos: u64) {
    gauge!("vqtoken_store_bytes").set(bytes as f64);
    gauge!("vqtoken_store_videos").set(videos as f64);
}
