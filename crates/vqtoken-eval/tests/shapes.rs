//! The built-in data set, read through the same path as anybody's data.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::path::Path;

use vqtoken_eval::{Annotations, Expected, Item, Task, VideoFolder};
use vqtoken_shapes::{CAPTION_PROMPT, Clip, Question, Settings, Split, caption, clips, write_data_set};

fn settings() -> Settings {
    Settings { clips: 16, seed: 9, size: 32, validation: 0.3, test: 0.3, ..Settings::default() }
}

/// Reads annotations whose videos must all be there.
fn read(folder: &Path, annotations: &Annotations, task: Task) -> Vec<Item> {
    let items = annotations.read(task).unwrap().items;
    let located = VideoFolder::scan(folder, Some(annotations)).unwrap().locate(&items);
    assert!(located.missing.is_empty(), "{:?}", located.missing);
    for (item, path) in items.iter().zip(&located.paths) {
        let name = item.video.trim_start_matches("videos/");
        assert_eq!(path.as_deref(), Some(folder.join(format!("videos/{name}.mp4")).as_path()));
    }
    items
}

fn type_of(item: &Item) -> Option<&str> {
    item.labels.iter().find(|label| label.facet == "type").map(|label| label.value.as_str())
}

#[test]
fn every_file_reads_back_with_its_videos() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_data_set(&settings(), folder, |_, _| ()).unwrap();
    let planned = clips(&settings()).unwrap();
    let mut asked = 0;
    for split in Split::ALL {
        let of_split = || planned.iter().filter(move |clip| clip.split == split);
        let questions: Vec<&Question> = of_split().flat_map(|clip| &clip.questions).collect();
        let name = split.name();

        let csv = Task::Shapes.find(folder, name).unwrap();
        assert_eq!(csv.questions, folder.join(format!("{name}.csv")));
        let json = Annotations::one(folder.join(format!("{name}.json")));
        assert_eq!(Task::Llava.find(folder, name).unwrap(), json);
        for (annotations, task) in [(&csv, Task::Shapes), (&json, Task::Shapes), (&json, Task::Llava)] {
            let items = read(folder, annotations, task);
            assert_eq!(items.len(), questions.len());
            for (item, question) in items.iter().zip(&questions) {
                let expected =
                    Expected::Choice { options: question.options.to_vec(), correct: Some(question.answer) };
                assert_eq!((&item.question, &item.expected), (&question.question, &expected));
                assert_eq!(item.target(), question.answer_letter().to_string());
                assert_eq!(type_of(item), Some(question.code()));
            }
        }

        let open = Annotations::one(folder.join(format!("{name}_open.json")));
        for (annotations, task) in [(&csv, Task::ShapesOpen), (&open, Task::ShapesOpen), (&open, Task::Llava)]
        {
            let items = read(folder, annotations, task);
            assert_eq!(items.len(), questions.len());
            for (item, question) in items.iter().zip(&questions) {
                assert!(item.question.starts_with(&question.question));
                assert_eq!(item.expected, Expected::Open { answers: vec![question.answer_text().into()] });
            }
        }

        let captions = Annotations::one(folder.join(format!("{name}_captions.json")));
        let items = read(folder, &captions, Task::Llava);
        let told: Vec<(&str, String)> =
            items.iter().map(|item| (item.question.as_str(), item.target())).collect();
        let of_clip = |clip: &Clip| (CAPTION_PROMPT, caption(&clip.scene));
        assert_eq!(told, of_split().map(of_clip).collect::<Vec<_>>());
        asked += questions.len();
    }
    assert!(asked > 30, "{asked}");
}
