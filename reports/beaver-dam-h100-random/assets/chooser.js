// "Which one should I use?": the fastest case within the limits, among those that may be recommended at all.
(function (page) {
  "use strict";
  const { el, name, seconds, gib, plural, fill, byId, GIB } = page.dom;
  const { state } = page;
  const MACHINES_GIB = [8, 16, 18, 24, 32, 36, 48, 64, 80, 96, 128, 192, 256, 512];
  const TIMES_S = [1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800];
  const OWN_STOPS = 40;
  const NAMED = 4;

  const candidates = state.cases.filter((one) => one.excluded === null);

  // Round figures within reach, each case's own, and no limit at all. What reads the same is one stop, the largest.
  function stops(values, round, written) {
    const high = Math.max(...values, 0);
    const low = Math.min(...values, Infinity);
    const own = values.length <= OWN_STOPS ? values : [];
    const near = round.filter((value) => value < high * 1.3 && value > low / 3);
    const sorted = [...near, ...own].sort((a, b) => a - b);
    return [...new Map(sorted.map((value) => [written(value), value])).values()].sort((a, b) => a - b).concat(Infinity);
  }

  // Ties in time, as printed, go to the lower memory.
  function best(fitting) {
    return fitting.reduce((a, b) => {
      if (!a) return b;
      if (seconds(a.time_s) === seconds(b.time_s)) return b.peak_bytes < a.peak_bytes ? b : a;
      return b.time_s < a.time_s ? b : a;
    }, null);
  }

  function caseLink(one) {
    return el("a", { href: `#case-${encodeURIComponent(one.name)}`, "data-case": one.n }, `#${one.n} `, name(one.title));
  }

  function figures(one) {
    return `${seconds(one.time_s)}, peak ${gib(one.peak_bytes)}`;
  }

  function within(limits) {
    const parts = [];
    if (limits.bytes !== Infinity) parts.push(`at most ${gib(limits.bytes)}`);
    if (limits.s !== Infinity) parts.push(`at most ${seconds(limits.s)}`);
    return parts.join(" and ");
  }

  function why(one, fitting, limits) {
    const bound = within(limits);
    const others = fitting.length - 1;
    if (!others) return bound ? `The only one with ${bound}.` : "The only one that may be recommended.";
    const tied = fitting.filter((other) => other !== one && seconds(other.time_s) === seconds(one.time_s)).length;
    const reason = tied ? `As fast as ${plural(tied, "other")} and no worse in memory` : "The fastest";
    return `${reason} of the ${fitting.length} ${bound ? `with ${bound}` : "that may be recommended"}.`;
  }

  function named(list) {
    const nodes = list.slice(0, NAMED).flatMap((one, index) => [index ? ", " : "", caseLink(one), ` (${figures(one)})`]);
    return list.length > NAMED ? [...nodes, ` and ${plural(list.length - NAMED, "more")}`.replace(/mores$/, "more")] : nodes;
  }

  function nothing(limits) {
    if (!candidates.length) return [el("p", {}, "No case may be recommended.")];
    const leanest = candidates.reduce((a, b) => (b.peak_bytes < a.peak_bytes ? b : a));
    const fastest = best(candidates);
    return [
      el("p", { class: "chosen" }, `No case fits ${within(limits)}.`),
      el("p", {}, "The least memory: ", caseLink(leanest), ` (${figures(leanest)}). The fastest: `, caseLink(fastest), ` (${figures(fastest)}).`),
    ];
  }

  function excluded() {
    const left = state.cases.filter((one) => one.excluded !== null);
    if (!left.length) return null;
    if (left.length > NAMED) return el("p", { class: "note" }, `Not considered: ${plural(left.length, "case")} that failed, are marked with a warning or invalid.`);
    return el("p", { class: "note" }, "Not considered: ", left.flatMap((one, index) => [index ? ", " : "", caseLink(one), ` (${one.excluded})`]), ".");
  }

  function choose(limits) {
    const fitting = candidates.filter((one) => one.peak_bytes <= limits.bytes && one.time_s <= limits.s);
    const one = best(fitting);
    const rest = fitting.filter((other) => other !== one).sort((a, b) => a.time_s - b.time_s);
    fill(
      byId("choice"),
      one
        ? [
            el("p", { class: "chosen", "data-case": one.n }, caseLink(one), el("span", { class: "figure" }, figures(one))),
            el("p", {}, why(one, fitting, limits), one.doubt ? el("b", {}, ` Its measurement is ${one.doubt}.`) : ""),
            rest.length ? el("p", { class: "note" }, "Also within: ", named(rest), ".") : null,
          ]
        : nothing(limits),
      excluded(),
    );
    return one;
  }

  function slider(id, values, written, changed) {
    const input = byId(id);
    const output = byId(`${id}-value`);
    input.max = values.length - 1;
    input.value = values.length - 1;
    function show() {
      const value = values[Number(input.value)];
      const text = value === Infinity ? "no limit" : written(value);
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
      changed(value);
    }
    input.addEventListener("input", show);
    show();
  }

  page.chooser = {
    start() {
      const limits = { bytes: Infinity, s: Infinity };
      const update = () => {
        const one = choose(limits);
        state.emit("limits", { ...limits, n: one ? one.n : 0 });
      };
      const peaks = candidates.map((one) => one.peak_bytes);
      const usual = MACHINES_GIB.map((value) => value * GIB);
      slider("limit-memory", withCommon(stops(peaks, usual, gib)), gib, (value) => ((limits.bytes = value), update()));
      const times = candidates.map((one) => one.time_s);
      slider("limit-time", stops(times, TIMES_S, seconds), seconds, (value) => ((limits.s = value), update()));
    },
  };

  // "Does it fit in 16?" is asked of small models too.
  function withCommon(values) {
    const common = [8, 16, 32, 64].map((value) => value * GIB).filter((value) => !values.some((other) => gib(other) === gib(value)));
    return [...values, ...common].sort((a, b) => a - b);
  }
})((window.ltxbench ??= {}));
