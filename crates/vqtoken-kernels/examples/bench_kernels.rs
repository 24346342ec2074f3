//! Times the kernels at the models' shapes and prints one line of JSON per case.
//!
//! `VQTOKEN_ISA` forces an instruction set, `RAYON_NUM_THREADS` the threads. `share` is of the peak measured right
//! before and after the case.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use vqtoken_kernels::{Activation, Fused, IsaError, Kernels, PackedLinear, bf16_from_f32};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Kernels::from_env().map_err(|error: IsaError| error.to_string())?;
    let cases = [
        (729, 1152, 1152),
        (729, 1152, 4304),
        (729, 4304, 1152),
        (2916, 1152, 4304),
        (80, 896, 4864),
        (1, 896, 4864),
    ];
    for (rows, inputs, outputs) in cases {
        linear(kernels, rows, inputs, outputs)?;
    }
    Ok(())
}

/// Numbers in -1..1, the same every time.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Runs until a second has passed and prints the best run.
fn time(kernels: Kernels, name: &str, shape: &str, operations: f64, bytes: f64, mut run: impl FnMut()) {
    let mut peak = kernels.measure_peak();
    run();
    let mut best = f64::MAX;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 1.0 {
        let begin = Instant::now();
        run();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    peak = peak.max(kernels.measure_peak());
    println!(
        r#"{{"kernel":"{name}","isa":"{}","threads":{},"shape":"{shape}","seconds":{best:.3e},"gflops":{:.1},"share":{:.3},"gbytes":{:.2}}}"#,
        kernels.isa(),
        rayon::current_num_threads(),
        operations / best / 1e9,
        operations / best / peak,
        bytes / best / 1e9,
    );
}

fn linear(
    kernels: Kernels,
    rows: usize,
    inputs: usize,
    outputs: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let (x, weights, bias) = (numbers(rows * inputs), numbers(outputs * inputs), numbers(outputs));
    let halves: Vec<u16> = weights.iter().map(|x| bf16_from_f32(*x)).collect();
    let mut y = vec![0.0; rows * outputs];
    let shape = format!("{rows}x{inputs}x{outputs}");
    let operations = 2.0 * (rows * inputs * outputs) as f64;
    for (name, layer) in [
        ("linear f32", PackedLinear::f32(kernels, &weights, outputs, inputs)?),
        ("linear bf16", PackedLinear::bf16(kernels, &halves, outputs, inputs)?),
        ("linear int8", PackedLinear::int8(kernels, &weights, outputs, inputs)?),
    ] {
        let layer = layer.with_bias(&bias)?;
        let fused = Fused { activation: Activation::GeluTanh, residual: None };
        layer.forward(&x, &mut y, fused)?;
        time(kernels, name, &shape, operations, layer.bytes() as f64, || {
            let _ = layer.forward(&x, &mut y, fused);
        });
    }
    Ok(())
}
