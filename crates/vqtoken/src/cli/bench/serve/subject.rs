//! The server that is measured, in this process, with the demonstration clip in its store.

use std::net::SocketAddr;

use crate::{VideoLlm, demo_clip, picture};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vqtoken_engine::{Engine, EngineOptions};
use vqtoken_server::{Server, ServerOptions};

use super::ServeArguments;
use super::client::{Answer, send};
use crate::cli::stages::Stages;

/// A running server.
pub(super) struct Served {
    pub(super) model: VideoLlm,
    pub(super) engine: Engine,
    pub(super) address: SocketAddr,
    /// The demonstration clip.
    pub(super) clip: Vec<u8>,
    /// Its id in the store.
    pub(super) video: String,
    frames: usize,
    folder: TempDir,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Served {
    /// Loads the model, starts the server, and stores the clip.
    pub(super) async fn start(arguments: &ServeArguments) -> anyhow::Result<Self> {
        let model = arguments.subject.load(&mut Stages::default())?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("demo.mp4");
        demo_clip::write(&file)?;
        let mut served = Self {
            engine: Engine::start(model.clone(), EngineOptions::default())?,
            model,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            clip: std::fs::read(&file)?,
            video: String::new(),
            frames: arguments.frames,
            folder,
            running: None,
        };
        served.serve().await?;
        let stored = served.upload(served.frames).await?.good()?;
        served.video = stored["id"].as_str().unwrap_or_default().to_owned();
        Ok(served)
    }

    /// Ends the server and starts another one on the same store: nothing that it held in memory is left but the weights.
    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.end().await;
        self.engine = Engine::start(self.model.clone(), EngineOptions::default())?;
        self.serve().await
    }

    pub(super) async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        if let Some((stop, running)) = self.running.take() {
            let _ = stop.send(());
            let _ = running.await;
        }
    }

    async fn serve(&mut self) -> anyhow::Result<()> {
        let mut options = ServerOptions::new(self.folder.path().join("store"));
        options.bind = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(self.engine.clone(), options, picture::artist()).await?;
        self.address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        self.running = Some((stop, running));
        Ok(())
    }

    /// Uploads the clip.
    pub(super) async fn upload(&self, frames: usize) -> anyhow::Result<Answer> {
        let path = format!("/v1/videos?name=demo.mp4&frames={frames}");
        send(self.address, "POST", &path, ("video/mp4", &self.clip)).await
    }

    /// The body of a question about the stored clip.
    pub(super) fn question(&self, text: &str, extra: &Value) -> Vec<u8> {
        let mut body = json!({
            "messages": [{"role": "user", "content": [
                {"type": "video_url", "video_url": {"url": format!("vqt:{}", self.video)}},
                {"type": "text", "text": text},
            ]}],
        });
        if let (Value::Object(body), Value::Object(extra)) = (&mut body, extra) {
            body.extend(extra.clone());
        }
        body.to_string().into_bytes()
    }

    /// Asks about the stored clip.
    pub(super) async fn ask(&self, text: &str, extra: &Value) -> anyhow::Result<Answer> {
        let body = self.question(text, extra);
        send(self.address, "POST", "/v1/chat/completions", ("application/json", &body)).await
    }

    /// What every record says.
    pub(super) fn describe(&self, case: String, record: &mut Map<String, Value>) {
        record.insert("bench".to_owned(), json!(format!("serve {case}")));
        record.insert("model".to_owned(), json!(self.model.id()));
        record.insert("precision".to_owned(), json!(self.model.precision().to_string()));
        record.insert("threads".to_owned(), json!(rayon::current_num_threads()));
    }
}

/// Bytes that this process holds now, where the system tells it (Linux).
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
