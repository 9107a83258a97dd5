// What maps tell together: reliability by the number of images, and the comparison with another set.

const findingsView = document.getElementById("findings");
const { comparison } = index;

/** Whether there is anything to be told. */
const hasFindings = comparison !== null || index.layers.some(({ curve }) => curve);

function renderFindings() {
  findingsView.replaceChildren(
    element("div", { class: "heading" }, element("h2", {}, "Findings")),
    ...(comparison ? comparisonParts() : []),
    ...index.layers.map(layerFindings).filter(Boolean),
  );
  document.documentElement.dataset.drawn = "findings";
}

function layerFindings(layer) {
  const charts = [
    ...SIDES.map(({ side, name }) => reliabilityChart(layer, side, name)),
    ...SIDES.map(({ side, name }) => comparisonChart(layer, side, name)),
  ].filter(Boolean);
  if (charts.length === 0) {
    return null;
  }
  const needed = layer.curve
    ? SIDES.map(({ side, name }) => `${name.toLowerCase()}: ${number(layer.curve[side].needed)}`)
    : [];
  return element(
    "section",
    {},
    element("h3", {}, layer.layer),
    element("div", { class: "charts" }, ...charts),
    layer.curve
      ? element(
          "p",
          { class: "remark" },
          `Images that would reach a reliability of 0.95, if more were like those that there are, median over units: ${needed.join(", ")}.`,
        )
      : null,
  );
}

/** The reliability of a layer's maps by the number of images, and of a unit's. */
function reliabilityChart({ curve }, side, name, own = null) {
  return curve
    ? chart({
        title: `Split-half reliability, ${name.toLowerCase()}`,
        axis: "images",
        labels: curve.images.map(count),
        series: [
          { name: "units of the layer: median, quartiles", kind: "found", values: curve[side].quartiles },
          ...(own?.length ? [{ name: "this unit", kind: "own", values: own }] : []),
        ],
      })
    : null;
}

/** Correlations with the other set after each blur, of a layer and of a unit. */
function comparisonChart({ layer }, side, name, own = null) {
  const found = comparedOf(layer, side);
  if (!found) {
    return null;
  }
  const series = [
    { name: "same unit in A and B: median, quartiles", kind: "found", values: found.r.map((r) => r.found) },
    ...(found.r.some((r) => r.baseline)
      ? [{ name: "other units", kind: "chance", values: found.r.map((r) => r.baseline) }]
      : []),
    ...(own?.length ? [{ name: "this unit", kind: "own", values: own }] : []),
  ];
  const title = `Correlation with B, ${name.toLowerCase()}`;
  return chart({ title, axis: "blur / RF", labels: comparison.blurs, series });
}

function comparedOf(layer, side) {
  return comparison?.layers.find((one) => one.layer === layer && one.sides === side);
}

function comparisonParts() {
  const baseline =
    comparison.shuffles > 0
      ? `Grey, and below each median: maps of A paired with B’s maps of other units of the layer, in ${plural(comparison.shuffles, "shuffle")}; p is the probability that other units are as alike.`
      : "There is no baseline.";
  const sets = facts([
    ["A", comparison.a],
    ["B", comparison.b],
  ]);
  const left = comparison.left_out.map(({ layer, reason }) => [layer, reason]);
  return [
    element(
      "section",
      {},
      element("h3", {}, "Maps of A against maps of B, unit by unit"),
      sets,
      comparisonTable(),
      element("p", { class: "remark" }, `Medians over units. A region is ${comparison.region}. ${baseline}`),
    ),
    left.length > 0
      ? element("section", {}, element("h3", {}, "Not compared"), facts(left))
      : null,
  ].filter(Boolean);
}

/** The measures beside the correlations: key, name, unit. */
const SHAPES = [
  ["overlap", "Overlap of the regions", ""],
  ["distance", "Centres apart", "px"],
  ["area_ratio", "Area of B over A", ""],
  ["turn", "Turn", "°"],
];

/** The blur that units are sorted by, in words. */
function mainBlur() {
  return `r, blur ${comparison.blurs[comparison.main_blur]}`;
}

function comparisonTable() {
  const heads = ["Layer", "", "Units", mainBlur(), ...SHAPES.map(([, name, of]) => `${name} ${of}`)];
  const row = (one) => {
    const measures = [one.r[comparison.main_blur], ...SHAPES.map(([key]) => one[key])];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, one.layer),
      element("td", {}, SIDES.find(({ side }) => side === one.sides)?.name ?? one.sides),
      element("td", {}, count(one.compared)),
      ...measures.map(comparedCell),
    );
  };
  return wideTable("layers compared", heads, comparison.layers.map(row));
}

function comparedCell({ found, baseline, p }) {
  if (!found) {
    return element("td", {}, "–");
  }
  const chance = baseline && [number(baseline[1]), p === null ? null : `p ${number(p)}`];
  return element(
    "td",
    {},
    number(found[1]),
    chance ? element("small", {}, chance.filter(Boolean).join(", ")) : null,
  );
}
