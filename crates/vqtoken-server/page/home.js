// The start: what the method does, shown with the demo clip; the ways in; what was kept from before.

import { h } from './dom.js';
import { Hero } from './hero.js';
import { Library } from './library.js';

export class Home {
  constructor(intake) {
    this.hero = new Hero();
    this.recent = new Library({ few: 6 });
    this.element = h('div', { class: 'home' },
      h('div', { class: 'welcome' },
        h('div', { class: 'pitch' },
          h('h1', {}, 'Ask a video.', h('br'), 'It is read as ', h('em', {}, 'a few dozen'), ' tokens.'),
          h('p', { class: 'lead' }, 'Every patch of every frame goes to one of a few dozen codes, learnt from this very video. The codes and the ways they move are kilobytes, and all that the language model reads.'),
          intake.element),
        this.hero.element),
      this.recent.element);
  }

  close() {
    this.hero.close();
    this.recent.close();
  }
}
