//! AdamW with a learning rate for each part and a bound on the norm of the whole gradient.
//!
//! Source: Loshchilov and Hutter, 2019 (decoupled weight decay). burn's own optimizer identifies its moments by numbers that
//! are drawn anew in every process, and clips each tensor apart. Here moments have the names of their parameters, so that the
//! next process can read them from a checkpoint, and clipping is by the whole gradient, as is usual for language models.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use rayon::prelude::*;
use vqtoken_model::checkpoint::{FieldPath, Parameter, map_parameters};

use crate::tensors::to_vec;

/// Gradients by the names of their parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct GradientSum {
    sums: BTreeMap<String, Vec<f32>>,
}

impl GradientSum {
    /// The gradients of `module`'s parameters.
    pub(crate) fn of<M: Module>(module: &M, gradients: &Gradients) -> Self {
        let mut sums = BTreeMap::new();
        module.visit(&mut Collector { path: FieldPath::default(), gradients, sums: &mut sums });
        Self { sums }
    }

    /// The sum of two.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (name, gradient) in other.sums {
            match self.sums.get_mut(&name) {
                Some(sum) => sum.iter_mut().zip(&gradient).for_each(|(sum, x)| *sum += x),
                None => {
                    self.sums.insert(name, gradient);
                }
            }
        }
        self
    }

    /// The Euclidean norm of all gradients together.
    pub(crate) fn norm(&self) -> f64 {
        let squares = |values: &Vec<f32>| values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        self.sums.values().map(squares).sum::<f64>().sqrt()
    }
}

struct Collector<'a> {
    path: FieldPath,
    gradients: &'a Gradients,
    sums: &'a mut BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.sums.insert(self.path.name(), to_vec(gradient));
        }
    }
}

/// Configuration of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub(crate) beta1: f64,
    /// Decay of the mean of squared gradients.
    pub(crate) beta2: f64,
    /// Added to the root of the mean of squares.
    pub(crate) epsilon: f64,
    /// The share of a matrix that is taken off per step and unit of learning rate. Vectors (biases, norms) do not decay.
    pub(crate) weight_decay: f64,
    /// The largest norm of the whole gradient; longer ones are scaled down to it.
    pub(crate) max_gradient_norm: f64,
}

impl AdamWConfig {
    /// An optimizer that has taken no step.
    pub(crate) fn init(self) -> AdamW {
        AdamW { config: self, steps: 0, moments: BTreeMap::new() }
    }
}

/// Means of a parameter's gradients and of their squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    /// Of the gradients.
    pub(crate) first: Vec<f32>,
    /// Of their squares.
    pub(crate) second: Vec<f32>,
}

/// The optimizer: moments by the names of their parameters.
#[derive(Clone, Debug)]
pub(crate) struct AdamW {
    config: AdamWConfig,
    /// Steps taken.
    pub(crate) steps: u64,
    /// Of every parameter that has had a gradient.
    pub(crate) moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// Updates every parameter that has a gradient, at the learning rate that `rate` gives for its name.
    pub(crate) fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &GradientSum,
        rate: &dyn Fn(&str) -> f64,
    ) -> M {
        self.steps += 1;
        let (norm, bound) = (gradients.norm(), self.config.max_gradient_norm);
        let scale = if norm > bound { bound / norm } else { 1.0 };
        map_parameters(module, |parameter| {
            let gradient = gradients.sums.get(parameter.name)?;
            Some(self.updated(&parameter, gradient, scale, rate(parameter.name)))
        })
    }

    /// The values of a parameter after the step.
    fn updated(&mut self, parameter: &Parameter<'_>, gradient: &[f32], scale: f64, rate: f64) -> Vec<f32> {
        let mut values = parameter.values();
        let AdamWConfig { beta1, beta2, epsilon, weight_decay, .. } = self.config;
        let time = self.steps.min(1 << 30) as i32;
        let decay = if parameter.shape.len() >= 2 { 1.0 - rate * weight_decay } else { 1.0 } as f32;
        // The two corrections for moments that start at zero go into the rate and the epsilon.
        let second_correction = (1.0 - beta2.powi(time)).sqrt();
        let rate = (rate * second_correction / (1.0 - beta1.powi(time))) as f32;
        let epsilon = (epsilon * second_correction) as f32;
        let (beta1, beta2, scale) = (beta1 as f32, beta2 as f32, scale as f32);

        let moments = self.moments.entry(parameter.name.to_owned()).or_default();
        moments.first.resize(values.len(), 0.0);
        moments.second.resize(values.len(), 0.0);
        values
            .par_iter_mut()
            .with_min_len(1 << 14)
            .zip(&mut moments.first)
            .zip(&mut moments.second)
            .zip(gradient)
            .for_each(|(((value, first), second), gradient)| {
                let gradient = gradient * scale;
                *first = beta1 * *first + (1.0 - beta1) * gradient;
                *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                *value = *value * decay - rate * *first / (second.sqrt() + epsilon);
            });
        values
    }
}
