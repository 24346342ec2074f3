//! `vqtoken bench peak`: what the machine can do at most.

use crate::figures;
use clap::Args;
use serde_json::json;
use vqtoken_kernels::{Kernels, WeightKind};

use super::record::peak;
use super::subject::set_threads;
use crate::cli::GlobalArguments;
use crate::cli::{at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct PeakArguments {
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,
}

pub(crate) fn run(arguments: &PeakArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    set_threads(arguments.threads)?;
    let kernels = Kernels::global();
    let [f32, bf16, int8, coarse] =
        [WeightKind::F32, WeightKind::Bf16, WeightKind::Int8, WeightKind::Int8Coarse].map(peak);
    let bandwidth = kernels.measure_bandwidth();
    if global.json {
        return Ok(output::line(json!({
            "bench": "peak",
            "isa": kernels.isa().to_string(),
            "threads": rayon::current_num_threads(),
            "f32_tflops": f32 / 1e12,
            "bf16_tflops": bf16 / 1e12,
            "int8_tflops": int8 / 1e12,
            "int8_tower_tflops": coarse / 1e12,
            "bytes_per_second": bandwidth,
        }))?);
    }
    output::line(format_args!("{} kernels, {} threads", kernels.isa(), rayon::current_num_threads()))?;
    for (name, peak) in [("f32", f32), ("bf16", bf16), ("int8", int8), ("int8, tower", coarse)] {
        output::line(format_args!("{name:>11}  {:.3} TFLOP/s", peak / 1e12))?;
    }
    Ok(output::line(format_args!("{:>11}  {} a second", "memory", figures::bytes(bandwidth)))?)
}
