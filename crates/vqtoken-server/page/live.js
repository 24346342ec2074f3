// Live streams: a camera or a source of the server, windows as they come, standing questions, any question about the last minutes.

import { call, events, getJson } from './api.js';
import { CameraFeed, openCamera } from './camera.js';
import { Chat } from './chat.js';
import { css } from './colours.js';
import { h, icon, notice, number, plural, took } from './dom.js';
import { fit, paintMap } from './paint.js';
import { decodeLabels, TokenMap } from './tokens.js';
import { plainView } from './tree.js';

const FPS = 2;
const KEPT = 900;
const MOST_WINDOWS = 60;
const MOST_ANSWERS = 40;
const ROUNDS = [['60', 'the last minute'], ['300', 'the last 5 minutes'], ['900', 'the last 15 minutes']];

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

export class Live {
  constructor() {
    this.element = h('div', { class: 'live' });
    this.setup();
  }

  async setup() {
    this.source = h('select', { 'aria-label': 'Source' }, h('option', { value: '' }, 'Camera of this browser'));
    this.window = h('input', { type: 'number', min: 1, max: 600, value: 10, 'aria-label': 'Seconds of a window' });
    this.every = h('input', { type: 'number', min: 1, max: 3600, value: 10, 'aria-label': 'Seconds between answers' });
    this.questions = h('textarea', { rows: 3, 'aria-label': 'Standing questions, one a line', placeholder: 'One question a line' }, 'How many objects move?');
    this.problem = h('div', {});
    this.running = h('div', {});
    const field = (word, input, after) => h('label', { class: 'field' }, h('span', {}, word), h('span', { class: 'with-unit' }, input, after ?? null));
    this.element.replaceChildren(h('div', { class: 'live-setup' },
      h('div', { class: 'pitch' }, h('h1', {}, 'A camera, ', h('em', {}, 'a few codes a window')),
        h('p', { class: 'lead' }, 'Two pictures a second are read as they come. Every window gets codes of its own, and all windows together a second set, so that an hour still fits in memory and can be asked about.'), this.running),
      h('form', { class: 'panel', onSubmit: (event) => { event.preventDefault(); this.start(); } },
        field('Source', this.source), field('A window lasts', this.window, ' s'), field('Ask again every', this.every, ' s'), field('Standing questions', this.questions),
        this.problem, h('button', { type: 'submit', class: 'primary' }, icon('camera'), 'Start'))));
    try {
      const list = await getJson('/v1/live');
      for (const name of list.sources ?? []) this.source.append(h('option', { value: name }, name));
      if (list.data.length > 0) {
        this.running.replaceChildren(h('h2', {}, 'Running'), h('ul', { class: 'plain-list' }, list.data.map((stream) => h('li', {}, h('button', { type: 'button', class: 'secondary', onClick: () => this.join(stream) }, stream.name || stream.id)))));
      }
    } catch (error) {
      this.problem.replaceChildren(notice(error));
    }
  }

  async start() {
    this.problem.replaceChildren();
    const questions = this.questions.value.split('\n').map((line) => line.trim()).filter(Boolean);
    const source = this.source.value;
    const video = h('video', { class: 'picture', muted: true, 'aria-label': 'Camera' });
    try {
      if (!source) await openCamera(video);
      const stream = await getJson('/v1/live', { method: 'POST', json: {
        name: source || 'camera', fps: FPS, window: Number(this.window.value), keep: KEPT, every: Number(this.every.value), questions, ...(source ? { source } : {}),
      } });
      this.join(stream, video, source ? null : new CameraFeed(video, stream.id, FPS));
    } catch (error) {
      video.srcObject?.getTracks().forEach((track) => track.stop());
      this.problem.replaceChildren(notice(error));
    }
  }

