// One unit: its maps, its images, its numbers, and how to compute it again.

const unitView = document.getElementById("unit");

const SIDES = [
  { side: "max", name: "Top images", images: "top" },
  { side: "min", name: "Bottom images", images: "bottom" },
];

let current = null;

async function renderUnit(unit) {
  current = unit;
  unitView.replaceChildren(unitHeading(unit));
  if (unit.row < 0) {
    unitView.append(element("p", { class: "notice" }, "This unit was not swept."));
    unitView.append(command(unit));
    return;
  }
  try {
    const content = await page(unit.layer.layer);
    if (current !== unit) {
      return;
    }
    const facts = content.units[unit.row];
    unitView.append(
      element(
        "div",
        { class: "columns" },
        element(
          "div",
          {},
          element(
            "div",
            { class: "maps" },
            ...SIDES.map((of) => mapFigure(unit, of, content, facts)),
          ),
          numbers(unit, facts),
          command(unit),
        ),
        element("div", {}, ...SIDES.map((of) => pictures(unit, of, facts))),
      ),
    );
    document.documentElement.dataset.drawn = "unit";
  } catch (error) {
    fail(error);
  }
}

function unitHeading(unit) {
  const list = shown.includes(unit) ? shown : units;
  const at = list.indexOf(unit);
  const link = (to, text, title) =>
    element(
      "a",
      to
        ? { href: `#/${to.layer.layer}/${to.unit}`, title: `${title}: ${to.name}`, class: "button" }
        : { class: "button", "aria-disabled": "true" },
      text,
    );
  return element(
    "div",
    { class: "heading" },
    element("a", { href: "#/atlas", class: "button", title: "Back to the atlas (Esc)" }, "Atlas"),
    link(list[at - 1], "←", "Before"),
    link(list[at + 1], "→", "After"),
    element("h2", {}, `${unit.layer.layer}, unit ${unit.unit}`),
    element("p", {}, layerFacts(unit.layer, unit.layer.swept?.length ?? unit.layer.units).join(" · ")),
    element("span", { class: "gap" }),
    toggle("overlay", "Fit", "Half-maximum contour and centre of the fitted Gaussian (O)"),
    toggle("cropped", "Crop", "Whole images, or cropped to the receptive field (C)"),
  );
}

function toggle(key, text, title) {
  return element(
    "button",
    { type: "button", "aria-pressed": String(view[key]), title, onclick: () => flip(key) },
    text,
  );
}

// Maps.

function mapFigure(unit, { side, name }, content, facts) {
  const { rf } = unit.layer;
  const silent = state(unit, side) !== "mapped";
  const canvas = element("canvas", { role: "img", "aria-label": described(unit, side) });
  canvas.width = canvas.height = rf;
  const readout = element("output", { class: "readout", "aria-hidden": "true" });
  const drawing = shape("svg", { viewBox: `0 0 ${rf} ${rf}`, "aria-hidden": "true" });
  if (!silent) {
    paint(canvas, unit, side, content);
    drawing.append(...outline(unit, facts[side].fit));
  }
  const plate = element("div", { class: `plate ${silent ? "silent" : ""}` }, canvas, drawing);
  plate.addEventListener("pointermove", (event) => {
    const box = plate.getBoundingClientRect();
    const pixel = (offset, length) =>
      Math.max(0, Math.min(rf - 1, Math.floor((offset / length) * rf)));
    const y = pixel(event.clientY - box.top, box.height);
    const x = pixel(event.clientX - box.left, box.width);
    readout.value = `y ${y}, x ${x}: ${number(valueAt(unit, side, content, y, x))}`;
  });
  plate.addEventListener("pointerleave", () => (readout.value = ""));
  const largest = scaleOf(unit, side);
  return element(
    "figure",
    { class: "map" },
    element("figcaption", {}, name, readout),
    element(
      "div",
      { class: "axes" },
      ticks("rows", rf),
      plate,
      element(
        "div",
        { class: "bar", "aria-hidden": "true" },
        element("i", { style: `background: ${gradient(view.palette, "to top")}` }),
        element("span", {}, number(largest)),
        element("span", {}, number(largest / 2)),
        element("span", {}, "0"),
      ),
      ticks("columns", rf),
    ),
    silent ? element("p", { class: "remark" }, "Silent: no occluder changes the response.") : null,
    facts[side].reason
      ? element("p", { class: "remark" }, `No Gaussian: ${facts[side].reason}.`)
      : null,
  );
}

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

// Images.

function pictures(unit, { side, name, images }, facts) {
  const list = facts[side].images;
  const figures = element("div", { class: "pictures" });
  list.forEach((entry, rank) => figures.append(pictureFigure(unit, side, entry, rank, facts)));
  const note = index.pictures.note;
  return element(
    "section",
    {},
    element("h3", {}, name),
    list.length === 0 && note ? element("p", { class: "remark" }, note) : null,
    list.length === 0 && !note
      ? element("p", { class: "remark" }, `No ${images} images are kept in this report.`)
      : null,
    figures,
  );
}

function pictureFigure(unit, side, entry, rank, facts) {
  const { rf } = unit.layer;
  const { height, width } = index.pictures.size;
  const [top, left] = entry.field;
  const box = view.cropped ? `${left} ${top} ${rf} ${rf}` : `0 0 ${width} ${height}`;
  const where = `receptive field at rows ${top} to ${top + rf - 1}, columns ${left} to ${left + rf - 1}`;
  const drawing = shape("svg", { viewBox: box, role: "img" });
  const title = element("figcaption", {}, `${rank + 1}. `, element("b", {}, `#${entry.index}`));
  const figure = element("figure", {}, drawing, title);
  if (entry.response !== null) {
    title.append(` ${number(entry.response)}`);
  }
  title.append(element("small", {}, `at ${entry.position.join(", ")}`));
  picture(entry.picture).then(
    ({ name, source }) => {
      const crisp = view.cropped && rf < 64 ? "crisp" : "";
      drawing.append(
        shape("image", { href: source, width, height, class: crisp, preserveAspectRatio: "none" }),
        shape("rect", { x: left, y: top, width: rf, height: rf, class: "halo field" }),
        shape("rect", { x: left, y: top, width: rf, height: rf, class: "field" }),
        shape(
          "g",
          { transform: `translate(${entry.frame[1]} ${entry.frame[0]})` },
          ...outline(unit, facts[side].fit),
        ),
      );
      drawing.setAttribute("aria-label", `Image ${entry.index}, ${name}, ${where}`);
      title.append(element("small", { class: "file", title: name }, name));
    },
    (error) => fail(error),
  );
  return figure;
}

/** A picture's name and source; pictures lie in pages of equal size. */
async function picture(place) {
  const { page: size } = index.pictures;
  const content = await page(`pictures-${Math.floor(place / size)}`);
  return content.pictures[place % size];
}

// How to compute it again.

function command(unit) {
  const [before, after] = unit.layer.command;
  const line = `${before}${unit.unit}${after}${unit.unit}`;
  const text = element("code", {}, line);
  const copy = element("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      copy.textContent = "Copied";
    } catch {
      // Browsers may keep the clipboard from local files; select it instead.
      getSelection().selectAllChildren(text);
    }
  });
  return element(
    "section",
    { class: "command" },
    element("h3", {}, "Compute it again"),
    element("div", { class: "row" }, element("pre", { tabindex: "0" }, text), copy),
    index.command_note ? element("p", { class: "remark" }, index.command_note) : null,
  );
}
