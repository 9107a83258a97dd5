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

/** A number to so many figures; a dash where there is none. */
function number(value, figures = 3) {
  if (!Number.isFinite(value)) {
    return "–";
  }
  const size = Math.abs(value);
  if (isAwkward(size)) {
    const [mantissa, power] = value.toExponential(figures - 1).split("e");
    return `${mantissa.replace("-", "−")} × ${powerOfTen(Number(power))}`;
  }
  return fixed(value, size === 0 ? 0 : figures - 1 - Math.floor(Math.log10(size)));
}

/** A value and its standard error, both to the error's second figure. */
function estimate([value, error]) {
  if (!(error > 0)) {
    return number(value, 4);
  }
  const size = Math.max(Math.abs(value), error);
  const power = isAwkward(size) ? Math.floor(Math.log10(size)) : 0;
  const scale = 10 ** power;
  const decimals = 1 - Math.floor(Math.log10(error / scale));
  const text = `${fixed(value / scale, decimals)} ± ${fixed(error / scale, decimals)}`;
  return power === 0 ? text : `(${text}) × ${powerOfTen(power)}`;
}

/** Whether so large or small a number is better told with a power of ten. */
function isAwkward(size) {
  return size !== 0 && (size < 1e-3 || size >= 1e6);
}

function powerOfTen(power) {
  const digits = [...String(Math.abs(power))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `10${power < 0 ? "⁻" : ""}${digits.join("")}`;
}

/** By the number of decimals. Made once: that takes longer than all else about a tile. */
const formats = Array.from({ length: 10 }, (_, places) => {
  const how = { minimumFractionDigits: places, maximumFractionDigits: places };
  return new Intl.NumberFormat("en", { ...how, signDisplay: "negative" });
});

/** A number with so many decimals, its thousands set apart; a zero has no sign. */
function fixed(value, decimals) {
  const places = Math.min(formats.length - 1, Math.max(0, decimals));
  return formats[places].format(value).replace("-", "−");
}

/** A whole number. */
function count(value) {
  return fixed(value, 0);
}

function plural(amount, one, many = `${one}s`) {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}
