//! Times the kernels at the models' shapes and prints one line of JSON for each case.
//!
//! `VQTOKEN_ISA` forces an instruction set, `RAYON_NUM_THREADS` sets the number of threads. `share` is relative to the peak
//! measured right before and after the case.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use half::bf16;
use vqtoken_kernels::{
    Activation, AttentionForward, AttentionGradients, AttentionShape, Causality, Fused, Kernels, Layout,
    Norm, NormKind, PackedLinear,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Kernels::from_env()?;
    let cases = [
        (729, 1152, 1152),
        (729, 1152, 4304),
        (729, 4304, 1152),
        (2916, 1152, 4304),
        (80, 896, 4864),
        (16, 896, 4864),
        (16, 4864, 896),
        (16, 896, 151_936),
        (1, 896, 4864),
    ];
    for (rows, inputs, outputs) in cases {
        linear(kernels, rows, inputs, outputs)?;
    }
    attention(kernels, "vision", [1, 16, 16, 729, 729, 72], Causality::Bidirectional)?;
    attention(kernels, "small tower", [4, 4, 4, 729, 729, 24], Causality::Bidirectional)?;
    attention(kernels, "prefill", [1, 14, 2, 80, 80, 64], Causality::Causal)?;
    attention(kernels, "decoding", [1, 14, 2, 1, 1000, 64], Causality::Causal)?;
    elementwise(kernels)?;
    println!(
        r#"{{"kernel":"memory","isa":"{}","gbytes":{:.2}}}"#,
        kernels.isa(),
        kernels.measure_bandwidth() / 1e9
    );
    Ok(())
}

/// Pseudorandom values in -1..1, the same every time.
fn values(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Runs until a second has passed and prints the best run and the median.
fn time(kernels: Kernels, name: &str, shape: &str, operations: f64, bytes: f64, mut run: impl FnMut()) {
    let mut peak = kernels.measure_peak(vqtoken_kernels::WeightKind::F32);
    run();
    let mut runs = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 1.0 {
        let begin = Instant::now();
        run();
        runs.push(begin.elapsed().as_secs_f64());
    }
    runs.sort_by(f64::total_cmp);
    let (best, median) = (runs[0], runs[runs.len() / 2]);
    peak = peak.max(kernels.measure_peak(vqtoken_kernels::WeightKind::F32));
    println!(
        r#"{{"kernel":"{name}","isa":"{}","threads":{},"shape":"{shape}","seconds":{best:.3e},"gflops":{:.1},"median_gflops":{:.1},"share":{:.3},"gbytes":{:.2}}}"#,
        kernels.isa(),
        rayon::current_num_threads(),
        operations / best / 1e9,
        operations / median / 1e9,
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
    let (x, weights, bias) = (values(rows * inputs), values(outputs * inputs), values(outputs));
    let halves: Vec<u16> = weights.iter().map(|x| bf16::from_f32(*x).to_bits()).collect();
    let mut y = vec![0.0; rows * outputs];
    let shape = format!("{rows}x{inputs}x{outputs}");
    let operations = 2.0 * (rows * inputs * outputs) as f64;
    for (name, layer) in [
        ("linear f32", PackedLinear::f32(kernels, &weights, outputs, inputs)?),
        ("linear bf16", PackedLinear::bf16(kernels, &halves, outputs, inputs)?),
        ("linear int8", PackedLinear::int8(kernels, &weights, outputs, inputs)?),
        ("linear int8 coarse", PackedLinear::int8_coarse(kernels, &weights, outputs, inputs)?),
    ] {
        let layer = layer.with_bias(&bias)?;
        let fused = Fused { activation: Some(Activation::GeluTanh), ..Fused::default() };
        layer.forward(&x, &mut y, fused)?;
        time(kernels, name, &shape, operations, layer.bytes() as f64, || {
            let _ = layer.forward(&x, &mut y, fused);
        });
    }
    Ok(())
}

fn attention(
    kernels: Kernels,
    name: &str,
    sizes: [usize; 6],
    causality: Causality,
) -> Result<(), Box<dyn std::error::Error>> {
    let [batch, heads, kv_heads, queries, keys, head_dim] = sizes;
    let scale = 1.0 / (head_dim as f32).sqrt();
    let layout = Layout::TokensFirst;
    let shape = AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, layout, causality, scale };
    let (q, k, v) = (values(shape.query_len()), values(shape.key_len()), values(shape.key_len()));
    let mut out = vec![0.0; q.len()];
    // Operations of one product of queries with keys.
    let product = 2.0 * (batch * heads * queries * keys * head_dim) as f64;
    let text = format!("{name} {sizes:?}");
    let bytes = 8.0 * shape.key_len() as f64;
    kernels.attention(&shape, (&q, &k, &v), &mut out, None)?;
    time(kernels, "attention", &text, 2.0 * product, bytes, || {
        let _ = kernels.attention(&shape, (&q, &k, &v), &mut out, None);
    });
    if causality == Causality::Causal {
        return Ok(());
    }
    let mut log_sums = vec![0.0; shape.log_sums_len()];
    kernels.attention(&shape, (&q, &k, &v), &mut out, Some(&mut log_sums))?;
    let dout = values(q.len());
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    time(kernels, "attention backward", &text, 5.0 * product, bytes, || {
        let forward = AttentionForward { q: &q, k: &k, v: &v, out: &out, log_sums: &log_sums };
        let gradients = AttentionGradients { dq: &mut dq, dk: &mut dk, dv: &mut dv };
        let _ = kernels.attention_backward(&shape, forward, &dout, gradients);
    });
    Ok(())
}

fn elementwise(kernels: Kernels) -> Result<(), Box<dyn std::error::Error>> {
    let (rows, width) = (729, 1152);
    let (x, weight) = (values(rows * width), values(width));
    let mut y = vec![0.0; x.len()];
    let bytes = 8.0 * x.len() as f64;
    let norm = Norm { kind: NormKind::Layer, weight: &weight, bias: Some(&weight), epsilon: 1e-6 };
    kernels.norm(&norm, &x, &mut y)?;
    time(kernels, "layer norm", "729x1152", 0.0, bytes, || {
        let _ = kernels.norm(&norm, &x, &mut y);
    });
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
        time(kernels, &format!("{activation:?}"), "729x1152", 0.0, bytes, || {
            y.copy_from_slice(&x);
            kernels.activate(activation, &mut y);
        });
    }
    Ok(())
}
