//! A data set on disk.
//!
//! ```text
//! settings.json                      the settings it was made with
//! videos/clip-000000.mp4 ...         H.264
//! train.csv val.csv test.csv         NExT-QA's columns
//! train.json val.json test.json      LLaVA-style, options in the question, answered by a letter
//! train_open.json ...                LLaVA-style, answered in words
//! train_captions.json ...            LLaVA-style, "Describe the video." answered by the clip's caption
//! report.json report.md              what can be guessed without watching, see [`crate::BaselineReport`]
//! scenes.jsonl                       a line per clip: script, true state in every frame, templates of the questions
//! ```
//!
//! Annotations are written when all clips are there. If the run is interrupted, complete clips are kept, and the next run
//! continues.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use vqtoken_files::{create_folder, remove_leftovers, write_with};
use vqtoken_video::{Mp4Options, Mp4Writer, Video, VideoError};

use crate::annotations::{COLUMNS, Entry, QuestionRow};
use crate::baselines::BaselineReport;
use crate::data_set::{Clip, Split, clips};
use crate::question::Template;
use crate::{Scene, Settings, ShapesError};

/// What a data set consists of.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DataSetSummary {
    /// Clips in the data set.
    pub clips: usize,
    /// Clips that were there already.
    pub kept: usize,
    /// Questions for training, validation and test.
    pub questions: [usize; 3],
    /// What can be guessed without watching.
    pub report: BaselineReport,
}

