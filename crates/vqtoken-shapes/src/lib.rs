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

mod backdrop;
mod balance;
mod caption;
mod data_set;
mod error;
mod facts;
mod geometry;
mod look;
mod object;
mod outline;
mod patches;
mod path;
mod plan;
mod question;
mod random;
mod render;
mod report;
mod scene;
mod settings;
mod story;
mod tables;
mod write;

pub use balance::Balance;
pub use caption::{CAPTION_PROMPT, caption, descriptions};
pub use data_set::{Clip, Part, clips};
pub use error::ShapesError;
pub use facts::{FACTS, Fact};
pub use geometry::{Direction, Place, Point, Side};
pub use look::{Colour, Look, Shape, Texture};
pub use object::{Event, Happening, Object, Related, Relation};
pub use patches::PatchLabel;
pub use path::{Leg, Motion, Pace, Path};
pub use question::{Question, Template, all_questions, questions};
pub use render::Renderer;
pub use report::{Guesses, Report, report};
pub use scene::{Background, Scene, State};
pub use settings::{Difficulty, Settings};
pub use tables::Row;
pub use write::{Written, write_clip, write_data_set};
