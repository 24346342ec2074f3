// Draws an index map on a canvas: cells in their colours, borders between codes, one code lit with its path.

import { css } from './colours.js';

const scratch = document.createElement('canvas');

/** The whole map of a frame over what lies below. `box` is `{x, y, width, height}` in canvas pixels. */
export function paintMap(context, view, frame, box, opacity) {
  cellPicture(view, frame, null);
  context.save();
  context.imageSmoothingEnabled = false;
  context.globalAlpha = opacity;
  context.drawImage(scratch, box.x, box.y, box.width, box.height);
  context.restore();
  borders(context, view, frame, box, null, `rgb(10 11 14 / ${0.55 * Math.min(1, opacity * 1.2)})`, Math.max(1, box.width / 900));
}

/** Darkens the frame and lights one code: its cells, and its path over all frames. */
export function paintLit(context, view, frame, box, code, opacity) {
  context.fillStyle = 'rgb(9 10 13 / 0.66)';
  context.fillRect(box.x, box.y, box.width, box.height);
  cellPicture(view, frame, code);
  context.save();
  context.imageSmoothingEnabled = false;
  context.globalAlpha = Math.max(0.55, opacity);
  context.drawImage(scratch, box.x, box.y, box.width, box.height);
  context.restore();
  borders(context, view, frame, box, code, '#ffffff', Math.max(1.5, box.width / 420));
}

/** The centres of a code's cells from frame to frame, with an arrow at the end and a ring at `frame`. */
export function paintPath(context, view, frame, box, code) {
  const points = view.map.path(code).map((point) => point && [box.x + point[0] * box.width, box.y + point[1] * box.height]);
  const scale = Math.max(1, box.width / 520);
  const runs = [];
  points.forEach((point, index) => {
    if (!point) return;
    if (index > 0 && points[index - 1]) runs.at(-1).push(point); else runs.push([point]);
  });
  context.save();
  context.lineJoin = 'round';
  context.lineCap = 'round';
  for (const [width, colour] of [[6 * scale, 'rgb(9 10 13 / 0.85)'], [2.6 * scale, '#ffffff']]) {
    Object.assign(context, { lineWidth: width, strokeStyle: colour, fillStyle: colour });
    runs.forEach((run) => polyline(context, run));
    // Where the code was not seen for a while, the way between is a guess.
    context.lineCap = 'butt';
    context.setLineDash([5 * scale, 5 * scale]);
    runs.slice(1).forEach((run, index) => polyline(context, [runs[index].at(-1), run[0]]));
    context.setLineDash([]);
    context.lineCap = 'round';
    const ends = runs.flat();
    if (ends.length > 1) arrow(context, ends, width, scale);
  }
  const radius = 2.1 * scale;
  for (const point of runs.flat()) disc(context, point, radius, css(view.colours[code]), '#ffffff', 0.8 * scale);
  if (points[frame]) disc(context, points[frame], 6.5 * scale, css(view.colours[code]), '#ffffff', 2.2 * scale);
  context.restore();
}

/** The outline of one cell. */
export function paintCursor(context, view, box, row, column) {
  const [width, height] = [box.width / view.map.columns, box.height / view.map.rows];
  for (const [line, colour] of [[4, '#101116'], [2, '#ffffff']]) {
    Object.assign(context, { lineWidth: line * Math.max(1, box.width / 700), strokeStyle: colour });
    context.strokeRect(box.x + column * width, box.y + row * height, width, height);
  }
}

// One pixel a cell, in `scratch`; with `only` the other codes are left clear.
function cellPicture(view, frame, only) {
  const { rows, columns, cells, labels } = view.map;
  if (scratch.width !== columns || scratch.height !== rows) Object.assign(scratch, { width: columns, height: rows });
  const picture = new ImageData(columns, rows);
  for (let cell = 0; cell < cells; cell += 1) {
    const code = labels[frame * cells + cell];
    if (only !== null && code !== only) continue;
    picture.data.set(view.colours[code], 4 * cell);
    picture.data[4 * cell + 3] = 255;
  }
  scratch.getContext('2d').putImageData(picture, 0, 0);
}

// Lines between cells of different codes; with `only`, around that code alone.
function borders(context, view, frame, box, only, colour, width) {
  const { rows, columns } = view.map;
  const differs = (a, b) => (only === null ? a !== b : (a === only) !== (b === only));
  const at = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? -1 : view.map.codeAt(frame, row, column));
  context.beginPath();
  for (let row = 0; row <= rows; row += 1) {
    for (let column = 0; column <= columns; column += 1) {
      const here = at(row, column);
      const [x, y] = [box.x + column * box.width / columns, box.y + row * box.height / rows];
      if (column < columns && differs(at(row - 1, column), here)) { context.moveTo(x, y); context.lineTo(x + box.width / columns, y); }
      if (row < rows && differs(at(row, column - 1), here)) { context.moveTo(x, y); context.lineTo(x, y + box.height / rows); }
    }
  }
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.stroke();
}

function polyline(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
}

// A head at the end, in the direction that the path came from; none where it stays in its place.
function arrow(context, points, width, scale) {
  const [endX, endY] = points.at(-1);
  const from = points.findLast(([x, y]) => Math.hypot(x - endX, y - endY) > 14 * scale);
  if (!from) return;
  const angle = Math.atan2(endY - from[1], endX - from[0]);
  const size = 9 * scale + width;
  context.beginPath();
  context.moveTo(endX + Math.cos(angle) * size, endY + Math.sin(angle) * size);
  for (const side of [2.5, -2.5]) context.lineTo(endX + Math.cos(angle + side) * size * 0.9, endY + Math.sin(angle + side) * size * 0.9);
  context.closePath();
  context.fill();
}

function disc(context, [x, y], radius, fill, stroke, line) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(context, { fillStyle: fill, strokeStyle: stroke, lineWidth: line });
  context.fill();
  context.stroke();
}

/** As many pixels as the canvas has on the screen; the box that it fills. */
export function fit(canvas) {
  const scale = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { x: 0, y: 0, width, height };
}
