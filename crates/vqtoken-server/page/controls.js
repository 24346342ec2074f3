// Play, place in the video, opacity. The place is chosen on a ribbon of the codes: each frame a column, each code a stripe as tall as the root of its share.

import { css } from './colours.js';
import { clock, h, icon, oncePerFrame } from './dom.js';
import { fit } from './paint.js';


export class Controls {
  /** `redraw` is called when the opacity changes. */
  constructor(state, player, redraw) {
    Object.assign(this, { state, player, redraw });
    this.play = h('button', { type: 'button', class: 'round', 'aria-label': 'Play', title: 'Play (space)', onClick: () => player.toggle() }, icon('play'));
    this.time = h('span', { class: 'time' });
    this.ribbon = h('canvas', { class: 'ribbon', 'aria-hidden': 'true' });
    this.place = h('input', { type: 'range', class: 'place', min: 0, max: 1, step: 'any', 'aria-label': 'Place in the video', onInput: () => player.seek(Number(this.place.value) * player.duration), onKeydown: (event) => this.key(event) });
    this.opacity = h('input', { type: 'range', min: 0, max: 100, value: 60, 'aria-label': 'Opacity of the codes', onInput: () => { state.opacity = this.opacity.value / 100; this.redraw(); } });
    const step = (by, name, label) => h('button', { type: 'button', class: 'plain', 'aria-label': label, title: label, onClick: () => player.step(by) }, icon(name));
    this.element = h('div', { class: 'controls' },
      h('div', { class: 'timeline' }, this.ribbon, this.place),
      h('div', { class: 'row' }, step(-1, 'previous', 'Frame before (,)'), this.play, step(1, 'next', 'Next frame (.)'), this.time,
        h('label', { class: 'mix' }, h('span', {}, 'picture'), this.opacity, h('span', {}, 'codes'))));
    this.resizes = new ResizeObserver(() => { if (state.view) this.update(); });
    this.resizes.observe(this.ribbon);
    player.addEventListener('time', oncePerFrame(() => this.showTime()));
    player.addEventListener('playing', () => this.showPlaying());
  }

  showOpacity() { this.opacity.value = Math.round(this.state.opacity * 100); }

  showPlaying() {
    this.play.replaceChildren(icon(this.player.playing ? 'pause' : 'play'));
    this.play.setAttribute('aria-label', this.player.playing ? 'Pause' : 'Play');
  }

  showTime() {
    const { player, state } = this;
    const { map } = state.view;
    const frame = map.frameAt(player.time);
    this.time.replaceChildren(h('b', {}, clock(player.time)), ` / ${clock(player.duration)}`, h('span', { class: 'frame' }, `frame ${frame + 1}/${map.frames}`));
    this.place.value = player.time / player.duration;
    this.place.setAttribute('aria-valuetext', `${clock(player.time)} of ${clock(player.duration)}, frame ${frame + 1} of ${map.frames}`);
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.player.step(by);
  }

  update() {
    const { map, colours, order } = this.state.view;
    const context = this.ribbon.getContext('2d');
    const { width, height } = fit(this.ribbon);
    const { duration } = this.player;
    context.clearRect(0, 0, width, height);
    for (let column = 0, next; column < width; column = next) {
      const frame = map.frameAt((column + 0.5) / width * duration);
      for (next = column + 1; next < width && map.frameAt((next + 0.5) / width * duration) === frame;) next += 1;
      const roots = order.map((code) => Math.sqrt(map.counts[frame * map.codes + code]));
      const whole = roots.reduce((sum, root) => sum + root, 0) || 1;
      let y = 0;
      roots.forEach((root, place) => {
        const tall = root / whole * height;
        context.fillStyle = css(colours[order[place]]);
        if (tall > 0) context.fillRect(column, Math.round(y), next - column, Math.max(1, Math.round(y + tall) - Math.round(y)));
        y += tall;
      });
    }
    this.showTime();
  }

  close() { this.resizes.disconnect(); }
}
