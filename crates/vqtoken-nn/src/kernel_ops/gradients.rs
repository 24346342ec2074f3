//! The gradients of the kernels: the same operations on `Autodiff<Flex>`.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use vqtoken_kernels::{
    Activation, AttentionForward, AttentionGradients, Causality, Kernels, NormGradients, RotaryDirection,
};

use super::{
    Angles, FlexTensor, KernelOps, NormSettings, OptionalTensor, attend, attention_shape, changed, dense,
    expect_valid, matrix, matrix_dims, norm_of, rotate, rows, slice, tensor, zeros,
};

use crate::packed::Packed;

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> KernelOps for Autodiff<Flex, C> {
    fn kernel_linear(x: Tracked<C>, weight: Tracked<C>, bias: OptionalTensor<Self>) -> Tracked<C> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (x, weight) = (dense(x), dense(weight));
        let state = (x.clone(), weight.clone());
        match bias.into_option().map(|bias| bias.into_parts()) {
            None => {
                let output = Flex::kernel_linear(x, weight, OptionalTensor::None);
                match LinearGradient.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
                    OpsKind::Tracked(prepared) => prepared.finish(state, output),
                    OpsKind::UnTracked(prepared) => prepared.finish(output),
                }
            }
            Some((bias, bias_node)) => {
                let output = Flex::kernel_linear(x, weight, OptionalTensor::Some(bias));
                match LinearGradient.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful()
                {
                    OpsKind::Tracked(prepared) => prepared.finish(state, output),
                    OpsKind::UnTracked(prepared) => prepared.finish(output),
                }
            }
        }
    }

    fn kernel_packed_linear(
        x: Tracked<C>,
        weights: Packed,
        activation: Option<Activation>,
        residual: OptionalTensor<Self>,
    ) -> Tracked<C> {
        let node = x.node();
        let residual = match residual {
            OptionalTensor::Some(residual) => OptionalTensor::Some(residual.into_primitive()),
            OptionalTensor::None => OptionalTensor::None,
        };
        let output = Flex::kernel_packed_linear(x.into_primitive(), weights, activation, residual);
        match NoGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn kernel_packed_linears(x: Tracked<C>, layers: Vec<Packed>) -> Tracked<C> {
        let node = x.node();
        let output = Flex::kernel_packed_linears(x.into_primitive(), layers);
        match NoGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn kernel_norm(
        x: Tracked<C>,
        weight: Tracked<C>,
        bias: OptionalTensor<Self>,
        settings: NormSettings,
    ) -> Tracked<C> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (x, weight) = (dense(x), dense(weight));
        let state = (x.clone(), weight.clone(), settings);
        match bias.into_option().map(|bias| bias.into_parts()) {
            None => {
                let output = Flex::kernel_norm(x, weight, OptionalTensor::None, settings);
                match NormGradient.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
                    OpsKind::Tracked(prepared) => prepared.finish(state, output),
                    OpsKind::UnTracked(prepared) => prepared.finish(output),
                }
            }
            Some((bias, bias_node)) => {
                let output = Flex::kernel_norm(x, weight, OptionalTensor::Some(bias), settings);
                match NormGradient.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
                    OpsKind::Tracked(prepared) => prepared.finish(state, output),
                    OpsKind::UnTracked(prepared) => prepared.finish(output),
                }
            }
        }
    }

    fn kernel_attention(
        query: Tracked<C>,
        key: Tracked<C>,
        value: Tracked<C>,
        causality: Causality,
    ) -> Tracked<C> {
        let nodes = [query.node(), key.node(), value.node()];
        let primitives = [query, key, value].map(|x| dense(x.into_primitive()));
        let [query, key, value] = &primitives;
        match AttentionGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let mut log_sums = Vec::new();
                let output = attend(query, key, value, causality, Some(&mut log_sums));
                prepared.finish((primitives, output.clone(), log_sums, causality), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(attend(query, key, value, causality, None)),
        }
    }

    fn kernel_activate(x: Tracked<C>, activation: Activation) -> Tracked<C> {
        let node = x.node();
        let x = dense(x.into_primitive());
        match ActivationGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = Flex::kernel_activate(x.clone(), activation);
                prepared.finish((x, activation), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Flex::kernel_activate(x, activation)),
        }
    }

    fn kernel_rotate(x: Tracked<C>, angles: Angles) -> Tracked<C> {
        let node = x.node();
        let output = Flex::kernel_rotate(x.into_primitive(), angles.clone());
        match RotationGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(angles, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// `dx = dy W`, `dW = dy^T x`, and `dbias` the sum of the rows of `dy`.
#[derive(Debug)]
struct LinearGradient;

impl LinearGradient {
    fn of_x_and_weight(
        (x, weight): (FlexTensor, FlexTensor),
        dy: &FlexTensor,
        [x_node, weight_node]: [Option<NodeId>; 2],
        grads: &mut Gradients,
    ) {
        let [outputs, inputs] = matrix_dims(&weight);
        let rows = rows(&x);
        if let Some(node) = x_node {
            let mut dx = zeros(rows * inputs);
            let (dy, weight) = (matrix(dy, rows, outputs), matrix(&weight, outputs, inputs));
            expect_valid(Kernels::global().matmul(dy, weight, &mut dx));
            grads.register::<Flex>(node, tensor(dx, x.layout().shape().clone()));
        }
        if let Some(node) = weight_node {
            let mut dweight = zeros(outputs * inputs);
            let (dy, x) = (matrix(dy, rows, outputs), matrix(&x, rows, inputs));
            expect_valid(Kernels::global().matmul(dy.transposed(), x, &mut dweight));
            grads.register::<Flex>(node, tensor(dweight, weight.layout().shape().clone()));
        }
    }
}

impl Backward<Flex, 2> for LinearGradient {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(grads.consume::<Flex>(&ops.node));
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        Self::of_x_and_weight(ops.state, &dy, parents, grads);
    }
}

impl Backward<Flex, 3> for LinearGradient {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(grads.consume::<Flex>(&ops.node));
        let [x, weight, bias] = ops.parents.map(|parent| parent.map(|node| node.id));
        let outputs = matrix_dims(&ops.state.1)[0];
        Self::of_x_and_weight(ops.state, &dy, [x, weight], grads);
        if let Some(node) = bias {
            let mut dbias = vec![0.0; outputs];
            expect_valid(Kernels::global().sum_rows(slice(&dy), outputs, &mut dbias));
            grads.register::<Flex>(node, tensor(dbias, [outputs].into()));
        }
    }
}

