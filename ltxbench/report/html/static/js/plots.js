// The plots: rows made from the cases, drawn by Vega when they come near the screen, pointing both ways.
(function (page) {
  "use strict";
  const { el, name, fill, options, seconds, gib, byId, GIB } = page.dom;
  const { state, theme } = page;
  const MOST = 40; // cases in a plot that has a line or a row for each
  const NEAR = "400px";
  const FEW = 60;
  const drawn = new Map(); // by the plot's name: Vega's view
  const wanted = new Set();
  let limits = { bytes: Infinity, s: Infinity };
  let chosen = 0;

  const charts = () => state.data.charts;
  const palette = () => (theme.dark() ? state.data.colours.dark : state.data.colours.light);
  const few = () => state.cases.length <= palette().length;
  const colour = (one) => (few() ? palette()[(one.n - 1) % palette().length] : palette()[0]);
  const short = (text) => (text.length > 30 ? `${text.slice(0, 29)}…` : text);
  const label = (one) => `#${one.n} ${short(one.title)}`;
  const plotted = () => state.shown().slice(0, MOST).sort((a, b) => a.n - b.n);

  const identity = (one) => ({ n: one.n, label: label(one), colour: colour(one) });

  const CHARACTER_PX = 6.8;
  const LINE_PX = 13;

  // Names whose letters would overlap are joined to one.
  function names(points) {
    const { x, y } = charts().tradeoff.layer.find((layer) => layer.encoding.y?.title && layer.encoding.x?.title).encoding;
    const across = x.scale.type === "log" ? Math.log : (value) => value;
    const width = document.querySelector('[data-chart="tradeoff"]').clientWidth - 60;
    const left = (point) => (width * (across(point.time) - across(x.scale.domain[0]))) / (across(x.scale.domain[1]) - across(x.scale.domain[0]));
    const top = (point) => (300 * (point.peak - y.scale.domain[0])) / (y.scale.domain[1] - y.scale.domain[0]);
    const text = (members) => members.map((one) => one.n).sort((a, b) => a - b).map((n) => `#${n}`).join(" ");
    const labels = [];
    for (const point of [...points].sort((a, b) => a.time - b.time)) {
      const near = labels.find((label) => Math.abs(label.top - top(point)) < LINE_PX && left(point) < label.right);
      const label = near || { time: point.time, peak: point.peak, top: top(point), members: [] };
      if (!near) labels.push(label);
      label.members.push(point);
      label.right = left(label) + 14 + CHARACTER_PX * text(label.members).length;
    }
    return labels.map(({ time, peak, members }) => ({ time, peak, text: text(members) }));
  }

  // [phase, seconds]: weights are read and quantized by turns, and that many stripes tell nothing.
  const totals = (phases) => [...phases.reduce((sums, [phase, , s]) => sums.set(phase, (sums.get(phase) || 0) + s), new Map())];

  const rows = {
    tradeoff() {
      const shown = new Set(state.shown());
      const points = state.cases
        .filter((one) => one.time_s !== null && one.peak_bytes && shown.has(one))
        .map((one) => ({
          ...identity(one),
          time: one.time_s,
          peak: one.peak_bytes / GIB,
          front: one.front,
          time_text: seconds(one.time_s),
          peak_text: gib(one.peak_bytes),
          remark: one.badges.map((badge) => badge.text).join(", ") || "none",
        }));
      const bounds = [];
      if (limits.s !== Infinity) bounds.push({ time: limits.s });
      if (limits.bytes !== Infinity) bounds.push({ peak: limits.bytes / GIB });
      return { cases: points, names: names(points.length > MOST ? points.filter((point) => point.front) : points), limits: bounds };
    },
    steps: () => ({ steps: plotted().flatMap((one) => one.steps.map(([index, stage, s]) => ({ ...identity(one), index, stage, s }))) }),
    phases: () => ({ phases: plotted().flatMap((one) => totals(one.phases).map(([phase, s], order) => ({ ...identity(one), phase, s, order }))) }),
    rounds: () => ({ rounds: plotted().flatMap((one) => Object.entries(one.rounds).map(([round, s]) => ({ ...identity(one), s, round: Number(round), share: s / one.time_s - 1 }))) }),
    // Two runs: one colour an answer, so that the eye finds what changed.
    forest() {
      const found = plotted().filter((one) => one.ratio !== null);
      const colours = theme.dark() ? { faster: "#3FCBA0", slower: "#FF8F4D" } : { faster: "#00734f", slower: "#b34700" };
      const { threshold } = state.data;
      return {
        forest: found.map((one) => ({ ...identity(one), colour: colours[one.answer] || (theme.dark() ? "#b5b5b5" : "#5c6570"), ratio: one.ratio, low: one.low, high: one.high, answer: one.answer })),
        band: [{ low: 1 / (1 + threshold), high: 1 + threshold, one: 1 }],
      };
    },
    memory() {
      const lines = [];
      for (const one of plotted()) {
        if (!one.memory) continue;
        for (const [kind, values] of [["MLX, active", one.memory.active], ["process", one.n === chosen ? one.memory.process : []]])
          values.forEach((value, index) => value !== null && lines.push({ ...identity(one), kind, t: one.memory.t[index], gib: value }));
      }
      const one = state.byNumber(chosen);
      return { memory: lines, bands: (one?.phases || []).map(([phase, start, s]) => ({ n: 0, phase, start, end: start + s, s })) };
    },
  };

  function end() {
    const one = state.byNumber(chosen);
    const times = one?.memory?.t || [];
    return Math.max(1e-3, times[times.length - 1] || 0, ...(one?.phases || []).map(([, start, s]) => start + s));
  }

  function config() {
    const style = getComputedStyle(document.documentElement);
    const token = (key) => style.getPropertyValue(key).trim();
    const text = { labelColor: token("--soft"), titleColor: token("--soft"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
    return {
      background: "transparent",
      font: token("--sans"),
      view: { stroke: null },
      axis: { ...text, gridColor: token("--line"), domainColor: token("--line"), tickColor: token("--line") },
      legend: { ...text, symbolSize: 90 },
      rule: { color: token("--ink") },
      line: { color: token("--ink") },
      point: { color: token("--ink") },
      tick: { color: token("--ink") },
      text: { color: token("--ink") },
    };
  }

  async function draw(key) {
    const node = document.querySelector(`[data-chart="${key}"]`);
    drawn.get(key)?.finalize();
    drawn.delete(key);
    const specification = structuredClone(charts()[key]);
    specification.datasets = rows[key]();
    const result = await window.vegaEmbed(node, specification, {
      actions: false,
      ast: true, // expressions are interpreted, not evaluated: the page forbids that
      config: config(),
      defaultStyle: false,
      logLevel: 1, // errors
      mode: "vega-lite",
      renderer: "svg",
      tooltip: { theme: theme.dark() ? "dark" : "light" },
    });
    const { view } = result;
    drawn.set(key, view);
    view.addEventListener("mouseover", (_event, item) => state.point(item?.datum?.n || 0));
    view.addEventListener("mouseout", () => state.point(0));
    view.addEventListener("click", (_event, item) => item?.datum?.n && choose(item.datum.n));
    signals(key, view);
    await view.runAsync();
    node.querySelector("svg").setAttribute("aria-hidden", "true"); // the chart's own label speaks for it
    node.dataset.drawn = "";
  }

  function signals(key, view) {
    view.signal("highlight", state.pointed);
    if (key === "memory") view.signal("chosen", chosen).signal("end_s", end());
  }

  function refill(key) {
    const view = drawn.get(key);
    if (!view) return;
    const fresh = rows[key]();
    for (const [dataset, values] of Object.entries(fresh)) view.data(dataset, values);
    signals(key, view);
    view.resize().runAsync();
  }

  function want(key) {
    if (wanted.has(key)) return null;
    wanted.add(key);
    return draw(key);
  }

  // A short page is drawn to its end when there is nothing else to do, so that it can be printed whole.
  function drawRest(keys) {
    const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 100));
    const [first, ...others] = keys;
    if (first) idle(() => Promise.resolve(want(first)).then(() => drawRest(others)));
  }

  function refillAll() {
    for (const key of drawn.keys()) refill(key);
    keys();
  }

  function choose(n) {
    chosen = n;
    const select = byId("memory-case");
    if (select) select.value = n;
    refill("memory");
    for (const button of document.querySelectorAll("#key button")) button.setAttribute("aria-pressed", String(Number(button.dataset.case) === n));
  }

  // One key for all plots: its colours, and a way to point at a case from the keyboard.
  function keys() {
    const cases = plotted();
    fill(
      byId("key"),
      cases.map((one) => {
        const swatch = charts().forest ? "" : el("span", { class: "swatch", "aria-hidden": "true" });
        if (swatch) swatch.style.background = colour(one);
        return el("button", { type: "button", "data-case": one.n, "aria-pressed": String(one.n === chosen), onclick: () => choose(one.n) }, swatch, `#${one.n} `, name(short(one.title)));
      }),
    );
    const all = state.shown().length;
    byId("plotted").textContent = all > cases.length ? `The first ${cases.length} of the ${all.toLocaleString("en")} cases that the table shows; sort or filter it to choose others. Time against memory has all.` : "";
    const withMemory = cases.filter((one) => one.memory || one.phases.length);
    if (byId("memory-case")) options(byId("memory-case"), withMemory.map((one) => [one.n, label(one)]), chosen);
  }

  page.plots = {
    drawn,
    start() {
      chosen = (state.cases.find((one) => one.memory) || state.cases.find((one) => one.phases.length) || state.cases[0])?.n || 0;
      keys();
      byId("memory-case")?.addEventListener("change", (event) => choose(Number(event.target.value)));
      const near = new IntersectionObserver(
        (entries) => {
          for (const { isIntersecting, target } of entries) {
            if (isIntersecting) want(target.dataset.chart);
          }
        },
        { rootMargin: NEAR },
      );
      const nodes = [...document.querySelectorAll("[data-chart]")];
      for (const node of nodes) near.observe(node);
      if (state.cases.length <= FEW) drawRest(nodes.map((node) => node.dataset.chart));
      state.on("view", refillAll);
      state.on("limits", (now) => {
        limits = now;
        refill("tradeoff");
      });
      state.on("point", (n) => {
        for (const view of drawn.values()) view.signal("highlight", n).runAsync();
      });
      state.on("scheme", () => {
        for (const key of wanted) draw(key);
        keys();
      });
    },
  };
})((window.ltxbench ??= {}));
