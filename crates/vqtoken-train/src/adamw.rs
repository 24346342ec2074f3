//! AdamW with a rate for each part and a bound on the norm of all gradients together.
//!
//! Source: Loshchilov and Hutter, 2019 (decoupled weight decay). burn's own optimizer names its moments by numbers drawn anew
//! in every process and clips each tensor apart; here moments have the names of their parameters, so that a checkpoint
//! can be read by the next process, and the bound is on the whole gradient, as language models are trained.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use rayon::prelude::*;
use vqtoken_model::checkpoint::{FieldPath, Parameter, map_parameters};

/// Gradients by the names of their parameters.
#[derive(Clone, Debug, Default)]
pub struct GradientSum {
    sums: BTreeMap<String, Vec<f32>>,
}

impl GradientSum {
    /// Takes the gradients that `module`'s parameters have in `gradients`.
    pub fn take<M: Module>(&mut self, module: &M, gradients: &Gradients) {
        module.visit(&mut Collector { path: FieldPath::default(), gradients, sums: &mut self.sums });
    }

    /// The sum of two.
    pub fn plus(mut self, other: Self) -> Self {
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
    pub fn norm(&self) -> f64 {
        let squares = |values: &Vec<f32>| values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        self.sums.values().map(squares).sum::<f64>().sqrt()
    }

    /// The gradient of a parameter.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.sums.get(name).map(Vec::as_slice)
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
        let Some(gradient) = param.val().grad(self.gradients) else { return };
        let gradient: Vec<f32> = gradient.into_data().try_to_vec().unwrap_or_default();
        self.sums.insert(self.path.name(), gradient);
    }
}

/// What does not change from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squares.
    pub beta2: f64,
    /// Added to the root of the mean of squares.
    pub epsilon: f64,
    /// Share of a matrix that is taken off per step and unit of rate; vectors (biases, norms) are left alone.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; larger ones are scaled down to it.
    pub clip: f64,
}

/// Means of a parameter's gradients and of their squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Of the gradients.
    pub first: Vec<f32>,
    /// Of their squares.
    pub second: Vec<f32>,
}

/// The optimizer: moments by the names of their parameters.
#[derive(Clone, Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    /// Steps taken.
    pub steps: u64,
    /// Of every parameter that has had a gradient.
    pub moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// An optimizer that has taken no step.
    pub fn new(settings: AdamWSettings) -> Self {
        Self { settings, steps: 0, moments: BTreeMap::new() }
    }

    /// Moves every parameter that has a gradient, each at the rate that `rate` gives for its name.
    pub fn step<M: Module>(&mut self, module: M, gradients: &GradientSum, rate: &dyn Fn(&str) -> f64) -> M {
        self.steps += 1;
        let norm = gradients.norm();
        let scale = if norm > self.settings.clip { self.settings.clip / norm } else { 1.0 };
        map_parameters(module, |parameter| {
            let gradient = gradients.get(parameter.name)?;
            Some(self.updated(&parameter, gradient, scale, rate(parameter.name)))
        })
    }

    /// A parameter's values after the step.
    fn updated(&mut self, parameter: &Parameter<'_>, gradient: &[f32], scale: f64, rate: f64) -> Vec<f32> {
        let mut values = parameter.values();
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, .. } = self.settings;
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
