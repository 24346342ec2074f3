// Clicks through the page with a real Chromium: node click_through.mjs http://127.0.0.1:PORT VIDEO.mp4 SCREENSHOT_DIR
// PUPPETEER names the folder of the module puppeteer-core (else it is looked for as usual), CHROMIUM the browser (else /usr/bin/chromium).
// Exit code 0 when all is well; 1 with a line for each step that failed, and for each error in the console or break of the page's policy.

import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const [server, clip, screenshots] = process.argv.slice(2);
if (!screenshots) {
  console.error('usage: node click_through.mjs http://127.0.0.1:PORT VIDEO.mp4 SCREENSHOT_DIR');
  process.exit(2);
}
// ES modules are not found through NODE_PATH, so the folder has to be named.
const puppeteer = process.env.PUPPETEER ? createRequire(import.meta.url)(path.resolve(process.env.PUPPETEER)) : (await import('puppeteer-core')).default;
await fs.mkdir(screenshots, { recursive: true });
const downloads = await fs.mkdtemp(path.join(os.tmpdir(), 'page-'));

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--hide-scrollbars', '--force-color-profile=srgb'],
});

const problems = [];
// What a step provokes on purpose is expected in the console.
let expected = [];

function listen(page) {
  const problem = (text) => { if (!expected.some((pattern) => pattern.test(text))) problems.push(text); };
  page.on('console', (message) => { if (['error', 'warning', 'warn'].includes(message.type())) problem(`console: ${message.text()} (${message.location().url ?? ''})`); });
  page.on('pageerror', (error) => problem(`page: ${error.stack ?? error.message}`));
  page.on('requestfailed', (request) => { if (!/ERR_ABORTED/.test(request.failure()?.errorText)) problem(`request: ${request.url()} ${request.failure()?.errorText}`); });
  page.on('request', (request) => { if (!request.url().startsWith(server) && !/^(blob|data):/.test(request.url())) problem(`from elsewhere: ${request.url()}`); });
}

async function open({ width = 1440, height = 900, scheme = 'dark', motion = 'no-preference', touch = false, hash = '' } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  listen(page);
  await page.evaluateOnNewDocument(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: motion }]);
  await page.setViewport({ width, height, deviceScaleFactor: touch ? 2 : 1, isMobile: touch, hasTouch: touch });
  await page.goto(`${server}/${hash}`, { waitUntil: 'networkidle2' });
  return page;
}

const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const shot = (page, name, options = {}) => page.screenshot({ path: path.join(screenshots, `${name}.png`), ...options });
const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const until = (page, check, ...values) => page.waitForFunction(check, { timeout: 60_000 }, ...values);
const focused = (page) => page.evaluate(() => `${document.activeElement.tagName.toLowerCase()} ${document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent}`.trim());

/** How many pixels of the overlay are painted, and a sum that changes with them. */
const painted = (page) => page.$eval('.watch canvas.overlay', (canvas) => {
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height }).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let [pixels, sum] = [0, 0];
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 0) { pixels += 1; sum = (sum * 31 + data[at] * 7 + data[at + 1] * 5 + data[at + 2] * 3 + data[at + 3]) % 4294967291; }
  return { pixels, sum };
});

async function choose(page, file) {
  const input = await page.waitForSelector('#file');
  await input.uploadFile(file);
}

async function ask(page, question) {
  const before = (await page.$$('.answer .meta span')).length;
  await page.click('.ask textarea');
  await page.keyboard.type(question);
  await page.keyboard.press('Enter');
  await until(page, (count) => document.querySelectorAll('.answer .meta span').length > count && !document.querySelector('.waiting'), before);
  return page.$$eval('.words', (all) => all.at(-1).textContent);
}

async function drag(page, selector, place) {
  const handle = await page.$(selector);
  await handle.scrollIntoView();
  const box = await handle.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * place, box.y + box.height / 2, { steps: 12 });
  await page.mouse.up();
}

const failed = [];
async function step(name, run) {
  const before = problems.length;
  try {
    await run();
    console.log(`${problems.length === before ? 'ok  ' : 'NOT '} ${name}`);
  } catch (error) {
    failed.push(name);
    console.log(`NOT  ${name}: ${error.message}\n${error.stack}`);
  }
  expected = [];
}

let page = await open();
let address = '';

