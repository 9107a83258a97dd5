// What is shown, and in which order.

/** What can be sorted and filtered by, beside the unit's number. */
const MEASURES = [
  { key: "peak", name: "Peak", unit: "" },
  { key: "area", name: "Area at half maximum", unit: "px²" },
  { key: "radius", name: "Radius of half the mass", unit: "px" },
  { key: "explained", name: "Explained variance", unit: "" },
  { key: "reliability", name: "Split-half reliability", unit: "" },
  ...(index.comparison ? [{ key: "r", name: "Correlation with the other maps", unit: "" }] : []),
];

/** Of which states units are shown at first. */
const STATES_SHOWN = { mapped: true, silent: true, uncovered: true, missing: false };

const view = {
  side: "max",
  shared: false,
  palette: index.palettes[0][0],
  size: swept.length <= 100 ? 112 : 72,
  layers: new Set(),
  sort: "unit",
  descending: false,
  grouped: true,
  text: "",
  states: { ...STATES_SHOWN },
  ranges: Object.fromEntries(MEASURES.map(({ key }) => [key, [null, null]])),
  overlay: true,
  laid: false,
  cropped: false,
};

/** The units to show, in order. */
function chosen() {
  const wanted = wantedUnits(view.text);
  const list = units.filter((unit) => {
    if (view.layers.size > 0 && !view.layers.has(unit.layer.layer)) {
      return false;
    }
    if (wanted && !wanted(unit)) {
      return false;
    }
    if (!view.states[state(unit, view.side)]) {
      return false;
    }
    return MEASURES.every(({ key }) => within(unit, key));
  });
  if (view.sort !== "unit") {
    list.sort(byMeasure);
  } else if (view.descending) {
    list.reverse();
  }
  return list;
}

function within(unit, key) {
  const [least, most] = view.ranges[key];
  if (least === null && most === null) {
    return true;
  }
  const value = measure(unit, view.side, key);
  return value !== null && (least === null || value >= least) && (most === null || value <= most);
}

/** Units without the number come last, whatever the direction. */
function byMeasure(one, other) {
  const [a, b] = [one, other].map((unit) => measure(unit, view.side, view.sort));
  if (a === null || b === null) {
    return (a === null) - (b === null);
  }
  return view.descending ? b - a : a - b;
}

/** What `0-15, 40` or `conv3 7` asks for; null for everything, undefined for what is neither. */
function wantedUnits(text) {
  if (text.trim() === "") {
    return null;
  }
  const [, name, list] = text.trim().match(/^(?:([a-z_]\S*?)[\s/:]+)?([\d\s,–-]*)$/i) ?? [];
  if (list === undefined) {
    const layer = index.layers.find((layer) => [layer.layer, layer.name].includes(text.trim()));
    return layer && ((unit) => unit.layer === layer);
  }
  const ranges = list
    .split(/[\s,]+/)
    .filter((part) => part !== "")
    .map((part) => part.split(/[-–]/).map(Number));
  return ({ layer, unit }) =>
    (!name || name === layer.layer || name === layer.name) &&
    (ranges.length === 0 ||
      ranges.some(([first, last = first]) => first <= unit && unit <= last));
}
