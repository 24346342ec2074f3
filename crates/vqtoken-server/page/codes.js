// The list of codes: colour, number, presence over time as bars with a line where the video stands, share of all cells.

import { colourName, css, ink } from './colours.js';
import { h, oncePerFrame, percent } from './dom.js';

const MOST_BARS = 96;

export class CodeList {
  constructor(state, player, selection) {
    Object.assign(this, { state, player, selection });
    this.rows = [];
    this.active = 0;
    this.list = h('ul', {
      class: 'code-list', role: 'listbox', tabIndex: 0, 'aria-label': 'Codes, largest share first. Arrow keys light one, Enter pins it.',
      onPointerleave: () => selection.point(null),
      onKeydown: (event) => this.key(event),
      onFocus: () => { if (this.list.matches(':focus-visible')) this.light(this.active); },
      onBlur: () => selection.point(null),
    });
    this.title = h('h2', {}, 'Codes');
    this.hint = h('p', { class: 'hint' }, matchMedia('(pointer: coarse)').matches ? 'Tap one to light its cells and its path.' : 'Point at one to light its cells and its path; click to keep it lit.');
    this.element = h('section', { class: 'panel codes', 'aria-label': 'Codes' }, h('header', {}, this.title, this.hint), this.list);
    player.addEventListener('time', oncePerFrame(() => this.line()));
    selection.addEventListener('change', () => this.mark());
  }

  update() {
    const { view } = this.state;
    this.title.textContent = `${view.codes} code${view.codes === 1 ? '' : 's'}`;
    while (this.rows.length < view.codes) this.rows.push(this.row(this.rows.length));
    this.list.replaceChildren(...this.rows.slice(0, view.codes).map((row) => row.element));
    view.order.forEach((code, place) => this.fill(this.rows[place], code));
    this.active = Math.min(this.active, view.codes - 1);
    this.mark();
    this.line();
  }

  row(place) {
    const chip = h('span', { class: 'chip' });
    const bars = h('canvas', { class: 'bars', width: 1, height: 1, 'aria-hidden': 'true' });
    const share = h('span', { class: 'share' });
    const element = h('li', {
      id: `code-${place}`, role: 'option',
      onPointerenter: (event) => { if (event.pointerType !== 'touch') this.selection.point(this.leafAt(place)); },
      onClick: () => { this.active = place; this.selection.pin(this.leafAt(place)); },
    }, chip, bars, share);
    return { element, chip, bars, share };
  }

  fill(row, code) {
    const { view } = this.state;
    const colour = view.colours[code];
    row.chip.textContent = code;
    row.chip.style.background = css(colour);
    row.chip.style.color = ink(colour);
    row.share.textContent = percent(view.map.share[code]);
    row.element.setAttribute('aria-label', `code ${code}, ${colourName(colour)}, ${percent(view.map.share[code])}, ${this.when(code)}`);
    this.drawBars(row.bars, code, colour);
  }

  when(code) {
    const seen = this.state.view.map.presence(code).filter((share) => share > 0).length;
    return seen === this.state.view.map.frames ? 'in every frame' : `in ${seen} of ${this.state.view.map.frames} frames`;
  }

  // A bar a frame against the code's own peak; of many frames the largest of each group.
  drawBars(canvas, code, colour) {
    const presence = this.state.view.map.presence(code);
    const bars = Math.min(presence.length, MOST_BARS);
    const heights = new Float64Array(bars);
    presence.forEach((share, frame) => { const bar = Math.floor(frame * bars / presence.length); heights[bar] = Math.max(heights[bar], share); });
    const peak = Math.max(...heights, 1e-9);
    const [step, height] = [Math.max(4, Math.floor(192 / bars)), 22];
    Object.assign(canvas, { width: bars * step, height });
    const context = canvas.getContext('2d');
    heights.forEach((value, bar) => {
      const tall = value === 0 ? 0 : Math.max(2, Math.round(value / peak * height));
      context.fillStyle = css(colour, 0.35 + 0.65 * value / peak);
      context.fillRect(bar * step, height - tall, Math.max(1, step - 1), tall);
    });
  }

  leafAt(place) { return this.state.view.leaves[this.state.view.order[place]]; }

  placeOf(leaf) { return this.state.view.order.indexOf(this.state.view.codeOfLeaf(leaf)); }

  mark() {
    const { view } = this.state;
    if (!view) return;
    const lit = this.selection.leaf === null ? -1 : this.placeOf(this.selection.leaf);
    const pinned = this.selection.pinned === null ? -1 : this.placeOf(this.selection.pinned);
    this.list.classList.toggle('some-lit', lit >= 0);
    this.rows.slice(0, view.codes).forEach(({ element }, place) => {
      element.classList.toggle('lit', place === lit);
      element.classList.toggle('pinned', place === pinned);
      element.setAttribute('aria-selected', String(place === pinned));
    });
    // A code that was found in the picture is brought into the list's view; one found in the list is there already.
    if (lit >= 0 && !this.list.matches(':hover')) this.reveal(lit);
  }

  reveal(place) {
    const { element } = this.rows[place];
    const [top, bottom] = [element.offsetTop - this.list.offsetTop, element.offsetTop - this.list.offsetTop + element.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
  }

  light(place) {
    this.active = place;
    this.list.setAttribute('aria-activedescendant', `code-${place}`);
    this.selection.point(this.leafAt(place));
  }

  key(event) {
    const last = this.state.view.codes - 1;
    const to = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, Home: 0, End: last, PageDown: this.active + 8, PageUp: this.active - 8 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.light(Math.min(Math.max(to, 0), last));
    } else if (event.key === 'Enter') {
      this.selection.pin(this.leafAt(this.active));
    } else if (event.key === 'Escape') {
      this.selection.clear();
    }
  }

  line() {
    const { view } = this.state;
    if (view) this.list.style.setProperty('--at', (view.map.frameAt(this.player.time) + 0.5) / view.map.frames);
  }
}
