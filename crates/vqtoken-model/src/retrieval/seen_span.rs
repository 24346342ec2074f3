//! From when to when a text is true of a video, from the facts that it asks for and the times that codes know of them.

/// What a text asks for and what the codes of one video know.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownTimes<'a> {
    /// Logits of the facts that the text asks for, `[2, facts]`.
    pub(super) wanted: &'a [f32],
    /// Logits of the facts that hold for the codes' objects, `[K, facts]`.
    pub(super) holds: &'a [f32],
    /// From when each can be seen, then until when, as fractions of the video, `[K, 2, facts]`.
    pub(super) seen: &'a [f32],
    /// How many of the facts, from the first, happen at a time.
    pub(super) events: usize,
}

impl KnownTimes<'_> {
    /// From when to when all that the text asks for can be seen, as fractions of the video; of two things, from the beginning of the first
    /// to the end of the second. None if it asks for nothing, or if what it asks of a thing is never seen together.
    pub(super) fn span(&self) -> Option<[f32; 2]> {
        let facts = self.wanted.len() / 2;
        let [first, second] = [0, 1].map(|thing| self.wanted_of(&self.wanted[thing * facts..][..facts]));
        let mut span = self.thing_span(&first, facts)?;
        if !second.is_empty() {
            let [from, to] = self.thing_span(&second, facts)?;
            span = [span[0].min(from), span[1].max(to)];
        }
        let [from, to] = span.map(|time| time.clamp(0.0, 1.0));
        (from < to).then_some([from, to])
    }

    /// The facts that are more probably asked for than not.
    fn wanted_of(&self, logits: &[f32]) -> Vec<usize> {
        (0..logits.len()).filter(|&fact| logits[fact] > 0.0).collect()
    }

    /// While all of what happens among the wanted facts can be seen, or all of them if nothing happens, of the code for which they hold best.
    fn thing_span(&self, wanted: &[usize], facts: usize) -> Option<[f32; 2]> {
        let probability = |holds: &[f32]| wanted.iter().map(|&fact| log_sigmoid(holds[fact])).sum::<f32>();
        let codes = self.holds.chunks_exact(facts).map(probability).zip(self.seen.chunks_exact(2 * facts));
        let (_, seen) = codes.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        let happens: Vec<usize> = wanted.iter().copied().filter(|&fact| fact < self.events).collect();
        let timed = if happens.is_empty() { wanted } else { &happens };
        let from = timed.iter().map(|&fact| seen[fact]).reduce(f32::max)?;
        let to = timed.iter().map(|&fact| seen[facts + fact]).reduce(f32::min)?;
        (from < to).then_some([from, to])
    }
}

fn log_sigmoid(x: f32) -> f32 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: f32 = 9.0;

    /// Of two codes and three facts, of which the first two are events: fact 0 holds for both, 1 and 2 for one of them each.
    fn span(wanted: [[bool; 3]; 2]) -> Option<[f32; 2]> {
        let sure = |of: &bool| if *of { SURE } else { -SURE };
        let wanted: Vec<f32> = wanted.as_flattened().iter().map(sure).collect();
        let holds: Vec<f32> =
            [[true, true, false], [true, false, true]].as_flattened().iter().map(sure).collect();
        let seen = [0.1, 0.2, 0.0, 0.5, 0.4, 0.9, 0.6, 0.0, 0.3, 0.8, 0.1, 1.1];
        KnownTimes { wanted: &wanted, holds: &holds, seen: &seen, events: 2 }.span()
    }

    #[test]
    fn the_times_are_those_of_the_code_for_which_all_holds() {
        let nothing = [false; 3];
        assert_eq!(span([[true, true, false], nothing]), Some([0.2, 0.4]), "both at once");
        assert_eq!(
            span([[true, false, true], nothing]),
            Some([0.6, 0.8]),
            "looks have no say in when it happens"
        );
        assert_eq!(span([[false, false, true], nothing]), Some([0.3, 1.0]), "but where nothing happens");
    }

    #[test]
    fn of_two_things_it_is_from_the_one_to_the_other() {
        assert_eq!(span([[true, true, false], [true, false, true]]), Some([0.2, 0.8]));
    }

    #[test]
    fn nothing_asked_for_has_no_time() {
        assert_eq!(span([[false; 3]; 2]), None);
    }
}
