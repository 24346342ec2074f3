//! `vqtoken bench train`: a training step of a small vision tower.

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use serde_json::{Value, json};
use vqtoken_kernels::WeightKind;
use vqtoken_model::config::VisionConfig;
use vqtoken_nn::in_thread_pool;

use super::record::Runs;
use super::subject::set_threads;
use crate::cli::GlobalArguments;
use crate::cli::bench::peer;
use crate::cli::{at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct TrainArguments {
    /// Features of a patch
    #[arg(long, value_name = "D", default_value_t = 96, value_parser = at_least_one)]
    dim: usize,

    /// Layers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one)]
    layers: usize,

    /// Attention heads
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    heads: usize,

    /// Frames of a step, of 27 x 27 patches each
    #[arg(long, value_name = "T", default_value_t = 8, value_parser = at_least_one)]
    frames: usize,

    /// Runs: `runs` has the seconds of each, `seconds` is their median
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    repeat: usize,

    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,
}

/// Forward, backward and AdamW on the mean square of the tower's output, which costs what any loss on it would.
pub(crate) fn run(arguments: &TrainArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    const LEARNING_RATE: f64 = 1e-4;
    set_threads(arguments.threads)?;
    if !arguments.dim.is_multiple_of(arguments.heads) {
        let message = format!("{} heads do not divide {} features", arguments.heads, arguments.dim);
        return Err(crate::cli::UsageError(message).into());
    }
    let config = VisionConfig {
        hidden_size: arguments.dim,
        intermediate_size: 4 * arguments.dim,
        layers: arguments.layers,
        heads: arguments.heads,
        image_size: 378,
        ..VisionConfig::siglip_so400m()
    };
    let (frames, size) = (arguments.frames, config.image_size);
    let device = Device::flex().autodiff();
    device.seed(0);
    let mut tower = config.init(&device);
    let mut optimizer = AdamWConfig::new().init();
    let data: Vec<f32> = (0..frames * 3 * size * size).map(|i| (i % 511) as f32 / 255.0 - 1.0).collect();
    let pixels = Tensor::<4>::from_data(TensorData::new(data, [frames, 3, size, size]), &device);
    let runs = Runs::measure(arguments.repeat, || {
        in_thread_pool(|| {
            let loss = tower.forward(pixels.clone()).powi_scalar(2).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &tower);
            tower = optimizer.step(LEARNING_RATE, tower.clone(), gradients);
        });
        Ok(())
    })?;
    // The backward pass is twice the forward pass.
    let flops = 3.0 * config.flops(frames);
    let mut record = runs.record("train", flops, WeightKind::F32);
    for (key, value) in
        [("frames", frames), ("dim", arguments.dim), ("layers", arguments.layers), ("heads", arguments.heads)]
    {
        record.insert(key.to_owned(), json!(value));
    }
    let per_frame = runs.median() / frames as f64;
    record.insert("seconds_per_frame".to_owned(), json!(per_frame));
    let shape = (arguments.dim, arguments.layers, arguments.heads, arguments.frames);
    let peer = (shape == (96, 3, 4, 8)).then(|| peer::command("train", rayon::current_num_threads()));
    peer::insert(peer.as_deref(), &mut record);
    if global.json {
        return Ok(output::line(Value::from(record))?);
    }
    output::line(format_args!(
        "{} frames a step: {:.1} ms a frame, {:.3} TFLOP/s",
        frames,
        per_frame * 1e3,
        flops / runs.median() / 1e12
    ))?;
    peer::print(peer.as_deref())
}
