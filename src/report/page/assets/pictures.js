// The images that a unit's maps were made from.

function pictures(unit, of, content, facts) {
  const list = facts.images;
  const overlay = view.laid ? overlayOf(unit, of.side, content) : null;
  const figures = list.map((entry, rank) =>
    pictureFigure(unit, entry, rank, () => drawn(unit, entry, facts.fit, overlay)),
  );
  const none = index.pictures.note ?? "none were asked for";
  return element(
    "section",
    {},
    element("h3", {}, of.name, element("small", {}, list.length > 0 ? ` ${of.order}` : "")),
    list.length > 0
      ? element("div", { class: "pictures" }, ...figures)
      : element("p", { class: "remark" }, `No images are shown: ${none}.`),
  );
}

function pictureFigure(unit, entry, rank, shapes) {
  const { rf } = unit.layer;
  const { height, width } = index.pictures.size;
  const [top, left] = entry.field;
  const box = view.cropped ? `${left} ${top} ${rf} ${rf}` : `0 0 ${width} ${height}`;
  const where = `receptive field at rows ${top} to ${top + rf - 1}, columns ${left} to ${left + rf - 1}`;
  const label = (name) => `Image ${entry.index}, ${name}${where}`;
  const drawing = shape("svg", { viewBox: box, role: "img", "aria-label": label("") });
  const caption = element(
    "figcaption",
    {},
    element("b", {}, `${rank + 1}`),
    entry.response === null
      ? null
      : element("span", { title: "Response" }, number(entry.response)),
    element("small", { title: "y, x on the layer’s output" }, `at ${entry.position.join(", ")}`),
  );
  picture(entry.picture).then(({ name, source }) => {
    const crisp = view.cropped && rf < 64 ? "crisp" : "";
    drawing.append(
      shape("image", { href: source, width, height, class: crisp, preserveAspectRatio: "none" }),
      ...shapes(),
    );
    drawing.setAttribute("aria-label", label(`${name}, `));
    caption.append(element("small", { class: "file", title: name }, name));
  }, fail);
  return element("figure", {}, drawing, caption);
}

/** What is drawn over an image: the map, the fit, the receptive field. */
function drawn(unit, entry, fit, overlay) {
  const { rf } = unit.layer;
  const [top, left] = entry.field;
  const field = { x: left, y: top, width: rf, height: rf };
  const whole = { width: rf, height: rf };
  return [
    shape(
      "g",
      { transform: `translate(${entry.frame[1]} ${entry.frame[0]})` },
      overlay && shape("image", { href: overlay, ...whole, class: "overlay" }),
      ...outline(unit, fit),
    ),
    shape("rect", { ...field, class: "halo field" }),
    shape("rect", { ...field, class: "field" }),
  ];
}

/** A picture of a map that lets see through where little was found. */
function overlayOf(unit, side, content) {
  if (state(unit, side) !== "mapped") {
    return null;
  }
  const canvas = element("canvas");
  canvas.width = canvas.height = unit.layer.rf;
  paint(canvas, unit, side, content, (level) => Math.min(217, Math.round(1.3 * level)));
  return canvas.toDataURL();
}

/** A picture's name and source; pictures lie in pages of equal size. */
async function picture(place) {
  const { page: size } = index.pictures;
  const content = await page(`pictures-${Math.floor(place / size)}`);
  return content.pictures[place % size];
}
