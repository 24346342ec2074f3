// Which of the views is shown: the address after # says it, so that back, reload and bookmarks work.

import { onKeyNeeded } from './api.js';
import { h } from './dom.js';
import { Home } from './home.js';
import { Intake, takeFromPage } from './intake.js';
import { askForKey } from './key.js';
import { Library } from './library.js';
import { Live } from './live.js';
import { themeSwitch } from './theme.js';
import { Watch } from './watch.js';

const main = document.querySelector('main');
let shown = null;

onKeyNeeded(askForKey);
document.querySelector('#tools').append(themeSwitch());
document.querySelector('.skip').addEventListener('click', () => main.focus());

const intake = new Intake((video) => { location.hash = `#/video/${video.id}`; });
takeFromPage((file) => {
  if (location.hash.length > 2) location.hash = '#/';
  intake.take(file);
});

function view(path) {
  const video = path.match(/^\/video\/([\w-]+)(?:@([\d.]+))?$/);
  if (video) return new Watch(video[1], Number(video[2] ?? 0));
  if (path === '/live') return new Live();
  if (path === '/library') return new Library();
  return new Home(intake);
}

function show() {
  const path = location.hash.slice(1) || '/';
  shown?.close();
  shown = view(path);
  main.replaceChildren(shown.element);
  scrollTo(0, 0);
  for (const link of document.querySelectorAll('nav a')) {
    const here = path.startsWith('/video/') ? '/' : path;
    if (link.getAttribute('href') === `#${here}`) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
}

// Space plays wherever no key of a button or a field is meant by it; , and . go from frame to frame.
document.addEventListener('keydown', (event) => {
  const player = shown?.player;
  if (!player || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest('textarea, select, dialog, summary, input:not([type=range])');
  const button = event.target.closest('button, a');
  if (typing || (event.key === ' ' && button)) return;
  if (event.key === ' ') { event.preventDefault(); player.toggle(); }
  if (event.key === ',') player.step(-1);
  if (event.key === '.') player.step(1);
  if (event.key === 'Escape') shown.selection.clear();
});

// A page that breaks says so, in place of standing still.
const broken = (error) => {
  if (!error || error.name === 'AbortError' || document.querySelector('.broken')) return;
  document.body.append(h('p', { class: 'broken', role: 'alert' }, `This page made a mistake: ${error.message}. Reload it; what is kept stays.`));
};
addEventListener('error', (event) => broken(event.error));
addEventListener('unhandledrejection', (event) => broken(event.reason));

addEventListener('hashchange', show);
show();
