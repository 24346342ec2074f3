//! Which frames are left out when encoding is slower than the stream: one of every so many, never a run of them.

/// Decides frame by frame. While the queue fills up it takes only one of every `stride` frames, and the more so the fuller it
/// is; once it has stayed nearly empty for a while, the stride shrinks again. So the frames that are taken lie evenly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thinning {
    /// One of so many frames is taken.
    stride: usize,
    /// Frames since the last one that was taken.
    since: usize,
    /// Frames taken since the stride changed.
    steady: usize,
    /// The most frames that waited since the stride changed.
    fullest: usize,
    /// The frames that waited when the stride changed.
    began: usize,
}

/// Taken frames after which a smaller stride is tried; more where a step is a large part of the stride.
const CALM: usize = 24;
const CALM_OF_SMALL: usize = 64;
const SMALL: usize = 3;

impl Default for Thinning {
    fn default() -> Self {
        Self { stride: 1, since: 0, steady: 0, fullest: 0, began: 0 }
    }
}

impl Thinning {
    /// Whether the next frame is taken, given how many frames wait and how many may.
    pub(crate) fn takes(&mut self, waiting: usize, room: usize) -> bool {
        self.since += 1;
        if self.since < self.stride {
            return false;
        }
        self.since = 0;
        if waiting >= room {
            self.widen();
            return false;
        }
        self.steady += 1;
        if self.steady == 1 {
            self.began = waiting;
        }
        self.fullest = self.fullest.max(waiting);
        let calm = if self.stride > SMALL { CALM } else { CALM_OF_SMALL };
        // The queue has time to show what the last change did before the next.
        if 4 * waiting >= 3 * room && self.steady >= 4 && waiting > self.began {
            self.widen();
        } else if self.stride > 1 && self.steady >= calm && self.fullest <= 1 {
            *self = Self { stride: self.stride - (self.stride / 8).max(1), ..Self::default() };
        } else if self.steady >= calm {
            (self.steady, self.fullest) = (0, waiting);
        }
        true
    }

    /// By one where more would show, from far off in larger steps.
    fn widen(&mut self) {
        self.stride += (self.stride / 8).max(1);
        (self.steady, self.fullest) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames at one a tick, of which each takes `cost` ticks to encode: which are taken, and how many waited at most.
    fn taken(frames: usize, cost: f64, room: usize) -> (Vec<usize>, usize) {
        let (mut thinning, mut waiting) = (Thinning::default(), std::collections::VecDeque::new());
        let (mut free_at, mut most, mut taken) = (0.0, 0, Vec::new());
        for frame in 0..frames {
            while waiting.front().is_some_and(|_| free_at <= frame as f64) {
                waiting.pop_front();
                free_at = f64::max(free_at, frame as f64 - 1.0) + cost;
            }
            if thinning.takes(waiting.len(), room) {
                taken.push(frame);
                waiting.push_back(frame);
            }
            most = most.max(waiting.len());
        }
        (taken, most)
    }

    #[test]
    fn nothing_is_left_out_while_encoding_keeps_up() {
        assert_eq!(taken(5000, 0.9, 8).0.len(), 5000);
    }

    #[test]
    fn frames_are_left_out_evenly() {
        for cost in [1.5, 2.3, 3.4, 7.9] {
            let (taken, most) = taken(5000, cost, 8);
            assert!(most <= 8, "{most}");
            let settled: Vec<usize> = taken.windows(2).skip(40).map(|pair| pair[1] - pair[0]).collect();
            let (least, largest) = (settled.iter().min().unwrap(), settled.iter().max().unwrap());
            let even = cost.ceil() as usize;
            assert!(*least + 1 >= even && *largest <= even + 1, "cost {cost}: {least} to {largest}");
            // No less is taken than could be encoded, but for what evenness costs.
            assert!(taken.len() as f64 > 0.6 * 5000.0 / cost, "cost {cost}: {}", taken.len());
        }
    }

    #[test]
    fn all_are_taken_again_when_encoding_has_caught_up() {
        let mut thinning = Thinning::default();
        assert!((0..100).all(|_| !thinning.takes(8, 8)));
        let taken: Vec<bool> = (0..6000).map(|_| thinning.takes(0, 8)).collect();
        assert!(!taken[..10].iter().all(|&taken| taken));
        assert!(taken[taken.len() - 100..].iter().all(|&taken| taken));
    }
}
