//! How codes are numbered.

/// How codes are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeOrder {
    /// By their first appearance in (f, h, w) order: the numbers do not depend on how seeds were drawn.
    #[default]
    FirstAppearance,
    /// In the order their seeds were drawn (of merged ones, the first), for released attention weights, which were trained on such ids.
    Raw,
}

/// New labels and how many codes they use: codes that tokens with a direction use, in order, and 0 for the others.
pub(crate) fn number(
    labels: &[u32],
    codes: usize,
    order: CodeOrder,
    has_direction: impl Fn(usize) -> bool,
) -> (Vec<u32>, usize) {
    let mut used = vec![false; codes];
    let mut in_order = Vec::new();
    for (_, &code) in labels.iter().enumerate().filter(|(token, _)| has_direction(*token)) {
        if !std::mem::replace(&mut used[code as usize], true) {
            in_order.push(code);
        }
    }
    if order == CodeOrder::Raw {
        in_order.sort_unstable();
    }
    let mut renumbered = vec![0; codes];
    for (fresh, &code) in in_order.iter().enumerate() {
        renumbered[code as usize] = fresh as u32;
    }
    let of_token = |(token, &label): (usize, &u32)| {
        if has_direction(token) { renumbered[label as usize] } else { 0 }
    };
    (labels.iter().enumerate().map(of_token).collect(), in_order.len().max(1))
}
