// The `openai` package from npm, unmodified, against a server: arguments are its address and the path of a video.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// Where NODE_PATH says, or beside this script.
const folders = (process.env.NODE_PATH ?? '').split(':').filter(Boolean);
const require = createRequire(pathToFileURL(folders[0] ? join(folders[0], 'none.js') : import.meta.url));
const { OpenAI } = require('openai');

const [url, video] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key', maxRetries: 0 });
const data = readFileSync(video).toString('base64');

const model = (await client.models.list()).data[0].id;
const content = [
  { type: 'video_url', video_url: { url: `data:video/mp4;base64,${data}` } },
  { type: 'text', text: 'Which way does the red circle move?' },
];
const messages = [{ role: 'user', content }];
const answer = await client.chat.completions.create({ model, messages, max_tokens: 16, num_frames: 16 });
const text = answer.choices[0].message.content;
assert.ok(text);
assert.equal(answer.usage.prompt_tokens_details.video_tokens, 32);

content[0].video_url.url = `vqt:${answer.vqtoken.video}`;
const stream = await client.chat.completions.create({
  model, messages, max_tokens: 16, stream: true, stream_options: { include_usage: true },
});
let pieces = '';
let usage = null;
for await (const chunk of stream) {
  pieces += chunk.choices[0]?.delta?.content ?? '';
  usage = chunk.usage ?? usage;
}
assert.equal(pieces, text);
assert.ok(usage.total_tokens > 0);

// The helper that gathers a stream.
const gathered = await client.chat.completions.stream({ model, messages, max_tokens: 16 }).finalChatCompletion();
assert.equal(gathered.choices[0].message.content, text);

await assert.rejects(client.chat.completions.create({ model, messages, n: 2 }), (error) => error.status === 400 && error.param === 'n');
const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'wrong', maxRetries: 0 });
await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
console.log('ok');
