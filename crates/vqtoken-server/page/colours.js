// One colour per code, the same as in the pictures of `vqtoken show`: each is the candidate that is farthest in OKLab from all before
// it, so the first colours are the most different ones. And a word for each, for those who hear the page.

const BACKGROUND = [15, 17, 22];
const FIRST = [51, 102, 170];

/** L in 0..1, a and b (Ottosson 2020). */
export function oklab(colour) {
  const [red, green, blue] = colour.map((byte) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const long = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const medium = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const short = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [
    0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
    1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
    0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
  ];
}

const distance = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;

// A lattice through sRGB less what is dark, pale or grey.
function candidates() {
  const found = [];
  for (let red = 0; red <= 255; red += 17) {
    for (let green = 0; green <= 255; green += 17) {
      for (let blue = 0; blue <= 255; blue += 17) {
        const lab = oklab([red, green, blue]);
        const chroma = Math.hypot(lab[1], lab[2]);
        if (lab[0] >= 0.48 && lab[0] < 0.9 && chroma >= 0.06 && chroma < 0.2) found.push({ colour: [red, green, blue], lab });
      }
    }
  }
  return found;
}

let made = [];

/** The colours of codes 0 to `codes - 1`, each `[red, green, blue]`. Beyond some thousand they come again. */
export function palette(codes) {
  if (made.length < codes) made = farthestFirst(Math.max(codes, 64));
  return made.slice(0, codes);
}

function farthestFirst(codes) {
  const all = candidates();
  const nearest = all.map(({ lab }) => Math.min(distance(lab, oklab(BACKGROUND)), distance(lab, oklab([150, 150, 150]))));
  const colours = [];
  let next = all.findIndex(({ colour }) => colour.every((byte, channel) => byte === FIRST[channel]));
  for (let count = 0; count < Math.min(codes, all.length); count += 1) {
    const { colour, lab } = all[next];
    colours.push(colour);
    let farthest = -1;
    all.forEach((other, place) => {
      nearest[place] = Math.min(nearest[place], distance(lab, other.lab));
      if (nearest[place] > farthest) [farthest, next] = [nearest[place], place];
    });
  }
  return Array.from({ length: codes }, (_, code) => colours[code % colours.length]);
}

export const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

/** Black or white, whichever is read better on the colour. */
export const ink = (colour) => (oklab(colour)[0] > 0.65 ? '#101116' : '#ffffff');

const HUES = [
  [15, 'pink'], [45, 'red'], [75, 'orange'], [112, 'yellow'], [135, 'lime'], [160, 'green'], [188, 'mint'], [220, 'cyan'],
  [252, 'sky'], [283, 'blue'], [312, 'violet'], [340, 'purple'], [361, 'pink'],
];

/** A plain word for a colour, such as "dark green". */
export function colourName(colour) {
  const [light, a, b] = oklab(colour);
  const hue = (Math.atan2(b, a) * 180 / Math.PI + 360) % 360;
  let word = HUES.find(([end]) => hue < end)[1];
  if (light < 0.62 && (word === 'orange' || word === 'yellow')) word = word === 'orange' ? 'brown' : 'olive';
  if (light > 0.82 && word !== 'yellow' && word !== 'lime') return `pale ${word}`;
  return light < 0.58 && word !== 'brown' && word !== 'olive' ? `dark ${word}` : word;
}
