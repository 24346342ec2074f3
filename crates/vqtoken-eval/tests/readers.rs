//! Every benchmark's files, made up in small.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod common;

use common::{Column, Folder, write_parquet};
use parquet::basic::{Compression, GzipLevel};
use proptest::prelude::*;
use vqtoken_eval::{Annotations, Expected, Item, Task};

const NEXT_QA: &str = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n\
    11,90,64,48,\"why, then\",2,6,CW,a,b,c,d,e\n\
    11,90,64,48,what happens,0,7,TP,a,b,c,d,e\n\
    12,90,64,48,how many,4,1,DC,one,two,three,four,five\n";

fn read(task: Task, annotations: &Annotations) -> Vec<Item> {
    annotations.read(task).unwrap_or_else(|error| panic!("{error}")).items
}

fn labels(item: &Item) -> Vec<(&str, &str)> {
    item.labels.iter().map(|label| (label.facet, label.value.as_str())).collect()
}

fn correct(item: &Item) -> Option<usize> {
    match &item.expected {
        Expected::Choice { correct, .. } => *correct,
        Expected::Open { .. } => panic!("an open question"),
    }
}

/// Reads a file that must be refused, and returns the message.
#[track_caller]
fn refused(task: Task, name: &str, text: &str) -> String {
    let folder = Folder::new();
    let path = folder.file(name, text);
    let message = Annotations::one(&path).read(task).unwrap_err().to_string();
    assert!(message.contains(name) && !message.contains('\n'), "{message}");
    message
}

#[test]
fn next_qa_multiple_choice() {
    let folder = Folder::new();
    let items = read(Task::NextQa, &Annotations::one(folder.file("val.csv", NEXT_QA)));
    assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["11_6", "11_7", "12_1"]);
    assert_eq!((items[0].question.as_str(), items[0].target().as_str()), ("why, then", "C"));
    assert_eq!(items[2].options()[4], "five");
    assert_eq!(labels(&items[0]), [("group", "causal"), ("type", "CW")]);
    assert_eq!(
        labels(&items[1]),
        [("group", "temporal"), ("type", "TN")],
        "as the published evaluation counts TP"
    );
    let shapes = read(Task::Shapes, &Annotations::one(folder.path("val.csv")));
    assert_eq!(labels(&shapes[1]), [("group", "temporal"), ("type", "TP")]);
}

#[test]
fn next_qa_open_and_shapes_open() {
    let folder = Folder::new();
    let text = "video,frame_count,width,height,question,answer,qid,type,additional_ref_answer\n\
        11,90,64,48,why,to play,6,CW,\n11,90,64,48,what,dog,7,DB,a dog\n";
    let items = read(Task::NextQaOpen, &Annotations::one(folder.file("oe.csv", text)));
    assert_eq!(items[0].expected, Expected::Open { answers: vec!["to play".into()] });
    assert_eq!(items[1].expected, Expected::Open { answers: vec!["dog".into(), "a dog".into()] });
    let shapes = read(Task::ShapesOpen, &Annotations::one(folder.file("test.csv", NEXT_QA)));
    assert_eq!(shapes[2].expected, Expected::Open { answers: vec!["five".into()] });
}

