// Every request to the server: the key, errors in plain words, event streams.

export class ApiError extends Error {
  constructor(message, status = 0, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const SLOT = 'vqtoken-key';
let askForKey = async () => null;

/** Sets what asks the user for a key: `(wrong) => Promise<string|null>`. */
export function onKeyNeeded(ask) { askForKey = ask; }

const key = () => sessionStorage.getItem(SLOT);
const headersWithKey = (headers) => (key() ? { ...headers, authorization: `Bearer ${key()}` } : headers);

let asking = null;

// Several requests can be refused at once; the user is asked once.
async function newKey(refused) {
  if (key() && key() !== refused) return true;
  asking ??= askForKey(Boolean(refused)).finally(() => { asking = null; });
  const given = await asking;
  if (!given) return false;
  sessionStorage.setItem(SLOT, given);
  return true;
}

/** The response when all is well. `json` is sent as JSON. Throws an `ApiError` that says what to do. */
export async function call(path, { method = 'GET', json, body, headers = {}, signal } = {}) {
  const sent = json === undefined ? headers : { ...headers, 'content-type': 'application/json' };
  for (;;) {
    const used = key();
    let response;
    try {
      response = await fetch(path, { method, headers: headersWithKey(sent), body: json === undefined ? body : JSON.stringify(json), signal });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError('The server does not answer. Is `vqtoken serve` still running?');
    }
    if (response.status === 401 && await newKey(used)) continue;
    if (!response.ok) throw await refusal(response.status, await response.text(), response.headers.get('retry-after'));
    return response;
  }
}

export const getJson = async (path, options) => (await call(path, options)).json();

function refusal(status, text, retryAfter) {
  let said = null;
  try { said = JSON.parse(text).error; } catch { /* not JSON: the status has to do */ }
  const message = sentence(said?.message ?? `The server answered ${status}`);
  if (status === 429 || status === 503) {
    return new ApiError(`${message} Try again ${retryAfter ? `in ${retryAfter} s` : 'in a moment'}.`, status, said?.code);
  }
  return new ApiError(status === 401 ? 'This server asks for a key. Reload the page to enter it.' : message, status, said?.code);
}

const sentence = (text) => {
  // A name at the front, such as clip.mp4, stays as it is.
  const whole = /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?`)]$/.test(whole) ? whole : `${whole}.`;
};

/** Splits an event stream that comes in pieces into the texts of its `data:` lines. */
class EventReader {
  rest = '';

  *read(text) {
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop();
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
  }
}

/** The JSON events of a stream, until it ends or says `[DONE]`. Lines that begin with `:` are passed to `onComment`. */
export async function* events(response, onComment = () => {}) {
  const reader = new EventReader();
  const body = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await body.read();
      if (done) return;
      for (const line of value.split(/\r?\n/)) if (line.startsWith(':')) onComment(line.slice(1).trim());
      for (const data of reader.read(value)) {
        if (data === '[DONE]') return;
        yield JSON.parse(data);
      }
    }
  } finally {
    body.cancel().catch(() => {});
  }
}

/** Sends a video or a `.vqt` file and reports `{stage, done, total}`; gives the video object. XMLHttpRequest, as fetch does not tell what has been sent. */
export async function upload(file, fields, onProgress, signal) {
  const query = new URLSearchParams({ name: file.name || 'video', ...fields });
  for (;;) {
    const used = key();
    const answer = await send(`/v1/videos?${query}`, file, onProgress, signal);
    if (answer.status === 401 && await newKey(used)) continue;
    if (answer.error) throw answer.error;
    return answer.video;
  }
}

function send(path, file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const reader = new EventReader();
    let seen = 0;
    let last = null;
    const read = () => {
      for (const data of reader.read(request.responseText.slice(seen))) {
        last = JSON.parse(data);
        if (last.type === 'progress') onProgress(last);
      }
      seen = request.responseText.length;
    };
    request.open('POST', path);
    for (const [name, value] of Object.entries(headersWithKey({ accept: 'text/event-stream', 'content-type': 'application/octet-stream' }))) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress({ stage: 'upload', done: loaded, total });
    request.onprogress = () => { if (request.status === 200) read(); };
    request.onerror = () => reject(new ApiError('The connection to the server broke off. Is `vqtoken serve` still running, and is the file still there?'));
    request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
    request.onload = () => {
      if (request.status >= 300) return resolve({ status: request.status, error: refusal(request.status, request.responseText, request.getResponseHeader('retry-after')) });
      if (!/event-stream/.test(request.getResponseHeader('content-type') ?? '')) return resolve({ status: 200, video: JSON.parse(request.responseText) });
      read();
      if (last?.type === 'done') return resolve({ status: 200, video: last.video });
      return resolve({ status: 200, error: new ApiError(sentence(last?.error?.message ?? 'The server stopped before the video was read')) });
    };
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

/** An address for `<img>`: the path itself, or a blob where a key has to be sent with the request. */
export async function imageAddress(path) {
  if (!key()) return path;
  return URL.createObjectURL(await (await call(path)).blob());
}

let served = null;

/** The first model that the server answers with. */
export async function model() {
  served ??= getJson('/v1/models').then((list) => list.data[0]?.id ?? 'mini').catch((error) => { served = null; throw error; });
  return served;
}
