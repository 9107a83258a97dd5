// All maps, small. A map is drawn when it comes near the window, and let go when it is far away.

const atlas = document.getElementById("atlas");

/** The units that are shown, in order, and the tile of each. */
let shown = [];
const tiles = new Map();

/** How far beyond the window maps are drawn, as a part of its height. */
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        draw(target);
      } else {
        target.querySelector("canvas")?.remove();
      }
    }
  },
  { rootMargin: "50% 0px" },
);

function renderAtlas() {
  const focused = document.activeElement?.closest?.(".tile")?.unit;
  near.disconnect();
  tiles.clear();
  atlas.style.setProperty("--tile", `${view.size}px`);
  atlas.style.setProperty("--lines", view.sort === "unit" ? 1 : 2);
  atlas.replaceChildren(...groups(shown).map(([layer, list]) => section(layer, list)));
  if (shown.length === 0) {
    atlas.append(nothing());
  }
  shown.forEach((unit) => near.observe(tiles.get(unit)));
  const stop = tiles.get(focused) ?? tiles.get(shown[0]);
  stop?.setAttribute("tabindex", "0");
  if (focused) {
    stop?.focus();
  }
  const all = view.states.missing ? units : swept;
  document.getElementById("count").value =
    `${count(shown.length)} of ${plural(all.length, "unit")}`;
}

function groups(list) {
  if (!view.grouped) {
    return list.length > 0 ? [[null, list]] : [];
  }
  return index.layers
    .map((layer) => [layer, list.filter((unit) => unit.layer === layer)])
    .filter(([, list]) => list.length > 0);
}

function section(layer, list) {
  const grid = element("div", { class: "tiles" }, ...list.map((unit) => tile(unit, !layer)));
  if (!layer) {
    return element("section", { "aria-label": "All layers" }, grid);
  }
  const heading = element(
    "div",
    { class: "heading" },
    element("h2", { id: `layer-${layer.layer}` }, layer.layer),
    element("p", {}, layerFacts(layer, list.length).join(" · ")),
  );
  return element("section", { "aria-labelledby": `layer-${layer.layer}` }, heading, grid);
}

/** What is known of a layer, beside its name, where so many of its units are shown. */
function layerFacts(layer, amount) {
  const rows = layer.swept?.length ?? layer.units;
  return [
    ...(layer.name === layer.layer ? [] : [layer.name]),
    plural(layer.units, "unit"),
    ...(rows === layer.units ? [] : [`${count(rows)} swept`]),
    ...(amount === rows ? [] : [`${count(amount)} shown`]),
    ...geometry(layer),
  ];
}

function geometry(layer) {
  const occluders = `occluders ${layer.occluder_size} px, every ${layer.occluder_stride} px`;
  return [`receptive field ${layer.rf} px`, occluders];
}

function nothing() {
  const reset = element("button", { type: "button", onclick: resetFilters }, "Show all");
  return element("div", { class: "nothing" }, element("p", {}, "No unit fits the filter."), reset);
}

function tile(unit, named) {
  const label = described(unit);
  const made = element(
    "a",
    {
      class: `tile ${state(unit, view.side)}`,
      href: address(unit),
      tabindex: "-1",
      "aria-label": label,
      title: label,
    },
    element("span", { class: "map" }),
    element("span", { class: "name" }, named ? unit.name : String(unit.unit)),
  );
  if (view.sort !== "unit") {
    const value = measure(unit, view.side, view.sort);
    made.append(element("span", { class: "value" }, number(value)));
  }
  made.unit = unit;
  tiles.set(unit, made);
  return made;
}

const STATES = {
  mapped: "",
  silent: "silent: no occluder changes its response",
  uncovered: "not covered: no image has an occluder in its receptive field",
  missing: "not swept",
};

/** A map in words. */
function described(unit, side = view.side) {
  const known = state(unit, side);
  if (known !== "mapped") {
    return `${unit.name}, ${STATES[known]}`;
  }
  const values = MEASURES.map(({ key, name, unit: of }) => {
    const value = measure(unit, side, key);
    return value === null ? null : `${name.toLowerCase()} ${number(value)} ${of}`.trim();
  });
  const images = side === "max" ? "top" : "bottom";
  return [`${unit.name}, map over its ${images} images`, ...values.filter(Boolean)].join(", ");
}

async function draw(made) {
  const { unit } = made;
  made.near = true;
  if (state(unit, view.side) !== "mapped") {
    return;
  }
  try {
    const content = loaded.get(unit.layer.layer) ?? (await page(unit.layer.layer));
    if (made.isConnected) {
      drawNow(made, content);
    }
    document.documentElement.dataset.drawn = "atlas";
  } catch (error) {
    made.classList.add("failed");
    fail(error);
  }
}

function drawNow(made, content) {
  const map = made.querySelector(".map");
  const side = Math.min(512, Math.round(view.size * window.devicePixelRatio));
  const canvas = map.querySelector("canvas") ?? element("canvas", { "aria-hidden": "true" });
  canvas.width = canvas.height = side;
  paint(canvas, made.unit, view.side, content);
  map.replaceChildren(canvas);
}

/** All pages that are shown, drawn: for paper. */
async function drawAll() {
  await Promise.all([...new Set(shown.map((unit) => unit.layer.layer))].map(page));
  drawLoaded();
}

function drawLoaded() {
  for (const [unit, made] of tiles) {
    const content = loaded.get(unit.layer.layer);
    if (content && state(unit, view.side) === "mapped") {
      drawNow(made, content);
    }
  }
}

/** From tile to tile by arrow keys. */
function moveInAtlas(event) {
  const from = document.activeElement?.closest?.(".tile");
  const list = [...tiles.values()];
  const at = list.indexOf(from);
  if (at < 0) {
    return;
  }
  const to = {
    ArrowLeft: () => list[at - 1],
    ArrowRight: () => list[at + 1],
    ArrowUp: () => nextRow(list.slice(0, at).reverse(), from),
    ArrowDown: () => nextRow(list.slice(at + 1), from),
    Home: () => list[0],
    End: () => list.at(-1),
  }[event.key]?.();
  if (to) {
    event.preventDefault();
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  }
}

/** The tile of the next row that is nearest to `from` across. */
function nextRow(list, from) {
  const next = list.find((tile) => tile.offsetTop !== from.offsetTop);
  const row = list.filter((tile) => next && tile.offsetTop === next.offsetTop);
  const away = (tile) => Math.abs(tile.offsetLeft - from.offsetLeft);
  return row.reduce((best, tile) => (best && away(best) <= away(tile) ? best : tile), undefined);
}