#[test]
fn activitynet_qa_in_two_files_or_one() {
    let folder = Folder::new();
    let questions = folder.file(
        "val_q.json",
        r#"[{"video_name":"x1","question":"is it","question_id":"v_x1_2"},{"video_name":"x2","question":"who","question_id":"v_x2_1"}]"#,
    );
    let answers = folder.file(
        "val_a.json",
        r#"[{"answer":"man","type":"0","question_id":"v_x2_1"},{"answer":"yes","type":3,"question_id":"v_x1_2"}]"#,
    );
    let items = read(Task::ActivityNetQa, &Annotations::two(&questions, &answers));
    assert_eq!(labels(&items[0]), [("question", "free"), ("free answer", "yes/no")]);
    assert_eq!(labels(&items[1]), [("question", "motion")]);
    assert_eq!((items[1].video.as_str(), items[1].target().as_str()), ("x2", "man"));
    assert_eq!(
        Task::ActivityNetQa.find(folder.0.path(), "val").unwrap(),
        Annotations::two(&questions, &answers)
    );

    let one = r#"{"video_name":"x1","question":"is it","question_id":"v_x1_2","answer":"yes","type":3}"#;
    assert_eq!(read(Task::ActivityNetQa, &Annotations::one(folder.file("t.jsonl", one)))[0], items[0]);

    let short = folder.file("short_a.json", r#"[{"answer":"yes","type":3,"question_id":"v_x1_2"}]"#);
    let message = Annotations::two(&questions, &short).read(Task::ActivityNetQa).unwrap_err().to_string();
    assert!(message.contains("short_a.json: v_x2_1 is missing"), "{message}");
    let short =
        folder.file("short_q.json", r#"[{"video_name":"x1","question":"is it","question_id":"v_x1_2"}]"#);
    let message = Annotations::two(short, answers).read(Task::ActivityNetQa).unwrap_err().to_string();
    assert!(message.contains("short_q.json: v_x2_1 is missing"), "{message}");
}

#[test]
fn long_video_bench_as_json_and_as_parquet() {
    let folder = Folder::new();
    let json = r#"[{"video_id":"v","question":"what","candidates":["a","b","c"],"correct_choice":1,"id":"v_0",
        "video_path":"v.mp4","duration_group":60,"question_category":"S2E","topic_category":"TV","position":[1,2]},
        {"video_id":"w","question":"who","candidates":["a","b"],"id":"w_0","video_path":"w.mp4",
        "duration_group":15,"question_category":"T3O"}]"#;
    let items = read(Task::LongVideoBench, &Annotations::one(folder.file("lvb_val.json", json)));
    assert_eq!((items[0].video.as_str(), correct(&items[0]), correct(&items[1])), ("v", Some(1), None));
    assert_eq!(labels(&items[0]), [("duration", "60"), ("category", "S2E"), ("topic", "TV")]);

    let path = folder.path("validation-00000-of-00001.parquet");
    let text = |name, value| Column::Text(name, vec![value]);
    let columns = [
        text("video_id", "v"),
        text("id", "v_0"),
        text("video_path", "v.mp4"),
        text("question", "what"),
        text("option0", "a"),
        text("option1", "b"),
        text("option2", "c"),
        text("option3", "N/A"),
        text("option4", "N/A"),
        Column::Number("correct_choice", vec![1]),
        Column::Number("duration_group", vec![60]),
        text("question_category", "S2E"),
        text("topic_category", "TV"),
    ];
    write_parquet(&path, &columns, Compression::SNAPPY);
    let found = Task::LongVideoBench.find(folder.0.path(), "val").unwrap();
    assert!(found.questions.ends_with("lvb_val.json"), "JSON comes first: {found:?}");
    assert_eq!(read(Task::LongVideoBench, &Annotations::one(&path))[0], items[0]);
}

#[test]
fn video_mme_in_every_compression() {
    let folder = Folder::new();
    let text = |name, value| Column::Text(name, vec![value, value]);
    let columns = || {
        [
            Column::Text("question_id", vec!["001-1", "001-2"]),
            Column::Text("videoID", vec!["fFjv", "fFjv"]),
            text("duration", "short"),
            text("domain", "Knowledge"),
            text("sub_category", "Law"),
            text("task_type", "Counting Problem"),
            Column::Text("question", vec!["how many", "who"]),
            Column::Texts(
                "options",
                vec![vec!["A. one.", "B. two.", "C. 3.", "D. none."], vec!["A. x", "B. y", "C. z", "D. w"]],
            ),
            Column::Text("answer", vec!["B", "D"]),
        ]
    };
    let gzip = Compression::GZIP(GzipLevel::default());
    for (index, compression) in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip].into_iter().enumerate()
    {
        let path = folder.path(&format!("{index}.parquet"));
        write_parquet(&path, &columns(), compression);
        let items = read(Task::VideoMme, &Annotations::one(&path));
        assert_eq!((items.len(), items[0].id.as_str(), items[1].video.as_str()), (2, "001-1", "fFjv"));
        assert_eq!(items[0].options(), ["one.", "two.", "3.", "none."]);
        assert_eq!((correct(&items[0]), correct(&items[1])), (Some(1), Some(3)));
        let expected = [
            ("duration", "short"),
            ("domain", "Knowledge"),
            ("sub-category", "Law"),
            ("task", "Counting Problem"),
        ];
        assert_eq!(labels(&items[0]), expected);
    }
}

