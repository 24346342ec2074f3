//! The cache of keys and values of previous positions, so that a decoding step computes only its own.

use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};

/// Keys and values of one attention layer, `[batch, positions, heads, head_dim]` each.
///
/// Buffers for single positions double when they are full, so adding a position takes constant time on average. Several
/// positions at once, as in a prefill, are concatenated without spare capacity.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    stored: Stored,
    length: usize,
}

#[derive(Clone, Debug, Default)]
#[expect(clippy::large_enum_variant, reason = "one a layer and text, beside megabytes of keys and values")]
enum Stored {
    #[default]
    Nothing,
    /// With room for more positions, perhaps.
    Tensors(Tensor<4>, Tensor<4>),
    /// Of one text that is continued beside others.
    Rows(Rows),
}

/// Keys and values of one text on plain memory, `[positions, heads, head_dim]` each.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) keys: Vec<f32>,
    pub(crate) values: Vec<f32>,
    heads: usize,
    head_dim: usize,
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
        let of_a_position = match &self.stored {
            Stored::Nothing => 0,
            Stored::Tensors(keys, _) => {
                let [batch, _, heads, head_dim] = keys.dims();
                batch * heads * head_dim
            }
            Stored::Rows(rows) => rows.heads * rows.head_dim,
        };
        2 * of_a_position * self.length * size_of::<f32>()
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
        let stored = std::mem::take(&mut self.stored).into_tensors(&key);
        if let Some((keys, _)) = &stored {
            assert_shape!(keys, [batch, _, heads, head_dim]);
        }
        let (start, end) = (self.length, self.length + new);
        if new != 1 {
            let (old_keys, old_values) = stored.unzip();
            let concatenate = |old: Option<Tensor<4>>, new| {
                Tensor::cat(old.map(|old| self.view(old)).into_iter().chain([new]).collect(), 1)
            };
            let (keys, values) = (concatenate(old_keys, key), concatenate(old_values, value));
            self.stored = Stored::Tensors(keys.clone(), values.clone());
            self.length = end;
            return (keys, values);
        }
        let (keys, values) = match stored {
            Some((keys, values)) if end <= keys.dims()[1] => (keys, values),
            previous => {
                let (old_keys, old_values) = previous.unzip();
                (grow(old_keys, &key, start, end), grow(old_values, &value, start, end))
            }
        };
        let range = [0..batch, start..end, 0..heads, 0..head_dim];
        let keys = keys.slice_assign(range.clone(), key);
        let values = values.slice_assign(range, value);
        self.stored = Stored::Tensors(keys.clone(), values.clone());
        self.length = end;
        (self.view(keys), self.view(values))
    }

    /// Adds one position, `[heads, head_dim]`, of a single text and returns the keys and values of all.
    ///
    /// # Panics
    ///
    /// Panics if the cache holds several texts, or heads of another shape.
    pub(crate) fn push(&mut self, key: &[f32], value: &[f32], [heads, head_dim]: [usize; 2]) -> &Rows {
        let mut rows = match std::mem::take(&mut self.stored) {
            Stored::Rows(rows) => rows,
            Stored::Nothing => Rows { keys: Vec::new(), values: Vec::new(), heads, head_dim },
            Stored::Tensors(keys, values) => {
                assert_shape!(keys, [1, _, heads, head_dim]);
                let copy = |x| {
                    let data = self.view(x).into_data();
                    data.try_into_vec()
                        .unwrap_or_else(|error| unreachable!("keys and values are f32: {error}"))
                };
                Rows { keys: copy(keys), values: copy(values), heads, head_dim }
            }
        };
        assert_eq!([rows.heads, rows.head_dim], [heads, head_dim], "cache: heads and their features");
        rows.keys.extend_from_slice(key);
        rows.values.extend_from_slice(value);
        self.length += 1;
        self.stored = Stored::Rows(rows);
        match &self.stored {
            Stored::Rows(rows) => rows,
            _ => unreachable!("rows were stored in the line before"),
        }
    }

    /// A cache of the first `length` positions alone; of all if there are no more.
    #[must_use]
    pub fn truncated(&self, length: usize) -> Self {
        let length = length.min(self.length);
        let stored = match &self.stored {
            Stored::Nothing => Stored::Nothing,
            Stored::Tensors(keys, values) => {
                let first = |x: &Tensor<4>| x.clone().narrow(1, 0, length);
                Stored::Tensors(first(keys), first(values))
            }
            Stored::Rows(rows) => {
                let end = length * rows.heads * rows.head_dim;
                Stored::Rows(Rows {
                    keys: rows.keys[..end].to_vec(),
                    values: rows.values[..end].to_vec(),
                    ..*rows
                })
            }
        };
        Self { stored, length }
    }

    /// A cache of the given sequences of the batch, in this order; a sequence may be repeated, to continue it in several ways.
    pub fn select(&self, sequences: &[usize]) -> Self {
        let selected = |x: Tensor<4>| {
            let ids: Vec<i64> = sequences.iter().map(|&sequence| sequence as i64).collect();
            let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [sequences.len()]), &x.device());
            x.select(0, ids)
        };
        let stored = match &self.stored {
            Stored::Nothing => Stored::Nothing,
            Stored::Tensors(keys, values) => {
                Stored::Tensors(selected(self.view(keys.clone())), selected(self.view(values.clone())))
            }
            Stored::Rows(rows) => {
                let (keys, values) = rows.clone().into_tensors(&Device::flex());
                Stored::Tensors(selected(keys), selected(values))
            }
        };
        Self { stored, length: self.length }
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

