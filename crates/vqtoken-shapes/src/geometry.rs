//! Points of the picture, and names for directions, sides and places. The picture is the unit square: x to the right, y
//! down.

use serde::{Deserialize, Serialize};

/// A point or a displacement, `[x, y]`, in sides of the picture.
pub type Point = [f32; 2];

pub(crate) fn plus(a: Point, b: Point) -> Point {
    [a[0] + b[0], a[1] + b[1]]
}

pub(crate) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

pub(crate) fn times(a: Point, factor: f32) -> Point {
    [a[0] * factor, a[1] * factor]
}

pub(crate) fn length(a: Point) -> f32 {
    a[0].hypot(a[1])
}

pub(crate) fn distance(a: Point, b: Point) -> f32 {
    length(minus(a, b))
}

/// Turned by `angle` radians, clockwise as seen on the screen.
pub(crate) fn turned(a: Point, angle: f32) -> Point {
    let (sine, cosine) = angle.sin_cos();
    [a[0] * cosine - a[1] * sine, a[0] * sine + a[1] * cosine]
}

/// A direction of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards x = 0.
    Left,
    /// Towards x = 1.
    Right,
    /// Towards y = 0.
    Up,
    /// Towards y = 1.
    Down,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Direction; 4] = [Direction::Left, Direction::Right, Direction::Up, Direction::Down];

    /// The displacement by one side of the picture in this direction.
    pub fn unit(self) -> Point {
        match self {
            Direction::Left => [-1.0, 0.0],
            Direction::Right => [1.0, 0.0],
            Direction::Up => [0.0, -1.0],
            Direction::Down => [0.0, 1.0],
        }
    }

    /// The direction within 22 degrees of a displacement, if there is one.
    pub fn of(displacement: Point) -> Option<Direction> {
        let long = displacement[0].abs().max(displacement[1].abs());
        let across = displacement[0].abs().min(displacement[1].abs());
        if long <= 0.0 || across > 0.4 * long {
            return None;
        }
        Some(match displacement {
            [x, y] if x.abs() > y.abs() => {
                if x > 0.0 {
                    Direction::Right
                } else {
                    Direction::Left
                }
            }
            [_, y] if y > 0.0 => Direction::Down,
            _ => Direction::Up,
        })
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Left => "left",
            Direction::Right => "right",
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// An edge of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// x = 0.
    Left,
    /// x = 1.
    Right,
    /// y = 0.
    Top,
    /// y = 1.
    Bottom,
}

impl Side {
    /// Every side.
    pub const ALL: [Side; 4] = [Side::Left, Side::Right, Side::Top, Side::Bottom];

    /// The direction from the middle to this side.
    pub fn outward(self) -> Direction {
        match self {
            Side::Left => Direction::Left,
            Side::Right => Direction::Right,
            Side::Top => Direction::Up,
            Side::Bottom => Direction::Down,
        }
    }

    /// The point at distance `inside` from this side (outside where negative), `along` it from the top or left.
    pub(crate) fn point(self, inside: f32, along: f32) -> Point {
        match self {
            Side::Left => [inside, along],
            Side::Right => [1.0 - inside, along],
            Side::Top => [along, inside],
            Side::Bottom => [along, 1.0 - inside],
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
            Side::Top => "top",
            Side::Bottom => "bottom",
        }
    }
}

/// A region that everybody would name alike. Between these regions no name is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Upper left quarter.
    TopLeft,
    /// Upper right quarter.
    TopRight,
    /// Lower left quarter.
    BottomLeft,
    /// Lower right quarter.
    BottomRight,
    /// The middle.
    Middle,
}

impl Place {
    /// Every place.
    pub const ALL: [Place; 5] =
        [Place::TopLeft, Place::TopRight, Place::BottomLeft, Place::BottomRight, Place::Middle];
    /// The distance from the middle at which corners start, in x and in y.
    pub(crate) const CORNER: f32 = 0.16;
    /// The distance from the middle at which [`Place::Middle`] ends, in x and in y.
    pub(crate) const MIDDLE: f32 = 0.08;

    /// The place of a point, unless it is between places.
    pub fn of(point: Point) -> Option<Place> {
        let [x, y] = minus(point, [0.5, 0.5]);
        if x.abs().max(y.abs()) <= Place::MIDDLE {
            return Some(Place::Middle);
        }
        if x.abs().min(y.abs()) < Place::CORNER {
            return None;
        }
        Some(match (x < 0.0, y < 0.0) {
            (true, true) => Place::TopLeft,
            (false, true) => Place::TopRight,
            (true, false) => Place::BottomLeft,
            (false, false) => Place::BottomRight,
        })
    }

    /// The words for it.
    pub fn name(self) -> &'static str {
        match self {
            Place::TopLeft => "top left",
            Place::TopRight => "top right",
            Place::BottomLeft => "bottom left",
            Place::BottomRight => "bottom right",
            Place::Middle => "in the middle",
        }
    }
}

/// A name for any point: that of its [`Place`], and between places that of the nearest side. Agrees with [`Place::of`]
/// wherever that has a name.
pub(crate) fn position_name(point: Point) -> &'static str {
    const BORDER: f32 = 0.5 * (Place::CORNER + Place::MIDDLE);
    let third = |coordinate: f32| match coordinate - 0.5 {
        low if low < -BORDER => 0,
        high if high > BORDER => 2,
        _ => 1,
    };
    let words = [
        ["top left", "at the top", "top right"],
        ["at the left", "in the middle", "at the right"],
        ["bottom left", "at the bottom", "bottom right"],
    ];
    words[third(point[1])][third(point[0])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_directions_and_places_nothing_has_a_name() {
        for direction in Direction::ALL {
            assert_eq!(Direction::of(times(direction.unit(), 0.3)), Some(direction));
        }
        assert_eq!(Direction::of([0.2, 0.2]), None);
        assert_eq!(Direction::of([0.0, 0.0]), None);
        assert_eq!(Place::of([0.5, 0.45]), Some(Place::Middle));
        assert_eq!(Place::of([0.2, 0.9]), Some(Place::BottomLeft));
        assert_eq!(Place::of([0.6, 0.6]), None);
        assert_eq!(Place::of([0.5, 0.9]), None);
    }

    #[test]
    fn every_point_has_a_name_and_places_keep_theirs() {
        for step in 0..=10_000 {
            let point = [(step % 101) as f32 / 100.0, (step / 101) as f32 / 99.0];
            if let Some(place) = Place::of(point) {
                assert_eq!(position_name(point), place.name(), "{point:?}");
            }
        }
        assert_eq!(position_name([0.5, 0.1]), "at the top");
        assert_eq!(position_name([0.9, 0.6]), "at the right");
        assert_eq!(position_name([0.6, 0.6]), "in the middle");
    }

    #[test]
    fn sides_are_where_their_names_say() {
        for side in Side::ALL {
            let outside = side.point(-0.1, 0.5);
            assert!(outside.iter().any(|&coordinate| !(0.0..=1.0).contains(&coordinate)));
            assert_eq!(Direction::of(minus(outside, [0.5, 0.5])), Some(side.outward()));
        }
    }
}