#[test]
fn ego_schema_with_and_without_public_answers() {
    let folder = Folder::new();
    let row = |id: &str| {
        format!(
            r#"{{"q_uid":"{id}","question":"what","option 0":"a","option 1":"b","option 2":"c","option 3":"d","option 4":"e"}}"#
        )
    };
    let questions = folder.file("questions.json", &format!("[{},{}]", row("u1"), row("u2")));
    let answers = folder.file("subset_answers.json", r#"{"u2": 3}"#);
    let found = Task::EgoSchema.find(folder.0.path(), "test").unwrap();
    assert_eq!(found, Annotations::two(&questions, &answers));
    let items = read(Task::EgoSchema, &found);
    assert_eq!(
        items.iter().map(|item| (item.video.as_str(), correct(item))).collect::<Vec<_>>(),
        [("u2", Some(3))]
    );
    let items = read(Task::EgoSchema, &Annotations::one(&questions));
    assert_eq!(items.iter().map(correct).collect::<Vec<_>>(), [None, None]);
    let other = folder.file("other.json", r#"{"u9": 3}"#);
    let message = Annotations::two(&questions, other).read(Task::EgoSchema).unwrap_err().to_string();
    assert!(message.contains("u9 is missing"), "{message}");
    let high = folder.file("high.json", r#"{"u2": 5}"#);
    let message = Annotations::two(&questions, high).read(Task::EgoSchema).unwrap_err().to_string();
    assert!(message.contains("row 2 (u2): answer 5 is not one of the 5 options"), "{message}");

    let mirror = folder.path("mirror.parquet");
    let columns = [
        Column::Text("video_idx", vec!["u2"]),
        Column::Text("question", vec!["what"]),
        Column::Texts("option", vec![vec!["A. a", "B. b", "C. c", "D. d", "E. e"]]),
        Column::Text("answer", vec!["3"]),
    ];
    write_parquet(&mirror, &columns, Compression::SNAPPY);
    assert_eq!(read(Task::EgoSchema, &Annotations::one(mirror)), read(Task::EgoSchema, &found));
}

#[test]
fn llava_conversations() {
    let folder = Folder::new();
    let json = r#"[
        {"id":"1","video":"sub/v1.mp4","type":"motion","conversations":[
            {"from":"human","value":"<image>\nWhich way?\nA. left\nB. right\nAnswer with a letter."},
            {"from":"gpt","value":"B. right"}]},
        {"id":"2","video":"v2.mp4","conversations":[
            {"from":"human","value":"<image>\nWhat is it?"},{"from":"gpt","value":"A ball."},
            {"from":"human","value":"Which?\nA. Ann\nB. Bob"},{"from":"gpt","value":"bob."}]}]"#;
    let items = read(Task::Llava, &Annotations::one(folder.file("x.json", json)));
    assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["1", "2_0", "2_1"]);
    assert_eq!((items[0].video.as_str(), items[0].question.as_str()), ("sub/v1", "Which way?"));
    assert_eq!(
        (items[0].options(), correct(&items[0])),
        (&["left".to_string(), "right".to_string()][..], Some(1))
    );
    assert_eq!(labels(&items[0]), [("type", "motion")]);
    assert_eq!((items[1].question.as_str(), items[1].target().as_str()), ("What is it?", "A ball."));
    assert_eq!(correct(&items[2]), Some(1));
    assert_eq!(read(Task::Shapes, &Annotations::one(folder.path("x.json"))), items);
}

/// Rows of LLaVA's JSON, one for each JSON text of its fields beside the conversation.
fn llava_rows(rows: &[(&str, &str)]) -> String {
    let row = |(fields, turns): &(&str, &str)| format!("{{{fields}\"conversations\":[{turns}]}}");
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","))
}

const WHO: &str = r#"{"from":"human","value":"<image>\nWho?"},{"from":"gpt","value":"Ann."}"#;

