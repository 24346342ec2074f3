//! How well the questions of a data set can be guessed:
//! `cargo run --release -p vqtoken-shapes --example balance -- CLIPS [SEED]`.

use std::io::Write;

use vqtoken_shapes::{Question, Scene, Settings, Template, clips, report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u64> =
        std::env::args().skip(1).map(|argument| argument.parse()).collect::<Result<_, _>>()?;
    let settings = Settings {
        clips: numbers.first().map_or(2000, |&clips| clips as usize),
        seed: numbers.get(1).copied().unwrap_or(0),
        ..Settings::default()
    };
    let clips = clips(&settings)?;
    let asked: Vec<(&Scene, &Question)> =
        clips.iter().flat_map(|clip| clip.questions.iter().map(|question| (&clip.scene, question))).collect();
    let report = report(&asked);
    let mut out = std::io::stdout().lock();
    writeln!(out, "| template | type | questions | majority | blind | middle frame | example |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    for template in Template::ALL {
        let guesses = report.templates.get(&template).copied().unwrap_or_default();
        let example =
            asked.iter().map(|(_, question)| question).find(|question| question.template == template);
        let example = example.map(|question| {
            let options: Vec<String> = question
                .options
                .iter()
                .enumerate()
                .map(
                    |(place, option)| {
                        if place == question.answer { format!("*{option}*") } else { option.clone() }
                    },
                )
                .collect();
            format!("{} {}", question.question, options.join(" / "))
        });
        writeln!(
            out,
            "| {template:?} | {} | {} | {:.1} | {:.1} | {:.1} | {} |",
            template.code(),
            guesses.questions,
            100.0 * guesses.majority,
            100.0 * guesses.blind,
            100.0 * guesses.single_frame,
            example.unwrap_or_default()
        )?;
    }
    let all = report.all;
    writeln!(
        out,
        "{} questions over {} clips: majority {:.1}, blind {:.1}, position {:.1}, middle frame {:.1}",
        all.questions,
        clips.len(),
        100.0 * all.majority,
        100.0 * all.blind,
        100.0 * all.position,
        100.0 * all.single_frame
    )?;
    writeln!(
        out,
        "types {:?}\npositions {:?}\nclasses {:?}",
        report.types, report.positions, report.classes
    )?;
    Ok(())
}
