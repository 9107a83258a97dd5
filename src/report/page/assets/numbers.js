// A unit's numbers in a table.

function numbers(unit, facts) {
  const rows = [];
  let group = null;
  const row = (name, unitOf, value) => {
    const cells = SIDES.map(({ side }) => value(facts[side], side));
    if (cells.some((cell) => cell !== null)) {
      rows.push([name, unitOf, cells.map((cell) => cell ?? "–"), group]);
      group = null;
    }
  };
  const pixels = (values) => values && values.map((value) => fixed(value, 2)).join(", ");
  /** What the atlas sorts by. */
  const known = (key) => (_, side) => {
    const value = measure(unit, side, key);
    return state(unit, side) !== "mapped" || value === null ? null : number(value);
  };
  /** A fitted number and its standard error. */
  const fitted = (key) => ({ fit }) => fit?.[key] ? estimate(fit[key]) : null;

  row("Peak", "", known("peak"));
  row("Peak at y, x", "px", ({ at }) => pixels(at));
  row("Centre of mass y, x", "px", ({ mass }) => pixels(mass));
  row("Radii of 10, 50, 90 % of the values", "px", ({ radii }) => pixels(radii));
  row("Area at half maximum", "px²", known("area"));
  row("Part of the receptive field that images cover", "", ({ covered }) =>
    typeof covered === "number" ? number(covered) : null,
  );
  row("Split-half reliability", "", known("reliability"));
  row("Images presented", "", ({ count }) => count ?? null);
  group = "Gaussian fit (± standard error)";
  row("Amplitude", "", fitted("amplitude"));
  row("Centre y", "px", fitted("y"));
  row("Centre x", "px", fitted("x"));
  row("Width, long", "px", fitted("long"));
  row("Width, short", "px", fitted("short"));
  row("Orientation", "°", fitted("angle"));
  row("Offset", "", fitted("offset"));
  row("Explained variance", "", known("explained"));
  group = comparison && `Against ${comparison.b}`;
  const compared = (of) => (facts) => facts.compared ? of(facts.compared) : null;
  const told = (value) => (value === null || value === undefined ? null : number(value));
  row("Not compared", "", compared(({ reason }) => reason ?? null));
  row(comparison && mainBlur(), "", compared(({ r }) => told(r[comparison.main_blur])));
  row("r that maps of one field would have", "", compared(({ ceiling }) => told(ceiling)));
  row("Overlap of the regions", "", compared(({ overlap }) => told(overlap)));
  row("Shift of the centre y, x", "px", compared(({ shift }) => pixels(shift)));
  row("Area of B over A", "", compared((found) => told(found.area_ratio)));
  row("Turn", "°", compared(({ turn }) => told(turn)));

  const body = element("tbody");
  rows.forEach(([name, unitOf, cells, title]) => {
    if (title) {
      body.append(groupRow(title));
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
      "y runs downward and x to the right, from 0 at the middle of the receptive field’s first pixel. Orientation is that of the long axis, counter-clockwise from the x axis. Values are mean changes of the response by an occluder, over the images that cover its place.",
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
