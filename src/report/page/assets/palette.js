// From a map's values to colours.

/** 256 colours, three bytes each, by name. */
const palettes = new Map(index.palettes.map(([name, colours]) => [name, bytes(colours)]));

/** The palette from its lowest to its highest colour, for a colour bar. */
function gradient(name, direction) {
  const colours = palettes.get(name);
  const stops = Array.from({ length: 17 }, (_, i) => {
    const at = 3 * Math.min(255, i * 16);
    return `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})`;
  });
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}

/** For each pixel of an axis, in so many steps of the same size, the cell that it lies in. */
function cellsOf(layer, steps) {
  const { count, first, step } = layer.cells;
  return Int32Array.from({ length: steps }, (_, i) => {
    const pixel = Math.floor(((i + 0.5) * layer.rf) / steps);
    return Math.min(count - 1, Math.max(0, Math.floor((pixel - first) / step)));
  });
}

/** The largest value of a layer's maps, of both sides. */
function largestOf(layer) {
  layer.largest ??= [...layer.max.peak, ...layer.min.peak].reduce((a, b) => Math.max(a, b), 0);
  return layer.largest;
}

/** What the brightest colour stands for. */
function scaleOf(unit, side) {
  return view.shared ? largestOf(unit.layer) : measure(unit, side, "peak");
}

/** The part of the peak that a cell's byte stands for; 0 is a cell that no occluder covers. */
function partOf(byte) {
  return byte === 0 ? null : (byte - 1) / 254;
}

/** Draws a unit's map over the whole canvas; `opacity` gives that of a level, both up to 255. Cells
 * that no occluder covers stay transparent: what lies below is striped. */
function paint(canvas, unit, side, content, opacity) {
  const factor = measure(unit, side, "peak") / scaleOf(unit, side);
  paintCells(canvas, unit.layer, cellsOfUnit(unit, content[side]), factor, opacity);
}

/** The bytes of a unit's cells. */
function cellsOfUnit({ layer, row }, values) {
  const area = layer.cells.count ** 2;
  return values.subarray(row * area, (row + 1) * area);
}

/** Draws cells, bytes whose largest stands for so large a part of the palette. */
function paintCells(canvas, layer, values, factor, opacity = () => 255) {
  const { count } = layer.cells;
  const colours = palettes.get(view.palette);
  const cells = cellsOf(layer, canvas.width);
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  let at = 0;
  for (let y = 0; y < canvas.height; y++) {
    const line = cells[y] * count;
    for (let x = 0; x < canvas.width; x++, at += 4) {
      const part = partOf(values[line + cells[x]]);
      if (part === null) {
        continue;
      }
      const level = Math.round(255 * part * factor);
      const colour = 3 * level;
      picture.data[at] = colours[colour];
      picture.data[at + 1] = colours[colour + 1];
      picture.data[at + 2] = colours[colour + 2];
      picture.data[at + 3] = opacity(level);
    }
  }
  context.putImageData(picture, 0, 0);
}

/** The value of a map's pixel; null where no occluder covers it. */
function valueAt(unit, side, content, y, x) {
  const part = partOf(cellsOfUnit(unit, content[side])[cellAt(unit.layer, y, x)]);
  return part === null ? null : part * measure(unit, side, "peak");
}

/** The cell of a map's pixel. */
function cellAt(layer, y, x) {
  const cells = cellsOf(layer, layer.rf);
  return cells[y] * layer.cells.count + cells[x];
}
