// A unit's numbers in a table.

function numbers(unit, facts) {
  const rows = [];
  const row = (name, unitOf, value) => {
    const cells = SIDES.map(({ side }) => value(facts[side], side));
    if (cells.some((cell) => cell !== null)) {
      rows.push([name, unitOf, cells.map((cell) => cell ?? "–")]);
    }
  };
  const pair = (values) => values && values.map((value) => number(value, 4)).join(", ");
  /** What the atlas sorts by. */
  const known = (key, figures) => (_, side) => {
    const value = measure(unit, side, key);
    return state(unit, side) !== "mapped" || value === null ? null : number(value, figures);
  };
  /** A fitted number and its standard error. */
  const fitted = (key) => ({ fit }) =>
    fit?.[key] ? `${number(fit[key][0], 4)} ± ${number(fit[key][1], 2)}` : null;

  row("Peak", "", known("peak", 4));
  row("at y, x", "px", ({ at }) => pair(at));
  row("Centre of mass y, x", "px", ({ mass }) => pair(mass));
  row("Radius of 10 % of the mass", "px", ({ radii }) => radii && number(radii[0]));
  row("50 %", "px", ({ radii }) => radii && number(radii[1]));
  row("90 %", "px", ({ radii }) => radii && number(radii[2]));
  row("Half-maximum area", "px²", known("area"));
  row("Split-half reliability", "", (_, side) =>
    side === "max" && unit.layer.reliability ? number(measure(unit, side, "reliability")) : null,
  );
  const fit = rows.length;
  row("Amplitude", "", fitted("amplitude"));
  row("Centre y", "px", fitted("y"));
  row("Centre x", "px", fitted("x"));
  row("Width, long", "px", fitted("long"));
  row("Width, short", "px", fitted("short"));
  row("Orientation", "°", fitted("angle"));
  row("Offset", "", fitted("offset"));
  row("Explained variance", "", known("explained", 4));

  const body = element("tbody");
  rows.forEach(([name, unitOf, cells], place) => {
    if (place === fit) {
      body.append(groupRow("Gaussian fit (± standard error)"));
    }
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name, unitOf && element("small", {}, ` ${unitOf}`)),
        ...cells.map((cell) => element("td", {}, cell)),
      ),
    );
  });
  const heads = SIDES.map(({ name }) => element("th", { scope: "col" }, name));
  return element(
    "section",
    {},
    element("h3", {}, "Numbers"),
    element(
      "table",
      { class: "numbers" },
      element("thead", {}, element("tr", {}, element("td"), ...heads)),
      body,
    ),
    element(
      "p",
      { class: "remark" },
      "y runs downward and x to the right, from 0 at the middle of the receptive field’s first pixel. Orientation is that of the long axis, counter-clockwise from the x axis. Values are mean changes of the response.",
    ),
  );
}

function groupRow(text) {
  return element(
    "tr",
    { class: "group" },
    element("th", { scope: "rowgroup", colspan: "3" }, text),
  );
}
