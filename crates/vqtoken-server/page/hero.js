// The method in ten seconds, with the demo clip: the picture, its codes wiped over it, one code on its way, kilobytes, an answer.

import { css } from './colours.js';
import { bytes, h, number, release, stillMotion } from './dom.js';
import { fit, paintLit, paintMap, paintPath } from './paint.js';
import { decodeLabels, TokenMap } from './tokens.js';
import { plainView } from './tree.js';

const ROUND = 15;
const [PLAIN, WIPED, LIT, KEPT, ASKED] = [1.6, 3.4, 6.2, 9.2, 11];
const QUESTION = 'Which way does the red circle move?';
const ANSWER = 'right';

export class Hero {
  constructor() {
    this.canvas = h('canvas', { class: 'overlay', 'aria-hidden': 'true' });
    this.video = h('video', { class: 'picture', muted: true, loop: true, playsInline: true, preload: 'auto', tabIndex: -1, 'aria-hidden': 'true' });
    this.dots = h('span', { class: 'dots' });
    this.tokens = h('b', { class: 'figure' }, '23,328');
    this.size = h('b', { class: 'figure' }, '…');
    this.question = h('span', { class: 'asked' }, QUESTION);
    this.answer = h('b', { class: 'figure' }, ANSWER);
    this.steps = [
      h('li', {}, h('span', { class: 'step-word' }, 'a clip of 6 s'), this.tokens, h('span', { class: 'under' }, 'tokens of 32 frames')),
      h('li', {}, h('span', { class: 'step-word' }, 'is read as'), h('b', { class: 'figure' }, '32 codes'), this.dots),
      h('li', {}, h('span', { class: 'step-word' }, 'kept in'), this.size, h('span', { class: 'under' }, 'without the video')),
      h('li', {}, h('span', { class: 'step-word' }, 'asked again'), this.answer, this.question),
    ];
    const screen = h('div', { class: 'screen' }, this.video, this.canvas);
    screen.style.setProperty('--ratio', 448 / 256);
    this.element = h('figure', { class: 'hero', 'aria-label': 'How it works: 23,328 tokens of a clip become 32 codes, a file of kilobytes, and an answer' },
      h('div', { class: 'stage' }, screen), h('ol', { class: 'facts' }, this.steps));
    this.load();
  }

  async load() {
    try {
      const [map, clip] = await Promise.all([(await fetch('/page/demo.json')).json(), (await fetch('/page/demo.mp4')).blob()]);
      if (this.closed) return;
      this.address = URL.createObjectURL(clip);
      this.video.src = this.address;
      this.view = plainView(new TokenMap({ ...map, labels: decodeLabels(map.labels) }));
      this.size.textContent = bytes(map.token_bytes);
      this.tokens.textContent = number(map.grid_tokens);
      this.code = farthest(this.view);
      this.dots.replaceChildren(...this.view.order.map((code) => { const dot = h('i', {}); dot.style.background = css(this.view.colours[code]); return dot; }));
    } catch { return; }
    if (stillMotion()) { this.still(); return; }
    this.video.play().catch(() => {});
    this.started = performance.now();
    this.tick();
  }

  // One picture that says the same: the clip on one side, its codes on the other.
  still() {
    const draw = () => { if (!this.closed) this.draw(this.video.currentTime, 0.55, null); };
    this.video.addEventListener('seeked', draw);
    this.video.addEventListener('loadeddata', () => { this.video.currentTime = 1.4; draw(); }, { once: true });
    if (this.video.readyState >= 2) { this.video.currentTime = 1.4; draw(); }
    new ResizeObserver(draw).observe(this.canvas);
  }

  tick() {
    if (this.closed) return;
    const at = ((performance.now() - this.started) / 1000) % ROUND;
    const wipe = at < PLAIN ? 0 : at < WIPED ? ease((at - PLAIN) / (WIPED - PLAIN)) : at > ROUND - 0.8 ? 1 - ease((at - ROUND + 0.8) / 0.8) : 1;
    this.draw(this.video.currentTime, wipe, at > LIT && at < KEPT ? this.code : null);
    const now = at < PLAIN ? 0 : at < KEPT ? 1 : at < ASKED ? 2 : 3;
    this.steps.forEach((step, place) => step.classList.toggle('now', place === now));
    if (now === 3) this.type(at - ASKED);
    else { this.question.textContent = QUESTION; this.answer.classList.remove('hidden'); }
    requestAnimationFrame(() => this.tick());
  }

  type(seconds) {
    const letters = Math.floor(seconds * 26);
    this.question.textContent = QUESTION.slice(0, Math.max(1, letters));
    this.answer.classList.toggle('hidden', letters < QUESTION.length + 4);
  }

  draw(time, wipe, code) {
    const box = fit(this.canvas);
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, box.width, box.height);
    if (box.width === 0 || wipe === 0) return;
    const frame = this.view.map.frameAt(time);
    const edge = box.width * wipe;
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, box.height);
    context.clip();
    if (code === null) {
      paintMap(context, this.view, frame, box, 0.82);
    } else {
      paintLit(context, this.view, frame, box, code, 0.9);
      paintPath(context, this.view, frame, box, code);
    }
    context.restore();
    if (wipe < 1) {
      context.fillStyle = '#ffffff';
      context.fillRect(edge - 1.5, 0, 3, box.height);
    }
  }

  close() {
    this.closed = true;
    if (this.address) release(this.video, this.address);
  }
}

const ease = (value) => (value < 0.5 ? 2 * value * value : 1 - (2 - 2 * value) ** 2 / 2);

// The code that goes farthest on the straightest path, among those seen in most frames.
function farthest(view) {
  const reach = (code) => {
    const points = view.map.path(code).filter(Boolean);
    if (points.length < 0.75 * view.map.frames) return 0;
    const between = (a, b) => Math.hypot(b[0] - a[0], b[1] - a[1]);
    const whole = points.slice(1).reduce((sum, point, index) => sum + between(points[index], point), 1e-9);
    return between(points[0], points.at(-1)) ** 2 / whole;
  };
  return view.order.reduce((best, code) => (reach(code) > reach(best) ? code : best));
}
