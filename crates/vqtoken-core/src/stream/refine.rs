//! Lloyd's iterations over the sketches of a stream's tokens, after these themselves are gone.

use rayon::prelude::*;

use crate::products::products;
use crate::quantize::assign::best;
use crate::quantize::means::Members as MembersByCode;
use crate::quantize::merge_tree::Cluster;
use crate::stream::groups::NO_GROUP;
use crate::stream::sketch::Sketches;
use crate::unit_tokens::normalize;

/// What a stream keeps of a block of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// For each token the name of its group, `[N]`.
    pub(crate) names: Vec<u32>,
    pub(crate) sketches: Sketches,
}

/// The most iterations.
const ITERATIONS: usize = 40;

/// Iterations end when no more than one of so many tokens changes its code.
const SETTLED: usize = 10_000;

/// Moves tokens to the code that they are nearest to, starting from their groups' codes (`[M]`, below `codes`), and the codes after them.
/// `places` tells the group (`[M]`) of each name. Gives the code of each token, [`NO_GROUP`] for those without direction, and
/// the codes as clusters.
///
/// A token is taken to be where its sketch says along the axes of the sketch, and where its group is across them. A code's sum is what
/// its tokens' groups say, put right by how its tokens' sketches differ from those of the rest of their groups. So the codes add up to
/// all tokens exactly, and a code made of whole groups is exact.
pub(crate) fn refine(
    blocks: Vec<Block>,
    places: &[u32],
    groups: &[Cluster],
    group_codes: &[u32],
    codes: usize,
) -> (Vec<u32>, Vec<Cluster>) {
    let dim = groups.first().map_or(0, |group| group.sum.len());
    let mean = |group: &Cluster| {
        let tokens = group.tokens.max(1) as f64;
        group.sum.iter().map(|value| (value / tokens) as f32).collect::<Vec<_>>()
    };
    let means: Vec<f32> = groups.par_iter().flat_map_iter(mean).collect();
    let (sketches, members): (Vec<Sketches>, Vec<Members>) = blocks
        .into_par_iter()
        .map(|Block { names, sketches }| {
            let members = Members::new(names, &sketches, places, &means, dim);
            (sketches, members)
        })
        .unzip();
    let mut labels: Vec<Vec<u32>> =
        members.par_iter().map(|members| members.codes_of_groups(group_codes)).collect();
    let tokens: usize = labels.iter().map(Vec::len).sum();
    let mut clusters = sums(&sketches, &members, &labels, groups, codes, dim);
    for _ in 0..ITERATIONS {
        let values: Vec<f32> =
            clusters.iter().flat_map(|cluster| &cluster.sum).map(|&value| value as f32).collect();
        let directions = normalize(&values, dim);
        let mut with_groups = vec![0.0; groups.len() * codes];
        let rows = means.par_chunks(64 * dim).zip(with_groups.par_chunks_mut(64 * codes));
        rows.for_each(|(means, cosines)| products(means, &directions, dim, cosines));
        let moved: usize = sketches
            .par_iter()
            .zip(members.par_iter().zip(&mut labels))
            .map(|(sketches, (members, labels))| members.assign(sketches, &directions, &with_groups, labels))
            .sum();
        clusters = sums(&sketches, &members, &labels, groups, codes, dim);
        if moved * SETTLED <= tokens {
            break;
        }
    }
    drop((sketches, members));
    (labels.concat(), clusters)
}

/// The groups of one block's tokens.
struct Members {
    /// For each token the group among those of the block, L for those without direction, `[N]`.
    locals: Vec<u32>,
    /// The groups of the block, `[L]`, ascending.
    groups: Vec<u32>,
    /// The tokens of each of them; those without direction come last, `[L + 1]`.
    by_group: MembersByCode,
    /// Their means along the sketches' axes, in cosines, `[L, R]`.
    along: Vec<f32>,
}

impl Members {
    fn new(names: Vec<u32>, sketches: &Sketches, places: &[u32], means: &[f32], dim: usize) -> Self {
        let place = |name: u32| if name == NO_GROUP { NO_GROUP } else { places[name as usize] };
        let mut groups: Vec<u32> = names.iter().map(|&name| place(name)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|&group| group != NO_GROUP);
        let last = groups.len() as u32;
        let local = |name: u32| groups.binary_search(&place(name)).map_or(last, |local| local as u32);
        let mut locals = names;
        locals.iter_mut().for_each(|name| *name = local(*name));
        let by_group = MembersByCode::new(locals.iter().copied(), groups.len() + 1);
        let rows: Vec<f32> =
            groups.iter().flat_map(|&group| &means[group as usize * dim..][..dim]).copied().collect();
        Self { locals, by_group, along: sketches.along(&rows), groups }
    }

    fn codes_of_groups(&self, group_codes: &[u32]) -> Vec<u32> {
        let code = |&local: &u32| match self.groups.get(local as usize) {
            Some(&group) => group_codes[group as usize],
            None => NO_GROUP,
        };
        self.locals.iter().map(code).collect()
    }

