// The line of facts, which is the method in four steps: video, tokens of its frames, codes, kilobytes.

import { css } from './colours.js';
import { bytes, clock, h, icon, notice, number, percent, took } from './dom.js';

export class Facts {
  /** `download(codes)` gives `{blob, name}` of the `.vqt`. */
  constructor(video, download) {
    Object.assign(this, { video, fetchTokens: download });
    const [frames, rows, columns] = video.grid;
    this.codes = h('b', { class: 'figure' });
    this.share = h('span', { class: 'under' });
    this.dots = h('span', { class: 'dots', 'aria-hidden': 'true' });
    this.size = h('b', { class: 'figure' });
    this.button = h('button', { type: 'button', class: 'download', onClick: () => this.download() }, icon('download'), h('span', {}, 'Download .vqt'));
    this.problem = h('div', {});
    this.answer = h('b', { class: 'figure' });
    this.speed = h('span', { class: 'under' });
    this.asked = h('li', { hidden: true }, h('span', { class: 'step-word' }, 'what it answers'), this.answer, this.speed);
    this.element = h('div', {}, h('ol', { class: 'facts' },
      this.step(video.name || 'the video', h('b', { class: 'figure' }, video.duration ? clock(video.duration) : '.vqt'), h('span', { class: 'under' }, video.bytes ? bytes(video.bytes) : '')),
      this.step('tokens of its frames', h('b', { class: 'figure' }, number(video.grid_tokens)), h('span', { class: 'under' }, `${frames} frames × ${rows} × ${columns} patches`)),
      this.step('what is read', h('span', { class: 'with-dots' }, this.codes, this.dots), this.share),
      this.step('what is kept', this.size, this.button), this.asked), this.problem);
  }

  step(word, ...content) { return h('li', {}, h('span', { class: 'step-word' }, word), ...content); }

  update(view) {
    this.view = view;
    this.codes.textContent = `${number(view.codes)} code${view.codes === 1 ? '' : 's'}`;
    this.share.textContent = `${percent(view.codes / this.video.grid_tokens)} of them`;
    this.dots.replaceChildren(...view.order.slice(0, 64).map((code) => { const dot = h('i', {}); dot.style.background = css(view.colours[code]); return dot; }));
    clearTimeout(this.later);
    this.known = null;
    if (view.codes === this.video.codes) {
      this.size.textContent = bytes(this.video.token_bytes);
    } else {
      // What other numbers of codes weigh is known once they are coded, which waits until the slider rests.
      this.size.textContent = '…';
      this.later = setTimeout(() => this.weigh(view.codes), 350);
    }
  }

  /** The last step: the newest answer and the seconds to its first word. */
  answered(text, first) {
    this.asked.hidden = false;
    this.answer.textContent = text.length > 24 ? `${text.slice(0, 22).trimEnd()} …` : text;
    this.speed.textContent = first ? `first word in ${took(first)}` : '';
  }

  async weigh(codes) {
    try {
      const tokens = await this.fetchTokens(codes);
      if (this.view.codes !== codes) return;
      this.known = tokens;
      this.size.textContent = bytes(tokens.blob.size);
    } catch {
      if (this.view.codes === codes) this.size.textContent = '?';
    }
  }

  async download() {
    this.problem.replaceChildren();
    try {
      const { blob, name } = this.known ?? await this.fetchTokens(this.view.codes);
      const address = URL.createObjectURL(blob);
      h('a', { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    } catch (error) {
      this.problem.replaceChildren(notice(error, () => this.download()));
    }
  }

  close() { clearTimeout(this.later); }
}
