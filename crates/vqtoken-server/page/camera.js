// The browser's camera: a picture every so often as JPEG, posted to a live stream. What cannot be sent in time is left out and counted.

import { ApiError, call } from './api.js';

const WIDTH = 640;

/** Opens the camera in `video`; an error says what to do. */
export async function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new ApiError('This browser gives cameras to pages of this machine or over https alone. Open the page at http://127.0.0.1 or http://localhost.');
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: 'environment' }, audio: false });
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    return stream;
  } catch (error) {
    const told = { NotAllowedError: 'The camera was not allowed. Allow it beside the address of this page and start again.', NotFoundError: 'There is no camera on this machine. Connect one and start again.', NotReadableError: 'Another program holds the camera. Close it there and start again.' };
    throw new ApiError(told[error.name] ?? `The camera could not be opened: ${error.message}`);
  }
}

export class CameraFeed extends EventTarget {
  constructor(video, id, fps) {
    super();
    Object.assign(this, { video, id, fps, sent: 0, leftOut: 0, last: -1 });
    this.canvas = document.createElement('canvas');
    this.started = performance.now();
    this.timer = setInterval(() => this.post(), 1000 / fps);
  }

  get seconds() { return (performance.now() - this.started) / 1000; }

  async post() {
    const { video, canvas } = this;
    if (this.posting) this.leftOut += 1;
    // Timers are late now and then; times on a raster keep the rate what was asked for.
    const time = Math.round(this.seconds * this.fps) / this.fps;
    if (this.posting || video.videoWidth === 0 || time <= this.last) return;
    this.posting = true;
    try {
      this.last = time;
      Object.assign(canvas, { width: Math.min(WIDTH, video.videoWidth), height: Math.round(Math.min(WIDTH, video.videoWidth) * video.videoHeight / video.videoWidth) });
      canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
      const body = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.85); });
      const taken = await (await call(`/v1/live/${this.id}/frames?time=${time.toFixed(3)}`, { method: 'POST', body, headers: { 'content-type': 'image/jpeg' } })).json();
      this.sent += 1;
      if (taken.frame === 'left_out') this.leftOut += 1;
      this.dispatchEvent(new Event('sent'));
    } catch (error) {
      this.dispatchEvent(new CustomEvent('failed', { detail: error }));
    } finally {
      this.posting = false;
    }
  }

  stop() {
    clearInterval(this.timer);
    this.video.srcObject?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}
