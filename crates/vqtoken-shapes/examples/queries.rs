//! Prints queries that are true of some scenes, and when: `cargo run --example queries -- SCENES [SEED]`.

#![allow(clippy::print_stdout, reason = "the texts are what it is for")]

use vqtoken_shapes::{Scene, Settings, caption, queries_of};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let scenes = arguments.next().and_then(|word| word.parse().ok()).unwrap_or(3);
    let seed = arguments.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let settings = Settings { seed, ..Settings::default() };
    for index in 0..scenes {
        let scene = Scene::of_clip(index, &settings);
        println!("{}", caption(&scene));
        for query in queries_of(&scene, index as u64) {
            let changed = query.changed(index as u64).first().map(vqtoken_shapes::Query::text);
            println!(
                "  {:<70} {:.2?}  not: {}",
                query.text(),
                query.intervals(&scene),
                changed.unwrap_or_default()
            );
        }
    }
}
