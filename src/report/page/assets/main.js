// Which view is shown, by the address, and what keys do.

const title = index.run.model;
const most = `${index.run.settings.until_reliable ? "up to " : ""}the top and bottom ${index.run.settings.top}`;
const summary = [
  `${plural(swept.length, "unit")}${swept.length < units.length ? ` of ${count(units.length)}` : ""} ` +
    `in ${plural(index.layers.length, "layer")}, ` +
    `over ${most} of ${plural(index.run.image_count, "image")}`,
  index.run.complete ? null : "not all layers that were asked for are there yet",
  index.layers.every(({ verified }) => verified?.passed) ? "verified ✓" : null,
].filter(Boolean);

const views = { atlas, unit: unitView, findings: findingsView, run: runView };

/** Whether the atlas is not what was chosen. */
let stale = true;

/** Shows what was chosen anew. */
function refresh() {
  shown = chosen();
  stale = true;
  show();
}

/** Shows what the address asks for: `#/conv3/7`, `#/findings`, `#/run`, or the atlas. */
function show() {
  const unit = unitOf(location.hash);
  const named = location.hash.slice(2);
  const name = unit ? "unit" : named === "run" || (named === "findings" && hasFindings) ? named : "atlas";
  for (const [key, main] of Object.entries(views)) {
    main.hidden = key !== name;
    const link = document.getElementById(`to-${key}`);
    link?.setAttribute("aria-current", key === name ? "page" : "false");
  }
  document.body.dataset.view = name;
  if (unit) {
    renderUnit(unit);
  } else if (name === "findings") {
    renderFindings();
  } else if (name === "run") {
    renderRun();
  } else if (stale) {
    renderAtlas();
    stale = false;
  }
  document.title = unit ? `${unit.name} · ${title}` : title;
}

function unitOf(address) {
  const [, layer, unit] = address.match(/^#\/([^/]+)\/(\d+)$/) ?? [];
  return units.find((one) => one.layer.layer === layer && one.unit === Number(unit));
}

let scrolled = 0;
let last = null;

window.addEventListener("hashchange", () => {
  const before = document.body.dataset.view;
  if (before === "atlas") {
    scrolled = window.scrollY;
  }
  last = current;
  show();
  const now = document.body.dataset.view;
  const back = now === "atlas" && before !== "atlas";
  window.scrollTo(0, back ? scrolled : 0);
  const made = back && tiles.get(last);
  if (made) {
    made.focus();
  } else {
    views[now].focus({ preventScroll: true });
  }
});

const keys = {
  t: () => flip("side"),
  s: () => flip("shared"),
  o: () => flip("overlay"),
  m: () => flip("laid"),
  c: () => flip("cropped"),
  "/": () => controls.elements.text.focus(),
  "?": () => document.getElementById("help").showModal(),
  Escape: () => (location.hash = "#/atlas"),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (typing) {
    if (event.key === "Escape" && event.target === controls.elements.text) {
      event.target.blur();
    }
    return;
  }
  if (document.body.dataset.view === "unit" && /^Arrow(Left|Right)$/.test(event.key)) {
    const [before, after] = unitView.querySelectorAll(".heading a.button:not(:first-child)");
    (event.key === "ArrowLeft" ? before : after).click();
    event.preventDefault();
  } else if (document.body.dataset.view === "atlas" && /^(Arrow|Home|End)/.test(event.key)) {
    moveInAtlas(event);
  } else if (keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]) {
    event.preventDefault();
    keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]();
  }
});

// Light, dark, or as the system has it.

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const text = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[theme];
  document.getElementById("theme").textContent = text;
}

document.getElementById("theme").addEventListener("click", () => {
  const at = THEMES.indexOf(document.documentElement.dataset.theme);
  const theme = THEMES[(at + 1) % THEMES.length];
  setTheme(theme);
  remember("occlumap theme", theme);
});

/** Browsers may keep local files from remembering; then it is as at first. */
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing depends on it.
  }
}

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

document.getElementById("keys").addEventListener("click", keys["?"]);
document.getElementById("print").addEventListener("click", async () => {
  try {
    await drawAll();
    window.print();
  } catch (error) {
    fail(error);
  }
});
window.addEventListener("beforeprint", drawLoaded);

/** Says what went wrong, once. */
function fail(error) {
  const known = document.getElementById("failure");
  if (known?.dataset.message === error.message) {
    return;
  }
  const notice = element(
    "p",
    { id: "failure", class: "notice", role: "alert", "data-message": error.message },
    error.message,
  );
  known?.remove();
  document.querySelector("header").after(notice);
}

const theme = remembered("occlumap theme");
setTheme(THEMES.includes(theme) ? theme : "auto");
document.getElementById("title").textContent = title;
document.getElementById("summary").textContent = summary.join(" · ");
document.getElementById("to-findings").hidden = !hasFindings;
setUpControls();
refresh();
