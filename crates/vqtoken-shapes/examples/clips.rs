//! Writes clips of the first scenes to a folder, with the seconds that each step took.
use std::time::Instant;
use vqtoken_shapes::{Scene, Settings};
use vqtoken_video::{Mp4Options, Mp4Writer};
fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = std::path::PathBuf::from(arguments.next().unwrap());
    let count: usize = arguments.next().unwrap().parse().unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let settings = Settings::default();
    for index in 0..count {
        let t = Instant::now();
        let scene = Scene::of_clip(index, &settings);
        let made = t.elapsed();
        let t = Instant::now();
        let renderer = scene.renderer();
        let frames: Vec<_> = (0..scene.frames).map(|f| renderer.frame(f).unwrap()).collect();
        let rendered = t.elapsed();
        let t = Instant::now();
        let path = folder.join(format!("{index:06}.mp4"));
        let mut writer = Mp4Writer::create(&path, scene.size, scene.size, f64::from(scene.fps), Mp4Options { quantizer: settings.quantizer, ..Mp4Options::default() }).unwrap();
        for frame in &frames { writer.push(frame).unwrap(); }
        writer.finish().unwrap();
        println!("{index}: {made:?} {rendered:?} {:?} {} kB; {} objects", t.elapsed(), std::fs::metadata(&path).unwrap().len() / 1000, scene.objects.len());
    }
}
