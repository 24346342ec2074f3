//! A scene: everything that happens in one clip, with the exact truth about every frame.

use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::appearance::{Appearance, Colour};
use crate::geometry::{Point, distance, plus, turned};
use crate::layout::layout;
use crate::object::{Event, Object, RelatedPair};
use crate::outline;
use crate::random::{Random, mix};

/// What is behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// One greyish tint.
    Plain,
    /// A gradient from one greyish tint to another.
    Gradient,
    /// Greyish tiles, blobs and lines.
    Cluttered,
}

/// The script of one clip, from which everything about every frame follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The seed it was made from.
    pub seed: u64,
    /// The number of frames.
    pub frames: usize,
    /// Frames a second.
    pub fps: f32,
    /// Side of the picture in pixels.
    pub size: usize,
    /// Background.
    pub background: Background,
    /// Standard deviation of the noise, in levels of 255.
    pub noise: f32,
    /// How far the camera shakes, in sides of the picture; mostly 0.
    pub shake: f32,
    /// The objects, from back to front.
    pub objects: Vec<Object>,
    /// Appearances of objects that do not occur, for wrong answers.
    pub absent: Vec<Appearance>,
    /// What happens, in order of time.
    pub events: Vec<Event>,
    /// Pairs that move relative to each other.
    pub related: Vec<RelatedPair>,
}

/// The true state of one object in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectState {
    /// Its centre on the screen, including the camera's shake, in sides of the picture.
    pub centre: Point,
    /// From the centre to the farthest point of its outline, in sides of the picture.
    pub radius: f32,
    /// Its angle, in radians clockwise.
    pub angle: f32,
    /// Its colour.
    pub colour: Colour,
    /// The share of its area that is inside the picture and not behind another object, in `[0, 1]`.
    pub visible: f32,
}

impl Scene {
    /// The scene of a seed. Settings that do not pass [`Settings::check`] give a scene, but not a sensible one.
    pub fn generate(seed: u64, settings: &Settings) -> Scene {
        let (least, most) = (settings.least_objects, settings.most_objects.min(5));
        let mut random = Random::derived(seed, 1);
        let count = least + random.below((most + 1).saturating_sub(least).max(1));
        let layout = layout(count.clamp(1, 5), settings.lookalikes, &mut random);
        let background = if random.chance(settings.clutter) {
            Background::Cluttered
        } else if random.chance(0.5) {
            Background::Gradient
        } else {
            Background::Plain
        };
        let shaken = settings.shake > 0.0 && random.chance(0.35);
        Scene {
            seed,
            frames: settings.frames().max(2),
            fps: settings.fps,
            size: settings.size,
            background,
            noise: settings.noise * random.range(0.3, 1.0),
            shake: if shaken { settings.shake } else { 0.0 },
            objects: layout.objects,
            absent: layout.absent,
            events: layout.events,
            related: layout.related,
        }
    }

    /// The scene of clip `index` of a data set.
    pub fn of_clip(index: usize, settings: &Settings) -> Scene {
        Scene::generate(mix(mix(settings.seed ^ 0x5a3e).wrapping_add(index as u64)), settings)
    }

    /// A frame's time as a fraction of the clip.
    pub fn time(&self, frame: usize) -> f32 {
        frame as f32 / (self.frames.max(2) - 1) as f32
    }

    /// How far the camera's shake moves everything in a frame, in sides of the picture.
    pub fn shift(&self, frame: usize) -> Point {
        if self.shake == 0.0 {
            return [0.0, 0.0];
        }
        let mut random = Random::derived(self.seed, 2);
        let seconds = frame as f32 / self.fps;
        let mut axis = || {
            let mut wave =
                |from, to| (std::f32::consts::TAU * (random.range(from, to) * seconds + random.unit())).sin();
            self.shake * (0.6 * wave(0.5, 1.0) + 0.4 * wave(1.5, 2.5))
        };
        [axis(), axis()]
    }

    /// The true state of every object in a frame, in the order of [`Scene::objects`].
    pub fn states(&self, frame: usize) -> Vec<ObjectState> {
        let (time, shift) = (self.time(frame), self.shift(frame));
        let mut states: Vec<ObjectState> = self
            .objects
            .iter()
            .map(|object| ObjectState {
                centre: plus(object.trajectory.at(time), shift),
                radius: object.radius_at(time),
                angle: object.angle(time),
                colour: object.colour(time),
                visible: 1.0,
            })
            .collect();
        for index in 0..states.len() {
            states[index].visible = self.visible(index, &states);
        }
        states
    }

    /// The visible share of an object, from sample points inside its outline.
    fn visible(&self, object: usize, states: &[ObjectState]) -> f32 {
        const STEPS: usize = 24;
        let state = states[object];
        let inside = state.centre.iter().all(|&c| c - state.radius >= 0.0 && c + state.radius <= 1.0);
        let near: Vec<usize> = (object + 1..states.len())
            .filter(|&front| {
                distance(states[front].centre, state.centre) < states[front].radius + state.radius
            })
            .collect();
        if inside && near.is_empty() {
            return 1.0;
        }
        let (mut all, mut seen) = (0_usize, 0_usize);
        for step in 0..STEPS * STEPS {
            let at = |step: usize| (2 * step + 1) as f32 / STEPS as f32 - 1.0;
            let own = [at(step % STEPS), at(step / STEPS)];
            if outline::signed_distance(self.objects[object].appearance.shape, own) > 0.0 {
                continue;
            }
            all += 1;
            let turned = turned(own, state.angle);
            let point =
                [state.centre[0] + state.radius * turned[0], state.centre[1] + state.radius * turned[1]];
            let shown = point.iter().all(|coordinate| (0.0..1.0).contains(coordinate));
            seen +=
                usize::from(shown && !near.iter().any(|&front| self.covers(front, &states[front], point)));
        }
        seen as f32 / all.max(1) as f32
    }

    /// Whether an object covers a point of the screen.
    pub(crate) fn covers(&self, object: usize, state: &ObjectState, point: Point) -> bool {
        let own = turned(
            [(point[0] - state.centre[0]) / state.radius, (point[1] - state.centre[1]) / state.radius],
            -state.angle,
        );
        outline::signed_distance(self.objects[object].appearance.shape, own) <= 0.0
    }
}