await step('the start says what the method does and shows it', async () => {
  await wait(2600);
  await shot(page, 'start-dark');
  assert.match(await text(page, 'h1'), /a few dozen tokens/);
  assert.equal(await page.$$eval('.hero .dots i', (dots) => dots.length), 32);
  await wait(4000);
  await shot(page, 'start-dark-lit');
});

await step('a video that is chosen is read stage by stage', async () => {
  await choose(page, clip);
  await page.waitForSelector('.progress');
  await until(page, () => document.querySelector('.watch .code-list li') || document.querySelectorAll('.tiles .lit').length > 4);
  await shot(page, 'progress');
  await page.waitForSelector('.watch .code-list li', { timeout: 120_000 });
  address = page.url();
  assert.match(address, /#\/video\/v/);
});

await step('the video plays with its codes over it', async () => {
  await until(page, () => document.querySelector('.watch video')?.currentTime > 0.3);
  const first = await painted(page);
  await wait(900);
  const second = await painted(page);
  assert.ok(first.pixels > 1000 && second.sum !== first.sum, 'the map moves with the video');
  await shot(page, 'watch-dark');
  await page.click('.controls .round');
  assert.ok(await page.$eval('.watch video', (video) => video.paused));
});

await step('the facts say tokens, codes and bytes', async () => {
  const facts = await text(page, '.watch ol.facts');
  for (const part of [/[\d,]+patches|tokens of its frames/, /\d+ codes/, /kB/]) assert.match(facts, part);
});

await step('the opacity slider fades the codes', async () => {
  await drag(page, '.mix input', 0);
  assert.equal((await painted(page)).pixels, 0);
  await drag(page, '.mix input', 0.62);
  assert.ok((await painted(page)).pixels > 1000);
});

await step('pointing at a code lights its cells and its path', async () => {
  const plain = await painted(page);
  const rows = await page.$$('.code-list li');
  await rows[15].hover();
  await wait(150);
  assert.notEqual((await painted(page)).sum, plain.sum);
  assert.ok(await page.$eval('.code-list li:nth-child(16)', (row) => row.classList.contains('lit')));
  await shot(page, 'watch-lit');
});

await step('pointing at a cell names its code and a click keeps it lit', async () => {
  const box = await (await page.$('canvas.overlay')).boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.45);
  await wait(150);
  assert.match(await text(page, '.tip'), /^code \d+ · [\d.]+%$/);
  await page.mouse.click(box.x + box.width * 0.4, box.y + box.height * 0.45);
  await page.mouse.move(5, 5);
  await wait(150);
  assert.ok(await page.$('.code-list li.pinned'));
  await page.keyboard.press('Escape');
  await wait(100);
  assert.equal(await page.$('.code-list li.pinned'), null);
});

await step('the slider quantizes again without a request', async () => {
  const asked = [];
  const note = (request) => asked.push(request.url());
  const before = await painted(page);
  page.on('request', note);
  await drag(page, '.codes-slider', 0.35);
  const sliding = [...asked];
  await wait(100);
  assert.deepEqual(sliding, []);
  const codes = Number(await text(page, '.big-number'));
  assert.ok(codes < 20 && codes > 2, `${codes} codes`);
  assert.equal((await page.$$('.code-list li')).length, codes);
  assert.notEqual((await painted(page)).sum, before.sum);
  await wait(900);
  page.off('request', note);
  assert.match(await text(page, '.watch ol.facts'), /kB/);
  await shot(page, 'watch-few');
});

await step('the elbow is marked and can be chosen', async () => {
  const elbow = Number((await text(page, '.curve .elbow text')).match(/\d+/)[0]);
  await page.click('.presets button');
  await wait(100);
  assert.equal(Number(await text(page, '.big-number')), elbow);
});

