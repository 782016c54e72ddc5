// Making elements, and writing figures as the Markdown page writes them.
(function (page) {
  "use strict";
  const GIB = 2 ** 30;
  const MISSING = "–";

  // el("button", {class: "x", type: "button", onclick: f}, "text", node, null)
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  // What strangers named: set apart, so that its direction is its own.
  const name = (text) => el("bdi", {}, text);

  function significant(value, digits) {
    return value === 0 ? 0 : Number(value.toPrecision(digits));
  }

  function seconds(value) {
    if (value === null || value === undefined) return MISSING;
    if (value > 0 && value < 0.001) return `${Number((value * 1000).toPrecision(2))} ms`;
    const rounded = significant(value, 3);
    if (rounded < 100) return `${rounded.toPrecision(3)} s`;
    const whole = Math.round(value);
    if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`;
    const minutes = Math.round(value / 60);
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
  }

  function gib(bytes) {
    if (bytes === null || bytes === undefined) return MISSING;
    const value = bytes / GIB;
    return `${value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3)} GiB`;
  }

  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  function fill(node, ...children) {
    node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  }

  function options(select, pairs, chosen) {
    fill(select, pairs.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text)));
  }

  page.dom = { el, name, seconds, gib, plural, fill, options, GIB, MISSING, byId: (id) => document.getElementById(id) };
})((window.ltxbench ??= {}));
