// Elements and texts. Texts are always set as texts: names come from outside.

/** An element with attributes and children; a string is a text. */
function element(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** The same, of a drawing. */
function shape(name, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function build(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) {
      made.addEventListener(key.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A number to about three figures; a dash where there is none. */
function number(value, figures = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return "–";
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(figures - 1).replace("e", " × 10^").replace("^+", "^");
  }
  const decimals = size >= 1 ? Math.max(0, figures - 1 - Math.floor(Math.log10(size))) : figures;
  return count(Number(value.toFixed(decimals)), decimals);
}

/** A whole number with its thousands set apart. */
function count(value, decimals = 0) {
  return value.toLocaleString("en", { maximumFractionDigits: decimals });
}

function plural(amount, one, many = `${one}s`) {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}
