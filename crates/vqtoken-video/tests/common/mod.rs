//! Where the tests find material that the project does not contain.
#![allow(dead_code)]

/// The `ffmpeg` that the crate would call.
pub(crate) fn ffmpeg_program() -> String {
    std::env::var("VQTOKEN_FFMPEG").unwrap_or_else(|_| "ffmpeg".into())
}

/// Whether there is an `ffmpeg` to decode with.
pub(crate) fn has_ffmpeg() -> bool {
    std::process::Command::new(ffmpeg_program())
        .arg("-version")
        .output()
        .is_ok_and(|out| out.status.success())
}

/// Makes a file with `ffmpeg`.
pub(crate) fn make(arguments: &[&str]) {
    let out = std::process::Command::new(ffmpeg_program())
        .args(["-nostdin", "-y", "-loglevel", "error"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A picture that differs from frame to frame in shape and colour: a gradient with a square wandering over it.
pub(crate) fn scene(width: usize, height: usize, index: usize) -> vqtoken_video::Frame {
    let (left, top) = (index * 3 % width, index * 2 % height);
    let pixel = |x: usize, y: usize| {
        let inside = (left..left + width / 4).contains(&x) && (top..top + height / 4).contains(&y);
        if inside { [220, 40, 60] } else { [(x * 255 / width) as u8, (y * 255 / height) as u8, 120] }
    };
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    vqtoken_video::Frame::new(width, height, rgb).unwrap()
}

/// Writes the first `count` scenes.
pub(crate) fn write_scenes(
    path: &std::path::Path,
    (width, height): (usize, usize),
    count: usize,
    fps: f64,
    options: vqtoken_video::Mp4Options,
) {
    let mut writer = vqtoken_video::Mp4Writer::create(path, width, height, fps, options).unwrap();
    for index in 0..count {
        writer.push(&scene(width, height, index)).unwrap();
    }
    writer.finish().unwrap();
}

/// Peak signal-to-noise ratio in decibels.
pub(crate) fn psnr(a: &vqtoken_video::Frame, b: &vqtoken_video::Frame) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let squares = a.rgb().iter().zip(b.rgb()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / a.rgb().len() as f64;
    10.0 * (255.0_f64.powi(2) / mean.max(1e-9)).log10()
}
