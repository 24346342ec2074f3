//! Three objects do the same, one after the other. Sampled in eight frames, they are more than two frames apart.

use super::{Action, ObjectSpec, Placement, anywhere, one_object};
use crate::geometry::{Direction, Side, minus, times};
use crate::object::EventKind;
use crate::random::Random;
use crate::trajectory::Trajectory;

const TIMES: [f32; 3] = [0.13, 0.43, 0.73];

pub(super) fn place(
    action: Action,
    sides: [Side; 3],
    directions: [Direction; 3],
    specs: [&ObjectSpec; 3],
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    let mut placement = Placement::default();
    for (index, spec) in specs.into_iter().enumerate() {
        let time = TIMES[index] + random.range(-0.02, 0.02);
        let (object, event) = match action {
            Action::Enter => {
                let (object, _) =
                    one_object::enter(sides[index], time, random.range(0.2, 0.35), spec, random);
                (object, EventKind::Enters { side: sides[index] })
            }
            Action::Recolour => {
                let mut object = one_object::still(None, spec, random);
                object.recolours.push((time, spec.second_colour));
                (object, EventKind::Recolours { to: spec.second_colour })
            }
            Action::Start => {
                let end = anywhere(spec, 0.4, random);
                let way = times(directions[index].unit(), random.range(0.18, 0.25));
                let start = minus(end, way);
                if !spec.is_inside(start) {
                    return None;
                }
                (spec.along(Trajectory::from(start).rest(time).go(1.0, way)), EventKind::Starts)
            }
        };
        placement.objects.push(object);
        placement = placement.with(first + index, &[(time, event)]);
    }
    Some(placement)
}
