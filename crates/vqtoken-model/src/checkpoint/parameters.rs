//! Walking over the parameters of a module by the names that checkpoints give them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// The path of a field inside a module, as checkpoints write it: `language_model.norm.weight`.
///
/// Variants of an enum are not part of a name, and neither are the two sides of [`OneVision`](crate::OneVision).
#[derive(Clone, Debug, Default)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// Enters the field `name` of a container, as burn's visitors and mappers announce it.
    pub fn enter(&mut self, name: &str, container: &str) {
        if is_named(container) {
            self.0.push(name.to_owned());
        }
    }

    /// Leaves the field that was entered last.
    pub fn exit(&mut self, container: &str) {
        if is_named(container) {
            self.0.pop();
        }
    }

    /// The path, its parts joined by dots.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

fn is_named(container: &str) -> bool {
    !container.starts_with("Enum") && container != "Struct:OneVision"
}

/// A parameter of a module. Its values are drawn or copied only when they are asked for.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// Its name in a checkpoint.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    source: &'a dyn ValueSource,
}

impl Parameter<'_> {
    /// Its values, in row-major order.
    pub fn values(&self) -> Vec<f32> {
        self.source.values()
    }
}

trait ValueSource: std::fmt::Debug {
    fn values(&self) -> Vec<f32>;
}

impl<const D: usize> ValueSource for Param<Tensor<D>> {
    #[expect(clippy::expect_used, reason = "parameters are f32 on every backend that is used here")]
    fn values(&self) -> Vec<f32> {
        self.val().into_data().try_into_vec().expect("a parameter holds f32 values")
    }
}

/// Calls `visit` with every parameter of a module, in the order of its fields.
pub fn for_each_parameter<M: Module>(module: &M, visit: impl FnMut(Parameter<'_>)) {
    module.visit(&mut Visitor { path: FieldPath::default(), visit });
}

/// Replaces the parameters for which `replace` returns values, of the parameter's shape; the others stay as they are.
pub fn map_parameters<M: Module>(module: M, replace: impl FnMut(Parameter<'_>) -> Option<Vec<f32>>) -> M {
    module.map(&mut Mapper { path: FieldPath::default(), replace })
}

struct Visitor<F> {
    path: FieldPath,
    visit: F,
}

impl<F: FnMut(Parameter<'_>)> ModuleVisitor for Visitor<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (name, shape) = (self.path.name(), param.lazy_shape());
        (self.visit)(Parameter { name: &name, shape: shape.as_slice(), source: param });
    }
}

struct Mapper<F> {
    path: FieldPath,
    replace: F,
}

impl<F: FnMut(Parameter<'_>) -> Option<Vec<f32>>> ModuleMapper for Mapper<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (name, shape, device) = (self.path.name(), param.lazy_shape(), param.lazy_device());
        match (self.replace)(Parameter { name: &name, shape: shape.as_slice(), source: &param }) {
            Some(values) => Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device)),
            None => param,
        }
    }
}