await step('the page joins codes as the server does, in the colours of its pictures', async () => {
  const id = page.url().split('/').at(-1);
  const found = await page.evaluate(async (id) => {
    const get = async (path) => (await fetch(`/v1/videos/${id}/${path}`)).json();
    const [{ CodeTree }, { TokenMap, decodeLabels }] = await Promise.all([import('/page/tree.js'), import('/page/tokens.js')]);
    const decoded = (answer) => ({ ...answer, labels: decodeLabels(answer.labels) });
    const [kept, tree, twelve] = (await Promise.all([get('map'), get('tree'), get('map?codes=12')])).map(decoded);
    const here = new CodeTree(tree, new TokenMap(kept)).at(12).map;
    const colours = new CodeTree(tree, new TokenMap(kept)).at(kept.codes).colours;
    const hex = (colour) => `#${colour.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    return { here: [...here.labels].join(), server: [...twelve.labels].join(), shown: colours.map(hex), told: kept.colours };
  }, id);
  assert.equal(found.here, found.server);
  assert.deepEqual(found.shown, found.told);
});

await step('a question is answered word by word, with seconds and tokens; then a follow-up', async () => {
  const kept = await page.$$('.presets button');
  await kept[1].click();
  const sent = page.waitForRequest((request) => request.url().endsWith('/v1/chat/completions'));
  const answer = await ask(page, 'Which way does the red circle move?');
  const body = JSON.parse((await sent).postData());
  assert.equal(body.tokens, 32);
  assert.equal(body.stream, true);
  assert.equal(answer.trim(), 'right');
  assert.match(await text(page, '.meta'), /first word.*written.*tokens read, 32 of them video/);
  const again = page.waitForRequest((request) => request.url().endsWith('/v1/chat/completions'));
  await ask(page, 'How many objects move?');
  assert.equal(JSON.parse((await again).postData()).messages.length, 3);
  await shot(page, 'watch-asked');
});

await step('light colours by the switch, and they stay', async () => {
  await page.click('#tools button');
  await wait(200);
  await shot(page, 'watch-light');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
});

await step('the .vqt is downloaded', async () => {
  const session = await page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads, browserContextId: page.browserContext().id });
  await page.click('.download');
  for (let round = 0; round < 100 && !(await fs.readdir(downloads)).some((name) => name.endsWith('.vqt')); round += 1) await wait(100);
  const names = await fs.readdir(downloads);
  assert.equal(names.length, 1);
  const data = await fs.readFile(path.join(downloads, names[0]));
  assert.match(data.subarray(8, 4096).toString('latin1'), /"format":"vqtoken"/);
});

await step('after a reload the stored frames play in place of the file', async () => {
  await page.reload({ waitUntil: 'networkidle2' });
  await page.waitForSelector('.code-list li');
  await until(page, () => document.querySelector('canvas.picture')?.width > 100);
  const first = await painted(page);
  await wait(900);
  assert.notEqual((await painted(page)).sum, first.sum);
  await shot(page, 'watch-frames');
});

await step('a .vqt is dropped and asked without the video', async () => {
  const [name] = await fs.readdir(downloads);
  const bytes = (await fs.readFile(path.join(downloads, name))).toString('base64');
  await page.evaluate((encoded, name) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))], name));
    for (const type of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }, bytes, name);
  await until(page, (old) => location.href !== old && location.hash.startsWith('#/video/') && document.querySelector('.watch .code-list li'), address);
  assert.equal((await ask(page, 'Which way does the red circle move?')).trim(), 'right');
  await shot(page, 'tokens-alone');
});

await step('the library finds by content, lights the cells and opens the hit at its second', async () => {
  await page.click('nav a[href="#/library"]');
  await page.waitForSelector('.stored-grid li');
  await page.type('.stored-videos input', 'a red circle');
  await page.keyboard.press('Enter');
  await until(page, () => document.querySelector('.stored-grid li canvas.lit'));
  assert.match(await text(page, '.stored-told'), /best first/);
  await shot(page, 'search');
  const address = await page.$eval('.stored-grid li a.card', (card) => card.getAttribute('href'));
  assert.match(address, /^#\/video\/v[0-9a-f]+@[0-9.]+$/);
  await page.click('.stored-grid li a.card');
  await page.waitForSelector('.watch .code-list li');
});

await step('the library finds by name and deletes after a question', async () => {
  await page.click('nav a[href="#/library"]');
  await page.waitForSelector('.stored-grid li');
  await wait(600);
  await shot(page, 'library');
  const all = (await page.$$('.stored-grid li')).length;
  await page.type('.stored-videos input', 'no such name at all');
  assert.equal((await page.$$('.stored-grid li')).length, 0);
  assert.match(await text(page, '.stored-told'), /No name/);
  await page.$eval('.stored-videos input', (input) => { input.value = ''; input.dispatchEvent(new Event('input')); });
  await page.click('.stored-grid li .remove');
  await page.waitForSelector('dialog[open]');
  await shot(page, 'delete');
  await page.click('dialog .danger');
  await until(page, (count) => document.querySelectorAll('.stored-grid li').length === count - 1, all);
});

await step('what is not a video is refused in plain words, where it was dropped', async () => {
  const junk = path.join(downloads, 'notes.mp4');
  await fs.writeFile(junk, 'these are words, not a video');
  expected = [/status of 4\d\d/];
  await page.goto(`${server}/`, { waitUntil: 'networkidle2' });
  await choose(page, junk);
  await page.waitForSelector('.zone .notice');
  assert.ok((await text(page, '.zone .notice')).length > 20);
  await shot(page, 'refused');
});

await step('a video that is gone says so', async () => {
  expected = [/status of 404/];
  await page.goto(`${server}/#/video/vffffffffffffffffffffffff`);
  await page.waitForSelector('.watch .notice');
  assert.match(await text(page, '.watch .notice'), /not kept here any more/);
});
await page.browserContext().close();

await step('keyboard alone: choose the demo clip, walk the list and the picture, play, slide, ask', async () => {
  page = await open({ scheme: 'light' });
  const tabTo = async (pattern) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      if (pattern.test(await focused(page))) return;
    }
    assert.fail(`Tab never reaches ${pattern}`);
  };
  await shot(page, 'start-light');
  await tabTo(/Try the demo clip/);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.watch .code-list li', { timeout: 120_000 });
  await tabTo(/Index map over the picture/);
  for (const key of ['ArrowDown', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  await until(page, () => /code \d+, .*row \d+, column \d+/.test(document.querySelector('.screen [aria-live]').textContent));
  await shot(page, 'keyboard-cell');
  const playing = await page.$eval('.controls .round', (button) => button.getAttribute('aria-label'));
  await page.keyboard.press('Space');
  await until(page, (before) => document.querySelector('.controls .round').getAttribute('aria-label') !== before, playing);
  await tabTo(/^input Number of codes/);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await text(page, '.big-number'), '31');
  await page.keyboard.press('ArrowRight');
  await tabTo(/^ul Codes/);
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press('ArrowDown');
  assert.ok(await page.$('.code-list li:nth-child(4).lit'));
  await page.keyboard.press('Enter');
  assert.ok(await page.$('.code-list li:nth-child(4).pinned'));
  await shot(page, 'keyboard-list');
  await tabTo(/^textarea Ask about the video/);
  await page.keyboard.type('How many objects move?');
  await page.keyboard.press('Enter');
  await until(page, () => document.querySelector('.answer .meta span'));
  await page.browserContext().close();
});

await step('a phone shows all of it in one column', async () => {
  page = await open({ width: 390, height: 844, touch: true, scheme: 'light' });
  await wait(3600);
  await shot(page, 'phone-start');
  await shot(page, 'phone-start-whole', { fullPage: true });
  await page.$$eval('.buttons button', (buttons) => buttons.find((button) => /demo/.test(button.textContent)).click());
  await page.waitForSelector('.watch .code-list li', { timeout: 120_000 });
  await wait(1200);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'nothing is wider than the phone');
  await shot(page, 'phone-watch');
  await shot(page, 'phone-watch-whole', { fullPage: true });
  await page.tap('.code-list li:nth-child(16)');
  await wait(300);
  await shot(page, 'phone-lit');
  await page.browserContext().close();
});

