//! Clips of a data set, a row each, as one picture; prints their captions:
//! `cargo run --release -p vqtoken-shapes --example contact_sheet -- OUT.png [CLIP...] [--seed SEED]`.

use std::io::Write;

use vqtoken_shapes::{Scene, Settings, caption};

const SIDE: usize = 140;
const GAP: usize = 6;
const FRAMES: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let target = words.next().ok_or("give the name of the picture")?;
    let (mut numbers, mut seed) = (Vec::new(), 7);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => seed = words.next().ok_or("--seed needs a number")?.parse()?,
            number => numbers.push(number.parse()?),
        }
    }
    if numbers.is_empty() {
        numbers = (0..4).collect();
    }
    // Noise would make the file ten times as large and show nothing.
    let settings = Settings { seed, noise: 0.0, ..Settings::default() };
    let across = |cells: usize| cells * (SIDE + GAP) - GAP;
    let (width, height) = (across(FRAMES), across(numbers.len()));
    let mut sheet = vec![255; width * height * 3];
    let mut out = std::io::stdout().lock();
    for (row, &number) in numbers.iter().enumerate() {
        let scene = Scene::of_clip(number, &settings);
        writeln!(out, "{}\n", caption(&scene))?;
        let renderer = scene.renderer_at(SIDE);
        for column in 0..FRAMES {
            let rgb = renderer.rgb(column * (scene.frames - 1) / (FRAMES - 1));
            for (line, pixels) in rgb.chunks_exact(SIDE * 3).enumerate() {
                let place = ((row * (SIDE + GAP) + line) * width + column * (SIDE + GAP)) * 3;
                sheet[place..place + pixels.len()].copy_from_slice(pixels);
            }
        }
    }
    let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
    image::save_buffer(&target, &sheet, width, height, image::ColorType::Rgb8)?;
    Ok(())
}
