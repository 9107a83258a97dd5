// What the report holds: the index, which is there from the beginning, and pages, which are read
// when they are needed. A page lies in this file, or in a script of its own beside it, since a
// browser reads no other file of a folder by itself.

const index = JSON.parse(document.getElementById("index").textContent);

const loaded = new Map();
const loading = new Map();
const waiting = new Map();

/** What scripts beside this file call. */
window.occlumap = {
  receive(name, content) {
    waiting.get(name)?.(content);
    waiting.delete(name);
  },
};

/** The promise of a page. */
function page(name) {
  if (!loading.has(name)) {
    const promise = read(name).then((content) => {
      loaded.set(name, content);
      return content;
    });
    // After a failure the next who asks tries again.
    promise.catch(() => loading.delete(name));
    loading.set(name, promise);
  }
  return loading.get(name);
}

function read(name) {
  const inside = document.getElementById(`page-${name}`);
  if (inside) {
    return new Promise((resolve) => resolve(prepared(JSON.parse(inside.textContent))));
  }
  const path = index.pages[name].split("/").map(encodeURIComponent).join("/");
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    waiting.set(name, (content) => resolve(prepared(content)));
    script.onerror = () =>
      reject(new Error(`${index.pages[name]} cannot be read; it belongs beside this file`));
    document.head.append(script);
  });
}

/** Maps come as base64. */
function prepared(content) {
  for (const side of ["max", "min"]) {
    if (content[side] !== undefined) {
      content[side] = bytes(content[side]);
    }
  }
  return content;
}

function bytes(base64) {
  const text = atob(base64);
  const values = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    values[i] = text.charCodeAt(i);
  }
  return values;
}

/** Every unit of every layer, in order; `row` is its place in the layer's columns and maps, and
 * -1 where it was not swept. */
const units = index.layers.flatMap((layer) => {
  const rows = new Int32Array(layer.units).fill(-1);
  if (layer.swept) {
    layer.swept.forEach((unit, row) => (rows[unit] = row));
  } else {
    rows.forEach((_, unit) => (rows[unit] = unit));
  }
  return Array.from(rows, (row, unit) => ({ layer, unit, row, name: `${layer.layer} ${unit}` }));
});

/** The address of a unit's page. */
function address({ layer, unit }) {
  return `#/${layer.layer}/${unit}`;
}

/** A number of a unit's map, or null. */
function measure(unit, side, key) {
  return unit.layer[side][key]?.[unit.row] ?? null;
}

/** Units that were swept. */
const swept = units.filter((unit) => unit.row >= 0);

/** `mapped`, `silent`, `uncovered` or `missing`. */
function state(unit, side) {
  if (unit.row < 0) {
    return "missing";
  }
  const peak = measure(unit, side, "peak");
  return peak === null ? "uncovered" : peak === 0 ? "silent" : "mapped";
}
