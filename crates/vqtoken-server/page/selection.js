// Which code is looked at: pointed at for a moment, or pinned. Kept as a leaf of the tree, so it survives a change of the number of codes.

export class Selection extends EventTarget {
  pointed = null;
  pinned = null;

  get leaf() { return this.pointed ?? this.pinned; }

  point(leaf) {
    if (leaf === this.pointed) return;
    this.pointed = leaf;
    this.dispatchEvent(new Event('change'));
  }

  pin(leaf) {
    this.pinned = this.pinned === leaf ? null : leaf;
    this.dispatchEvent(new Event('change'));
  }

  clear() {
    this.pointed = null;
    this.pinned = null;
    this.dispatchEvent(new Event('change'));
  }
}