/// Packed weights are for inference only.
#[derive(Debug)]
struct NoGradient;

impl Backward<Flex, 1> for NoGradient {
    type State = ();

    fn backward(self, _: Ops<(), 1>, _: &mut Gradients, _: &mut Checkpointer) {
        unreachable!("packed weights have no gradient: train a model that is not packed");
    }
}

#[derive(Debug)]
struct NormGradient;

impl NormGradient {
    /// Registers the gradients of the input and the weight, and returns that of the bias.
    fn of_x_and_weight(
        (x, weight, settings): (FlexTensor, FlexTensor, NormSettings),
        dy: FlexTensor,
        [x_node, weight_node]: [Option<NodeId>; 2],
        grads: &mut Gradients,
    ) -> Vec<f32> {
        let dy = dense(dy);
        let width = slice(&weight).len();
        let (mut dx, mut dweight) = (zeros(slice(&x).len()), vec![0.0; width]);
        let mut dbias = vec![0.0; width];
        let gradients = NormGradients { dx: &mut dx, dweight: &mut dweight, dbias: Some(&mut dbias) };
        let norm = norm_of(&weight, None, settings);
        expect_valid(Kernels::global().norm_backward(&norm, slice(&x), slice(&dy), gradients));
        if let Some(node) = x_node {
            grads.register::<Flex>(node, tensor(dx, x.layout().shape().clone()));
        }
        if let Some(node) = weight_node {
            grads.register::<Flex>(node, tensor(dweight, [width].into()));
        }
        dbias
    }
}

impl Backward<Flex, 2> for NormGradient {
    type State = (FlexTensor, FlexTensor, NormSettings);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        Self::of_x_and_weight(ops.state, dy, parents, grads);
    }
}

impl Backward<Flex, 3> for NormGradient {
    type State = (FlexTensor, FlexTensor, NormSettings);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [x, weight, bias] = ops.parents.map(|parent| parent.map(|node| node.id));
        let dbias = Self::of_x_and_weight(ops.state, dy, [x, weight], grads);
        if let Some(node) = bias {
            let width = dbias.len();
            grads.register::<Flex>(node, tensor(dbias, [width].into()));
        }
    }
}

#[derive(Debug)]
struct AttentionGradient;

impl Backward<Flex, 3> for AttentionGradient {
    /// Queries, keys and values; the output; the log sums; the causality.
    type State = ([FlexTensor; 3], FlexTensor, Vec<f32>, Causality);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dout = dense(grads.consume::<Flex>(&ops.node));
        let (inputs, output, log_sums, causality) = ops.state;
        let [query, key, value] = &inputs;
        let shape = attention_shape(query, key, causality);
        let mut gradients = [query, key, value].map(|x| zeros(slice(x).len()));
        let [dq, dk, dv] = &mut gradients;
        let forward = AttentionForward {
            q: slice(query),
            k: slice(key),
            v: slice(value),
            out: slice(&output),
            log_sums: &log_sums,
        };
        let targets = AttentionGradients { dq, dk, dv };
        expect_valid(Kernels::global().attention_backward(&shape, forward, slice(&dout), targets));
        for ((node, gradient), input) in ops.parents.into_iter().zip(gradients).zip(&inputs) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(gradient, input.layout().shape().clone()));
            }
        }
    }
}

#[derive(Debug)]
struct ActivationGradient;

impl Backward<Flex, 1> for ActivationGradient {
    type State = (FlexTensor, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, activation) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| {
            changed(dy, |dx| expect_valid(Kernels::global().activate_backward(activation, slice(&x), dx)))
        });
    }
}

#[derive(Debug)]
struct RotationGradient;

impl Backward<Flex, 1> for RotationGradient {
    type State = Angles;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let angles = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| rotate(dy, &angles, RotaryDirection::Backward));
    }
}