impl Stored {
    /// Keys and values as tensors beside `like`.
    fn into_tensors(self, like: &Tensor<4>) -> Option<(Tensor<4>, Tensor<4>)> {
        match self {
            Self::Nothing => None,
            Self::Tensors(keys, values) => Some((keys, values)),
            Self::Rows(rows) => Some(rows.into_tensors(&like.device())),
        }
    }
}

impl Rows {
    /// `[1, positions, heads, head_dim]` each.
    fn into_tensors(self, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let shape = [1, self.keys.len() / (self.heads * self.head_dim).max(1), self.heads, self.head_dim];
        let tensor = |x| Tensor::from_data(TensorData::new(x, shape), device);
        (tensor(self.keys), tensor(self.values))
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

    #[test]
    fn a_text_goes_on_with_single_rows_and_with_tensors() {
        let device = Device::flex();
        let (heads, total, d) = (2, 9, 4);
        let numbers = values(heads * total * d, 1);
        let doubled: Vec<f32> = numbers.iter().map(|x| x * 2.0).collect();
        let tensor = |x: &[f32], start: usize, end: usize| {
            Tensor::<1>::from_floats(&x[start * heads * d..end * heads * d], &device).reshape([
                1,
                end - start,
                heads,
                d,
            ])
        };
        let mut cache = KvCache::default();
        let push = |cache: &mut KvCache, at: usize| {
            let range = at * heads * d..(at + 1) * heads * d;
            let rows = cache.push(&numbers[range.clone()], &doubled[range.clone()], [heads, d]);
            assert_eq!((&rows.keys[..], &rows.values[..]), (&numbers[..range.end], &doubled[..range.end]));
        };
        push(&mut cache, 0);
        cache.extend(tensor(&numbers, 1, 4), tensor(&doubled, 1, 4));
        push(&mut cache, 4);
        cache.extend(tensor(&numbers, 5, 6), tensor(&doubled, 5, 6));
        push(&mut cache, 6);
        push(&mut cache, 7);
        assert_eq!((cache.len(), cache.bytes()), (8, 2 * 8 * heads * d * 4));
        // What was added is no part of a cache that is cut, which goes on from there.
        for length in [0, 3, 7] {
            let mut cut = cache.truncated(length);
            assert_eq!(cut.len(), length);
            let (keys, _) = cut.extend(tensor(&doubled, length, 8), tensor(&numbers, length, 8));
            let at = length * heads * d;
            assert_close(keys, &[&numbers[..at], &doubled[at..8 * heads * d]].concat(), 0.0);
        }
        let (keys, _) = cache
            .select(&[0, 0])
            .extend(tensor(&numbers, 8, 9).repeat_dim(0, 2), tensor(&doubled, 8, 9).repeat_dim(0, 2));
        assert_close(keys, &[numbers.clone(), numbers].concat(), 0.0);
    }
}
