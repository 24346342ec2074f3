//! Reading only some of the tokens of a pooled grid.

use burn::tensor::Tensor;

use super::VisualTokens;
use crate::rng::Rng;
use crate::tensors::indices;

/// Which tokens are kept.
#[derive(Debug)]
pub(crate) enum Keep<'a> {
    /// Any, the same of every clip.
    Any,
    /// Of every clip those that show an object first, then others as far as there is room; `[clips][M]` says which do.
    ObjectsFirst(&'a [Vec<bool>]),
}

impl VisualTokens {
    /// A random share of the tokens, at least one of each clip. Each keeps its position.
    pub(crate) fn keep(self, share: f64, keep: &Keep<'_>, rng: &mut Rng) -> Self {
        let [clips, count, d] = self.tokens.dims();
        let kept = ((count as f64 * share).round() as usize).max(1);
        let mut draw = |shows_object: Option<&[bool]>| {
            let mut rows: Vec<usize> = (0..count).collect();
            rng.shuffle(&mut rows);
            if let Some(shows_object) = shows_object {
                rows.sort_by_key(|&row| !shows_object[row]);
            }
            rows.truncate(kept);
            rows.sort_unstable();
            rows
        };
        let rows: Vec<Vec<usize>> = match keep {
            Keep::Any => vec![draw(None); clips],
            Keep::ObjectsFirst(shows_object) => {
                (0..clips).map(|clip| draw(Some(&shows_object[clip]))).collect()
            }
        };
        let of_all: Vec<u32> = rows
            .iter()
            .enumerate()
            .flat_map(|(clip, rows)| rows.iter().map(move |row| (clip * count + row) as u32))
            .collect();
        let at =
            |(rows, positions): (&Vec<usize>, &Vec<usize>)| rows.iter().map(|&row| positions[row]).collect();
        let positions = rows.iter().zip(&self.positions).map(at).collect();
        let device = self.tokens.device();
        let tokens: Tensor<2> = self.tokens.reshape([clips * count, d]); // [clips * M, D]
        let tokens = tokens.select(0, indices(&of_all, &device)); // [clips * kept, D]
        Self { tokens: tokens.reshape([clips, kept, d]), positions, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::{to_vec, training_device};

    #[test]
    fn kept_tokens_keep_their_positions() {
        let values: Vec<f32> = (0..2 * 40).map(|i| i as f32).collect();
        let all = || Tensor::<1>::from_floats(values.as_slice(), &training_device()).reshape([2, 40, 1]);
        let keep = |share: f64, keep: Keep<'_>| {
            let visual = VisualTokens::all(all(), Vec::new(), None);
            let visual = visual.keep(share, &keep, &mut Rng::new(1, "kept tokens", 0));
            let of_clip = |(clip, positions): (usize, &Vec<usize>)| {
                positions.iter().map(|p| (40 * clip + p) as f32).collect::<Vec<_>>()
            };
            let expected: Vec<f32> = visual.positions.iter().enumerate().flat_map(of_clip).collect();
            assert_eq!((to_vec(visual.tokens), visual.total), (expected, 40));
            assert!(visual.positions.iter().all(|positions| positions.is_sorted()));
            visual.positions
        };
        let quarter = keep(0.25, Keep::Any);
        assert!(quarter[0].len() == 10 && quarter[0] == quarter[1]);
        assert_ne!(quarter[0], (0..10).collect::<Vec<_>>());
        assert_eq!(keep(1e-9, Keep::Any)[0].len(), 1);
        // Six tokens of the first clip show an object, twelve of the second.
        let shows: [Vec<bool>; 2] = [6, 12].map(|n| (0..40).map(|row| row % 3 == 0 && row < 3 * n).collect());
        let kept = keep(0.25, Keep::ObjectsFirst(&shows));
        let objects = |clip: usize| kept[clip].iter().filter(|&&row| shows[clip][row]).count();
        assert_eq!(([kept[0].len(), kept[1].len()], [objects(0), objects(1)]), ([10, 10], [6, 10]));
    }
}
