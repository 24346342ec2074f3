// The merge tree: fine codes joined two by two. Cut anywhere it gives a map with that many codes, so the page quantizes again by itself.

import { palette } from './colours.js';
import { CodeView, TokenMap } from './tokens.js';

export class CodeTree {
  /** `tree` as the server sends it with its labels decoded; `stored` is the map of the codes that are kept. */
  constructor(tree, stored) {
    Object.assign(this, { leaves: tree.leaves, merges: tree.merges, curve: tree.curve, elbow: tree.elbow, grid: tree.grid, timestamps: tree.timestamps });
    this.fine = tree.labels;
    this.stored = stored;
    this.ranks = ranks(tree.leaves, tree.merges);
    const colours = palette(Math.max(tree.leaves, stored.codes));
    // A code that is kept has the colour of its number, as in every other picture of it; the fine code nearest to it takes that colour too.
    this.colours = this.ranks.map((rank) => colours[rank]);
    if (stored.codes <= tree.leaves) {
      const cut = this.cut(stored.codes);
      const labels = this.fine.map((leaf) => cut.codeOfLeaf[leaf]);
      this.aligned = align(labels, stored);
      this.aligned.forEach((code, cluster) => { this.colours[cut.roots[cluster]] = colours[code]; });
      this.storedCut = cut;
    }
  }

  get least() { return Math.max(1, this.leaves - this.merges.length); }

  /** The roots when `codes` are left, numbered by their first leaf, and the code of each leaf. */
  cut(codes) {
    const parents = Array.from({ length: this.leaves }, (_, leaf) => leaf);
    for (const [into, from] of this.merges.slice(0, Math.max(0, this.leaves - codes))) parents[from] = into;
    const codeOfLeaf = new Uint16Array(this.leaves);
    const roots = [];
    for (let leaf = 0; leaf < this.leaves; leaf += 1) {
      // A leaf joins one before it, whose code is known.
      if (parents[leaf] !== leaf) codeOfLeaf[leaf] = codeOfLeaf[parents[leaf]];
      else { codeOfLeaf[leaf] = roots.length; roots.push(leaf); }
    }
    return { roots, codeOfLeaf };
  }

  /** The map with `codes` codes; with as many as are kept, the kept map itself. */
  at(codes) {
    if (codes === this.stored.codes && this.storedCut) {
      const { roots, codeOfLeaf } = this.storedCut;
      const leaves = new Array(codes);
      this.aligned.forEach((code, cluster) => { leaves[code] = roots[cluster]; });
      return new CodeView(this.stored, leaves.map((leaf) => this.colours[leaf]), leaves, (leaf) => this.aligned[codeOfLeaf[leaf]], true);
    }
    const { roots, codeOfLeaf } = this.cut(codes);
    const labels = this.fine.map((leaf) => codeOfLeaf[leaf]);
    const map = new TokenMap({ grid: this.grid, codes: roots.length, labels, timestamps: this.timestamps });
    return new CodeView(map, roots.map((leaf) => this.colours[leaf]), roots, (leaf) => codeOfLeaf[leaf], false);
  }
}

/** A view of tokens without a tree. */
export function plainView(map) {
  return new CodeView(map, palette(map.codes), Array.from({ length: map.codes }, (_, code) => code), (leaf) => leaf, true);
}

// For each leaf when it is the last to go: at any K the leaves of ranks below K are left, so their colours are the K most different ones.
function ranks(leaves, merges) {
  const order = new Array(leaves).fill(-1);
  const joined = new Set(merges.map(([, from]) => from));
  let next = 0;
  for (let leaf = 0; leaf < leaves; leaf += 1) if (!joined.has(leaf)) { order[leaf] = next; next += 1; }
  for (let place = merges.length - 1; place >= 0; place -= 1) { order[merges[place][1]] = next; next += 1; }
  return order;
}

// For each code of `labels` the kept code that shares most cells with it, each kept code once.
function align(labels, stored) {
  const codes = stored.codes;
  const overlap = new Uint32Array(codes * codes);
  labels.forEach((cluster, cell) => { overlap[cluster * codes + stored.labels[cell]] += 1; });
  const pairs = Array.from(overlap.keys()).sort((a, b) => overlap[b] - overlap[a]);
  const aligned = new Array(codes).fill(-1);
  const taken = new Set();
  for (const pair of pairs) {
    const [cluster, code] = [Math.floor(pair / codes), pair % codes];
    if (aligned[cluster] !== -1 || taken.has(code)) continue;
    aligned[cluster] = code;
    taken.add(code);
  }
  return aligned;
}
