//! Keys and values of the positions already read, so that a step costs one position.

use burn::tensor::{Int, Tensor, TensorData, assert_shape};

/// Keys and values of one attention layer, `[batch, positions, heads, head_dim]` each.
///
/// Positions that come one by one find room that doubles when it runs out, so that each costs constant time on average;
/// those that come together are kept as they are.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    buffers: Option<(Tensor<4>, Tensor<4>)>,
    length: usize,
}

impl KvCache {
    /// Positions held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing has been read yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds positions and returns the keys and values of all positions so far.
    ///
    /// # Shapes
    ///
    /// - key, value: `[batch, new, heads, head_dim]`
    /// - output: `[batch, len, heads, head_dim]` twice
    pub fn extend(&mut self, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [batch, new, heads, head_dim] = key.dims();
        assert_shape!(value, [batch, new, heads, head_dim]);
        let (start, end) = (self.length, self.length + new);
        if new != 1 {
            let (old_keys, old_values) = self.held().unzip();
            let joined = |old: Option<Tensor<4>>, new| Tensor::cat(old.into_iter().chain([new]).collect(), 1);
            let (keys, values) = (joined(old_keys, key), joined(old_values, value));
            self.buffers = Some((keys.clone(), values.clone()));
            self.length = end;
            return (keys, values);
        }
        let (keys, values) = match self.buffers.take() {
            Some((keys, values)) if end <= keys.dims()[1] => (keys, values),
            previous => {
                let (old_keys, old_values) = previous.unzip();
                (grown(old_keys, &key, start, end), grown(old_values, &value, start, end))
            }
        };
        let written = [0..batch, start..end, 0..heads, 0..head_dim];
        let keys = keys.slice_assign(written.clone(), key);
        let values = values.slice_assign(written, value);
        self.buffers = Some((keys.clone(), values.clone()));
        self.length = end;
        (self.view(keys), self.view(values))
    }

    /// A cache of these entries of the batch, in this order and as often as they are named: what follows may then differ.
    pub fn select(&self, entries: &[usize]) -> Self {
        let selected = |x: Tensor<4>| {
            let ids: Vec<i64> = entries.iter().map(|&entry| entry as i64).collect();
            let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [entries.len()]), &x.device());
            x.select(0, ids)
        };
        let buffers = self.held().map(|(keys, values)| (selected(keys), selected(values)));
        Self { buffers, length: self.length }
    }

    /// Keys and values without the room behind them.
    fn held(&self) -> Option<(Tensor<4>, Tensor<4>)> {
        self.buffers.clone().map(|(keys, values)| (self.view(keys), self.view(values)))
    }

    fn view(&self, buffer: Tensor<4>) -> Tensor<4> {
        let [batch, positions, heads, head_dim] = buffer.dims();
        match positions == self.length {
            true => buffer,
            false => buffer.slice([0..batch, 0..self.length, 0..heads, 0..head_dim]),
        }
    }
}

/// A buffer with room for twice `end` positions that starts with the `used` positions of `old`.
fn grown(old: Option<Tensor<4>>, like: &Tensor<4>, used: usize, end: usize) -> Tensor<4> {
    let [batch, _, heads, head_dim] = like.dims();
    let empty = Tensor::zeros([batch, 2 * end, heads, head_dim], &like.device());
    match old {
        Some(old) if used > 0 => {
            let kept = [0..batch, 0..used, 0..heads, 0..head_dim];
            empty.slice_assign(kept.clone(), old.slice(kept))
        }
        _ => empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, numbers};
    use burn::tensor::Device;

    #[test]
    fn pieces_add_up_to_the_whole() {
        let device = Device::flex();
        let (heads, total, d) = (2, 11, 4);
        let keys = Tensor::<1>::from_floats(numbers(heads * total * d, 1).as_slice(), &device)
            .reshape([1, total, heads, d]);
        let values = keys.clone() * 2.0;
        let mut cache = KvCache::default();
        let mut last = None;
        for (start, end) in [(0, 4), (4, 5), (5, 6), (6, 11)] {
            let piece = |x: &Tensor<4>| x.clone().slice([0..1, start..end, 0..heads, 0..d]);
            last = Some(cache.extend(piece(&keys), piece(&values)));
        }
        let (k, v) = last.unwrap();
        assert_eq!(cache.len(), total);
        assert_close(k, &keys.into_data().try_to_vec::<f32>().unwrap(), 0.0);
        assert_close(v, &values.into_data().try_to_vec::<f32>().unwrap(), 0.0);
    }
}
