//! The moving-shapes video question set.
mod backdrop;
mod error;
mod geometry;
mod look;
mod object;
mod outline;
mod patches;
mod path;
mod plan;
mod random;
mod render;
mod scene;
mod settings;
mod story;

pub use error::ShapesError;
pub use geometry::{Direction, Place, Point, Side};
pub use look::{Colour, Look, Shape, Texture};
pub use object::{Event, Happening, Object, Related, Relation};
pub use patches::PatchLabel;
pub use path::{Leg, Motion, Pace, Path};
pub use render::Renderer;
pub use scene::{Background, Scene, State};
pub use settings::{Difficulty, Settings};