#[test]
fn llava_rows_without_a_video_are_counted_and_left_out() {
    let folder = Folder::new();
    let json = llava_rows(&[
        (r#""id":"1","video":"a.mp4","#, WHO),
        (r#""id":"2","image":"a.jpg","#, WHO),
        (r#""id":"3","#, WHO),
        (r#""id":"4","video":null,"image":["a.jpg","b.jpg"],"#, WHO),
    ]);
    let questions = Annotations::one(folder.file("x.json", &json)).read(Task::Llava).unwrap();
    assert_eq!(questions.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!((questions.left_out.pictures, questions.left_out.texts), (2, 1));
    let message = refused(Task::Llava, "x.json", &llava_rows(&[(r#""id":"2","image":"a.jpg","#, WHO)]));
    assert!(message.contains("none of its 1 rows is about a video"), "{message}");
}

#[test]
fn llava_ids_may_be_absent_repeated_and_dotted() {
    let folder = Folder::new();
    let json = llava_rows(&[
        (r#""video":"a.mp4","#, WHO),
        (r#""id":"x","video":"v_abc.123","#, WHO),
        (r#""id":"x","video":"v_abc.123.mp4","#, WHO),
        (r#""id":"x#2","video":"b.WEBM","#, WHO),
        (r#""id":7,"video":"c","#, WHO),
    ]);
    let items = read(Task::Llava, &Annotations::one(folder.file("x.json", &json)));
    assert_eq!(
        items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(),
        ["row1", "x", "x#2", "x#2#2", "7"]
    );
    let videos: Vec<_> = items.iter().map(|item| (item.video.as_str(), item.file.as_deref())).collect();
    let expected = [
        ("a", Some("a.mp4")),
        ("v_abc.123", None),
        ("v_abc.123", Some("v_abc.123.mp4")),
        ("b", Some("b.WEBM")),
        ("c", None),
    ];
    assert_eq!(videos, expected);
}

#[test]
fn video_mme_may_have_its_questions_in_the_videos() {
    let folder = Folder::new();
    let json = r#"[
        {"video_id":"001","duration":"short","url":"https://www.youtube.com/watch?v=a.b-c&t=1","questions":[
            {"question_id":"001-1","question":"Who?","options":["A. x","B. y"],"answer":"B"},
            {"question_id":"001-2","question":"Why?","options":["A. x","B. y"],"answer":"(A)","duration":"long"}]},
        {"video_id":"002","videoID":"d","question_id":"002-1","question":"Who?","options":["x","y"],"answer":"A."},
        {"video_id":"003","questions":[]}]"#;
    let items = read(Task::VideoMme, &Annotations::one(folder.file("x.json", json)));
    let found: Vec<_> =
        items.iter().map(|item| (item.id.as_str(), item.video.as_str(), correct(item))).collect();
    let expected = [("001-1", "a.b-c", Some(1)), ("001-2", "a.b-c", Some(0)), ("002-1", "d", Some(0))];
    assert_eq!(found, expected);
    assert_eq!(labels(&items[0]), [("duration", "short")]);
    assert_eq!(labels(&items[1]), [("duration", "long")]);
}

/// The library goes through lists of flags that take no bytes: two billion in five bytes, or any number of them in a few kilobytes.
#[test]
fn headers_of_parquet_that_take_long_to_read_are_refused() {
    let folder = Folder::new();
    let flags = [0xf9, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07];
    let read = |bytes: &[u8]| {
        let path = folder.path("x.parquet");
        std::fs::write(&path, bytes).unwrap();
        Annotations::one(path).read(Task::VideoMme).unwrap_err().to_string()
    };
    // The header of the first page.
    let mut bytes = small_parquet();
    bytes[4..][..flags.len()].copy_from_slice(&flags);
    let message = read(&bytes);
    assert!(message.contains("more elements"), "{message}");
    // The metadata at the end.
    let mut bytes = small_parquet();
    let tail = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[tail..][..4].try_into().unwrap()) as usize;
    bytes[tail - length..][..flags.len()].copy_from_slice(&flags);
    let message = read(&bytes);
    assert!(message.contains("more elements"), "{message}");
}

#[test]
fn every_codec_of_parquet_is_read() {
    let folder = Folder::new();
    let columns = [
        Column::Text("question_id", vec!["1-1"]),
        Column::Text("videoID", vec!["v"]),
        Column::Text("question", vec!["Who?"]),
        Column::Texts("options", vec![vec!["A. a", "B. b"]]),
        Column::Text("answer", vec!["B"]),
    ];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4_RAW,
        Compression::LZ4,
    ];
    for codec in codecs {
        let path = folder.path("x.parquet");
        write_parquet(&path, &columns, codec);
        let items = read(Task::VideoMme, &Annotations::one(path));
        assert_eq!((items.len(), correct(&items[0])), (1, Some(1)), "{codec:?}");
    }
}

#[test]
fn parquet_with_a_changed_byte_is_read_or_refused() {
    let folder = Folder::new();
    let path = folder.path("x.parquet");
    let columns = [Column::Text("question_id", vec!["1-1"]), Column::Text("videoID", vec!["v"])];
    write_parquet(&path, &columns, Compression::SNAPPY);
    let whole = std::fs::read(&path).unwrap();
    let mut messages = Vec::new();
    for index in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[index] ^= flip;
            std::fs::write(&path, bytes).unwrap();
            // The columns of a question are not all there, so even the whole file is refused.
            messages.push(Annotations::one(&path).read(Task::VideoMme).unwrap_err().to_string());
        }
    }
    assert!(messages.iter().all(|message| !message.contains('\n')));
    assert!(messages.iter().any(|message| message.contains("a column begins before the file")));
}

#[test]
fn files_above_the_limits_are_refused_before_they_are_read() {
    let folder = Folder::new();
    let bounded = |path, bytes| {
        let limits = vqtoken_files::Limits::default().with(vqtoken_files::Limit::Bytes, bytes);
        Annotations::one(path).with_limits(limits)
    };
    let csv = folder.file("val.csv", NEXT_QA);
    let size = NEXT_QA.len() as u64;
    assert_eq!(bounded(csv.clone(), size).read(Task::NextQa).unwrap().items.len(), 3);
    let message = bounded(csv, size - 1).read(Task::NextQa).unwrap_err().to_string();
    assert!(message.contains("val.csv") && message.contains("raise the limit `bytes`"), "{message}");
    let parquet = folder.path("x.parquet");
    let text = "long ".repeat(100_000);
    let columns = [Column::Text("question", vec![text.as_str()])];
    write_parquet(&parquet, &columns, Compression::ZSTD(Default::default()));
    assert!(std::fs::metadata(&parquet).unwrap().len() < 100_000);
    let message = bounded(parquet, 100_000).read(Task::VideoMme).unwrap_err().to_string();
    assert!(message.contains("raise the limit `bytes`"), "{message}");
    let message = Annotations::one(folder.file("a.json/b", "").parent().unwrap()).read(Task::Llava);
    assert!(message.unwrap_err().to_string().contains("not a regular file"));
}

#[test]
fn bad_rows_are_named() {
    let csv = |row: &str| {
        let header = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4";
        refused(Task::NextQa, "val.csv", &format!("{header}\n11,90,64,48,why,2,6,CW,a,b,c,d,e\n{row}\n"))
    };
    let cases = [
        ("11,90,64,48,why,5,7,CW,a,b,c,d,e", "row 2 (11_7): answer 5 is not one of the 5 options"),
        ("11,90,64,48,why,-1,7,CW,a,b,c,d,e", "answer -1 is not one"),
        ("11,90,64,48,why,99999999999999999999,7,CW,a,b,c,d,e", "a whole number"),
        ("11,90,64,48,why,two,7,CW,a,b,c,d,e", "row 2 (11_7): `answer` is \"two\" instead of a whole number"),
        ("11,90,64,48,why,,7,CW,a,b,c,d,e", "`answer` is missing"),
        ("11,90,64,48,why,2,7,CW,a,b,,d,e", "row 2 (11_7): `a2` is missing or empty"),
        ("11,90,64,48,,2,7,CW,a,b,c,d,e", "`question` is missing"),
        (",90,64,48,why,2,7,CW,a,b,c,d,e", "row 2: `video` is missing"),
        ("11,90,64,48,why,2,6,CW,a,b,c,d,e", "row 2 (11_6): the same key as row 1"),
        ("11,90,64,48,why,2,7,XX,a,b,c,d,e", "`type` is \"XX\" instead of one of CW"),
        ("11,90,64,48,why,2,7", "row 2: not valid CSV (7 fields under 13 columns)"),
    ];
    for (row, expected) in cases {
        let message = csv(row);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn bad_files_are_named() {
    let cases = [
        (Task::NextQa, "x.csv", "", "holds no questions"),
        (Task::NextQa, "x.csv", "video,qid\n", "holds no questions"),
        (Task::NextQa, "x.csv", "a,b\n1,2\n", "row 1: `video` is missing"),
        (Task::NextQa, "x.txt", "video", "its extension is not one of"),
        (Task::NextQa, "x.parquet", "no parquet at all", "not valid parquet"),
        (
            Task::LongVideoBench,
            "x.json",
            "[1, 2]",
            "row 1: not valid JSON of questions (it is not an object)",
        ),
        (Task::LongVideoBench, "x.json", "{\"a\": 1}", "not a list of objects"),
        (Task::LongVideoBench, "x.json", "[{\"id\": \"1\"}\n, {]", "line 2: not valid JSON"),
        (Task::LongVideoBench, "x.json", "[]", "holds no questions"),
        (Task::LongVideoBench, "x.jsonl", "{\"id\": \"1\"}\n{\"id\"", "line 2: not valid JSON lines"),
        (
            Task::LongVideoBench,
            "x.json",
            r#"[{"id":"v_0","video_path":"v.mp4","candidates":["a"]}]"#,
            "row 1 (v_0): 1 options, a choice has 2 to 26",
        ),
        (
            Task::LongVideoBench,
            "x.json",
            r#"[{"id":"v_0","video_path":"v.mp4","candidates":["a",null]}]"#,
            "row 1 (v_0): `candidates[1]` is missing",
        ),
        (
            Task::LongVideoBench,
            "x.json",
            r#"[{"id":"v_0","video_path":"v.mp4","candidates":["a","b"],"correct_choice":2}]"#,
            "answer 2 is not one of the 2 options",
        ),
        (
            Task::VideoMme,
            "x.json",
            r#"[{"question_id":"1-1","videoID":"v","options":["A. a","B. b"],"answer":"E"}]"#,
            "row 1 (1-1): answer E is not one of the 2 options",
        ),
        (
            Task::VideoMme,
            "x.json",
            r#"[{"question_id":"1-1","options":"A. a"}]"#,
            "instead of a list of texts",
        ),
        (
            Task::ActivityNetQa,
            "x.json",
            r#"[{"question_id":"q","answer":"yes","type":9}]"#,
            "`type` is 9 instead of",
        ),
        (Task::Llava, "x.json", r#"[{"id":"1","video":"v"}]"#, "row 1 (1): `conversations` is missing"),
        (
            Task::Llava,
            "x.json",
            r#"[{"id":"1","video":"v","conversations":[{"from":"gpt","value":"x"}]}]"#,
            "row 1 (1): `conversations`: has no question: correct it",
        ),
    ];
    for (task, name, text, expected) in cases {
        let message = refused(task, name, text);
        assert!(message.contains(expected), "{message}");
    }
    let message = Annotations::one("nowhere/val.csv").read(Task::NextQa).unwrap_err().to_string();
    assert!(message.starts_with("nowhere/val.csv: cannot be read"), "{message}");
    let folder = Folder::new();
    std::fs::write(folder.path("x.csv"), b"video,qid\n\xff\xfe,1\n").unwrap();
    let message = Annotations::one(folder.path("x.csv")).read(Task::NextQa).unwrap_err().to_string();
    assert!(message.contains("row 1: not valid CSV (it is not UTF-8)"), "{message}");
    let message = Task::NextQa.find(folder.0.path(), "val").unwrap_err().to_string();
    assert!(message.contains("no val.csv or nextqa_mc_val.csv"), "{message}");
}

#[test]
fn annotations_in_nested_folders_are_found() {
    let folder = Folder::new();
    let path = folder.file("dataset/nextqa/val.csv", NEXT_QA);
    assert_eq!(Task::NextQa.find(folder.0.path(), "val").unwrap(), Annotations::one(path));
    assert!(Task::NextQa.find(folder.0.path(), "test").is_err());
}

fn small_parquet() -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("x.parquet");
    let columns = [
        Column::Text("question_id", vec!["1", "2"]),
        Column::Text("videoID", vec!["v", "w"]),
        Column::Text("question", vec!["q", "r"]),
        Column::Texts("options", vec![vec!["A. a", "B. b"], vec!["A. c", "B. d"]]),
        Column::Text("answer", vec!["A", "B"]),
    ];
    write_parquet(&path, &columns, Compression::SNAPPY);
    std::fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn garbage_is_refused_without_panic(text in "\\PC{0,200}", structured in "[\\[\\]{}\",:a-c0-9\\n]{0,80}") {
        let folder = Folder::new();
        for (index, extension) in ["csv", "json", "jsonl", "parquet"].into_iter().enumerate() {
            for (kind, text) in [&text, &structured].into_iter().enumerate() {
                let path = folder.file(&format!("{index}{kind}.{extension}"), text);
                for task in Task::ALL {
                    prop_assert!(Annotations::one(&path).read(task).is_err());
                }
            }
        }
    }

    #[test]
    fn damaged_parquet_is_refused_or_read(index in any::<prop::sample::Index>(), byte in any::<u8>(), cut in 0usize..40) {
        let mut bytes = small_parquet();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        bytes.truncate(bytes.len() - if cut < 20 { 0 } else { cut });
        let folder = Folder::new();
        std::fs::write(folder.path("x.parquet"), bytes).unwrap();
        let _ = Annotations::one(folder.path("x.parquet")).read(Task::VideoMme);
    }
}
