//! Timestamps as whole numbers of a tick, where that is exact to the last bit.
//!
//! Frames of a video are shown at multiples of a tick that its container names. The coarsest tick that gives all timestamps
//! makes the numbers small: a byte a frame instead of eight.

/// Whole numbers up to this are exact as `f64`.
const EXACT: u64 = 1 << 53;
/// The finest ticks looked for are the first one of these in a second, and a microsecond.
const FINEST: u64 = 100_000;
const MICROSECONDS: u64 = 1_000_000;

/// `numerator / denominator` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) numerator: u64,
    pub(super) denominator: u64,
}

impl Tick {
    /// Reads `A/B`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (numerator, denominator) = text.split_once('/')?;
        let tick = Self { numerator: numerator.parse().ok()?, denominator: denominator.parse().ok()? };
        let allowed = 1..=EXACT;
        (allowed.contains(&tick.numerator) && allowed.contains(&tick.denominator)).then_some(tick)
    }

    /// The timestamps of frames that are each so many ticks after the one before; `None` if they are beyond exact numbers.
    pub(super) fn timestamps(self, steps: &[u32]) -> Option<Vec<f64>> {
        let mut ticks = 0u64;
        let timestamp = |&step: &u32| {
            ticks = ticks.checked_add(u64::from(step))?;
            let units = ticks.checked_mul(self.numerator).filter(|&units| units <= EXACT)?;
            Some(units as f64 / self.denominator as f64)
        };
        steps.iter().map(timestamp).collect()
    }
}

/// The tick, and how many of them each timestamp is after the one before. `None` if no tick gives exactly these, they go
/// back, or one is before 0.
pub(super) fn ticks(timestamps: &[f64]) -> Option<(Tick, Vec<u32>)> {
    let denominator = (1..=FINEST)
        .chain([MICROSECONDS])
        .find(|&denominator| timestamps.iter().rev().all(|&seconds| units(seconds, denominator).is_some()))?;
    let units: Vec<u64> =
        timestamps.iter().map(|&seconds| units(seconds, denominator)).collect::<Option<_>>()?;
    let numerator = units.iter().fold(0, |divisor, &units| greatest_common_divisor(divisor, units)).max(1);
    let mut before = 0;
    let step = |&units: &u64| {
        let step = units.checked_sub(before)?;
        before = units;
        u32::try_from(step / numerator).ok()
    };
    let steps = units.iter().map(step).collect::<Option<_>>()?;
    Some((Tick { numerator, denominator }, steps))
}

/// How often `1 / denominator` makes exactly `seconds`.
fn units(seconds: f64, denominator: u64) -> Option<u64> {
    let units = (seconds * denominator as f64).round();
    let exact = (units / denominator as f64).to_bits() == seconds.to_bits();
    (exact && seconds.is_sign_positive() && (0.0..=EXACT as f64).contains(&units)).then_some(units as u64)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kept(timestamps: &[f64], numerator: u64, denominator: u64, steps: &[u32]) {
        let tick = Tick { numerator, denominator };
        assert_eq!(ticks(timestamps), Some((tick, steps.to_vec())));
        assert_eq!(tick.timestamps(steps).unwrap(), timestamps);
        assert_eq!(Tick::parse(&format!("{numerator}/{denominator}")), Some(tick));
    }

    #[test]
    fn the_coarsest_tick_is_found() {
        kept(&[0.0, 0.5, 1.5], 1, 2, &[0, 1, 2]);
        kept(&[0.0], 1, 1, &[0]);
        kept(&[60.0, 120.0, 120.0], 60, 1, &[1, 1, 0]);
        let ntsc: Vec<f64> = [0, 3, 7].iter().map(|&frame| f64::from(frame * 1001) / 30000.0).collect();
        kept(&ntsc, 1001, 30000, &[0, 3, 4]);
        kept(&[0.066733, 0.133467], 1, 1_000_000, &[66733, 66734]);
    }

    #[test]
    fn what_does_not_fit_is_left_alone() {
        for timestamps in
            [&[-0.0][..], &[-1.0], &[1.0, 0.5], &[0.0, std::f64::consts::PI], &[1e300], &[0.0, 1e-300]]
        {
            assert_eq!(ticks(timestamps), None, "{timestamps:?}");
        }
        for text in ["", "1", "0/1", "1/0", "1/2/3", "-1/2", "1/18446744073709551615"] {
            assert_eq!(Tick::parse(text), None, "{text}");
        }
        let large = Tick { numerator: EXACT, denominator: 1 };
        assert_eq!(large.timestamps(&[1]), Some(vec![EXACT as f64]));
        assert_eq!(large.timestamps(&[1, 1]), None);
    }
}
