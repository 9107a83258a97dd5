// Charts of a number at places along an axis: quartiles over the units of a layer, and a unit's own line.

const CHART = { width: 320, height: 190, left: 34, right: 6, top: 8, bottom: 34 };

/** A chart. `labels` name the places, and `axis` all of them. A series has a `name`, a `kind` (its
 * colour), and of each place a number, `[lower quartile, median, upper quartile]`, or null. */
function chart({ title, axis, labels, series }) {
  const { width, height, left, right, top, bottom } = CHART;
  const values = series.flatMap(({ values }) => values.flat()).filter(Number.isFinite);
  const low = Math.floor(5 * Math.min(0, ...values)) / 5;
  const step = (width - left - right) / labels.length;
  const x = (place, aside = 0) => left + (place + 0.5) * step + aside;
  const y = (value) => top + ((1 - value) / (1 - low)) * (height - top - bottom);
  const drawing = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${title}: ${series.map((one) => inWords(one, labels)).join("; ")}`,
  });
  const apart = low < -0.5 ? 0.5 : 0.25;
  for (let tick = Math.ceil(low / apart) * apart; tick <= 1; tick += apart) {
    drawing.append(
      shape("path", { class: "rule", d: `M${left} ${y(tick)}H${width - right}` }),
      shape("text", { class: "end", x: left - 5, y: y(tick) + 3 }, fixed(tick, 2)),
    );
  }
  const every = Math.ceil(labels.length / 9);
  labels.forEach((label, place) => {
    if (place % every === 0) {
      drawing.append(shape("text", { x: x(place), y: height - bottom + 14 }, label));
    }
  });
  const middle = left + (width - left - right) / 2;
  drawing.append(shape("text", { x: middle, y: height - 4 }, axis));
  series.forEach((one, number) => {
    drawing.append(...marks(one, (place) => x(place, 4 * (number - (series.length - 1) / 2)), y));
  });
  return element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, title),
    drawing,
    element(
      "p",
      { class: "legend" },
      ...series.map(({ name, kind }) => element("span", { class: kind }, element("i"), ` ${name}`)),
    ),
  );
}

/** A series: bars from quartile to quartile, dots, and a line from dot to dot. */
function marks({ kind, values }, x, y) {
  const known = values.map((value, place) => [place, value]).filter(([, value]) => value !== null);
  const middle = (value) => (Array.isArray(value) ? value[1] : value);
  const bars = known
    .filter(([, value]) => Array.isArray(value))
    .map(([place, [low, , high]]) => `M${x(place)} ${y(low)}V${y(high)}`);
  const line = known.map(
    ([place, value], at) =>
      `${at > 0 && known[at - 1][0] === place - 1 ? "L" : "M"}${x(place)} ${y(middle(value))}`,
  );
  return [
    shape("path", { class: `bars ${kind}`, d: bars.join("") || null }),
    shape("path", { class: `line ${kind}`, d: line.join("") || null }),
    ...known.map(([place, value]) =>
      shape("circle", { class: `dot ${kind}`, cx: x(place), cy: y(middle(value)), r: 2.2 }),
    ),
  ];
}

function inWords({ name, values }, labels) {
  const words = values.map((value, place) => {
    const middle = Array.isArray(value) ? value[1] : value;
    return middle === null ? null : `${labels[place]} ${number(middle)}`;
  });
  return `${name}, ${words.filter(Boolean).join(", ")}`;
}
