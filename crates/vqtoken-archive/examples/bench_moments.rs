//! Searches many made-up moments: seconds to add them, milliseconds of a query, recall at 10 against an exact scan of the unrounded vectors, bytes and memory.
//!
//!     cargo run --release -p vqtoken-archive --example bench_moments -- [MOMENTS] [FEATURES] [FOLDER [DATA]]
//!
//! Vectors are 4,096 random directions, each with noise of 0.8, of length 1; queries have fresh noise. With DATA they are written there as
//! `base.f32` and `queries.f32`, so that other engines can be measured on the same ones. A line of JSON; the times of queries are medians over rounds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use vqtoken_archive::{Archive, ArchiveOptions, ContentHash, NewVectors, NewVideo, Scan, Space, VideoKey};
use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, Quality, VideoTokens};
use vqtoken_kernels::{Fused, Kernels, PackedLinear};

const CENTRES: usize = 4096;
const QUERIES: usize = 200;
/// Times that each query is asked.
const ROUNDS: usize = 5;
const TOP: usize = 10;
/// Moments of a video: about seventeen minutes at one a second.
const PER_VIDEO: usize = 1000;
const VIDEOS_AT_ONCE: usize = 20;

/// Normally distributed numbers.
struct Normal(u64);

impl Normal {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// The sum of four uniform numbers, scaled: near enough to a normal one here, and cheap.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let parts = (0..4).map(|part| (self.0 >> (part * 16)) as u16 as f32 / 65_536.0);
        (parts.sum::<f32>() - 2.0) * 3.0_f32.sqrt()
    }
}

fn draw(centres: &[f32], features: usize, normal: &mut Normal, out: &mut Vec<f32>) {
    let centre = ((normal.unit() * CENTRES as f64) as usize).min(CENTRES - 1);
    let start = out.len();
    out.extend(centres[centre * features..][..features].iter().map(|x| x + 0.8 * normal.next()));
    let length = out[start..].iter().map(|x| x * x).sum::<f32>().sqrt();
    out[start..].iter_mut().for_each(|x| *x /= length);
}

fn tokens() -> VideoTokens {
    let shape = GridShape { frames: 1, height: 1, width: 1 };
    VideoTokens {
        codebook: Codebook::new(1, 1, vec![1.0]).unwrap(),
        index_map: IndexMap::new(shape, 1, vec![0]).unwrap(),
        timestamps: vec![0.0],
        model: "made-up@00000000".to_owned(),
        source: None,
        budget: Budget::Fixed(1),
        windows: None,
        quality: Quality::Exact,
    }
}

/// Where vectors are written for other engines.
struct Data(Option<PathBuf>);

impl Data {
    fn create(&self, name: &str) -> Option<BufWriter<File>> {
        let folder = self.0.as_ref()?;
        fs::create_dir_all(folder).unwrap();
        Some(BufWriter::new(File::create(folder.join(name)).unwrap()))
    }
}

