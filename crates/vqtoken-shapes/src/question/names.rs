//! Names of objects by which none is mistaken for another.

use crate::Scene;
use crate::appearance::Appearance;

pub(super) struct Names<'a>(&'a Scene);

impl<'a> Names<'a> {
    pub(super) fn of(scene: &'a Scene) -> Names<'a> {
        Names(scene)
    }

    /// "the red circle": for an object that keeps its colour, if no other circle is ever red.
    pub(super) fn full(&self, index: usize) -> Option<String> {
        let object = &self.0.objects[index];
        let own = object.appearance;
        let mut others = self.others(index);
        let unique = others.all(|other| {
            let other = &self.0.objects[other];
            other.appearance.shape != own.shape || other.colours().all(|colour| colour != own.colour)
        });
        (unique && object.recolours.is_empty()).then(|| definite(own))
    }

    /// "the circle": if there is only one.
    pub(super) fn by_shape(&self, index: usize) -> Option<String> {
        let shape = self.0.objects[index].appearance.shape;
        let unique = self.others(index).all(|other| self.0.objects[other].appearance.shape != shape);
        unique.then(|| format!("the {}", shape.name()))
    }

    /// "the red object": for an object that keeps its colour, if no other is ever red.
    pub(super) fn by_colour(&self, index: usize) -> Option<String> {
        let object = &self.0.objects[index];
        let colour = object.appearance.colour;
        let unique =
            self.others(index).all(|other| self.0.objects[other].colours().all(|other| other != colour));
        (unique && object.recolours.is_empty()).then(|| format!("the {} object", colour.name()))
    }

    /// The full name, or the shape of an object whose colour changes.
    pub(super) fn any(&self, index: usize) -> Option<String> {
        self.full(index).or_else(|| self.by_shape(index))
    }

    /// Names for wrong options, by appearances at the start: first of the other objects, then of absent ones.
    pub(super) fn wrong(&self, not: &[usize]) -> Vec<String> {
        self.appearances(not).map(definite).collect()
    }

    /// The same by shapes alone.
    pub(super) fn wrong_shapes(&self, not: &[usize]) -> Vec<String> {
        self.appearances(not).map(|one| format!("the {}", one.shape.name())).collect()
    }

    fn appearances(&self, not: &[usize]) -> impl Iterator<Item = Appearance> {
        let present = (0..self.0.objects.len()).filter(|index| !not.contains(index));
        present.map(|index| self.0.objects[index].appearance).chain(self.0.absent.iter().copied())
    }

    fn others(&self, index: usize) -> impl Iterator<Item = usize> {
        (0..self.0.objects.len()).filter(move |&other| other != index)
    }
}

fn definite(appearance: Appearance) -> String {
    format!("the {appearance}")
}
