// How many codes: a slider over the curve of what each number loses, with the elbow marked. Moving it needs no request.

import { h, svg } from './dom.js';

const [WIDTH, HEIGHT, PAD] = [600, 92, 12];

export class Budget {
  /** `tree` can be null, where only the kept codes are known. `change(codes)` is called while the slider moves. */
  constructor(tree, kept, change) {
    Object.assign(this, { tree, kept, change });
    this.codes = kept;
    this.output = h('output', { class: 'big-number' }, String(kept));
    this.told = h('p', { class: 'hint' });
    this.least = tree ? Math.max(1, tree.least) : kept;
    this.element = h('section', { class: 'panel budget', 'aria-label': 'Number of codes' },
      h('header', {}, h('h2', {}, 'How many codes?'), this.presets(), this.output), tree ? this.chart() : null, this.told);
    this.show();
  }

  chart() {
    this.slider = h('input', {
      type: 'range', min: 0, max: 1000, step: 1, class: 'codes-slider', 'aria-label': 'Number of codes',
      onInput: () => this.set(this.codesAt(this.slider.value / 1000)),
      onKeydown: (event) => this.key(event),
    });
    return h('div', { class: 'curve' }, this.drawing(), this.slider);
  }

  presets() {
    const { tree } = this;
    if (!tree) return null;
    return h('div', { class: 'presets' }, this.preset(tree.elbow, 'elbow'), this.preset(this.kept, 'kept'), tree.leaves === this.kept ? null : this.preset(tree.leaves, 'finest'));
  }

  preset(codes, word) {
    return h('button', { type: 'button', class: 'quiet', onClick: () => this.set(codes) }, h('b', {}, String(codes)), word ? ` ${word}` : null);
  }

  // The number of codes along the axis grows by the same factor with every step, since the first few matter most.
  place(codes) { return this.tree.leaves === this.least ? 0 : Math.log(codes / this.least) / Math.log(this.tree.leaves / this.least); }

  codesAt(place) { return Math.round(this.least * (this.tree.leaves / this.least) ** place); }

  x(codes) { return PAD + this.place(codes) * (WIDTH - 2 * PAD); }

  y(distortion) { return HEIGHT - PAD - distortion / this.most * (HEIGHT - 2 * PAD - 12); }

  drawing() {
    const { tree } = this;
    const points = tree.curve.filter((point) => point.codes >= this.least).sort((a, b) => a.codes - b.codes);
    this.most = Math.max(...points.map((point) => point.distortion), 1e-9);
    this.distortion = new Map(points.map((point) => [point.codes, point.distortion]));
    const line = points.map((point) => `${this.x(point.codes).toFixed(1)} ${this.y(point.distortion).toFixed(1)}`).join('L');
    this.marker = svg('g', { class: 'now' }, svg('line', { y1: 0, y2: HEIGHT - PAD }), svg('circle', { r: 6 }));
    const elbow = svg('g', { class: 'elbow' }, svg('circle', { cx: this.x(tree.elbow), cy: this.y(this.distortion.get(tree.elbow) ?? 0), r: 4.5 }));
    const label = svg('text', { x: this.x(tree.elbow) + 9, y: this.y(this.distortion.get(tree.elbow) ?? 0) - 8 });
    label.append(`elbow ${tree.elbow}`);
    elbow.append(label);
    const ticks = [1, 2, 4, 8, 16, 32, 64, 128, 256].filter((codes) => codes >= this.least && codes <= tree.leaves).map((codes) => {
      const text = svg('text', { x: this.x(codes), y: HEIGHT + 10, 'text-anchor': codes === tree.leaves ? 'end' : codes === this.least ? 'start' : 'middle' });
      text.append(String(codes));
      return text;
    });
    const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT + 14}`, role: 'img', 'aria-label': `What is lost with each number of codes; the elbow is at ${tree.elbow} codes` },
      svg('path', { class: 'area', d: `M${PAD} ${HEIGHT - PAD}L${line}L${WIDTH - PAD} ${HEIGHT - PAD}Z` }),
      svg('path', { class: 'line', d: `M${line}` }), ...ticks, elbow, this.marker);
    picture.addEventListener('pointerdown', (event) => this.drag(event, picture));
    return picture;
  }

  drag(event, picture) {
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    const move = ({ clientX }) => {
      const box = picture.getBoundingClientRect();
      const place = ((clientX - box.left) / box.width * WIDTH - PAD) / (WIDTH - 2 * PAD);
      this.set(this.codesAt(Math.min(Math.max(place, 0), 1)));
    };
    move(event);
    picture.addEventListener('pointermove', move);
    picture.addEventListener('pointerup', () => picture.removeEventListener('pointermove', move), { once: true });
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -8, PageUp: 8 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.set(this.codes + by);
  }

  set(codes) {
    const within = Math.min(Math.max(codes, this.least), this.tree.leaves);
    if (within === this.codes) return;
    this.codes = within;
    this.show();
    this.change(within);
  }

  show() {
    this.output.textContent = String(this.codes);
    if (!this.tree) {
      this.told.textContent = 'So few codes cannot be joined any further.';
      return;
    }
    this.slider.value = Math.round(1000 * this.place(this.codes));
    this.slider.setAttribute('aria-valuetext', `${this.codes} codes`);
    const distortion = this.distortion.get(this.codes);
    const [line, dot] = this.marker.children;
    line.setAttribute('x1', this.x(this.codes));
    line.setAttribute('x2', this.x(this.codes));
    dot.setAttribute('cx', this.x(this.codes));
    dot.setAttribute('cy', this.y(distortion ?? 0));
    this.told.textContent = this.explain(distortion);
  }

  explain(distortion) {
    const from = this.distortion.get(this.least);
    if (distortion === undefined || !from) return '';
    const told = Math.round(100 * (1 - distortion / from));
    return `Keeps ${told}% of the differences that ${this.least === 1 ? 'one code' : `${this.least} codes`} would blur. Sliding joins codes: nothing is read again.`;
  }
}
