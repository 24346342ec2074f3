//! A real browser clicks through the page. `CHROMIUM` names the browser, `PUPPETEER` the folder of the Node module puppeteer-core, and
//! `VQTOKEN_SCREENSHOTS` a folder that keeps the pictures.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Running, clip, folder, searching};

/// Whether Node, its module and the browser are there.
fn is_there() -> bool {
    let module = match std::env::var_os("PUPPETEER") {
        Some(folder) => Path::new(&folder).is_dir(),
        None => {
            let found = Command::new("node").args(["-e", "require('puppeteer-core')"]).output();
            found.is_ok_and(|output| output.status.success())
        }
    };
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let browser = Command::new(browser).arg("--version").output();
    module && browser.is_ok_and(|output| output.status.success())
}

#[test]
fn a_browser_drops_plays_points_slides_and_asks() {
    if !is_there() {
        assert!(std::env::var_os("CI").is_none(), "Chromium or puppeteer-core is not installed");
        eprintln!("skipped: Chromium or puppeteer-core is not installed");
        return;
    }
    let folder = folder();
    let video = folder.path().join("demo.mp4");
    std::fs::write(&video, clip()).unwrap();
    let server = Running::start(searching(folder.path()));
    let screenshots =
        std::env::var_os("VQTOKEN_SCREENSHOTS").map_or_else(|| folder.path().join("screenshots"), Into::into);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page/click_through.mjs");
    let run = Command::new("node").arg(script).arg(server.url("")).arg(&video).arg(&screenshots).output();
    let Output { status, stdout, stderr } = run.unwrap();
    assert!(status.success(), "{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
}