    /// Gives every token the code of the largest cosine, and tells how many changed theirs. `with_groups` are the products of all
    /// groups' means with the directions, `[M, K]`.
    fn assign(
        &self,
        sketches: &Sketches,
        directions: &[f32],
        with_groups: &[f32],
        labels: &mut [u32],
    ) -> usize {
        let (axes, steps) = (sketches.along(directions), sketches.steps());
        let codes = axes.len() / steps.len();
        // What a token's group contributes across the axes, [L, K].
        let mut across = vec![0.0; self.groups.len() * codes];
        products(&self.along, &axes, steps.len(), &mut across);
        for (across, &group) in across.chunks_exact_mut(codes).zip(&self.groups) {
            let with = &with_groups[group as usize * codes..][..codes];
            across.iter_mut().zip(with).for_each(|(across, with)| *across = with - *across);
        }
        let in_steps: Vec<f32> = axes
            .chunks_exact(steps.len())
            .flat_map(|axes| axes.iter().zip(steps))
            .map(|(a, b)| a * b)
            .collect();
        let mut along = vec![0.0; TOGETHER * codes];
        let mut moved = 0;
        let chunks = labels.chunks_mut(TOGETHER).zip(self.locals.chunks(TOGETHER));
        for ((labels, locals), sketches) in chunks.zip(sketches.bytes().chunks(TOGETHER * steps.len())) {
            let sketches: Vec<f32> = sketches.iter().map(|&byte| f32::from(byte)).collect();
            products(&sketches, &in_steps, steps.len(), &mut along);
            for ((label, &local), along) in labels.iter_mut().zip(locals).zip(along.chunks_exact_mut(codes)) {
                let Some(across) = across.chunks_exact(codes).nth(local as usize) else { continue };
                along.iter_mut().zip(across).for_each(|(along, across)| *along += across);
                let nearest = best(along).0;
                moved += usize::from(nearest != *label);
                *label = nearest;
            }
        }
        moved
    }
}

/// Tokens whose cosines are computed together.
const TOGETHER: usize = 64;

/// The tokens of one block in one code.
#[derive(Clone)]
struct Share {
    /// The sum of their sketches, `[R]`, less what as many average tokens of their groups would have.
    excess: Vec<f64>,
    tokens: u64,
}

fn sums(
    sketches: &[Sketches],
    members: &[Members],
    labels: &[Vec<u32>],
    groups: &[Cluster],
    codes: usize,
    dim: usize,
) -> Vec<Cluster> {
    let shares: Vec<(Vec<Share>, Vec<Part>)> = sketches
        .par_iter()
        .zip(members.par_iter().zip(labels))
        .map(|(sketches, (members, labels))| shares(sketches, members, labels, codes))
        .collect();
    let of_code = |code: usize| {
        let mut cluster = Cluster::empty(dim);
        for (sketches, (shares, parts)) in sketches.iter().zip(&shares) {
            let first = parts.partition_point(|part| (part.code as usize) < code);
            for part in parts[first..].iter().take_while(|part| part.code as usize == code) {
                let group = &groups[part.group as usize];
                let weight = part.tokens as f64 / group.tokens.max(1) as f64;
                cluster.sum.iter_mut().zip(&group.sum).for_each(|(sum, value)| *sum += weight * value);
            }
            sketches.add_to(&mut cluster.sum, &shares[code].excess);
            cluster.tokens += shares[code].tokens;
        }
        cluster
    };
    (0..codes).into_par_iter().map(of_code).collect()
}

/// How many tokens of a group have a code.
struct Part {
    code: u32,
    group: u32,
    tokens: u64,
}

/// What a block brings to each code, `[K]`, and its parts of groups, by code.
fn shares(sketches: &Sketches, members: &Members, labels: &[u32], codes: usize) -> (Vec<Share>, Vec<Part>) {
    let count = sketches.steps().len();
    let sketch = |token: u32| sketches.bytes()[token as usize * count..][..count].iter();
    let mut shares = vec![Share { excess: vec![0.0; count], tokens: 0 }; codes];
    let mut parts = Vec::new();
    let mut here = vec![0u64; codes];
    for (local, &group) in members.groups.iter().enumerate() {
        let tokens = members.by_group.of(local);
        let mut whole = vec![0.0; count];
        for &token in tokens {
            let code = labels[token as usize] as usize;
            here[code] += 1;
            let excess = shares[code].excess.iter_mut().zip(&mut whole);
            excess.zip(sketch(token)).for_each(|((excess, whole), &byte)| {
                *excess += f64::from(byte);
                *whole += f64::from(byte);
            });
        }
        for (code, here) in here.iter_mut().enumerate().filter(|(_, here)| **here > 0) {
            let part = std::mem::take(here);
            let weight = part as f64 / tokens.len() as f64;
            let share = &mut shares[code];
            share.excess.iter_mut().zip(&whole).for_each(|(excess, whole)| *excess -= weight * whole);
            share.tokens += part;
            parts.push(Part { code: code as u32, group, tokens: part });
        }
    }
    parts.sort_by_key(|part| (part.code, part.group));
    (shares, parts)
}
