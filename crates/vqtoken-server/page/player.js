// One clock over two pictures: the user's own file in a <video>, or the stored frames as a slideshow. Tells whoever listens what is shown.

import { stillMotion } from './dom.js';

const AHEAD = 8;
const KEPT = 240;

export class Player extends EventTarget {
  /** `duration` in seconds; `timestamps` of the sampled frames. */
  constructor({ duration, timestamps }) {
    super();
    this.duration = Math.max(duration || 0, timestamps.at(-1) ?? 0, 0.01);
    this.timestamps = timestamps;
    this.time = 0;
    this.playing = false;
    this.kind = 'nothing';
    this.closed = false;
  }

  /** Plays a file in `video`. Resolves to false where the browser cannot. */
  useVideo(video, address) {
    return new Promise((resolve) => {
      const failed = () => { video.removeAttribute('src'); resolve(false); };
      video.addEventListener('error', failed, { once: true });
      video.addEventListener('loadeddata', () => {
        // A codec that is not there can still load, with sound alone.
        if (video.videoWidth === 0) return failed();
        this.kind = 'video';
        this.video = video;
        if (Number.isFinite(video.duration)) this.duration = video.duration;
        this.followVideo();
        this.seek(this.time);
        if (this.playing) video.play().catch(() => this.setPlaying(false));
        return resolve(true);
      }, { once: true });
      Object.assign(video, { muted: true, playsInline: true, loop: true, preload: 'auto', src: address });
    });
  }

  followVideo() {
    const { video } = this;
    video.addEventListener('play', () => this.setPlaying(true));
    video.addEventListener('pause', () => this.setPlaying(false));
    video.addEventListener('seeked', () => this.show(video.currentTime));
    if (video.requestVideoFrameCallback) {
      const next = (_, frame) => {
        this.show(frame.mediaTime);
        if (!this.closed) video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
    } else {
      video.addEventListener('timeupdate', () => this.show(video.currentTime));
    }
  }

  /** Shows the sampled frames in `canvas`: `load(index)` gives a picture of each. Without `load` only the clock runs. */
  useFrames(canvas, load) {
    this.kind = load ? 'frames' : 'nothing';
    this.canvas = canvas;
    this.load = load;
    this.pictures = new Map();
    this.show(this.time);
  }

  play() {
    if (this.kind === 'video') { this.video.play().catch(() => this.setPlaying(false)); return; }
    if (this.playing) return;
    this.setPlaying(true);
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing || this.closed || this.kind === 'video') return;
      this.show((this.time + (now - before) / 1000) % this.duration);
      before = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() { if (this.kind === 'video') this.video.pause(); else this.setPlaying(false); }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  playUnlessStill() { if (!stillMotion()) this.play(); }

  seek(seconds) {
    const time = Math.min(Math.max(seconds, 0), this.duration);
    if (this.kind === 'video') this.video.currentTime = time;
    this.show(time);
  }

  /** To the next sampled frame, or the one before with -1. */
  step(by) {
    this.pause();
    const nearest = this.timestamps.reduce((best, time, index) => (Math.abs(time - this.time) < Math.abs(this.timestamps[best] - this.time) ? index : best), 0);
    const index = Math.min(Math.max(nearest + by, 0), this.timestamps.length - 1);
    this.seek(this.timestamps[index]);
  }

  close() {
    this.closed = true;
    this.playing = false;
    this.pictures?.clear();
  }

  setPlaying(playing) {
    if (this.closed || this.playing === playing) return;
    this.playing = playing;
    this.dispatchEvent(new Event('playing'));
  }

  show(time) {
    if (this.closed) return;
    this.time = time;
    if (this.kind === 'frames') this.drawFrame();
    this.dispatchEvent(new Event('time'));
  }

  drawFrame() {
    const { timestamps } = this;
    let index = 0;
    while (index + 1 < timestamps.length && timestamps[index + 1] <= this.time + 1e-6) index += 1;
    if (index + 1 < timestamps.length && timestamps[index + 1] - this.time < this.time - timestamps[index]) index += 1;
    for (let ahead = 0; ahead <= AHEAD; ahead += 1) this.fetch((index + ahead) % timestamps.length);
    const picture = this.pictures.get(index)?.picture;
    if (!picture || this.shown === index) return;
    this.shown = index;
    const { canvas } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height });
    canvas.getContext('2d').drawImage(picture, 0, 0);
  }

  fetch(index) {
    if (this.pictures.has(index)) return;
    const entry = { picture: null };
    this.pictures.set(index, entry);
    if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
    this.load(index).then((picture) => { entry.picture = picture; if (!this.closed && this.kind === 'frames') this.drawFrame(); })
      .catch((error) => { if (!this.closed) this.dispatchEvent(new CustomEvent('failed', { detail: error })); });
  }
}
