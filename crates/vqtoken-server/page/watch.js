// A stored video: the player with its codes over it, the codes, how many of them, and questions.

import { ApiError, call, getJson } from './api.js';
import { Budget } from './budget.js';
import { Chat } from './chat.js';
import { CodeList } from './codes.js';
import { Controls } from './controls.js';
import { h, notice, oncePerFrame, release } from './dom.js';
import { Facts } from './facts.js';
import { arrival } from './intake.js';
import { Overlay } from './overlay.js';
import { Player } from './player.js';
import { Selection } from './selection.js';
import { decodeLabels, TokenMap } from './tokens.js';
import { CodeTree, plainView } from './tree.js';

const SHAPES = ['Which way does the red circle move?', 'How many objects move?', 'Where is the yellow star at the start?', 'Describe the green triangle.'];
const ANYTHING = ['What happens?', 'Describe the video.', 'How many objects move?'];

export class Watch {
  /** `from`: the second that is shown first. */
  constructor(id, from = 0) {
    this.id = id;
    this.from = from;
    this.parts = [];
    this.element = h('div', { class: 'watch' }, h('p', { class: 'loading', role: 'status' }, 'Opening the codes …'));
    this.open();
  }

  async open() {
    try {
      const [video, map] = await Promise.all([getJson(`/v1/videos/${this.id}`), getJson(`/v1/videos/${this.id}/map`)]);
      const stored = new TokenMap({ ...map, labels: decodeLabels(map.labels) });
      const tree = await this.tree(video, stored);
      if (this.closed) return;
      this.build(video, stored, tree);
    } catch (error) {
      const gone = error.status === 404;
      const told = gone ? new ApiError('This video is not kept here any more. Drop it again to read it anew.') : error;
      this.element.replaceChildren(notice(told, gone ? () => { location.hash = '#/'; } : () => this.open(), gone ? 'To the start' : 'Try again'));
    }
  }

  // Of very few codes there is nothing to join.
  async tree(video, stored) {
    try {
      const tree = await getJson(`/v1/videos/${this.id}/tree`);
      return tree.merges.length === 0 ? null : new CodeTree({ ...tree, labels: decodeLabels(tree.labels) }, stored);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  build(video, stored, tree) {
    const view = tree?.storedCut ? tree.at(stored.codes) : plainView(stored);
    const state = { video, view, opacity: 0.6 };
    this.state = state;
    this.player = new Player({ duration: video.duration, timestamps: stored.timestamps });
    if (this.from > 0) this.player.seek(this.from);
    this.selection = new Selection();
    this.overlay = new Overlay(state, this.player, this.selection);
    this.list = new CodeList(state, this.player, this.selection);
    this.controls = new Controls(state, this.player, () => this.overlay.redraw());
    this.facts = new Facts(video, (codes) => this.download(codes));
    const update = oncePerFrame((codes) => {
      state.view = tree.at(codes);
      this.overlay.redraw();
      this.list.update();
      this.controls.update();
      this.facts.update(state.view);
    });
    this.budget = new Budget(tree, stored.codes, update);
    this.chat = new Chat({ subject: () => ({ url: `vqt:${video.id}`, tokens: state.view.codes }), suggestions: /^(shapes|demo)/.test(video.name ?? '') ? SHAPES : ANYTHING, answered: (text, seconds) => this.facts.answered(text, seconds) });
    this.stage = this.screen(video);
    this.element.replaceChildren(
      h('header', { class: 'watch-head' }, h('h1', { class: 'unseen' }, video.name || video.id), this.facts.element, arrival(this.id).seen ? h('p', { class: 'hint' }, 'Seen before: its codes were kept, so nothing was decoded again.') : null,
        ...(video.warnings ?? []).map((warning) => h('p', { class: 'hint' }, warning))),
      h('div', { class: 'bench' }, h('div', { class: 'column-player' }, this.stage, this.controls.element, this.budget.element), this.list.element, this.chat.element));
    this.list.update();
    this.controls.update();
    this.facts.update(view);
    this.start(video);
  }

  screen(video) {
    this.video = h('video', { class: 'picture', muted: true, hidden: true, tabIndex: -1, 'aria-hidden': 'true' });
    this.frames = h('canvas', { class: 'picture', hidden: true, 'aria-hidden': 'true' });
    const screen = h('div', { class: 'screen' }, this.video, this.frames, ...this.overlay.elements, h('span', { class: 'unseen', id: 'cell-help' }, 'Space plays and pauses.'));
    screen.style.setProperty('--ratio', video.width && video.height ? video.width / video.height : 16 / 9);
    return h('div', { class: 'stage' }, screen);
  }

  async start(video) {
    const { file } = arrival(this.id);
    if (file) {
      this.address = URL.createObjectURL(file);
      if (await this.player.useVideo(this.video, this.address)) {
        this.video.hidden = false;
        this.stage.firstChild.style.setProperty('--ratio', this.video.videoWidth / this.video.videoHeight);
        this.player.playUnlessStill();
        return;
      }
    }
    if (this.closed) return;
    if (video.frames_stored > 0) {
      this.player.useFrames(this.frames, async (index) => createImageBitmap(await (await call(`/v1/videos/${this.id}/frames/${index}.jpg`)).blob()));
      this.frames.hidden = false;
      this.player.addEventListener('failed', ({ detail }) => { if (!this.stage.querySelector('.notice')) this.stage.append(notice(detail)); });
    } else {
      this.player.useFrames(this.frames, null);
      this.stage.classList.add('bare');
      this.state.opacity = 1;
      this.controls.showOpacity();
    }
    this.overlay.redraw();
    this.player.playUnlessStill();
  }

  async download(codes) {
    const blob = await (await call(`/v1/videos/${this.id}/tokens${codes === this.state.video.codes ? '' : `?codes=${codes}`}`)).blob();
    return { blob, name: `${(this.state.video.name || this.id).replace(/\.[^.]+$/, '')}${codes === this.state.video.codes ? '' : `-${codes}`}.vqt` };
  }

  close() {
    this.closed = true;
    this.player?.close();
    this.overlay?.close();
    this.controls?.close();
    this.chat?.close();
    this.facts?.close();
    if (this.address) release(this.video, this.address);
  }
}
