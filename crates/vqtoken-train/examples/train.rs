use std::ops::ControlFlow;
use vqtoken_train::{Event, Folders, TrainConfig, run};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = TrainConfig::read(args[1].as_ref()).unwrap();
    let t = std::time::Instant::now();
    let r = run(
        &config,
        &Folders { out: args[2].clone().into(), features: "runs/features".into() },
        true,
        &mut |e| {
            match e {
                Event::Step { step, measures, rate } if step % 20 == 0 || step < 5 => {
                    print!("{:.0}s step {step} rate {rate:.3}", t.elapsed().as_secs_f64());
                    for (n, v) in measures.iter() {
                        print!(" {n} {v:.4}");
                    }
                    println!();
                }
                Event::Step { .. } => {}
                Event::Preparing { done, .. } if done % 100 != 0 => {}
                e => println!("{:.0}s {e:?}", t.elapsed().as_secs_f64()),
            }
            ControlFlow::Continue(())
        },
    );
    println!("{r:?}");
}
