//! The moving-shapes video question set: clips of a few seconds in which simple objects move, turn, bounce, collide, change
//! colour, hide, come and go, and questions of NExT-QA's kinds about them.
//!
//! Everything follows from a seed. A [`Scene`] is a script with the exact truth about every frame; it paints its own frames,
//! labels the patches of a frame, and answers its own questions. [`write_data_set`] puts all of it into a folder that any
//! reader of NExT-QA's CSV or of LLaVA-style JSON can use.
//!
//! ```
//! use vqtoken_shapes::{Scene, Settings, questions};
//!
//! let scene = Scene::generate(7, &Settings::default());
//! let frame = scene.render(0)?; // 378 x 378 pixels
//! let labels = scene.patch_labels(0, [27, 27]); // which object covers which patch
//! for question in questions(&scene) {
//!     assert!(question.options.contains(&question.answer_text().to_string()));
//! }
//! # assert_eq!((frame.width(), labels.len()), (378, 729));
//! # Ok::<(), vqtoken_video::VideoError>(())
//! ```

mod annotations;
mod appearance;
mod background;
mod balance;
mod baselines;
mod behaviour;
mod caption;
mod data_set;
mod error;
mod geometry;
mod layout;
mod object;
mod object_labels;
mod outline;
mod patch_labels;
mod query;
mod question;
mod random;
mod render;
mod scene;
mod settings;
mod trajectory;
mod write;

pub use annotations::QuestionRow;
pub use appearance::{Appearance, Colour, Shape, Texture};
pub use balance::Balance;
pub use baselines::{BaselineAccuracy, BaselineReport, baseline_report};
pub use caption::{CAPTION_PROMPT, caption, descriptions};
pub use data_set::{Clip, Split, clips};
pub use error::ShapesError;
pub use geometry::{Direction, Place, Point, Side};
pub use object::{Event, EventKind, Object, RelatedPair, Relation};
pub use object_labels::{LabelScope, OBJECT_LABELS, ObjectLabel};
pub use patch_labels::PatchLabel;
pub use query::{
    Action, Deed, Description, ObjectFacts, Query, QueryKind, Region, Script, Speed, Wanted, event_count,
    fact_count, queries_of,
};
pub use question::{Question, Template, all_questions, questions};
pub use render::Renderer;
pub use scene::{Background, ObjectState, Scene};
pub use settings::{Difficulty, Settings};
pub use trajectory::{Motion, Pace, Segment, Trajectory};
pub use write::{DataSetSummary, write_clip, write_data_set};