await step('with reduced motion nothing plays by itself', async () => {
  page = await open({ motion: 'reduce' });
  await wait(800);
  assert.ok(await page.$eval('.hero video', (video) => video.paused));
  await shot(page, 'start-still');
  await page.browserContext().close();
});

await step('a camera is read live: windows, standing questions, a question of now', async () => {
  page = await open({ hash: '#/live' });
  await shot(page, 'live-form');
  await page.$eval('.live-setup input', (input) => { input.value = 3; });
  await page.click('.live-setup form .primary');
  await page.waitForSelector('.windows li', { timeout: 60_000 });
  await page.waitForSelector('.answers li b', { timeout: 60_000 });
  await until(page, () => /[1-9]\d* pictures? sent/.test(document.querySelector('.time').textContent));
  await ask(page, 'How many objects move?');
  await wait(4000);
  await shot(page, 'live');
  await page.click('.row .danger');
  await page.waitForSelector('.live-setup');
  await page.browserContext().close();
});

await browser.close();
await fs.rm(downloads, { recursive: true, force: true });
for (const problem of problems) console.log(`NOT  ${problem}`);
console.log(`${failed.length} steps failed, ${problems.length} problems; pictures in ${screenshots}`);
process.exit(failed.length + problems.length > 0 ? 1 : 0);
