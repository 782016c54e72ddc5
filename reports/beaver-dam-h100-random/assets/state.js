// What the reader sees and points at. Everything that changes is told to whoever asked to hear of it.
(function (page) {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const cases = data.cases;
  const byNumber = new Map(cases.map((one) => [one.n, one]));
  const players = new Map((data.players || cases.filter((one) => one.clip)).map((one) => [one.n, one]));
  const listeners = new Map();
  const view = { query: "", group: "", outcome: "", remark: "", sort: "n", down: false };
  let pointed = 0;
  let shown = null;

  for (const one of cases) {
    const words = [`#${one.n}`, one.title, one.name, one.group, one.outcome];
    for (const cell of Object.values(one.cells)) words.push(cell.t);
    for (const badge of one.badges) words.push(badge.text);
    one.words = words.join("\n").toLocaleLowerCase();
  }

  function on(event, listener) {
    if (!listeners.has(event)) listeners.set(event, []);
    listeners.get(event).push(listener);
  }

  function emit(event, value) {
    for (const listener of listeners.get(event) || []) listener(value);
  }

  function key(one) {
    if (view.sort === "n") return one.n;
    if (view.sort === "title") return one.title;
    return one.cells[view.sort]?.v ?? null;
  }

  // Missing figures come last, whichever way the rest is sorted.
  function compare(left, right) {
    const [a, b] = [key(left), key(right)];
    if (a === null || b === null) return (a === null) - (b === null) || left.n - right.n;
    const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    return (view.down ? -order : order) || left.n - right.n;
  }

  function matches(one, words) {
    return (
      words.every((word) => one.words.includes(word)) &&
      (!view.group || one.group === view.group) &&
      (!view.outcome || one.outcome === view.outcome) &&
      (!view.remark || one.badges.some((badge) => badge.text === view.remark))
    );
  }

  page.state = {
    data,
    cases,
    view,
    on,
    emit,
    byNumber: (n) => byNumber.get(n),
    // What is played: the cases that have a video, or, of two runs, each side of a case.
    player: (n) => players.get(n),
    playing: () => {
      const now = new Set(page.state.shown());
      return data.players ? data.players.filter((one) => now.has(byNumber.get(one.case))) : page.state.shown().filter((one) => one.clip);
    },
    allPlayers: () => [...players.values()],
    shown() {
      const words = view.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      shown ??= cases.filter((one) => matches(one, words)).sort(compare);
      return shown;
    },
    filtered: () => Boolean(view.query || view.group || view.outcome || view.remark),
    change(changes) {
      Object.assign(view, changes);
      shown = null;
      emit("view");
    },
    get pointed() {
      return pointed;
    },
    point(n) {
      if (n === pointed) return;
      for (const node of document.querySelectorAll(".pointed")) node.classList.remove("pointed");
      pointed = n;
      if (n) for (const node of document.querySelectorAll(`[data-case="${n}"]`)) node.classList.add("pointed");
      emit("point", n);
    },
  };

  // Whatever carries a case's number points at it, by mouse and by keyboard.
  function caseAt(event) {
    const node = event.target instanceof Element ? event.target.closest("[data-case]") : null;
    return node ? Number(node.dataset.case) : 0;
  }
  document.addEventListener("pointerover", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest(".chart")) page.state.point(caseAt(event));
  });
  document.addEventListener("focusin", (event) => page.state.point(caseAt(event)));
})((window.ltxbench ??= {}));
