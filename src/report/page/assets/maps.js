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
    readValues(plate, readout, unit, side, content);
  }
  return element(
    "figure",
    { class: "map" },
    element("figcaption", {}, name, readout),
    element(
      "div",
      { class: "axes" },
      ticks("rows", rf),
      plate,
      mapped ? colourBar(scaleOf(unit, side)) : null,
      ticks("columns", rf),
    ),
    remark(unit, side, content),
    facts.reason ? element("p", { class: "remark" }, `No Gaussian: ${facts.reason}.`) : null,
  );
}

/** What a map does not show by itself. */
function remark(unit, side, content) {
  const { layer, row } = unit;
  const area = layer.cells.count ** 2;
  const cells = content[side].subarray(row * area, (row + 1) * area);
  const text = {
    silent: () => "Silent: no occluder changes the response.",
    uncovered: () => "Not covered: no image has an occluder in the receptive field.",
    mapped: () =>
      cells.includes(0) ? "Striped: not covered, since no image has an occluder there." : null,
  }[state(unit, side)]();
  return text && element("p", { class: "remark" }, text);
}

/** Tells the value under the pointer. */
function readValues(plate, readout, unit, side, content) {
  const { rf } = unit.layer;
  const pixel = (offset, length) =>
    Math.max(0, Math.min(rf - 1, Math.floor((offset / length) * rf)));
  plate.addEventListener("pointermove", (event) => {
    const box = plate.getBoundingClientRect();
    const y = pixel(event.clientY - box.top, box.height);
    const x = pixel(event.clientX - box.left, box.width);
    const value = valueAt(unit, side, content, y, x);
    readout.value = `y ${y}, x ${x}: ${value === null ? "not covered" : number(value)}`;
  });
  plate.addEventListener("pointerleave", () => (readout.value = ""));
}

function colourBar(largest) {
  const labels = [largest, largest / 2].map((value) => element("span", {}, number(value)));
  return element(
    "div",
    { class: "bar", "aria-hidden": "true", title: "Mean change of the response" },
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
