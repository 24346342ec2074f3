//! Data sets: balance, parts, files, going on after a stop.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use vqtoken_shapes::{
    Clip, Question, Scene, Settings, ShapesError, Split, baseline_report, clips, write_data_set,
};
use vqtoken_video::{Sampling, Video};

fn small() -> Settings {
    Settings { clips: 6, seed: 3, size: 64, validation: 0.3, test: 0.3, ..Settings::default() }
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [folder.to_path_buf(), folder.join("videos")] {
        for entry in
            fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_file())
        {
            found.insert(
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).unwrap_or_default(),
            );
        }
    }
    found
}

#[test]
fn neither_words_nor_places_give_answers_away() {
    let clips = clips(&Settings { clips: 3000, seed: 5, ..Settings::default() }).unwrap();
    let asked: Vec<(&Scene, &Question)> =
        clips.iter().flat_map(|clip| clip.questions.iter().map(|question| (&clip.scene, question))).collect();
    let report = baseline_report(&asked);
    println!("{report:?}");
    assert!(asked.len() > 9_000, "{}", asked.len());
    assert_eq!(report.templates.len(), 17);
    for guesses in [report.all.majority, report.all.blind, report.all.position] {
        assert!((0.15..0.24).contains(&guesses), "{:?}", report.all);
    }
    assert!(report.all.single_frame < 0.5, "{:?}", report.all);
    for (template, guesses) in &report.templates {
        assert!(guesses.questions >= 150, "{template:?} {guesses:?}");
        assert!(guesses.majority < 0.3 && guesses.blind < 0.32, "{template:?} {guesses:?}");
    }
    for (template, classes) in &report.classes {
        let most = classes.values().max().unwrap();
        let least = classes.values().min().unwrap();
        // Why has one class of three options in five.
        let ratio = if classes.len() == 3 { 3.8 } else { 1.35 };
        assert!(*most as f32 <= ratio * *least as f32, "{template:?} {classes:?}");
    }
    let mean = asked.len() / 5;
    assert!(report.positions.iter().all(|&count| count.abs_diff(mean) < mean / 10), "{:?}", report.positions);
}

#[test]
fn the_guessers_find_what_is_there_to_be_found() {
    let mut clips = clips(&Settings { clips: 1500, seed: 5, ..Settings::default() }).unwrap();
    for question in clips.iter_mut().flat_map(|clip| &mut clip.questions) {
        let first = question.options.iter().min().unwrap().clone();
        question.answer = question.options.iter().position(|option| *option == first).unwrap();
    }
    let asked: Vec<(&Scene, &Question)> =
        clips.iter().flat_map(|clip| clip.questions.iter().map(|question| (&clip.scene, question))).collect();
    let report = baseline_report(&asked);
    assert!(report.all.majority > 0.5 && report.all.blind > 0.6, "{:?}", report.all);
}

#[test]
fn parts_share_no_scene_and_growing_keeps_what_was_there() {
    let settings = Settings { clips: 800, test: 0.2, ..Settings::default() };
    let few = clips(&settings).unwrap();
    let many = clips(&Settings { clips: 1200, ..settings.clone() }).unwrap();
    assert_eq!(few, many[..800]);
    let of = |part| many.iter().filter(move |clip: &&Clip| clip.split == part);
    let seeds = |part| of(part).map(|clip| clip.scene.seed).collect::<BTreeSet<u64>>();
    for (place, &one) in Split::ALL.iter().enumerate() {
        assert!(of(one).count() > 60, "{one:?}");
        for &other in &Split::ALL[place + 1..] {
            assert!(seeds(one).is_disjoint(&seeds(other)));
            let scripts =
                |part| of(part).map(|clip| format!("{:?}", clip.scene.objects)).collect::<BTreeSet<_>>();
            assert!(scripts(one).is_disjoint(&scripts(other)));
        }
    }
    assert!((180..300).contains(&of(Split::Test).count()));
    let other = clips(&Settings { seed: 1, ..settings }).unwrap();
    assert!(other.iter().all(|clip| !few.iter().any(|one| one.scene.seed == clip.scene.seed)));
}

#[test]
fn files_read_back_and_bytes_are_the_same_for_any_number_of_threads() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (threads, folder) in [1, 4].into_iter().zip(&folders) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let heard = std::sync::atomic::AtomicUsize::new(0);
        let written = pool.install(|| {
            write_data_set(&small(), folder.path(), |done, all| {
                assert!(done <= all);
                heard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })
        });
        let written = written.unwrap();
        assert_eq!((written.clips, written.kept, heard.into_inner()), (6, 0, 6));
    }
    let (one, four) = (bytes(folders[0].path()), bytes(folders[1].path()));
    assert_eq!(one.keys().collect::<Vec<_>>(), four.keys().collect::<Vec<_>>());
    assert!(one == four);
    assert_eq!(one.len(), 6 + 3 * 4 + 4);

    let folder = folders[0].path();
    let planned = clips(&small()).unwrap();
    let mut rows = 0;
    for part in Split::ALL {
        let text = fs::read_to_string(folder.join(format!("{}.csv", part.name()))).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4")
        );
        let asked = planned.iter().filter(|clip| clip.split == part).flat_map(Clip::rows);
        for row in asked {
            // No question and no option has a comma.
            let cells: Vec<&str> = lines.next().unwrap().split(',').collect();
            assert_eq!(cells.len(), 13);
            assert_eq!(cells[..4], [row.video.as_str(), "32", "64", "64"]);
            assert_eq!(cells[8 + cells[5].parse::<usize>().unwrap()], row.question.answer_text());
            assert_eq!(cells[7], row.question.code());
            rows += 1;
        }
        assert_eq!(lines.next(), None);
        for name in [format!("{}.json", part.name()), format!("{}_open.json", part.name())] {
            let entries: Vec<serde_json::Value> = serde_json::from_slice(&one[&name]).unwrap();
            assert_eq!(entries.len(), text.lines().count() - 1);
            for entry in entries {
                assert!(folder.join(entry["video"].as_str().unwrap()).is_file());
            }
        }
    }
    assert!(rows > 6);
    let scenes = fs::read_to_string(folder.join("scenes.jsonl")).unwrap();
    for (line, clip) in scenes.lines().zip(&planned) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let scene: Scene = serde_json::from_str(line).unwrap();
        assert_eq!(scene, clip.scene);
        let state = clip.scene.states(9)[0];
        assert!((value["tracks"][0][9][0].as_f64().unwrap() - f64::from(state.centre[0])).abs() < 1e-4);
    }
    assert_eq!(scenes.lines().count(), 6);
}

