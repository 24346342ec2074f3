//! What objects are called, so that nobody can mistake one for another.

use crate::Scene;
use crate::look::Look;

pub(super) struct Names<'a>(&'a Scene);

impl<'a> Names<'a> {
    pub(super) fn of(scene: &'a Scene) -> Names<'a> {
        Names(scene)
    }

    /// "the red circle": for an object that keeps its colour, when no other circle ever is red.
    pub(super) fn full(&self, number: usize) -> Option<String> {
        let object = &self.0.objects[number];
        let look = object.look;
        let mut others = self.others(number);
        let unique = others.all(|other| {
            let other = &self.0.objects[other];
            other.look.shape != look.shape || other.colours().all(|colour| colour != look.colour)
        });
        (unique && object.recolours.is_empty()).then(|| spoken(look))
    }

    /// "the circle": when there is only one.
    pub(super) fn by_shape(&self, number: usize) -> Option<String> {
        let shape = self.0.objects[number].look.shape;
        let unique = self.others(number).all(|other| self.0.objects[other].look.shape != shape);
        unique.then(|| format!("the {}", shape.name()))
    }

    /// "the red object": for an object that keeps its colour, when no other ever is red.
    pub(super) fn by_colour(&self, number: usize) -> Option<String> {
        let object = &self.0.objects[number];
        let colour = object.look.colour;
        let unique =
            self.others(number).all(|other| self.0.objects[other].colours().all(|other| other != colour));
        (unique && object.recolours.is_empty()).then(|| format!("the {} object", colour.name()))
    }

    /// The full name, or the shape of an object whose colour changes.
    pub(super) fn any(&self, number: usize) -> Option<String> {
        self.full(number).or_else(|| self.by_shape(number))
    }

    /// Names for wrong options, by the looks at the start: first of the other objects, then of absent ones.
    pub(super) fn wrong(&self, not: &[usize]) -> Vec<String> {
        self.looks(not).map(spoken).collect()
    }

    /// The same by shapes only.
    pub(super) fn wrong_shapes(&self, not: &[usize]) -> Vec<String> {
        self.looks(not).map(|look| format!("the {}", look.shape.name())).collect()
    }

    fn looks(&self, not: &[usize]) -> impl Iterator<Item = Look> {
        let present = (0..self.0.objects.len()).filter(|number| !not.contains(number));
        present.map(|number| self.0.objects[number].look).chain(self.0.absent.iter().copied())
    }

    fn others(&self, number: usize) -> impl Iterator<Item = usize> {
        (0..self.0.objects.len()).filter(move |&other| other != number)
    }
}

fn spoken(look: Look) -> String {
    format!("the {look}")
}
