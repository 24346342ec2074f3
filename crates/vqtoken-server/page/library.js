// The stored videos: a picture and the facts of each, found by name or by what they show, deleted after a question.

import { call, getJson, imageAddress } from './api.js';
import { bytes, clock, h, icon, notice, number } from './dom.js';
import { decodeLabels, TokenMap } from './tokens.js';
import { paintMap } from './paint.js';
import { plainView } from './tree.js';

const PAGE = 100;

export class Library {
  /** `few`: only the newest so many, without the search field. */
  constructor({ few = null } = {}) {
    this.few = few;
    this.videos = [];
    this.hits = null;
    this.search = h('input', { type: 'search', placeholder: 'Name, or Enter to search by content', 'aria-label': 'Search by name, or with Enter by content',
      onInput: () => { this.hits = null; this.show(); }, onKeydown: (event) => { if (event.key === 'Enter') this.find(); } });
    this.grid = h('ul', { class: 'stored-grid' });
    this.told = h('div', { class: 'stored-told', 'aria-live': 'polite' });
    this.more = h('button', { type: 'button', class: 'secondary', hidden: true, onClick: () => this.load() }, 'Show more');
    this.seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => { this.seen.unobserve(target); this.picture(target); }));
    this.element = h('section', { class: 'stored-videos', 'aria-label': 'Stored videos' },
      h('header', {}, h('h2', {}, few ? 'Kept from before' : 'Library'), few ? h('a', { href: '#/library', class: 'quiet' }, 'All') : this.search), this.told, this.grid, this.more);
    this.element.hidden = Boolean(few);
    this.load();
  }

  async load() {
    try {
      const after = this.videos.at(-1)?.id;
      const list = await getJson(`/v1/videos?limit=${this.few ?? PAGE}${after ? `&after=${after}` : ''}`);
      this.videos.push(...list.data);
      this.more.hidden = !list.has_more || Boolean(this.few);
      this.show();
    } catch (error) {
      this.element.hidden = false;
      this.told.replaceChildren(notice(error, () => { this.told.replaceChildren(); this.load(); }));
    }
  }

  // What the videos show, in words: the hits in order, each with its seconds and its cells lit.
  async find() {
    const words = this.search.value.trim();
    if (words === '') return;
    this.told.replaceChildren(h('p', { class: 'hint' }, 'Searching …'));
    try {
      const found = await getJson(`/v1/search?top=24&q=${encodeURIComponent(words)}`);
      if (words !== this.search.value.trim()) return;
      this.hits = found.data;
      this.told.replaceChildren(h('p', { class: 'hint' }, [`${number(found.data.length)} videos, the best first.`, ...found.notes].join(' ')));
      this.grid.replaceChildren(...found.data.map((hit) => this.card(hit.video, hit)));
    } catch (error) {
      this.told.replaceChildren(notice(error, () => this.find()));
    }
  }

  show() {
    if (this.hits) return;
    const wanted = this.search.value.trim().toLowerCase();
    const found = this.videos.filter((video) => (video.name ?? '').toLowerCase().includes(wanted)).slice(0, this.few ?? undefined);
    this.element.hidden = Boolean(this.few) && this.videos.length === 0;
    this.told.replaceChildren(this.videos.length === 0 ? h('p', { class: 'hint' }, 'Nothing is kept yet. Drop a video anywhere on this page.')
      : found.length === 0 ? h('p', { class: 'hint' }, `No name among ${number(this.videos.length)} has “${this.search.value}” in it.`) : '');
    this.grid.replaceChildren(...found.map((video) => this.card(video)));
  }

  card(video, hit = null) {
    const picture = h('div', { class: 'thumb', 'data-id': video.id });
    picture.video = video;
    picture.hit = hit;
    this.seen.observe(picture);
    const facts = hit ? [`${clock(hit.from)} – ${clock(hit.to)}`, `${Math.round(hit.score * 100)}%`]
      : [video.duration ? clock(video.duration) : null, `${number(video.codes)} codes`, bytes(video.token_bytes)];
    return h('li', {}, h('a', { href: `#/video/${video.id}${hit ? `@${hit.place?.seconds ?? hit.from}` : ''}`, class: 'card' }, picture,
      h('span', { class: 'name' }, video.name || video.id), h('span', { class: 'facts' }, facts.filter(Boolean).join(' · '))),
    h('button', { type: 'button', class: 'remove', 'aria-label': `Delete ${video.name || video.id}`, title: 'Delete', onClick: () => this.remove(video) }, icon('trash')));
  }

  // The first frame, and the map over it where the pointer is; of tokens without a video the map alone.
  async picture(element) {
    const { video, hit } = element;
    try {
      if (hit?.place) return await this.litPicture(element);
      if (video.frames_stored) element.append(h('img', { src: await imageAddress(`/v1/videos/${video.id}/frames/0.jpg`), alt: '', loading: 'lazy' }));
      const canvas = h('canvas', { width: 336, height: 189, class: video.frames_stored ? 'over' : '' });
      const draw = async () => {
        const map = await getJson(`/v1/videos/${video.id}/map`);
        const view = plainView(new TokenMap({ ...map, labels: decodeLabels(map.labels) }));
        paintMap(canvas.getContext('2d'), view, 0, { x: 0, y: 0, width: canvas.width, height: canvas.height }, 1);
      };
      element.append(canvas);
      if (video.frames_stored) element.closest('.card').addEventListener('pointerenter', () => draw().catch(() => {}), { once: true });
      else await draw();
    } catch { /* a card without its picture still names the video */ }
  }

  // The frame of a hit; all but its cells is darkened.
  async litPicture(element) {
    const { video, hit: { place } } = element;
    if (video.frames_stored) element.append(h('img', { src: await imageAddress(`/v1/videos/${video.id}/frames/${place.frame}.jpg`), alt: '', loading: 'lazy' }));
    const [rows, columns] = place.grid;
    const canvas = h('canvas', { width: columns * 12, height: rows * 12, class: 'lit' });
    const context = canvas.getContext('2d');
    context.fillStyle = 'rgba(8, 10, 14, 0.62)';
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const [row, column] of place.cells) {
      context.clearRect(column * 12, row * 12, 12, 12);
      if (!video.frames_stored) { context.fillStyle = '#ffd60a'; context.fillRect(column * 12, row * 12, 12, 12); }
    }
    element.append(canvas);
  }

  remove(video) {
    const failed = h('div', {});
    const confirm = h('button', { type: 'button', class: 'danger', onClick: async () => {
      try {
        await call(`/v1/videos/${video.id}`, { method: 'DELETE' });
        this.videos = this.videos.filter(({ id }) => id !== video.id);
        dialog.close();
        this.show();
      } catch (error) {
        failed.replaceChildren(notice(error));
      }
    } }, 'Delete');
    const dialog = h('dialog', { class: 'dialog', 'aria-label': 'Delete', onClose: () => dialog.remove() },
      h('h2', {}, `Delete ${video.name || video.id}?`),
      h('p', {}, 'Its codes and frames are removed from the server. The file on your disk stays where it is.'), failed,
      h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'secondary', autofocus: true, onClick: () => dialog.close() }, 'Keep it'), confirm));
    document.body.append(dialog);
    dialog.showModal();
  }

  close() { this.seen.disconnect(); }
}
