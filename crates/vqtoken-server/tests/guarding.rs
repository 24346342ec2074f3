//! Who may ask: keys, names, sites; and what every response carries.

mod common;

use common::{Running, folder, options};
use vqtoken_engine::{Engine, EngineOptions};
use vqtoken_server::{Access, ServeError, Server};

#[test]
fn every_route_but_health_asks_for_the_key() {
    let folder = folder();
    let mut options = options(folder.path());
    options.keys = vec!["secret".to_owned()];
    let server = Running::start(options);
    assert_eq!(server.get("/health").status, 200);
    for path in
        ["/", "/page/app.js", "/v1/models", "/v1/videos", "/ready", "/metrics", "/openapi.json", "/nothing"]
    {
        server.get(path).assert_error(401, None, "asks for a key");
        let wrong = server.send("GET", path, &[("authorization", "Bearer wrong")], b"");
        wrong.assert_error(401, None, "the key is wrong");
    }
    assert!(server.get("/").header("www-authenticate").unwrap().starts_with("Basic"));
    assert_eq!(server.get("/v1/models").header("www-authenticate"), Some("Bearer"));
    let with = |value: &str| server.send("GET", "/v1/models", &[("authorization", value)], b"").status;
    assert_eq!(with("Bearer secret"), 200);
    assert_eq!(with(&format!("Basic {}", common::base64(b"me:secret"))), 200);
    assert_eq!(with("Bearer secret2"), 401);
}

#[test]
fn pages_of_other_sites_and_names_of_others_are_refused() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let with = |headers: &[(&str, &str)]| server.send("GET", "/v1/models", headers, b"");
    with(&[("host", "evil.example")]).assert_error(403, None, "does not answer to the host");
    with(&[("origin", "http://evil.example")]).assert_error(403, None, "may not use this server");
    with(&[("origin", "null")]).assert_error(403, None, "may not use this server");
    with(&[("sec-fetch-site", "cross-site")]).assert_error(403, None, "may not use this server");
    let own = format!("http://{}", server.address);
    assert_eq!(with(&[("origin", &own)]).status, 200);
    assert_eq!(with(&[("host", "localhost:8642")]).status, 200);
    let preflight = [("origin", "http://evil.example"), ("access-control-request-method", "POST")];
    let reply = server.send("OPTIONS", "/v1/chat/completions", &preflight, b"");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("access-control-allow-origin"), None);
}

#[test]
fn responses_carry_what_keeps_a_browser_safe() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    for path in ["/", "/v1/models", "/nothing"] {
        let reply = server.get(path);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    }
    let page = server.get("/");
    assert!(page.text().contains("<html"), "{}", page.text());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let tag = page.header("etag").unwrap();
    assert_eq!(server.send("GET", "/", &[("if-none-match", tag)], b"").status, 304);
    let script = server.get("/page/app.js");
    assert!(script.header("content-type").unwrap().contains("javascript"));
    assert_eq!(server.get("/page/../Cargo.toml").status, 404);
    assert_eq!(server.get("/page/%2e%2e/Cargo.toml").status, 404);
}

#[test]
fn an_address_that_others_reach_needs_a_key_or_a_word() {
    let folder = folder();
    let mut options = options(folder.path());
    options.bind = "0.0.0.0:0".parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = Engine::start(common::model(), EngineOptions::default()).unwrap();
    let bind = |options| {
        let (engine, artist) = (engine.clone(), vqtoken::picture::artist());
        runtime.block_on(async { Server::bind(engine, options, artist).await.map(drop) })
    };
    assert!(matches!(bind(options.clone()), Err(ServeError::Open { .. })));
    options.keys = vec!["with space".to_owned()];
    assert!(matches!(bind(options.clone()), Err(ServeError::Key)));
    options.keys = vec!["key".to_owned()];
    bind(options.clone()).unwrap();
    options.keys.clear();
    options.open = Access::Everybody;
    bind(options).unwrap();
}

#[test]
fn status_tells_how_the_server_is_and_describes_its_routes() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    assert_eq!(server.get("/health").json()["status"], "ok");
    assert_eq!(server.get("/ready").json()["status"], "ready");
    let models = server.get("/v1/models").json();
    assert_eq!(models["data"][0]["object"], "model");
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("vqtoken_requests_total{route=\"/v1/models\",status=\"200\"}"), "{metrics}");
    assert!(metrics.contains("vqtoken_queue_length"), "{metrics}");
    let api = server.get("/openapi.json").json();
    for path in ["/v1/chat/completions", "/v1/videos", "/v1/videos/{id}/map", "/health"] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    assert!(api["components"]["schemas"]["VideoObject"]["properties"]["id"].is_object());
}
