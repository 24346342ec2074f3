//! Requests as other tools send them.

mod common;

use common::{Running, answer, base64, clip, folder, options};

#[test]
fn requests_of_vllm_and_lmms_eval_are_answered() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    let frame = base64(&server.get(&format!("/v1/videos/{id}/frames/3.jpg")).body);
    let requests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests");
    let mut sent = 0;
    for entry in std::fs::read_dir(requests).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("{{video}}", &base64(clip())).replace("{{frame}}", &frame);
        let reply = server.chat(&serde_json::from_str(&text).unwrap());
        assert_eq!(reply.status, 200, "{}: {}", path.display(), reply.text());
        // What the model in the box has to say of a still picture may be nothing.
        answer(&reply);
        assert!(reply.json()["usage"]["prompt_tokens_details"]["video_tokens"].as_u64().unwrap() > 0);
        sent += 1;
    }
    assert_eq!(sent, 5);
}
