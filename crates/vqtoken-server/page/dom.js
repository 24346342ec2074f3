// Elements from calls, numbers and times as text. No markup is ever parsed from strings, so no text of others can become markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. `props`: `class`, `on{event}` handlers, `aria-..`/`role`/`data-..` attributes, everything else a property. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name in element && !name.includes('-')) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ICONS = {
  play: 'M7 4.5v15l12.5-7.5z',
  pause: 'M7 5h3.6v14H7zM13.4 5H17v14h-3.6z',
  previous: 'M6 5h2.4v14H6zM19 5v14L9 12z',
  next: 'M15.6 5H18v14h-2.4zM5 5v14l10-7z',
  download: 'M11 4h2v8.2l3-3 1.4 1.4L12 16l-5.4-5.4L8 9.2l3 3zM5 18h14v2H5z',
  upload: 'M11 16h2V7.8l3 3 1.4-1.4L12 4 6.6 9.4 8 10.8l3-3zM5 18h14v2H5z',
  send: 'M12 4l7 7-1.4 1.4L13 7.8V20h-2V7.8l-4.6 4.6L5 11z',
  stop: 'M6 6h12v12H6z',
  trash: 'M9 4h6l1 2h4v2H4V6h4zM6 9h12l-1 11H7z',
  sun: 'M12 7.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM11 2h2v3h-2zM11 19h2v3h-2zM2 11h3v2H2zM19 11h3v2h-3zM4.2 5.6l1.4-1.4 2.1 2.1-1.4 1.4zM16.3 17.7l1.4-1.4 2.1 2.1-1.4 1.4zM4.2 18.4l2.1-2.1 1.4 1.4-2.1 2.1zM16.3 6.3l2.1-2.1 1.4 1.4-2.1 2.1z',
  moon: 'M14.5 3.5a8.7 8.7 0 1 0 6 12.3A7.6 7.6 0 0 1 14.5 3.5z',
  arrow: 'M4 11h12.2l-4.6-4.6L13 5l7 7-7 7-1.4-1.4 4.6-4.6H4z',
  camera: 'M4 6h11a1.5 1.5 0 0 1 1.5 1.5v2.3L21 7v10l-4.5-2.8v2.3A1.5 1.5 0 0 1 15 18H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 6z',
  warning: 'M12 3l10 18H2zm-1 7v5h2v-5zm0 6.5v2h2v-2z',
  close: 'M6.4 5L12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z',
};

/** A picture beside text; screen readers pass over it. */
export function icon(name) {
  const path = svg('path', { d: ICONS[name], fill: 'currentColor', 'fill-rule': 'evenodd' });
  return svg('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, path);
}

export const number = (value) => value.toLocaleString('en-US');
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? '' : 's'}`;

/** "5.9 kB", "34 MB"; a kB is 1,000 bytes, as on the command line. */
export function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A place in a video: "2.47 s" below a minute, then "1:02.5". */
export function clock(seconds) {
  if (!Number.isFinite(seconds)) return '0.00 s';
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  const rest = (seconds % 60).toFixed(1).padStart(4, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

/** How long something took: "7 ms", "1.4 s", "2 min 9 s". */
export function took(seconds) {
  if (seconds < 0.0995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A share of 1 as a percentage with as many places as it needs. */
export function percent(share) {
  const value = share * 100;
  return `${value >= 9.95 ? value.toFixed(0) : value >= 0.995 ? value.toFixed(1) : value.toFixed(2)}%`;
}

export const stillMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** Ends what `video` plays or still loads from the blob `address`. An address that is revoked while it loads is an error in the console. */
export function release(video, address) {
  video.pause();
  video.removeAttribute('src');
  video.load();
  URL.revokeObjectURL(address);
}

/** What went wrong and what to do, where it happened. */
export function notice(error, retry, label = 'Try again') {
  const text = error && error.message ? error.message : String(error);
  return h('div', { class: 'notice', role: 'alert' }, icon('warning'), h('p', {}, text),
    retry ? h('button', { type: 'button', class: 'quiet', onClick: retry }, label) : null);
}

/** Calls `run` once a frame at most, with the newest arguments. */
export function oncePerFrame(run) {
  let waiting = null;
  return (...values) => {
    if (waiting === null) requestAnimationFrame(() => { const now = waiting; waiting = null; run(...now); });
    waiting = values;
  };
}
