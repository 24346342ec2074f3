//! Three objects do the same, one after the other, more than two sampled frames of eight apart.

use super::{Cast, Staged, Turnwise, anywhere, solo};
use crate::geometry::{Direction, Side, minus, times};
use crate::object::Happening;
use crate::path::Path;
use crate::random::Random;

const TIMES: [f32; 3] = [0.13, 0.43, 0.73];

pub(super) fn stage(
    what: Turnwise,
    sides: [Side; 3],
    directions: [Direction; 3],
    cast: [&Cast; 3],
    first: usize,
    random: &mut Random,
) -> Option<Staged> {
    let mut staged = Staged::default();
    for (turn, actor) in cast.into_iter().enumerate() {
        let time = TIMES[turn] + random.range(-0.02, 0.02);
        let (object, event) = match what {
            Turnwise::Enter => {
                let (object, _) = solo::enter(sides[turn], time, random.range(0.2, 0.35), actor, random);
                (object, Happening::Enters { side: sides[turn] })
            }
            Turnwise::Recolour => {
                let mut object = solo::still(None, actor, random);
                object.recolours.push((time, actor.second));
                (object, Happening::Recolours { to: actor.second })
            }
            Turnwise::Start => {
                let end = anywhere(actor, 0.4, random);
                let way = times(directions[turn].unit(), random.range(0.18, 0.25));
                let start = minus(end, way);
                if !actor.inside(start) {
                    return None;
                }
                (actor.walks(Path::from(start).rest(time).go(1.0, way)), Happening::Starts)
            }
        };
        staged.objects.push(object);
        staged = staged.with(first + turn, &[(time, event)]);
    }
    Some(staged)
}
