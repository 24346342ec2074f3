// The canvas over the picture: the index map in step with playback, the code that is looked at, and the cell under pointer or cursor.

import { colourName } from './colours.js';
import { h, oncePerFrame, percent } from './dom.js';
import { fit, paintCursor, paintLit, paintMap, paintPath } from './paint.js';

export class Overlay {
  /** `state` has `view` and `opacity`, which may change; `redraw` has to be called then. */
  constructor(state, player, selection) {
    Object.assign(this, { state, player, selection });
    this.cursor = null;
    this.canvas = h('canvas', {
      class: 'overlay', tabIndex: 0, role: 'img', 'aria-describedby': 'cell-help',
      'aria-label': 'Index map over the picture: arrow keys move from cell to cell and name its code, Enter pins the code',
    });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.said = h('p', { class: 'unseen', 'aria-live': 'polite' });
    this.elements = [this.canvas, this.tip, this.said];
    this.redraw = oncePerFrame(() => this.draw());
    player.addEventListener('time', this.redraw);
    selection.addEventListener('change', this.redraw);
    this.resizes = new ResizeObserver(this.redraw);
    this.resizes.observe(this.canvas);
    this.listen();
  }

  get frame() { return this.state.view.map.frameAt(this.player.time); }

  draw() {
    const { view, opacity } = this.state;
    const box = fit(this.canvas);
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, box.width, box.height);
    if (!view || box.width === 0) return;
    const { frame } = this;
    const { leaf } = this.selection;
    if (leaf === null) {
      if (opacity > 0) paintMap(context, view, frame, box, opacity);
    } else {
      const code = view.codeOfLeaf(leaf);
      paintLit(context, view, frame, box, code, opacity);
      paintPath(context, view, frame, box, code);
    }
    if (this.cursor) paintCursor(context, view, box, ...this.cursor);
    if (this.under) this.name(this.under);
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener('pointermove', (event) => { if (event.pointerType !== 'touch') this.pointAt(event); });
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('click', (event) => {
      const cell = this.cellAt(event);
      this.selection.pin(this.leafAt(cell));
      this.name(cell, event);
    });
    canvas.addEventListener('blur', () => { this.cursor = null; this.leave(); });
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const { rows, columns } = this.state.view.map;
    const inside = (value, count) => Math.min(Math.max(Math.floor(value * count), 0), count - 1);
    return [inside((event.clientY - box.top) / box.height, rows), inside((event.clientX - box.left) / box.width, columns)];
  }

  leafAt([row, column]) { return this.state.view.leaves[this.state.view.map.codeAt(this.frame, row, column)]; }

  pointAt(event) {
    if (!this.state.view) return;
    this.under = this.cellAt(event);
    this.selection.point(this.leafAt(this.under));
    this.name(this.under, event);
  }

  leave() {
    this.under = null;
    this.tip.hidden = true;
    this.selection.point(null);
    this.redraw();
  }

  key(event) {
    const { map } = this.state.view;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      event.preventDefault();
      const [row, column] = this.cursor ?? [Math.floor(map.rows / 2), Math.floor(map.columns / 2)];
      const [down, right] = this.cursor ? moves[event.key] : [0, 0];
      this.cursor = [Math.min(Math.max(row + down, 0), map.rows - 1), Math.min(Math.max(column + right, 0), map.columns - 1)];
      this.under = this.cursor;
      this.selection.point(this.leafAt(this.cursor));
      this.said.textContent = `${this.name(this.cursor)}, row ${this.cursor[0] + 1}, column ${this.cursor[1] + 1}`;
      this.redraw();
    } else if (event.key === 'Enter' && this.cursor) {
      this.selection.pin(this.leafAt(this.cursor));
    } else if (event.key === 'Escape') {
      this.cursor = null;
      this.leave();
    }
  }

  // Names the code of a cell beside it.
  name([row, column], event) {
    const { view } = this.state;
    const code = view.map.codeAt(this.frame, row, column);
    const text = `code ${code}, ${colourName(view.colours[code])}, ${percent(view.map.share[code])} of all cells`;
    this.tip.textContent = `code ${code} · ${percent(view.map.share[code])}`;
    this.tip.hidden = false;
    const box = this.canvas.getBoundingClientRect();
    const x = event ? event.clientX - box.left : (column + 1) / view.map.columns * box.width;
    const y = event ? event.clientY - box.top : (row + 0.5) / view.map.rows * box.height;
    if (event || this.cursor) {
      this.tip.style.left = `${Math.min(x + 14, Math.max(0, box.width - 130))}px`;
      this.tip.style.top = `${Math.min(Math.max(y + 14, 4), box.height - 32)}px`;
    }
    if (this.cursor === null && event === undefined && this.under) this.selection.point(this.leafAt(this.under));
    return text;
  }

  close() { this.resizes.disconnect(); }
}
