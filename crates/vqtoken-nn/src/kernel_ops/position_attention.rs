//! Attention of codes over their positions, on `Flex` and `Autodiff<Flex>`.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use vqtoken_kernels::{Kernels, PositionAttention};

use super::{FlexTensor, dense, expect_valid, slice, tensor};

/// The operation over positions, apart from [`super::KernelOps`] since it reads labels besides tensors.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait PositionOps: Backend {
    /// Means of position features, `[clips, codes, heads * 3 * features]` like the queries.
    fn kernel_position_attention(
        query: FloatTensor<Self>,
        attention: &PositionAttention<'_>,
    ) -> FloatTensor<Self>;
}

impl PositionOps for Flex {
    fn kernel_position_attention(query: FlexTensor, attention: &PositionAttention<'_>) -> FlexTensor {
        let query = dense(query);
        let mut means = vec![0.0; slice(&query).len()];
        expect_valid(Kernels::global().position_attention(attention, slice(&query), &mut means));
        tensor(means, query.layout().shape().clone())
    }
}

impl<C: CheckpointStrategy> PositionOps for Autodiff<Flex, C> {
    fn kernel_position_attention(
        query: FloatTensor<Self>,
        attention: &PositionAttention<'_>,
    ) -> FloatTensor<Self> {
        let node = query.node();
        let query = dense(query.into_primitive());
        let means = Flex::kernel_position_attention(query.clone(), attention);
        match PositionGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((query, Kept::new(attention)), means),
            OpsKind::UnTracked(prepared) => prepared.finish(means),
        }
    }
}

/// A [`PositionAttention`] of its own, for as long as its gradient may be asked for.
#[derive(Clone, Debug)]
struct Kept {
    labels: Vec<Vec<u32>>,
    shape: [usize; 3],
    codes: usize,
    heads: usize,
    features: usize,
    tables: [Vec<f32>; 3],
}

impl Kept {
    fn new(attention: &PositionAttention<'_>) -> Self {
        let PositionAttention { labels, shape, codes, heads, features, tables } = *attention;
        let labels = labels.iter().map(|labels| labels.to_vec()).collect();
        Self { labels, shape, codes, heads, features, tables: tables.map(<[f32]>::to_vec) }
    }

    fn backward(&self, query: &FlexTensor, dout: &FlexTensor) -> FlexTensor {
        let labels: Vec<&[u32]> = self.labels.iter().map(Vec::as_slice).collect();
        let attention = PositionAttention {
            labels: &labels,
            shape: self.shape,
            codes: self.codes,
            heads: self.heads,
            features: self.features,
            tables: self.tables.each_ref().map(Vec::as_slice),
        };
        let mut dquery = vec![0.0; slice(query).len()];
        expect_valid(Kernels::global().position_attention_backward(
            &attention,
            slice(query),
            slice(dout),
            &mut dquery,
        ));
        tensor(dquery, query.layout().shape().clone())
    }
}

#[derive(Debug)]
struct PositionGradient;

impl Backward<Flex, 1> for PositionGradient {
    type State = (FlexTensor, Kept);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (query, attention) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dout| attention.backward(&query, &dense(dout)));
    }
}