/// Writes a data set into a folder, or completes the one that is there. After each clip `progress` is called with the numbers
/// of clips done and in all, from several threads.
///
/// The same settings give the same bytes for any number of threads. A folder that holds a data set of the same scenes is
/// continued: more clips, other splits and other numbers of questions are fine.
///
/// # Errors
/// If settings are out of range, the folder holds another data set, or something cannot be written.
pub fn write_data_set(
    settings: &Settings,
    folder: &Path,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<DataSetSummary, ShapesError> {
    let clips = clips(settings)?;
    let videos = folder.join("videos");
    claim(settings, folder, &videos)?;
    let (done, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    clips.par_iter().try_for_each(|clip| {
        let path = videos.join(format!("{}.mp4", clip.video));
        if is_complete(&path, &clip.scene) {
            kept.fetch_add(1, Ordering::Relaxed);
        } else {
            let written = write_clip(&path, &clip.scene, settings.quantizer);
            written.map_err(|source| ShapesError::Clip { clip: clip.video.clone(), source })?;
        }
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, clips.len());
        Ok::<(), ShapesError>(())
    })?;
    let mut questions = [0; 3];
    for split in Split::ALL {
        let clips: Vec<&Clip> = clips.iter().filter(|clip| clip.split == split).collect();
        questions[split as usize] = write_annotations(folder, split, &clips)?;
    }
    write_with(folder.join("scenes.jsonl"), |out| {
        for clip in &clips {
            serde_json::to_writer(&mut *out, &Line::of(clip))?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    let report = BaselineReport::of(&clips);
    write_with(folder.join("report.json"), |out| Ok(serde_json::to_writer_pretty(out, &report)?))?;
    write_with(folder.join("report.md"), |out| write!(out, "{report}"))?;
    remove_leftovers(&videos);
    Ok(DataSetSummary { clips: clips.len(), kept: kept.into_inner(), questions, report })
}

/// Writes one scene as an H.264 MP4 file.
///
/// # Errors
/// If the file cannot be written.
pub fn write_clip(path: &Path, scene: &Scene, quantizer: u8) -> Result<(), VideoError> {
    let options = Mp4Options { quantizer, ..Mp4Options::default() };
    let mut writer = Mp4Writer::create(path, scene.size, scene.size, f64::from(scene.fps), options)?;
    let renderer = scene.renderer();
    for frame in 0..scene.frames {
        writer.push(&renderer.frame(frame)?)?;
    }
    writer.finish()
}

/// Checks that the folder is new or holds a data set of the same scenes, and writes the settings.
fn claim(settings: &Settings, folder: &Path, videos: &Path) -> Result<(), ShapesError> {
    let file = folder.join("settings.json");
    let here = as_json(settings);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let there: Settings = serde_json::from_str(&text)
                .map_err(|source| ShapesError::NotSettings { file: file.clone(), source })?;
            compare(&file, &as_json(&there), &here)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(videos).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(ShapesError::OtherVideos { videos: videos.into(), file });
            }
        }
        Err(source) => return Err(ShapesError::Unreadable { file, source }),
    }
    create_folder(videos)?;
    Ok(write_with(&file, |out| {
        serde_json::to_writer_pretty(&mut *out, &here)?;
        out.write_all(b"\n")
    })?)
}

#[expect(clippy::expect_used, reason = "settings are numbers")]
fn as_json(settings: &Settings) -> Value {
    serde_json::to_value(settings).expect("settings can be written as JSON")
}

/// Checks that two settings make the same clips; those of splits and questions may differ.
fn compare(file: &Path, there: &Value, here: &Value) -> Result<(), ShapesError> {
    const FREE: [&str; 4] = ["clips", "validation", "test", "questions"];
    let names = here.as_object().into_iter().flat_map(|settings| settings.keys());
    for name in names.filter(|name| !FREE.contains(&name.as_str())) {
        if there[name] != here[name] {
            let (there, here) = (there[name].to_string(), here[name].to_string());
            return Err(ShapesError::OtherDataSet { file: file.into(), name: name.clone(), there, here });
        }
    }
    Ok(())
}

/// Whether the clip is there. Files get their names when they are complete, so reading the headers is enough.
fn is_complete(path: &Path, scene: &Scene) -> bool {
    Video::open(path).is_ok_and(|video| {
        let info = video.info();
        info.frames == Some(scene.frames) && (info.width, info.height) == (scene.size, scene.size)
    })
}

/// Writes the annotations of a split; returns how many questions it has.
fn write_annotations(folder: &Path, split: Split, clips: &[&Clip]) -> Result<usize, ShapesError> {
    let name = split.name();
    let rows: Vec<QuestionRow> = clips.iter().flat_map(|clip| clip.rows()).collect();
    write_with(folder.join(format!("{name}.csv")), |out| {
        out.write_all(COLUMNS.as_bytes())?;
        rows.iter().try_for_each(|row| out.write_all(row.csv().as_bytes()))
    })?;
    let conversations: [(&str, Vec<Entry>); 3] = [
        ("", rows.iter().map(QuestionRow::choice).collect()),
        ("_open", rows.iter().map(QuestionRow::open).collect()),
        ("_captions", clips.iter().map(|clip| Entry::caption(clip)).collect()),
    ];
    for (kind, entries) in conversations {
        write_with(folder.join(format!("{name}{kind}.json")), |out| {
            Ok(serde_json::to_writer_pretty(out, &entries)?)
        })?;
    }
    Ok(rows.len())
}

/// A line of `scenes.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    video: &'a str,
    #[serde(rename = "part")]
    split: Split,
    #[serde(flatten)]
    scene: &'a Scene,
    /// For each object and each frame: x and y of the centre on the screen, and the visible share, to four decimals.
    tracks: Vec<Vec<[f64; 3]>>,
    questions: Vec<LineQuestion>,
}

#[derive(Serialize)]
struct LineQuestion {
    qid: usize,
    template: Template,
    subject: Option<usize>,
}

impl<'a> Line<'a> {
    fn of(clip: &'a Clip) -> Line<'a> {
        let mut tracks = vec![Vec::with_capacity(clip.scene.frames); clip.scene.objects.len()];
        for frame in 0..clip.scene.frames {
            for (track, state) in tracks.iter_mut().zip(clip.scene.states(frame)) {
                let values = [state.centre[0], state.centre[1], state.visible];
                track.push(values.map(|value| (f64::from(value) * 1e4).round() / 1e4));
            }
        }
        let questions = clip.questions.iter().enumerate();
        let questions = questions.map(|(qid, question)| LineQuestion {
            qid,
            template: question.template,
            subject: question.subject,
        });
        Line {
            video: &clip.video,
            split: clip.split,
            scene: &clip.scene,
            tracks,
            questions: questions.collect(),
        }
    }
}
