//! The best rows of a scan.

/// A row by its place: segment, row in it.
pub(super) type Place = (usize, usize);

/// The best of what was added, by cosine and then by place, so that the order of adding does not show.
#[derive(Debug)]
pub(super) struct Best {
    wanted: usize,
    /// Up to twice as many as wanted, so that sorting is rare.
    found: Vec<(f32, Place)>,
    /// The cosine below which nothing counts any more.
    least: f32,
}

impl Best {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted, found: Vec::new(), least: f32::NEG_INFINITY }
    }

    pub(super) fn would_take(&self, cosine: f32) -> bool {
        cosine >= self.least
    }

    pub(super) fn add(&mut self, cosine: f32, place: Place) {
        if self.wanted == 0 || cosine.is_nan() || cosine < self.least {
            return;
        }
        self.found.push((cosine, place));
        if self.found.len() >= 2 * self.wanted {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.found.len() > self.wanted {
            self.found.select_nth_unstable_by(self.wanted - 1, better);
            self.found.truncate(self.wanted);
            self.least = self.found[self.wanted - 1].0;
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.found.extend(other.found);
        self.least = self.least.max(other.least);
        self.cut();
        self
    }

    /// In no order.
    pub(super) fn unsorted(mut self) -> impl Iterator<Item = (f32, Place)> {
        self.cut();
        self.found.into_iter()
    }

    pub(super) fn sorted(mut self) -> Vec<(f32, Place)> {
        self.cut();
        self.found.sort_unstable_by(better);
        self.found
    }
}

fn better(a: &(f32, Place), b: &(f32, Place)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}
