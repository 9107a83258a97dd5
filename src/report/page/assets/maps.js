// A unit's maps, large.

function mapFigure(unit, { side, name }, content, facts) {
  const { rf } = unit.layer;
  const known = state(unit, side);
  const mapped = known === "mapped";
  const canvas = element("canvas", { role: "img", "aria-label": described(unit, side) });
  canvas.width = canvas.height = rf;
  const drawing = shape("svg", { viewBox: `0 0 ${rf} ${rf}`, "aria-hidden": "true" });
  if (mapped) {
    paint(canvas, unit, side, content);
    drawing.append(...outline(unit, facts.fit));
  }
  const plate = element("div", { class: `plate ${known}` }, canvas, drawing);
  const readout = element("output", { class: "readout", "aria-hidden": "true" });
  if (mapped) {
    readValues(plate, readout, rf, (y, x) => valueAt(unit, side, content, y, x));
  }
  return framed(
    { name, readout, plate, rf, largest: mapped ? scaleOf(unit, side) : null },
    remark(unit, side, content),
    facts.reason ? element("p", { class: "remark" }, `No Gaussian: ${facts.reason}.`) : null,
  );
}

/** A map with its axes and, where there is a largest value, its colours. */
function framed({ name, readout, plate, rf, largest, title }, ...remarks) {
  return element(
    "figure",
    { class: "map" },
    element("figcaption", {}, name, readout),
    element(
      "div",
      { class: "axes" },
      ticks("rows", rf),
      plate,
      largest === null ? null : colourBar(largest, title),
      ticks("columns", rf),
    ),
    ...remarks,
  );
}

/** Top and bottom map together, each divided by its sum; null where either has no values. */
function compositeFigure(unit, content) {
  if (SIDES.some(({ side }) => state(unit, side) !== "mapped")) {
    return null;
  }
  const { layer } = unit;
  const sides = SIDES.map(({ side }) => cellsOfUnit(unit, content[side]));
  const measured = (_, cell) => sides.every((bytes) => bytes[cell] > 0);
  const sums = sides.map((bytes) => bytes.filter(measured).reduce((sum, byte) => sum + byte - 1, 0));
  const values = Array.from(sides[0], (byte, cell) =>
    measured(byte, cell)
      ? sides.reduce((sum, bytes, side) => sum + (bytes[cell] - 1) / Math.max(1, sums[side]), 0)
      : null,
  );
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  if (largest === 0) {
    return null;
  }
  const bytes = values.map((value) => (value === null ? 0 : 1 + Math.round((254 * value) / largest)));
  const canvas = element("canvas", { role: "img", "aria-label": `${unit.name}, top and bottom together` });
  canvas.width = canvas.height = layer.rf;
  paintCells(canvas, layer, bytes, 1);
  const plate = element("div", { class: "plate mapped" }, canvas);
  const readout = element("output", { class: "readout", "aria-hidden": "true" });
  readValues(plate, readout, layer.rf, (y, x) => values[cellAt(layer, y, x)]);
  const title = "Top and bottom map, each divided by its sum";
  const figure = { name: "Both together", readout, plate, rf: layer.rf, largest, title };
  return framed(figure, element("p", { class: "remark" }, `${title}.`));
}

/** What a map does not show by itself. */
function remark(unit, side, content) {
  const cells = cellsOfUnit(unit, content[side]);
  const text = {
    silent: () => "Silent: no occluder changes the response.",
    uncovered: () => "Not covered: no image has an occluder in the receptive field.",
    mapped: () =>
      cells.includes(0) ? "Striped: not covered, since no image has an occluder there." : null,
  }[state(unit, side)]();
  return text && element("p", { class: "remark" }, text);
}

/** Tells the value under the pointer. */
function readValues(plate, readout, rf, valueOf) {
  const pixel = (offset, length) =>
    Math.max(0, Math.min(rf - 1, Math.floor((offset / length) * rf)));
  plate.addEventListener("pointermove", (event) => {
    const box = plate.getBoundingClientRect();
    const y = pixel(event.clientY - box.top, box.height);
    const x = pixel(event.clientX - box.left, box.width);
    const value = valueOf(y, x);
    readout.value = `y ${y}, x ${x}: ${value === null ? "not covered" : number(value)}`;
  });
  plate.addEventListener("pointerleave", () => (readout.value = ""));
}

function colourBar(largest, title = "Mean change of the response") {
  const labels = [largest, largest / 2].map((value) => element("span", {}, number(value)));
  return element(
    "div",
    { class: "bar", "aria-hidden": "true", title },
    element("i", { style: `background: ${gradient(view.palette, "to top")}` }),
    ...labels,
    element("span", {}, "0"),
  );
}

/** The coordinates of the first, the middle and the last pixel. */
function ticks(axis, rf) {
  const labels = [0, Math.floor((rf - 1) / 2), rf - 1];
  return element(
    "div",
    { class: `ticks ${axis}`, "aria-hidden": "true" },
    ...labels.map((label) => element("span", {}, String(label))),
  );
}

/** Where a fitted Gaussian falls to half its maximum, in the map's pixels. */
function outline(unit, fit) {
  if (!fit || !view.overlay) {
    return [];
  }
  // exp(-r² / 2) is a half at this r, in standard deviations.
  const half = Math.sqrt(2 * Math.LN2);
  // The middle of pixel 0 lies half a pixel from the edge.
  const [y, x] = [fit.y, fit.x].map(([place]) => place + unit.layer.cells.shift + 0.5);
  const [long, short] = [fit.long, fit.short].map(([width]) => width * half);
  const place = `translate(${x} ${y}) rotate(${-(fit.angle?.[0] ?? 0)})`;
  const around = { rx: long, ry: short, transform: place };
  const arm = Math.min(long, short) / 4;
  return [
    shape("ellipse", { ...around, class: "halo" }),
    shape("ellipse", { ...around, class: "contour" }),
    shape("path", { d: `M${-arm} 0H${arm}M0 ${-arm}V${arm}`, transform: place, class: "contour" }),
  ];
}
