//! Backgrounds. They are greyish, so that nothing on them looks like an object.

use crate::geometry::{Point, length, turned};
use crate::random::Random;
use crate::scene::Background;

type Ink = [f32; 3];

/// A background of `side` x `side` pixels, `[side, side, 3]`. The picture's side is `unit` pixels of it.
pub(crate) fn paint(background: Background, seed: u64, side: usize, unit: f32) -> Vec<u8> {
    let mut random = Random::derived(seed, 3);
    let base = tint(random.range(95.0, 225.0), &mut random);
    let mut inks = vec![base; side * side];
    match background {
        Background::Plain => {}
        Background::Gradient => gradient(&mut inks, side, base, &mut random),
        Background::Cluttered => clutter(&mut inks, side, unit, base, &mut random),
    }
    inks.iter().flatten().map(|value| value.round().clamp(0.0, 255.0) as u8).collect()
}

/// A grey with a little colour in it.
fn tint(level: f32, random: &mut Random) -> Ink {
    std::array::from_fn(|_| (level + random.range(-9.0, 9.0)).clamp(0.0, 255.0))
}

fn level(ink: Ink) -> f32 {
    (ink[0] + ink[1] + ink[2]) / 3.0
}

fn mixed(a: Ink, b: Ink, share: f32) -> Ink {
    std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * share)
}

fn gradient(inks: &mut [Ink], side: usize, base: Ink, random: &mut Random) {
    let other = tint(level(base) + random.sign() * random.range(25.0, 60.0), random);
    let direction = turned([1.0, 0.0], random.range(0.0, std::f32::consts::TAU));
    for (index, ink) in inks.iter_mut().enumerate() {
        let at = [(index % side) as f32 / side as f32 - 0.5, (index / side) as f32 / side as f32 - 0.5];
        *ink = mixed(base, other, (0.5 + at[0] * direction[0] + at[1] * direction[1]).clamp(0.0, 1.0));
    }
}

fn clutter(inks: &mut [Ink], side: usize, unit: f32, base: Ink, random: &mut Random) {
    if random.chance(0.4) {
        tiles(inks, side, unit, base, random);
    }
    for _ in 0..14 + random.below(22) {
        let ink = tint(level(base) + random.range(-34.0, 34.0), random);
        let centre = [random.range(0.0, side as f32), random.range(0.0, side as f32)];
        let angle = random.range(0.0, std::f32::consts::PI);
        // Blobs are broad and soft, lines long and thin.
        let (half, soft) = if random.chance(0.5) {
            (
                [unit * random.range(0.03, 0.14), unit * random.range(0.03, 0.14)],
                unit * random.range(0.004, 0.03),
            )
        } else {
            ([unit * random.range(0.1, 0.6), unit * random.range(0.002, 0.008)], 1.0)
        };
        blob(inks, side, ink, centre, angle, half, soft);
    }
}

fn tiles(inks: &mut [Ink], side: usize, unit: f32, base: Ink, random: &mut Random) {
    let tile = unit * random.range(0.07, 0.2);
    let across = side as f32 / tile;
    let count = across.ceil() as usize + 1;
    let shades: Vec<Ink> =
        (0..count * count).map(|_| tint(level(base) + random.range(-14.0, 14.0), random)).collect();
    for (index, ink) in inks.iter_mut().enumerate() {
        let at = |coordinate: usize| (coordinate as f32 / tile) as usize;
        *ink = shades[(at(index / side) * count + at(index % side)).min(shades.len() - 1)];
    }
}

/// A rounded bar with a soft edge.
fn blob(inks: &mut [Ink], side: usize, ink: Ink, centre: Point, angle: f32, half: Point, soft: f32) {
    let radius = half[0].max(half[1]) + soft + 1.0;
    let span = |middle: f32| {
        let from = (middle - radius).max(0.0) as usize;
        from..((middle + radius).max(0.0) as usize).min(side)
    };
    let corner = half[0].min(half[1]);
    for y in span(centre[1]) {
        for x in span(centre[0]) {
            let at = turned([x as f32 - centre[0], y as f32 - centre[1]], -angle);
            let outside =
                [(at[0].abs() - half[0] + corner).max(0.0), (at[1].abs() - half[1] + corner).max(0.0)];
            let share = ((corner - length(outside)) / soft + 0.5).clamp(0.0, 1.0);
            if share > 0.0 {
                let index = y * side + x;
                inks[index] = mixed(inks[index], ink, share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_greyish() {
        for background in [Background::Plain, Background::Gradient, Background::Cluttered] {
            for seed in 0..20 {
                let bytes = paint(background, seed, 60, 50.0);
                assert_eq!(bytes.len(), 60 * 60 * 3);
                let spread =
                    bytes.chunks_exact(3).map(|rgb| rgb.iter().max().unwrap() - rgb.iter().min().unwrap());
                assert!(spread.max().unwrap() <= 20);
            }
        }
    }
}
