// The bar on top: what is shown, and how.

const controls = document.getElementById("controls");
const direction = document.getElementById("direction");
const filterRow = document.getElementById("filter");

function setUpControls() {
  const { sort, palette } = controls.elements;
  sort.append(...[{ key: "unit", name: "Unit" }, ...MEASURES].map(option));
  palette.append(...[...palettes.keys()].map((name) => option({ key: name, name })));
  document.getElementById("layers").append(
    chip(ALL, "All layers"),
    ...index.layers.map((layer) => chip(layer.layer, layer.layer)),
  );
  filterRow.append(stateFilter(), ...MEASURES.map(rangeFilter));
  filterRow.append(element("button", { type: "button", onclick: resetFilters }, "Reset"));
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", () => {
    readControls();
    writeControls();
    refresh();
  });
  direction.addEventListener("click", () => flip("descending"));
  document.getElementById("filters").addEventListener("click", () => {
    filterRow.hidden = !filterRow.hidden;
    writeControls();
  });
  document.getElementById("uncovered").hidden = !index.layers.some(({ cells }) => cells.uncovered);
  writeControls();
}

function option({ key, name }) {
  return element("option", { value: key }, name);
}

/** In the place of a layer's name. Not empty: browsers find no radio button by an empty value. */
const ALL = "*";

/** One layer, or all of them. */
function chip(value, text) {
  const input = element("input", { type: "radio", name: "layer", value });
  return element("label", {}, input, element("span", {}, text));
}

function stateFilter() {
  const missing = units.length - swept.length;
  const uncovered = swept.some((unit) => SIDES.some(({ side }) => state(unit, side) === "uncovered"));
  const boxes = [
    ["mapped", "responding"],
    ["silent", "silent"],
    ...(uncovered ? [["uncovered", "not covered"]] : []),
    ...(missing > 0 ? [["missing", `not swept (${count(missing)})`]] : []),
  ].map(([key, text]) =>
    element(
      "label",
      { class: "check" },
      element("input", { type: "checkbox", name: `state-${key}` }),
      ` ${text}`,
    ),
  );
  return element("fieldset", {}, element("legend", {}, "Units"), ...boxes);
}

function rangeFilter({ key, name, unit }) {
  const field = (end, text) =>
    element("input", {
      type: "number",
      step: "any",
      name: `${key}-${end}`,
      placeholder: text,
      "aria-label": `${name}, ${end === 0 ? "at least" : "at most"}`,
    });
  const legend = element("legend", {}, name, unit && element("small", {}, ` ${unit}`));
  return element("fieldset", {}, legend, field(0, "least"), " – ", field(1, "most"));
}

function readControls() {
  const fields = controls.elements;
  view.side = fields.side.value;
  view.shared = fields.scale.value === "shared";
  view.palette = fields.palette.value;
  view.size = Number(fields.size.value);
  if (view.sort !== fields.sort.value) {
    view.sort = fields.sort.value;
    // Of a measure the largest are looked for first.
    view.descending = view.sort !== "unit";
  }
  view.grouped = fields.grouped.checked;
  view.text = fields.text.value;
  view.layers = new Set(fields.layer.value === ALL ? [] : [fields.layer.value]);
  for (const key of Object.keys(view.states)) {
    view.states[key] = fields[`state-${key}`]?.checked ?? false;
  }
  for (const { key } of MEASURES) {
    view.ranges[key] = [0, 1].map((end) => {
      const { value } = fields[`${key}-${end}`];
      return value === "" ? null : Number(value);
    });
  }
  const understood = wantedUnits(view.text) !== undefined;
  fields.text.setAttribute("aria-invalid", String(!understood));
}

function writeControls() {
  const fields = controls.elements;
  fields.side.value = view.side;
  fields.scale.value = view.shared ? "shared" : "own";
  fields.palette.value = view.palette;
  fields.size.value = view.size;
  fields.sort.value = view.sort;
  fields.grouped.checked = view.grouped;
  fields.text.value = view.text;
  fields.layer.value = view.layers.values().next().value ?? ALL;
  for (const [key, wanted] of Object.entries(view.states)) {
    if (fields[`state-${key}`]) {
      fields[`state-${key}`].checked = wanted;
    }
  }
  for (const { key } of MEASURES) {
    view.ranges[key].forEach((value, end) => (fields[`${key}-${end}`].value = value ?? ""));
  }
  document.querySelector("#legend i").style.background = gradient(view.palette, "to right");
  document.querySelector("#legend span").textContent = view.shared ? "layer’s largest" : "peak";
  direction.textContent = view.descending ? "↓" : "↑";
  direction.title = view.descending ? "Largest first" : "Smallest first";
  direction.setAttribute("aria-label", direction.title);
  document.getElementById("filters").setAttribute("aria-expanded", String(!filterRow.hidden));
}

/** Everything but how maps are drawn. */
function resetFilters() {
  view.text = "";
  view.layers = new Set();
  view.states = { ...STATES_SHOWN };
  MEASURES.forEach(({ key }) => (view.ranges[key] = [null, null]));
  writeControls();
  refresh();
}

/** Changes what is on or off, or the side. */
function flip(key) {
  view[key] = key === "side" ? { max: "min", min: "max" }[view.side] : !view[key];
  writeControls();
  refresh();
}
