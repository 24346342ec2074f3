//! 95% intervals where questions about one video are not independent.
//!
//! For a mean `m` of `n` scores in `G` clusters, `u_g = sum of (s_i - m)` over cluster `g`, the cluster-robust variance is
//! `G / (G - 1) * sum of u_g^2 / n^2` (Liang and Zeger 1986, with the usual correction for few clusters; Miller,
//! arXiv 2411.00640, recommends it for evaluations), and the interval `m ± 1.96 sd`. For a ratio `R` of two means the same with
//! `u_g = sum of (s_i - R t_i) / mean(t)`, its linear part (the delta method).
//!
//! Where all answers are right, or all wrong, that variance is 0 though nothing is certain. The interval of a share then takes
//! each video for one draw: up to `1 - 0.025^(1/G)` (Clopper and Pearson 1934).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// The 97.5% point of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A number with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean or ratio.
    pub value: f64,
    /// The interval's ends; none with fewer than two clusters, which say nothing about their variance.
    pub interval: Option<[f64; 2]>,
}

/// The mean of scores, each with its cluster. None of none.
pub fn clustered_mean<'a>(scores: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Estimate> {
    clustered_ratio(scores.into_iter().map(|(cluster, score)| (cluster, score, 1.0)))
}

/// The mean of scores that are 0 or 1, each with its cluster. None of none.
pub fn clustered_share<'a>(scores: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Estimate> {
    let scores: Vec<_> = scores.into_iter().collect();
    let mean = clustered_mean(scores.iter().copied())?;
    let clusters = scores.iter().map(|(cluster, _)| *cluster).collect::<BTreeSet<_>>().len();
    let reach = 1.0 - 0.025f64.powf(1.0 / clusters as f64);
    let interval = mean.interval.map(|[low, high]| match mean.value {
        0.0 => [0.0, reach],
        1.0 => [1.0 - reach, 1.0],
        _ => [low.max(0.0), high.min(1.0)],
    });
    Some(Estimate { interval, ..mean })
}

/// The ratio of the mean of the first numbers to that of the second, each pair with its cluster. None of none, or where the
/// second mean is 0.
pub fn clustered_ratio<'a>(pairs: impl IntoIterator<Item = (&'a str, f64, f64)>) -> Option<Estimate> {
    let mut clusters: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (cluster, above, below) in pairs {
        let sums = clusters.entry(cluster).or_default();
        *sums = (sums.0 + above, sums.1 + below);
    }
    let (above, below) =
        clusters.values().fold((0.0, 0.0), |(above, below), sums| (above + sums.0, below + sums.1));
    if below == 0.0 {
        return None;
    }
    let value = above / below;
    let squares: f64 = clusters.values().map(|sums| ((sums.0 - value * sums.1) / below).powi(2)).sum();
    let groups = clusters.len() as f64;
    let interval = (clusters.len() > 1).then(|| {
        let reach = NORMAL * (groups / (groups - 1.0) * squares).sqrt();
        [value - reach, value + reach]
    });
    Some(Estimate { value, interval })
}

impl Estimate {
    /// Value and ends multiplied by 100.
    pub fn percent(self) -> Self {
        Self { value: 100.0 * self.value, interval: self.interval.map(|ends| ends.map(|end| 100.0 * end)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reach(estimate: Estimate) -> f64 {
        let [low, high] = estimate.interval.unwrap();
        (high - low) / 2.0
    }

    #[test]
    fn each_question_its_own_cluster_gives_the_textbook_error() {
        let scores = [1.0, 0.0, 1.0, 1.0, 0.0];
        let names = ["a", "b", "c", "d", "e"];
        let estimate = clustered_mean(names.into_iter().zip(scores)).unwrap();
        // Standard deviation with n - 1 over the root of n: sqrt(0.3 / 5).
        assert!((estimate.value - 0.6).abs() < 1e-12);
        assert!((reach(estimate) - NORMAL * (0.3f64 / 5.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn two_clusters_by_hand() {
        // a: 1 1 0, b: 0 -> mean 0.5, u = (0.5, -0.5), variance 2/1 * 0.5 / 16.
        let estimate = clustered_mean([("a", 1.0), ("b", 0.0), ("a", 1.0), ("a", 0.0)]).unwrap();
        assert!((reach(estimate) - NORMAL * (1.0f64 / 16.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn copies_of_questions_within_a_video_add_no_certainty() {
        let once = [("a", 1.0), ("b", 0.0), ("c", 1.0)];
        let thrice = once.iter().flat_map(|pair| [*pair; 3]);
        let (once, thrice) = (clustered_mean(once).unwrap(), clustered_mean(thrice).unwrap());
        assert!((reach(once) - reach(thrice)).abs() < 1e-12);
    }

    #[test]
    fn a_share_of_nothing_or_all_is_not_certain() {
        // The rule of three: with 30 draws about 0 to 12%.
        let names: Vec<String> = (0..30).map(|name| name.to_string()).collect();
        let of = |score: f64| clustered_share(names.iter().map(|name| (name.as_str(), score))).unwrap();
        let [low, high] = of(0.0).interval.unwrap();
        assert!(low == 0.0 && (high - 0.115_703).abs() < 1e-6, "{high}");
        assert_eq!(of(1.0).interval.unwrap(), [1.0 - high, 1.0]);
        let ends = clustered_share([("a", 1.0), ("b", 0.0), ("c", 0.0)]).unwrap().interval.unwrap();
        assert!(ends[0] == 0.0 && ends[1] < 1.0, "{ends:?}");
    }

    #[test]
    fn one_cluster_has_no_interval_and_nothing_no_mean() {
        assert_eq!(clustered_mean([("a", 1.0), ("a", 0.0)]), Some(Estimate { value: 0.5, interval: None }));
        assert_eq!(clustered_mean([]), None);
        assert_eq!(clustered_ratio([("a", 1.0, 0.0)]), None);
    }

    #[test]
    fn a_ratio_over_a_constant_is_a_scaled_mean() {
        let scores = [("a", 1.0), ("b", 0.0), ("a", 1.0), ("c", 0.0)];
        let mean = clustered_mean(scores).unwrap();
        let ratio = clustered_ratio(scores.map(|(cluster, score)| (cluster, score, 32.0))).unwrap();
        assert!((ratio.value - mean.value / 32.0).abs() < 1e-12);
        assert!((reach(ratio) - reach(mean) / 32.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        // 60 videos of 5 questions which share a coin: naive intervals would cover far less often.
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let names: Vec<String> = (0..60).map(|video| video.to_string()).collect();
        let covered = (0..1000).filter(|_| {
            let scores: Vec<_> = names
                .iter()
                .flat_map(|name| {
                    let skill = if uniform() < 0.5 { 0.9 } else { 0.3 };
                    (0..5)
                        .map(|_| (name.as_str(), f64::from(u8::from(uniform() < skill))))
                        .collect::<Vec<_>>()
                })
                .collect();
            let [low, high] = clustered_mean(scores).unwrap().interval.unwrap();
            low <= 0.6 && 0.6 <= high
        });
        let covered = covered.count();
        assert!((920..=970).contains(&covered), "{covered} of 1000");
    }

    proptest! {
        #[test]
        fn order_of_questions_does_not_matter(scores in prop::collection::vec((0usize..5, 0u8..2), 1..40)) {
            let names = ["a", "b", "c", "d", "e"];
            let pairs = || scores.iter().map(|(cluster, score)| (names[*cluster], f64::from(*score)));
            let turned: Vec<_> = pairs().rev().collect();
            prop_assert_eq!(clustered_mean(pairs()), clustered_mean(turned));
        }
    }
}
