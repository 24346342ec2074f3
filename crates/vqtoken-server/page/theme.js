// Light, dark, or as the system has it; the choice is remembered in this browser.

import { h, icon } from './dom.js';

const SLOT = 'vqtoken-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

const dark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';

/** The switch between light and dark. */
export function themeSwitch() {
  const button = h('button', { type: 'button', class: 'plain', onClick: () => {
    document.documentElement.dataset.theme = dark() ? 'light' : 'dark';
    try { localStorage.setItem(SLOT, document.documentElement.dataset.theme); } catch { /* a browser that keeps nothing forgets it */ }
    show();
  } });
  const show = () => {
    button.replaceChildren(icon(dark() ? 'sun' : 'moon'));
    button.setAttribute('aria-label', dark() ? 'Light colours' : 'Dark colours');
    button.title = dark() ? 'Light colours' : 'Dark colours';
  };
  try { const kept = localStorage.getItem(SLOT); if (kept) document.documentElement.dataset.theme = kept; } catch { /* the system's choice stands */ }
  system.addEventListener('change', show);
  show();
  return button;
}
