// What the maps were made from, and whether they were checked.

const runView = document.getElementById("run");

function renderRun() {
  const files = index.layers.flatMap((layer) => Object.entries(layer.files));
  const sections = runFacts(index.run).map(([title, rows]) =>
    element("section", {}, element("h3", {}, title), facts(rows)),
  );
  runView.replaceChildren(
    element("div", { class: "heading" }, element("h2", {}, "Run")),
    element("div", { class: "sections" }, ...sections),
    element("section", {}, element("h3", {}, "Layers"), layerTable()),
    element("section", {}, element("h3", {}, "Map files and their SHA-256"), facts(files)),
  );
  document.documentElement.dataset.drawn = "run";
}

function runFacts(run) {
  const { settings } = run;
  const size = ({ height, width }) => `${height} × ${width}`;
  const part = (length, whole) =>
    length.divisor ? `${whole} / ${length.divisor}, rounded down` : `${length.pixels} px`;
  return [
    [
      "Network",
      [
        ["Model", run.model],
        ["Weights", run.weights],
        ["SHA-256 of the weights", run.weights_sha256],
        ["SHA-256 of the layers", run.network_sha256],
      ],
    ],
    [
      "Images",
      [
        ["Folder", run.image_folder],
        ["Images", count(run.image_count)],
        ["Size", `${size(run.image_size)} px`],
        ["Preprocessing", run.preprocessing],
        ["Of each unit", `top and bottom ${count(settings.top)}${reliable(settings)}`],
      ],
    ],
    [
      "Occluders",
      [
        ["Size", part(settings.grid.size, "RF")],
        ["Distance", part(settings.grid.stride, "size")],
        ["Grid begins", settings.grid.lattice === "box" ? "in the RF’s corner" : "in the image’s corner"],
        ["Presented", settings.every === 1 ? "all" : `every ${settings.every}th`],
        ["Filled with", filling(settings)],
        ["Draws", count(settings.repeats)],
        ["Effect is added", settings.deposit === "centre" ? "at the centre" : "to the whole area"],
        ["Frame", settings.frame === "field" ? "the RF’s own" : "as the reference has it"],
        ["Mean over", settings.mean_over === "images" ? "all images" : "images that cover the pixel"],
        ["Also kept", kept(settings)],
      ],
    ],
    [
      "Computation",
      [
        ["Program", `occlumap ${run.program}`],
        ["Engine", run.engine],
        ["Begun", new Date(1000 * run.started_unix).toISOString().replace(/:\d\d\..*/, " UTC").replace("T", " ")],
        ["Complete", run.complete ? "yes" : "no: only the layers below are there"],
        ["Ranking", run.ranking_seconds === null ? "was there already" : duration(run.ranking_seconds)],
        ["SHA-256 of the configuration", run.configuration_sha256],
        ["Report", `occlumap ${index.program}`],
      ],
    ],
  ];
}

/** Where units stop. */
function reliable({ until_reliable }) {
  return until_reliable ? `, until a reliability of ${until_reliable}` : "";
}

/** The pixels of occluders. */
function filling({ fill, fill_values, noise }) {
  const values = (fill_values ?? []).map((value) => value.toPrecision(3)).join(", ");
  const fills = {
    gaussian: `Gaussian noise, ${noise}`,
    mean: `the mean of all images (${values})`,
    zero: "zeros",
    grey: `grey (${values})`,
    blur: "the image, blurred",
    images: `another image, ${noise}`,
  };
  return fills[fill] ?? `noise, ${noise}`;
}

/** What there is beside the means. */
function kept({ statistics, moments, reliability_curve: curve }) {
  const files = [
    statistics && "standard errors, counts",
    moments && "signed and squared means",
    curve && "reliabilities by the number of images",
  ];
  return ["frames, reliabilities", ...files.filter(Boolean)].join(", ");
}

function facts(rows) {
  return element(
    "table",
    { class: "facts" },
    element(
      "tbody",
      {},
      ...rows.map(([name, value]) =>
        element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)),
      ),
    ),
  );
}

const LAYER_COLUMNS = [
  ["Layer", ({ layer }) => layer],
  ["Name", ({ name }) => name],
  ["Units", ({ units }) => count(units)],
  ["Swept", ({ swept, units }) => count(swept?.length ?? units)],
  ["Silent", (layer) => count(layer.max.peak.filter((peak) => peak === 0).length)],
  ["Verified", ({ verified }) => verification(verified)],
  ["Receptive field", ({ rf }) => `${rf} px`],
  ["Occluders", (layer) => `${layer.occluder_size} px, every ${layer.occluder_stride}`],
  ["Presentations", ({ presentations }) => count(presentations)],
  ["Devices", ({ devices }) => devices.join(", ")],
  ["Maps without an occluder", (layer) => count(layer.maps_without_occluders)],
  ["Time", ({ seconds }) => duration(seconds)],
];

function layerTable() {
  const row = (layer) =>
    element("tr", {}, ...LAYER_COLUMNS.map(([, cell]) => element("td", {}, cell(layer))));
  return wideTable("layers", LAYER_COLUMNS.map(([name]) => name), index.layers.map(row));
}

/** A table that may be wider than the window. */
function wideTable(kind, heads, rows) {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  return element(
    "div",
    { class: "wide", tabindex: "0" },
    element(
      "table",
      { class: kind },
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows),
    ),
  );
}

function verification(verified) {
  if (!verified) {
    return "not asked for";
  }
  const { presentations, largest_error: error, tolerance, passed } = verified;
  const title = `Part of the map’s largest difference; up to ${number(tolerance, 1)} is rounding`;
  return element(
    "span",
    { class: passed ? "passed" : "not-passed", title },
    `${passed ? "✓" : "✗"} ${plural(presentations, "presentation")}, within ${number(error, 2)}`,
  );
}

function duration(seconds) {
  if (seconds < 60) {
    return `${number(seconds)} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