  join(stream, video = null, feed = null) {
    Object.assign(this, { stream, feed, pictures: [], stop: new AbortController() });
    this.canvas = h('canvas', { class: 'overlay', role: 'img', 'aria-label': 'Codes of the last window' });
    this.opacity = h('input', { type: 'range', min: 0, max: 100, value: feed ? 45 : 100, 'aria-label': 'Opacity of the codes', onInput: () => this.draw() });
    this.counted = h('span', { class: 'time' });
    this.windows = h('ol', { class: 'windows', tabIndex: 0, 'aria-label': 'Windows, newest first' });
    this.answers = h('ol', { class: 'answers', tabIndex: 0, 'aria-label': 'Answers to the standing questions, newest first', 'aria-live': 'polite' }, h('li', { class: 'hint' }, 'The first answers come with the first window.'));
    this.told = h('div', {});
    this.round = h('select', { 'aria-label': 'About' }, ROUNDS.map(([value, text]) => h('option', { value, selected: value === '300' }, text)));
    this.chat = new Chat({ subject: () => ({ url: `live:${stream.id}?last=${this.round.value}` }), suggestions: ['What happened?', ...(stream.questions ?? [])].slice(0, 3), placeholder: 'Ask about what was seen', before: h('label', { class: 'round' }, 'About ', this.round) });
    this.screen = h('div', { class: 'screen' }, video, this.canvas);
    this.screen.style.setProperty('--ratio', video?.videoWidth ? video.videoWidth / video.videoHeight : 16 / 9);
    const end = h('button', { type: 'button', class: 'danger', onClick: () => this.end() }, 'End the stream');
    this.element.replaceChildren(h('header', { class: 'watch-head' }, h('h1', {}, h('span', { class: 'on-air' }), stream.name || 'live'), this.told),
      h('div', { class: 'bench' },
        h('div', { class: 'column-player' }, h('div', { class: `stage${feed ? '' : ' bare'}` }, this.screen),
          h('div', { class: 'controls' }, h('div', { class: 'row' }, this.counted, h('label', { class: 'mix' }, h('span', {}, 'picture'), this.opacity, h('span', {}, 'codes')), end)),
          h('section', { class: 'panel', 'aria-label': 'Windows' }, h('header', {}, h('h2', {}, 'Windows')), this.windows)),
        h('section', { class: 'panel standing', 'aria-label': 'Standing questions' }, h('header', {}, h('h2', {}, 'Standing questions')), this.answers), this.chat.element));
    if (feed) {
      feed.addEventListener('sent', () => { this.count(); if (feed.sent % 4 === 1) this.keep(feed); });
      feed.addEventListener('failed', ({ detail }) => { if (detail.status === 404 || detail.status === 0) this.end(); this.told.replaceChildren(notice(detail)); });
    }
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.canvas);
    this.count();
    this.follow();
  }

  // A few small pictures of the last minutes, to stand beside the windows.
  async keep(feed) {
    const picture = await createImageBitmap(feed.canvas, { resizeWidth: 160 });
    this.pictures.push({ time: feed.seconds, picture });
    if (this.pictures.length > 120) this.pictures.shift();
  }

  count() {
    const { feed } = this;
    this.counted.textContent = feed ? `${plural(feed.sent, 'picture')} sent${feed.leftOut ? `, ${number(feed.leftOut)} left out` : ''} · ${minutes(feed.seconds)}` : 'read by the server';
  }

  async follow() {
    try {
      const response = await call(`/v1/live/${this.stream.id}/events`, { signal: this.stop.signal, headers: { accept: 'text/event-stream' } });
      for await (const event of events(response)) this.happened(event);
    } catch (error) {
      if (error.name !== 'AbortError') this.told.replaceChildren(notice(error, () => { this.told.replaceChildren(); this.follow(); }));
    }
  }

  happened(event) {
    const tell = (text) => this.told.replaceChildren(h('p', { class: 'hint', role: 'status' }, text));
    if (event.type === 'window') this.windowCame(event);
    else if (event.type === 'answer') this.answered(event.question, event.answer, `at ${minutes(event.to)} · ${took(event.seconds)}`);
    else if (event.type === 'unanswered') this.answered(event.question, 'no answer', event.reason);
    else if (event.type === 'left_out') tell(`Reading is slower than the stream: ${number(event.left_out)} of ${plural(event.of, 'picture')} left out, evenly.`);
    else if (event.type === 'stalled') tell(`No pictures come: ${event.reason}. Tried again in ${took(event.retry_in)}.`);
    else if (event.type === 'reconnected') tell('Pictures come again.');
    else if (event.type === 'warning') tell(event.message);
    else if (event.type === 'error') this.told.replaceChildren(notice(event.error ?? event));
    else if (event.type === 'end') { this.feed?.stop(); tell('The stream has ended. Start it again to go on.'); }
  }

  async windowCame(event) {
    const canvas = h('canvas', { width: 160, height: 90, 'aria-hidden': 'true' });
    const span = `${minutes(event.start)} – ${minutes(event.end)}`;
    const bar = h('span', { class: 'dots', 'aria-hidden': 'true' });
    const facts = `${plural(event.frames, 'frame')} · ${number(event.codes)} codes`;
    this.windows.prepend(h('li', {}, canvas, h('span', { class: 'name' }, span), bar, h('span', { class: 'facts' }, facts)));
    while (this.windows.childElementCount > MOST_WINDOWS) this.windows.lastChild.remove();
    try {
      const map = await getJson(`/v1/live/${this.stream.id}/map?last=${Math.ceil(2 * (event.end - event.start) + 1)}`);
      this.view = plainView(new TokenMap({ ...map, labels: decodeLabels(map.labels) }));
      this.draw();
      const frame = this.view.map.frameAt(event.end);
      const picture = this.pictures.findLast(({ time }) => time <= event.end + 1);
      const context = canvas.getContext('2d');
      if (picture) context.drawImage(picture.picture, 0, 0, 160, 90);
      paintMap(context, this.view, frame, { x: 0, y: 0, width: 160, height: 90 }, picture ? 0.55 : 1);
      bar.replaceChildren(...this.view.order.slice(0, 24).map((code) => { const dot = h('i', {}); dot.style.background = css(this.view.colours[code]); return dot; }));
    } catch (error) {
      if (error.status !== 404) this.told.replaceChildren(notice(error));
    }
  }

  answered(question, answer, meta) {
    if (this.answers.firstChild?.classList.contains('hint')) this.answers.replaceChildren();
    this.answers.prepend(h('li', {}, h('span', { class: 'asked' }, question), h('b', {}, answer), h('span', { class: 'meta' }, meta)));
    while (this.answers.childElementCount > MOST_ANSWERS) this.answers.lastChild.remove();
  }

  draw() {
    const box = fit(this.canvas);
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, box.width, box.height);
    if (this.view && box.width > 0) paintMap(context, this.view, this.view.map.frames - 1, box, this.opacity.value / 100);
  }

  async end() {
    const own = this.feed !== null;
    this.close();
    try {
      if (!own) await call(`/v1/live/${this.stream.id}`, { method: 'DELETE' });
    } catch { /* it is gone already */ }
    this.setup();
  }

  close() {
    this.stop?.abort();
    this.feed?.stop();
    // A camera's stream ends with its pictures; a source of the server goes on.
    if (this.feed) call(`/v1/live/${this.stream.id}`, { method: 'DELETE' }).catch(() => {});
    this.feed = null;
    this.resizes?.disconnect();
    this.chat?.close();
  }
}
