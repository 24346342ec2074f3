//! Which spans of time of a scene are what a query wants.

use super::happenings::{Script, Span};
use super::{Deed, Query, Wanted};

/// Events that are closer than this have no order that can be seen, as a fraction of the clip.
const APART: f32 = 0.07;

impl Query {
    /// Each span of time in which it is true, with the object that it is about.
    pub(super) fn true_of(&self, script: &Script) -> Vec<Span> {
        match self.wanted {
            Wanted::Object(wanted) => {
                let there = |object| {
                    let presence = script.presence(object, wanted).into_iter();
                    presence.map(move |(from, to)| Span { object, from, to, core: (from, to) })
                };
                script.objects().flat_map(there).collect()
            }
            Wanted::Deed(deed) => spans(script, deed),
            Wanted::Order { first, then } => {
                let firsts = spans(script, first);
                if firsts.is_empty() {
                    return Vec::new();
                }
                let after = spans(script, then);
                let pairs = firsts.iter().flat_map(|a| after.iter().map(move |b| (a, b)));
                pairs.filter(|(a, b)| is_before(a, b)).flat_map(|(a, b)| hulls(a, b)).collect()
            }
        }
    }
}

fn spans(script: &Script, deed: Deed) -> Vec<Span> {
    script.objects().flat_map(|object| script.spans(object, deed.subject, deed.action)).collect()
}

/// Whether one is over before the other begins. What lasts a while may end as the other begins; events have to be apart.
fn is_before(a: &Span, b: &Span) -> bool {
    let are_events = a.core.0 == a.core.1 && b.core.0 == b.core.1;
    let gap = b.core.0 - a.core.1;
    if are_events { gap >= APART } else { gap >= -1e-3 && b.core.1 > a.core.0 + APART }
}

/// From the start of the first to the end of the second, for either object.
fn hulls(a: &Span, b: &Span) -> [Span; 2] {
    [a.object, b.object].map(|object| Span {
        object,
        from: a.from.min(b.from),
        to: a.to.max(b.to),
        core: (a.core.0, b.core.1),
    })
}
