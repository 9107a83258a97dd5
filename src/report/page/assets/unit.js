// One unit: its maps, its images, its numbers, and how to compute it again.

const unitView = document.getElementById("unit");

const SIDES = [
  { side: "max", name: "Top images", order: "largest responses first" },
  { side: "min", name: "Bottom images", order: "smallest responses first" },
];

let current = null;

async function renderUnit(unit) {
  const { layer } = unit;
  current = unit;
  try {
    // Only where it must is anything taken away before all of the new is there.
    if (unit.row >= 0 && !loaded.has(layer.layer)) {
      unitView.replaceChildren(unitHeading(unit));
      await page(layer.layer);
    }
    if (current === unit) {
      unitView.replaceChildren(unitHeading(unit), ...unitParts(unit, loaded.get(layer.layer)));
      document.documentElement.dataset.drawn = "unit";
    }
  } catch (error) {
    fail(error);
  }
}

function unitParts(unit, content) {
  if (unit.row < 0) {
    return [element("p", { class: "notice" }, "This unit was not swept."), command(unit)];
  }
  const facts = content.units[unit.row];
  const figures = SIDES.map((of) => mapFigure(unit, of, content, facts[of.side]));
  const examples = SIDES.map((of) => pictures(unit, of, content, facts[of.side]));
  return [
    element(
      "div",
      { class: "columns" },
      element(
        "div",
        {},
        element("div", { class: "maps" }, ...figures, compositeFigure(unit, content)),
        unitCharts(unit, facts),
        numbers(unit, facts),
        command(unit),
      ),
      element("div", {}, ...examples),
    ),
  ];
}

/** Reliability by the number of images and the comparison, of either side. */
function unitCharts({ layer }, facts) {
  const charts = [
    ...SIDES.map(({ side, name }) => reliabilityChart(layer, side, name, facts[side].curve)),
    ...SIDES.map(({ side, name }) => comparisonChart(layer, side, name, facts[side].compared?.r)),
  ].filter(Boolean);
  return charts.length > 0
    ? element("section", {}, element("h3", {}, "Findings"), element("div", { class: "charts" }, ...charts))
    : null;
}

function unitHeading(unit) {
  const list = shown.includes(unit) ? shown : units;
  const at = list.indexOf(unit);
  const link = (to, text, name) =>
    element(
      "a",
      to
        ? { href: address(to), title: `${name}: ${to.name}`, "aria-label": name, class: "button" }
        : { class: "button", "aria-disabled": "true", "aria-label": name },
      text,
    );
  return element(
    "div",
    { class: "heading" },
    element("a", { href: "#/atlas", class: "button", title: "Back to the atlas (Esc)" }, "Atlas"),
    link(list[at - 1], "←", "Unit before"),
    link(list[at + 1], "→", "Next unit"),
    element("h2", {}, `${unit.layer.layer}, unit ${unit.unit}`),
    element("p", {}, geometry(unit.layer).join(" · ")),
    element("span", { class: "gap" }),
    toggle("shared", "Layer’s scale", "Maps from 0 to the layer’s largest value, or to their own (S)"),
    toggle("overlay", "Contour", "Half-maximum contour and centre of the fitted Gaussian (O)"),
    toggle("laid", "Map over images", "The map, laid over the images (M)"),
    toggle("cropped", "Crop", "Images whole, or cropped to the receptive field (C)"),
  );
}

function toggle(key, text, title) {
  return element(
    "button",
    { type: "button", "aria-pressed": String(view[key]), title, onclick: () => flip(key) },
    text,
  );
}

function command(unit) {
  const [before, after] = unit.layer.command;
  const line = `${before}${unit.unit}${after}${unit.unit}`;
  // Word by word: else lines would be broken within `--option`.
  const words = line.split(" ").flatMap((word) => [element("span", {}, word), " "]);
  const text = element("code", {}, ...words.slice(0, -1));
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
