//! Texts about clips of moving shapes, true ones and the same with one word changed.

use vqtoken_shapes::{Query, QueryKind, Scene, queries_of};

use crate::rng::Rng;

/// A text and, if it is a changed one, the index of the text that was changed.
pub(crate) struct Text {
    pub(crate) query: Query,
    /// Index of the clip that it was drawn from.
    pub(crate) clip: usize,
    pub(crate) changed_from: Option<usize>,
}

/// Adds true texts of each kind about a clip, at most `queries` of a kind, each followed by at most `changed` changed ones.
pub(crate) fn texts_about(
    scene: &Scene,
    clip: usize,
    [queries, changed]: [usize; 2],
    rng: &mut Rng,
    texts: &mut Vec<Text>,
) {
    let all = queries_of(scene, rng.next_u64());
    for kind in QueryKind::ALL {
        for query in all.iter().filter(|query| query.kind() == kind).take(queries) {
            let original = texts.len();
            texts.push(Text { query: *query, clip, changed_from: None });
            let changed = query.changed(rng.next_u64()).into_iter().take(changed);
            texts.extend(changed.map(|query| Text { query, clip, changed_from: Some(original) }));
        }
    }
}