fn write(file: &mut Option<BufWriter<File>>, vectors: &[f32]) {
    let Some(file) = file else { return };
    vectors.iter().for_each(|x| file.write_all(&x.to_le_bytes()).unwrap());
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or_default()
        * 1024
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (moments, features): (usize, usize) = (number(1_000_000), number(1152));
    let given = arguments.next().map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder = given.unwrap_or_else(|| temporary.path().to_owned());
    let data = Data(arguments.next().map(PathBuf::from));

    let mut normal = Normal(1);
    let centres: Vec<f32> = (0..CENTRES * features).map(|_| normal.next()).collect();
    let mut queries = Vec::new();
    (0..QUERIES).for_each(|_| draw(&centres, features, &mut normal, &mut queries));
    write(&mut data.create("queries.f32"), &queries);
    let mut base = data.create("base.f32");
    let layer = PackedLinear::f32(Kernels::global(), &queries, QUERIES, features).unwrap();

    let archive = Archive::open(&folder, ArchiveOptions::default().with_most_bytes(u64::MAX >> 1)).unwrap();
    let space = Space::new("made-up", features);
    let mut truth: Vec<Vec<(f32, (usize, usize))>> = vec![Vec::new(); QUERIES];
    let mut seconds = 0.0;
    let mut ids = Vec::new();
    let videos = moments.div_ceil(PER_VIDEO);
    for first in (0..videos).step_by(VIDEOS_AT_ONCE) {
        let mut batch = Vec::new();
        for video in first..(first + VIDEOS_AT_ONCE).min(videos) {
            let count = PER_VIDEO.min(moments - video * PER_VIDEO);
            let mut vectors = Vec::with_capacity(count * features);
            (0..count).for_each(|_| draw(&centres, features, &mut normal, &mut vectors));
            write(&mut base, &vectors);
            let mut products = vec![0.0; count * QUERIES];
            layer.forward(&vectors, &mut products, Fused::default()).unwrap();
            for (moment, products) in products.chunks_exact(QUERIES).enumerate() {
                for (best, product) in truth.iter_mut().zip(products) {
                    if best.len() < TOP || *product > best[TOP - 1].0 {
                        best.push((*product, (video, moment)));
                        best.sort_by(|a, b| b.0.total_cmp(&a.0));
                        best.truncate(TOP);
                    }
                }
            }
            let key = VideoKey::new(ContentHash::of_bytes(&video.to_le_bytes()), "made-up@00000000", "given");
            ids.push(key.id());
            archive.insert(NewVideo::new(key.clone(), format!("{video}"), "1", tokens())).unwrap();
            let spans = (0..count).map(|second| [second as f32, second as f32 + 1.0]).collect();
            batch.push((key.id(), NewVectors::new(spans, vectors, Vec::new())));
        }
        let start = Instant::now();
        archive.put_vectors(&space, &batch).unwrap();
        seconds += start.elapsed().as_secs_f64();
    }
    drop(base);
    let start = Instant::now();
    let compacted = archive.compact().unwrap();
    let compact_seconds = start.elapsed().as_secs_f64();
    drop(layer);
    drop(archive);

    let archive = Archive::open_to_read(&folder, ArchiveOptions::default()).unwrap();
    let start = Instant::now();
    archive.moments(&space).unwrap();
    let open_seconds = start.elapsed().as_secs_f64();
    let before = resident();
    let (mut times, mut hits, mut most) = (Vec::new(), 0, 0);
    // Warm: a reader that has just opened a segment reads it from the disk first.
    archive.nearest_moments(&space, &queries[..features], TOP, Scan::Auto, None).unwrap();
    for _ in 0..ROUNDS {
        hits = 0;
        for (query, truth) in queries.chunks_exact(features).zip(&truth) {
            let start = Instant::now();
            let found = archive.nearest_moments(&space, query, TOP, Scan::Auto, None).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
            most = most.max(resident());
            let is_true = |id: &str, moment: usize| {
                truth.iter().any(|(_, (video, index))| ids[*video] == id && *index == moment)
            };
            hits += found.iter().filter(|hit| is_true(&hit.id, hit.moment)).count();
        }
    }
    let start = Instant::now();
    for query in queries.chunks_exact(features).take(5) {
        archive.nearest_moments(&space, query, TOP, Scan::Exact, None).unwrap();
    }
    let exact = start.elapsed().as_secs_f64() * 1e3 / 5.0;
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"engine\": \"vqtoken\", \"n\": {moments}, \"d\": {features}, \"add_seconds\": {seconds:.1}, \"compact_seconds\": {compact_seconds:.1}, \
         \"open_seconds\": {open_seconds:.3}, \"median_ms\": {:.2}, \"p95_ms\": {:.2}, \"exact_ms\": {exact:.1}, \"recall_at_10\": {:.4}, \
         \"bytes_per_moment\": {:.0}, \"resident_before\": {before}, \"resident_most\": {most}}}",
        times[times.len() / 2],
        times[times.len() * 95 / 100],
        hits as f64 / (TOP * QUERIES) as f64,
        compacted.bytes_after as f64 / moments as f64,
    );
}
