//! Decodes a video and writes its frames as raw RGB: `frames VIDEO OUT.rgb [T]`.

use std::io::Write;

use vqtoken_video::{Sampling, Video};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, video, out, rest @ ..] = args.as_slice() else { return Err("frames VIDEO OUT.rgb [T]".into()) };
    let sampling = match rest {
        [count] => Sampling::Uniform(count.parse()?),
        _ => Sampling::All,
    };
    let started = std::time::Instant::now();
    let clip = Video::open(video)?.sample(sampling)?;
    let seconds = started.elapsed().as_secs_f64();
    let mut file = std::io::BufWriter::new(std::fs::File::create(out)?);
    for frame in &clip.frames {
        file.write_all(frame.rgb())?;
    }
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{:?}", clip.info)?;
    for message in clip.messages() {
        writeln!(stderr, "warning: {message}")?;
    }
    writeln!(stderr, "{} of {} frames in {seconds:.3} s", clip.frames.len(), clip.decoded_frames)?;
    let last = clip.timestamps.len().saturating_sub(3);
    writeln!(stderr, "timestamps {:?} .. {:?}", &clip.timestamps[..last.min(6)], &clip.timestamps[last..])?;
    Ok(())
}
