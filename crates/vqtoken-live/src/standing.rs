//! Questions that are answered every so many seconds.

/// Questions that are asked every so many seconds of the stream, about its last seconds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StandingQuestions {
    /// The questions; each is answered on its own.
    pub questions: Vec<String>,
    /// Seconds of the stream from one time to the next. Default 10.
    pub every: f64,
    /// How many of the last seconds they are about; `None` for all that is kept. Default 300.
    pub last: Option<f64>,
}

impl Default for StandingQuestions {
    fn default() -> Self {
        Self { questions: Vec::new(), every: 10.0, last: Some(300.0) }
    }
}

impl StandingQuestions {
    /// These questions.
    pub fn new(questions: Vec<String>) -> Self {
        Self { questions, ..Self::default() }
    }

    /// The same, asked every so many seconds about so many of the last seconds.
    #[must_use]
    pub fn with_times(self, every: f64, last: Option<f64>) -> Self {
        Self { every, last, ..self }
    }
}

/// When they are due next.
#[derive(Debug)]
pub(crate) struct Schedule {
    every: f64,
    due: Option<f64>,
    /// Frames have come since they were asked.
    is_behind: bool,
}

impl Schedule {
    pub(crate) fn new(every: f64) -> Self {
        Self { every, due: None, is_behind: false }
    }

    /// Whether they are due before a frame of that time is taken. After a gap they are due once, not once for every time that
    /// was missed.
    pub(crate) fn is_due(&mut self, seconds: f64) -> bool {
        let due = *self.due.get_or_insert(seconds + self.every);
        let is_due = seconds >= due && self.is_behind;
        if seconds >= due {
            self.due = Some(due + ((seconds - due) / self.every).floor() * self.every + self.every);
        }
        self.is_behind = true;
        is_due
    }

    /// Whether frames have come since they were asked, now that the next frame will not come.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    pub(crate) fn asked(&mut self) {
        self.is_behind = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_due_at_even_times_and_once_after_a_gap() {
        let mut schedule = Schedule::new(10.0);
        let mut due = Vec::new();
        for seconds in [3.0, 8.0, 12.9, 13.0, 14.0, 23.5, 90.0, 92.9, 93.0] {
            if schedule.is_due(seconds) {
                due.push(seconds);
                schedule.asked();
                schedule.is_behind = true;
            }
        }
        assert_eq!(due, [13.0, 23.5, 90.0, 93.0]);
    }
}
