// Asks for the key of a server that has one.

import { h } from './dom.js';

/** Resolves to the key, or to null when the user would rather not. `wrong`: a key was sent and refused. */
export function askForKey(wrong) {
  return new Promise((resolve) => {
    let given = null;
    const field = h('input', { type: 'password', autocomplete: 'current-password', required: true, 'aria-label': 'Key', placeholder: 'Key' });
    const dialog = h('dialog', { class: 'dialog', 'aria-label': 'Key', onClose: () => { dialog.remove(); resolve(given); } },
      h('form', { onSubmit: (event) => { event.preventDefault(); given = field.value.trim(); dialog.close(); } },
        h('h2', {}, wrong ? 'This key was refused' : 'This server asks for a key'),
        h('p', {}, 'It is the one that ', h('code', {}, 'vqtoken serve --key'), ' was started with. It is kept until this tab is closed.'),
        h('input', { type: 'text', autocomplete: 'username', value: 'vqtoken', hidden: true }),
        field,
        h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'secondary', onClick: () => dialog.close() }, 'Not now'), h('button', { type: 'submit', class: 'primary' }, 'Go on'))));
    document.body.append(dialog);
    dialog.showModal();
    field.focus();
  });
}
