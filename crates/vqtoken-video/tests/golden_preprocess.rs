//! Resize and pixel values against Pillow and the public image processor, bit for bit.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../../../golden/locate.rs"]
mod locate;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use vqtoken_video::{Frame, PixelSpec, resize_bicubic};

#[test]
fn golden_resize_and_pixels() {
    for folder in locate::golden_sets() {
        let file = folder.join("cases/preprocess.safetensors");
        let bytes = std::fs::read(&file).unwrap();
        let cases = SafeTensors::deserialize(&bytes).unwrap();
        let count = cases.names().iter().filter(|name| name.starts_with("frame")).count();
        assert!(count > 0, "{}: no cases", file.display());
        for index in 0..count {
            check(&cases, index);
        }
        println!("{}: {count} frames equal", file.display());
    }
}

fn check(cases: &SafeTensors, index: usize) {
    let frame = frame(cases.tensor(&format!("frame{index}")).unwrap());
    let resized = cases.tensor(&format!("resized{index}")).unwrap();
    let (height, width) = (resized.shape()[0], resized.shape()[1]);
    let out = resize_bicubic(&frame, width, height);
    assert!(out.rgb() == resized.data(), "frame{index}: resized bytes differ from Pillow's");

    let pixels = cases.tensor(&format!("pixels{index}")).unwrap();
    let spec = PixelSpec { size: *pixels.shape().last().unwrap(), ..PixelSpec::default() };
    let expected: Vec<f32> =
        pixels.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let out = spec.pixels(&[frame]);
    assert_eq!(out.data.len(), expected.len());
    let worst = out.data.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst == 0.0, "frame{index}: pixel values differ by up to {worst}");
}

fn frame(tensor: TensorView<'_>) -> Frame {
    Frame::new(tensor.shape()[1], tensor.shape()[0], tensor.data().to_vec()).unwrap()
}