#[test]
fn clips_decode_to_what_was_painted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { clips: 1, size: 126, ..small() };
    write_data_set(&settings, folder.path(), |_, _| ()).unwrap();
    let clip = Video::open(folder.path().join("videos/clip-000000.mp4"))
        .unwrap()
        .sample(Sampling::Uniform(8))
        .unwrap();
    assert_eq!(clip.decoded_frames, 32);
    let scene = Scene::of_clip(0, &settings);
    for (decoded, frame) in clip.frames.iter().zip([0, 4, 8, 13, 17, 22, 26, 31]) {
        let painted = scene.render(frame).unwrap();
        let off =
            decoded.rgb().iter().zip(painted.rgb()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
        let off = off / painted.rgb().len() as f64;
        assert!(off < 6.0, "frame {frame}: {off} levels in the mean");
    }
}

#[test]
fn complete_clips_are_kept_and_broken_ones_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    write_data_set(&small(), folder.path(), |_, _| ()).unwrap();
    let before = bytes(folder.path());
    let videos = folder.path().join("videos");
    fs::remove_file(videos.join("clip-000001.mp4")).unwrap();
    fs::write(videos.join("clip-000002.mp4"), b"not a clip").unwrap();
    fs::write(videos.join(".vqtoken-killed.part"), b"left behind").unwrap();
    fs::remove_file(folder.path().join("test.csv")).unwrap();
    let written = write_data_set(&small(), folder.path(), |_, _| ()).unwrap();
    assert_eq!(written.kept, 4);
    assert!(before == bytes(folder.path()));
    let more = Settings { clips: 7, questions: 2, ..small() };
    assert_eq!(write_data_set(&more, folder.path(), |_, _| ()).unwrap().kept, 6);
}

#[test]
fn another_data_set_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    write_data_set(&Settings { clips: 1, ..small() }, folder.path(), |_, _| ()).unwrap();
    let before = bytes(folder.path());
    let other = write_data_set(&Settings { clips: 1, seed: 4, ..small() }, folder.path(), |_, _| ());
    let error = other.unwrap_err();
    assert!(matches!(&error, ShapesError::OtherDataSet { name, .. } if name == "seed"), "{error}");
    assert!(before == bytes(folder.path()));

    fs::write(folder.path().join("settings.json"), "{\"clips\": \"many\"}").unwrap();
    let error = write_data_set(&small(), folder.path(), |_, _| ()).unwrap_err();
    assert!(matches!(error, ShapesError::NotSettings { .. }) && !error.to_string().contains('\n'), "{error}");

    let foreign = tempfile::tempdir().unwrap();
    fs::create_dir(foreign.path().join("videos")).unwrap();
    fs::write(foreign.path().join("videos/clip-000000.mp4"), "somebody's").unwrap();
    assert!(matches!(
        write_data_set(&small(), foreign.path(), |_, _| ()),
        Err(ShapesError::OtherVideos { .. })
    ));
    assert_eq!(fs::read(foreign.path().join("videos/clip-000000.mp4")).unwrap(), b"somebody's");
}

#[test]
fn what_cannot_be_written_is_named_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write_data_set(&small(), &file, |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("file") && !error.to_string().contains('\n'), "{error}");

    // A folder in the way of the last clip stops the work; the other clips stay and are kept by the next run.
    let folder = folder.path().join("set");
    fs::create_dir_all(folder.join("videos")).unwrap();
    write_data_set(&Settings { clips: 0, ..small() }, &folder, |_, _| ()).unwrap();
    let blocked = folder.join("videos/clip-000005.mp4");
    fs::create_dir(&blocked).unwrap();
    fs::write(blocked.join("full"), "").unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let error = pool.install(|| write_data_set(&small(), &folder, |_, _| ())).unwrap_err();
    assert!(matches!(&error, ShapesError::Clip { clip, .. } if clip == "clip-000005"), "{error}");
    assert!(error.to_string().contains("000005") && !error.to_string().contains('\n'), "{error}");
    fs::remove_dir_all(&blocked).unwrap();
    assert_eq!(write_data_set(&small(), &folder, |_, _| ()).unwrap().kept, 5);
}

#[test]
fn settings_out_of_range_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("set");
    let error = write_data_set(&Settings { size: 65, ..small() }, &target, |_, _| ()).unwrap_err();
    assert!(matches!(error, ShapesError::Setting { name: "size", .. }));
    assert!(!target.exists());
}
