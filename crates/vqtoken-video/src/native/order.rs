//! From decode order to display order.

/// The longest delay between decoding and display that H.264 allows, in frames.
pub(crate) const LONGEST_DELAY: usize = 16;

/// Holds decoded pictures back until it is certain which comes next.
pub(crate) struct DisplayOrder<T> {
    /// Rank in display order and picture.
    waiting: Vec<(i64, T)>,
    /// Media times of the waiting pictures. The smallest goes with the picture that leaves: the two belong
    /// together in a sound file, and where a file gives decode times only, this sorts them.
    times: Vec<i64>,
    delay: usize,
}

impl<T> DisplayOrder<T> {
    /// `delay`: how many pictures may be decoded before one that is shown earlier.
    pub(crate) fn new(delay: usize) -> Self {
        Self { waiting: Vec::new(), times: Vec::new(), delay: delay.min(LONGEST_DELAY) }
    }

    /// Adds a picture; returns the next one to show, if that is certain.
    pub(crate) fn push(&mut self, rank: i64, time: i64, picture: T) -> Option<(i64, T)> {
        self.waiting.push((rank, picture));
        self.times.push(time);
        if self.waiting.len() > self.delay { self.pop() } else { None }
    }

    /// The next one to show of those that wait. Call until `None` at the end of the stream.
    pub(crate) fn pop(&mut self) -> Option<(i64, T)> {
        let first = (0..self.waiting.len()).min_by_key(|&at| self.waiting[at].0)?;
        let earliest = (0..self.times.len()).min_by_key(|&at| self.times[at])?;
        // `remove` keeps the others in decode order, which decides between equal ranks.
        Some((self.times.remove(earliest), self.waiting.remove(first).1))
    }
}

/// The delay that presentation times in decode order ask for.
pub(crate) fn delay_of(presentation: impl Iterator<Item = i64>) -> usize {
    let mut recent = std::collections::VecDeque::with_capacity(2 * LONGEST_DELAY);
    let mut delay = 0;
    for time in presentation {
        delay = delay.max(recent.iter().filter(|&&earlier| earlier > time).count());
        if recent.len() == 2 * LONGEST_DELAY {
            recent.pop_front();
        }
        recent.push_back(time);
    }
    delay
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_leave_in_display_order() {
        let ranks = [0, 4, 2, 1, 3, 8, 6, 5, 7];
        let delay = delay_of(ranks.into_iter());
        assert_eq!(delay, 2);
        let mut order = DisplayOrder::new(delay);
        let mut shown = Vec::new();
        for (decoded, rank) in ranks.into_iter().enumerate() {
            shown.extend(order.push(rank, decoded as i64, rank));
        }
        shown.extend(std::iter::from_fn(|| order.pop()));
        assert_eq!(shown, (0..9).map(|i| (i, i)).collect::<Vec<_>>());
    }

    #[test]
    fn a_hostile_order_waits_no_longer_than_the_standard_allows() {
        let mut order = DisplayOrder::new(usize::MAX);
        let left = (0..100_i64).filter(|i| order.push(-i, 0, ()).is_some()).count();
        assert_eq!(left, 100 - LONGEST_DELAY);
    }
}
