// Questions about one video (or stream) and the answers as they come, with the seconds and tokens they took.

import { call, events, model } from './api.js';
import { h, icon, notice, number, plural, took } from './dom.js';

export class Chat {
  /** `subject()` gives `{url, tokens}`; `suggestions` are questions to click; `before` is put above the field; `answered(text, seconds)` hears each answer. */
  constructor({ subject, suggestions, placeholder = 'Ask about the video', before = null, answered = () => {} }) {
    Object.assign(this, { subject, suggestions, answered });
    this.turns = [];
    this.field = h('textarea', { rows: 1, placeholder, 'aria-label': placeholder, onKeydown: (event) => this.key(event), onInput: () => this.grow() });
    this.button = h('button', { type: 'submit', class: 'send', 'aria-label': 'Ask', title: 'Ask (Enter)' }, icon('send'));
    this.log = h('div', { class: 'log', role: 'log', 'aria-label': 'Conversation', tabIndex: 0 });
    this.again = h('button', { type: 'button', class: 'quiet', hidden: true, onClick: () => this.restart() }, 'New conversation');
    this.chips = h('div', { class: 'suggestions' }, suggestions.map((question) => h('button', { type: 'button', onClick: () => this.ask(question) }, question)));
    this.element = h('section', { class: 'panel chat', 'aria-label': 'Questions' },
      h('header', {}, h('h2', {}, 'Ask'), this.again), this.chips, this.log, before,
      h('form', { class: 'ask', onSubmit: (event) => { event.preventDefault(); this.submit(); } }, this.field, this.button));
    this.note();
  }

  // The model in the box answers about moving shapes alone; that has to be known before its answers are believed.
  async note() {
    try {
      if (/mini|builtin|built-in/.test(await model())) {
        this.chips.before(h('p', { class: 'hint model-note' }, 'The model in the box knows moving shapes alone; on anything else its answers are meaningless. ',
          h('code', {}, 'vqtoken serve --model ID'), ' serves another.'));
      }
    } catch { /* asking says what is wrong */ }
  }

  key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.submit(); }
  }

  grow() {
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(this.field.scrollHeight, 140)}px`;
  }

  submit() {
    if (this.running) { this.running.abort(); return; }
    const question = this.field.value.trim();
    if (!question) { this.field.focus(); return; }
    this.field.value = '';
    this.grow();
    this.ask(question);
  }

  restart() {
    this.running?.abort();
    this.turns = [];
    this.log.replaceChildren();
    this.again.hidden = true;
    this.chips.hidden = false;
    this.field.focus();
  }

  async ask(question) {
    if (this.running) return;
    this.chips.hidden = true;
    const words = h('p', { class: 'words waiting' }, h('i', {}), h('i', {}), h('i', {}));
    const meta = h('p', { class: 'meta' });
    const answer = h('div', { class: 'answer' }, words, meta);
    const asked = h('p', { class: 'question' }, question);
    this.log.append(asked, answer);
    this.log.scrollTop = this.log.scrollHeight;
    this.running = new AbortController();
    this.busy(true);
    try {
      const text = await this.stream(question, words, meta, answer);
      this.turns.push({ role: 'user', content: question }, { role: 'assistant', content: text });
      this.again.hidden = false;
    } catch (error) {
      if (error.name === 'AbortError') meta.textContent = 'stopped';
      else { answer.replaceChildren(notice(error, () => { asked.remove(); answer.remove(); this.ask(question); })); }
      words.classList.remove('waiting');
    } finally {
      this.running = null;
      this.busy(false);
    }
  }

  async stream(question, words, meta, answer) {
    const { url, tokens } = this.subject();
    const start = performance.now();
    let [first, text, usage, told] = [null, '', null, null];
    const response = await call('/v1/chat/completions', {
      method: 'POST', signal: this.running.signal,
      json: { model: await model(), messages: this.messages(question, url), stream: true, stream_options: { include_usage: true }, ...(tokens ? { tokens } : {}) },
    });
    for await (const event of events(response, (comment) => { meta.textContent = comment; })) {
      if (event.error) throw new Error(event.error.message);
      usage = event.usage ?? usage;
      told = event.vqtoken ?? told;
      const piece = event.choices?.[0]?.delta?.content;
      if (!piece) continue;
      if (first === null) { first = performance.now(); words.classList.remove('waiting'); words.replaceChildren(); }
      text += piece;
      words.textContent = text;
      this.log.scrollTop = this.log.scrollHeight;
    }
    words.classList.remove('waiting');
    if (!text) words.textContent = '(the model said nothing)';
    this.tell(meta, answer, { first: first && (first - start) / 1000, all: (performance.now() - start) / 1000, usage, told, tokens });
    this.log.scrollTop = this.log.scrollHeight;
    this.answered(text.trim(), first && (first - start) / 1000);
    return text;
  }

  // The video is named in the first question alone; the turns after it follow up on it.
  messages(question, url) {
    const turns = [...this.turns, { role: 'user', content: question }];
    return turns.map((turn, index) => (index > 0 ? turn
      : { role: 'user', content: [{ type: 'video_url', video_url: { url } }, { type: 'text', text: turn.content }] }));
  }

  tell(meta, answer, { first, all, usage, told, tokens }) {
    const details = usage?.prompt_tokens_details ?? {};
    const video = details.video_tokens ?? tokens;
    const cached = details.cached_tokens ? `, ${number(details.cached_tokens)} cached` : '';
    const read = usage ? `${number(usage.prompt_tokens)} tokens read${video ? `, ${number(video)} of them video` : ''}${cached}` : null;
    const lines = [[first ? `first word ${took(first)}` : null, `all ${took(all)}`, usage ? `${plural(usage.completion_tokens, 'token')} written` : null], [read]];
    meta.replaceChildren(...lines.map((line) => h('span', {}, line.filter(Boolean).join(' · '))));
    for (const warning of told?.warnings ?? []) answer.append(h('p', { class: 'hint' }, warning));
  }

  busy(busy) {
    this.button.replaceChildren(icon(busy ? 'stop' : 'send'));
    this.button.setAttribute('aria-label', busy ? 'Stop' : 'Ask');
    for (const chip of this.chips.children) chip.disabled = busy;
  }

  close() { this.running?.abort(); }
}
