// The index map of a video: which code each cell of each frame belongs to, and what follows from it: shares, presence, paths.

/** Little-endian u16 in base64, as the server sends labels. */
export function decodeLabels(text) {
  const binary = atob(text);
  const labels = new Uint16Array(binary.length / 2);
  for (let place = 0; place < labels.length; place += 1) labels[place] = binary.charCodeAt(2 * place) | (binary.charCodeAt(2 * place + 1) << 8);
  return labels;
}

export class TokenMap {
  /** `grid` is `[T, H, W]`, `labels` its cells in order, `timestamps` the seconds of the T frames. */
  constructor({ grid, codes, labels, timestamps }) {
    [this.frames, this.rows, this.columns] = grid;
    Object.assign(this, { codes, labels, timestamps });
    this.cells = this.rows * this.columns;
    const { frames, cells, columns } = this;
    this.counts = new Uint32Array(frames * codes);
    const sums = [new Float64Array(frames * codes), new Float64Array(frames * codes)];
    for (let frame = 0, place = 0; frame < frames; frame += 1) {
      for (let cell = 0; cell < cells; cell += 1, place += 1) {
        const at = frame * codes + labels[place];
        this.counts[at] += 1;
        sums[0][at] += Math.floor(cell / columns) + 0.5;
        sums[1][at] += (cell % columns) + 0.5;
      }
    }
    this.sums = sums;
    this.share = new Float64Array(codes);
    this.counts.forEach((count, at) => { this.share[at % codes] += count / (frames * cells); });
  }

  /** The frame whose time is nearest. */
  frameAt(seconds) {
    const times = this.timestamps;
    let [low, high] = [0, times.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < seconds) low = middle + 1; else high = middle;
    }
    return low > 0 && seconds - times[low - 1] <= times[low] - seconds ? low - 1 : low;
  }

  codeAt(frame, row, column) { return this.labels[frame * this.cells + row * this.columns + column]; }

  /** The share of each frame's cells that a code has. */
  presence(code) { return Float64Array.from({ length: this.frames }, (_, frame) => this.counts[frame * this.codes + code] / this.cells); }

  /** The centre of a code's cells in each frame as `[x, y]` in 0..1, or null where it has none. */
  path(code) {
    return Array.from({ length: this.frames }, (_, frame) => {
      const at = frame * this.codes + code;
      const count = this.counts[at];
      return count === 0 ? null : [this.sums[1][at] / count / this.columns, this.sums[0][at] / count / this.rows];
    });
  }
}

/** A map with a colour for each code, and the leaf of the tree that a code goes by, which stays the same while codes join. */
export class CodeView {
  constructor(map, colours, leaves, codeOfLeaf, stored) {
    Object.assign(this, { map, colours, leaves, codeOfLeaf, stored });
    this.order = Array.from(colours.keys()).sort((a, b) => map.share[b] - map.share[a]);
  }

  get codes() { return this.map.codes; }
}
