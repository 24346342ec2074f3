// The ways in: a big zone to drop on, a file dialog, paste, the demo clip. And the progress of what came in, stage by stage.

import { upload } from './api.js';
import { css, palette } from './colours.js';
import { bytes, h, icon, notice, plural } from './dom.js';

const ARRIVED = new Map();

/** What came in since the page was opened: the user's own `file` of a video (null for tokens), and whether it was `seen` before. */
export const arrival = (id) => ARRIVED.get(id) ?? { file: null, seen: false };

const TOKENS = [['32', '32'], ['16', '16'], ['64', '64'], ['adaptive', 'as many as it needs']];
const FRAMES = ['16', '32', '64', '128'];

export class Intake {
  /** `done(video)` is called with the video object. */
  constructor(done) {
    this.done = done;
    this.file = h('input', {
      type: 'file', id: 'file', class: 'unseen', accept: 'video/*,image/gif,.vqt,.mkv,.mp4,.mov,.webm', tabIndex: -1, 'aria-label': 'Choose a video or a .vqt file',
      onChange: () => { const [file] = this.file.files; this.file.value = ''; if (file) this.take(file); },
    });
    this.tokens = h('select', { 'aria-label': 'Codes' }, TOKENS.map(([value, text]) => h('option', { value }, text)));
    this.frames = h('select', { 'aria-label': 'Frames' }, FRAMES.map((value) => h('option', { value, selected: value === '32' }, value)));
    this.zone = h('div', { class: 'zone' });
    this.element = h('div', { class: 'intake', id: 'intake' }, this.zone);
    this.offer();
  }

  offer() {
    const choose = h('button', { type: 'button', class: 'primary', onClick: () => this.file.click() }, icon('upload'), 'Choose a video');
    const demo = h('button', { type: 'button', class: 'secondary', onClick: () => this.demo() }, icon('play'), 'Try the demo clip');
    this.zone.replaceChildren(this.file,
      h('p', { class: 'zone-title' }, 'Drop a video here'),
      h('p', { class: 'hint' }, 'or paste one, or a ', h('code', {}, '.vqt'), ' file of tokens'),
      h('div', { class: 'buttons' }, choose, demo),
      h('details', { class: 'options' }, h('summary', {}, 'Options'),
        h('label', {}, 'Frames to look at ', this.frames), h('label', {}, 'Codes ', this.tokens)));
  }

  async demo() {
    try {
      const blob = await (await fetch('/page/demo.mp4')).blob();
      await this.take(new File([blob], 'shapes.mp4', { type: 'video/mp4' }));
    } catch (error) {
      this.failed(error);
    }
  }

  async take(file) {
    if (this.running) this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    const progress = new Progress(file, Number(this.frames.value), () => this.running.abort());
    this.zone.replaceChildren(progress.element);
    try {
      if (file.size === 0) throw new Error(`${file.name} is empty. Choose another file.`);
      const fields = /\.vqt$/i.test(file.name) ? {} : { frames: this.frames.value, tokens: this.tokens.value };
      const video = await upload(file, fields, (event) => progress.show(event), signal);
      ARRIVED.set(video.id, { file: /\.vqt$/i.test(file.name) ? null : file, seen: video.seen_before });
      this.offer();
      this.done(video);
    } catch (error) {
      if (error.name === 'AbortError') this.offer(); else this.failed(error);
    } finally {
      if (this.running?.signal === signal) this.running = null;
    }
  }

  failed(error) {
    this.offer();
    this.zone.prepend(notice(error, () => { this.offer(); this.file.click(); }, 'Choose another'));
  }

  close() { this.running?.abort(); }
}

const STAGES = [['upload', 'Send'], ['queue', 'Wait'], ['encode', 'Read']];

class Progress {
  constructor(file, frames, stop) {
    this.file = file;
    this.steps = new Map(STAGES.map(([stage, name]) => [stage, h('li', {}, h('span', { class: 'dot' }), h('b', {}, name), h('span', { class: 'count' }))]));
    this.tiles = h('div', { class: 'tiles', 'aria-hidden': 'true' });
    this.fill(frames);
    this.said = h('p', { class: 'unseen', 'aria-live': 'polite' });
    this.bar = h('progress', { max: 1, value: 0, 'aria-label': 'Progress' });
    this.element = h('div', { class: 'progress' }, h('p', { class: 'zone-title small' }, file.name), this.tiles, this.bar,
      h('ol', { class: 'stages' }, ...this.steps.values()), h('button', { type: 'button', class: 'quiet', onClick: stop }, 'Stop'), this.said);
    this.show({ stage: 'upload', done: 0, total: file.size });
  }

  // A tile a frame, lit as it is read; long videos get as many as fit.
  fill(frames) {
    const count = Math.min(Math.max(frames, 1), 96);
    if (this.tiles.childElementCount === count) return;
    this.tiles.replaceChildren(...palette(count).map((colour) => { const tile = h('i', {}); tile.style.background = css(colour); return tile; }));
  }

  show({ stage, done, total }) {
    const names = STAGES.map(([name]) => name);
    const now = names.indexOf(stage);
    names.forEach((name, place) => this.steps.get(name)?.classList.toggle('over', place < now));
    for (const [name, step] of this.steps) step.classList.toggle('now', name === stage);
    const count = this.steps.get(stage)?.querySelector('.count');
    const text = this.text(stage, done, total);
    if (count) count.textContent = text;
    if (total) { this.bar.max = total; this.bar.value = done; } else this.bar.removeAttribute('value');
    if (stage === 'encode') {
      if (total) this.fill(total);
      const tiles = [...this.tiles.children];
      const lit = total ? Math.round(done / total * tiles.length) : Math.min(done, tiles.length);
      tiles.forEach((tile, place) => tile.classList.toggle('lit', place < lit));
    }
    const said = `${STAGES[now]?.[1] ?? stage} ${text}`;
    if (!total || done === total || Math.floor(10 * done / total) !== this.tenth) this.said.textContent = said;
    this.tenth = total ? Math.floor(10 * done / total) : null;
  }

  text(stage, done, total) {
    if (stage === 'upload') return total ? `${bytes(done)} of ${bytes(total)}` : bytes(done);
    if (stage === 'queue') return done > 0 || total > 1 ? `${plural(Math.max(0, (total ?? 0) - done), 'video')} before it` : '';
    return total ? `frame ${done} of ${total}` : plural(done, 'frame');
  }
}

/** Takes files that are dropped anywhere on the page or pasted. `take(file)` gets the first. */
export function takeFromPage(take) {
  let depth = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const over = (on) => document.documentElement.classList.toggle('dropping', on);
  addEventListener('dragenter', (event) => { if (hasFiles(event)) { depth += 1; over(true); } });
  addEventListener('dragleave', (event) => { if (hasFiles(event)) { depth -= 1; over(depth > 0); } });
  addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
  });
  addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) { event.preventDefault(); take(file); }
  });
}
