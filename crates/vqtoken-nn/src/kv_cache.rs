//! The cache of keys and values of previous positions, so that a decoding step computes only its own.

use burn::tensor::{Int, Tensor, TensorData, assert_shape};

/// Keys and values of one attention layer, `[batch, positions, heads, head_dim]` each.
///
/// Buffers for single positions double when they are full, so adding a position takes constant time on average. Several
/// positions at once, as in a prefill, are concatenated without spare capacity.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    buffers: Option<(Tensor<4>, Tensor<4>)>,
    length: usize,
}

impl KvCache {
    /// Number of positions.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no positions yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of all keys and values, spare room not counted.
    pub fn bytes(&self) -> usize {
        self.buffers.as_ref().map_or(0, |(keys, _)| {
            let [batch, _, heads, head_dim] = keys.dims();
            2 * batch * self.length * heads * head_dim * size_of::<f32>()
        })
    }

    /// Adds positions and returns the keys and values of all positions.
    ///
    /// # Shapes
    ///
    /// - key, value: `[batch, new, heads, head_dim]`
    /// - outputs: `[batch, len, heads, head_dim]`
    pub fn extend(&mut self, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [batch, new, heads, head_dim] = key.dims();
        assert_shape!(value, [batch, new, heads, head_dim]);
        if let Some((keys, _)) = &self.buffers {
            assert_shape!(keys, [batch, _, heads, head_dim]);
        }
        let (start, end) = (self.length, self.length + new);
        if new != 1 {
            let (old_keys, old_values) = self.filled().unzip();
            let concatenate =
                |old: Option<Tensor<4>>, new| Tensor::cat(old.into_iter().chain([new]).collect(), 1);
            let (keys, values) = (concatenate(old_keys, key), concatenate(old_values, value));
            self.buffers = Some((keys.clone(), values.clone()));
            self.length = end;
            return (keys, values);
        }
        let (keys, values) = match self.buffers.take() {
            Some((keys, values)) if end <= keys.dims()[1] => (keys, values),
            previous => {
                let (old_keys, old_values) = previous.unzip();
                (grow(old_keys, &key, start, end), grow(old_values, &value, start, end))
            }
        };
        let range = [0..batch, start..end, 0..heads, 0..head_dim];
        let keys = keys.slice_assign(range.clone(), key);
        let values = values.slice_assign(range, value);
        self.buffers = Some((keys.clone(), values.clone()));
        self.length = end;
        (self.view(keys), self.view(values))
    }

    /// A cache of the given sequences of the batch, in this order; a sequence may be repeated, to continue it in several ways.
    pub fn select(&self, sequences: &[usize]) -> Self {
        let selected = |x: Tensor<4>| {
            let ids: Vec<i64> = sequences.iter().map(|&sequence| sequence as i64).collect();
            let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [sequences.len()]), &x.device());
            x.select(0, ids)
        };
        let buffers = self.filled().map(|(keys, values)| (selected(keys), selected(values)));
        Self { buffers, length: self.length }
    }

    /// Keys and values without spare capacity.
    fn filled(&self) -> Option<(Tensor<4>, Tensor<4>)> {
        self.buffers.clone().map(|(keys, values)| (self.view(keys), self.view(values)))
    }

    /// The filled part of a buffer, `[batch, len, heads, head_dim]`.
    fn view(&self, buffer: Tensor<4>) -> Tensor<4> {
        let [batch, positions, heads, head_dim] = buffer.dims();
        match positions == self.length {
            true => buffer,
            false => buffer.slice([0..batch, 0..self.length, 0..heads, 0..head_dim]),
        }
    }
}

/// A buffer with capacity for twice `end` positions that starts with the first `used` positions of `old`.
fn grow(old: Option<Tensor<4>>, like: &Tensor<4>, used: usize, end: usize) -> Tensor<4> {
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
    use crate::testing::{assert_close, values};
    use burn::tensor::Device;

    #[test]
    fn added_positions_are_returned_in_order() {
        let device = Device::flex();
        let (heads, total, d) = (2, 11, 4);
        let keys = Tensor::<1>::from_floats(values(heads * total * d, 1).as_slice(), &device)
            .reshape([1, total, heads, d]);
        let doubled = keys.clone() * 2.0;
        let mut cache = KvCache::default();
        let mut last = None;
        for (start, end) in [(0, 4), (4, 5), (5, 6), (6, 11)] {
            let part = |x: &Tensor<4>| x.clone().slice([0..1, start..end, 0..heads, 0..d]);
            last = Some(cache.extend(part(&keys), part(&doubled)));
        }
        let (k, v) = last.unwrap();
        assert_eq!(cache.len(), total);
        assert_close(k, &keys.into_data().try_to_vec::<f32>().unwrap(), 0.0);
        assert_close(v, &doubled.into_data().try_to_vec::<f32>().unwrap(), 0.0);
    }
}
