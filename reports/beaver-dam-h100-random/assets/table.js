// The table of cases: sorted by its headers, filtered, a page of rows at a time.
(function (page) {
  "use strict";
  const { el, name, fill, options, plural, byId, MISSING } = page.dom;
  const { state } = page;
  const ROWS = 100;
  const FIXED = [
    { key: "n", title: "#", numeric: true, shown: true },
    { key: "title", title: "Configuration", shown: true },
  ];
  const columns = [...FIXED, ...state.data.columns];
  const hidden = new Set(columns.filter((column) => !column.shown).map((column) => column.key));
  let first = 0;

  const visible = () => columns.filter((column) => !hidden.has(column.key));

  function sortBy(key) {
    const same = state.view.sort === key;
    first = 0;
    state.change({ sort: key, down: same ? !state.view.down : false });
  }

  function header(column) {
    const sorted = state.view.sort === column.key;
    const order = sorted ? (state.view.down ? "descending" : "ascending") : "none";
    return el(
      "th",
      { scope: "col", "aria-sort": order, class: `${column.numeric ? "numeric " : ""}column-${column.key}` },
      el("button", { type: "button", "data-sort": column.key, title: column.meaning || null }, column.title, el("span", { class: "arrow", "aria-hidden": "true" })),
    );
  }

  function badge(item) {
    return el("span", { class: `badge ${item.kind}`, title: `${item.sentence} ${item.advice}`.trim() }, item.text);
  }

  function cell(column, one) {
    if (column.key === "n") return el("td", { class: "numeric column-n" }, String(one.n));
    if (column.key === "title") {
      const link = el("a", { href: `#case-${encodeURIComponent(one.name)}` }, name(one.title));
      return el("th", { scope: "row", class: "column-title" }, link, one.badges.length ? el("span", { class: "badges" }, one.badges.map(badge)) : null);
    }
    const value = one.cells[column.key] || { t: column.key === "time" ? one.outcome : MISSING };
    const text = column.key === "time" && one.outcome !== "ok" ? one.outcome : value.t;
    return el("td", { class: `${column.numeric ? "numeric " : ""}column-${column.key}` }, value.best ? el("strong", {}, text) : text);
  }

  function row(one) {
    return el(
      "tr",
      { "data-case": one.n, class: [one.outcome === "ok" ? "" : "unfinished", one.n === state.pointed ? "pointed" : ""].join(" ").trim() || null },
      visible().map((column) => cell(column, one)),
    );
  }

  function draw() {
    const table = byId("table");
    const shown = state.shown();
    if (first >= shown.length) first = 0;
    const focused = document.activeElement?.dataset?.sort;
    fill(table.tHead, el("tr", {}, visible().map(header)));
    fill(table.tBodies[0], shown.slice(first, first + ROWS).map(row));
    if (!shown.length) fill(table.tBodies[0], el("tr", {}, el("td", { colspan: visible().length, class: "empty" }, "No case matches.")));
    if (focused) table.tHead.querySelector(`[data-sort="${focused}"]`)?.focus();
    const all = state.cases.length;
    byId("count").textContent = shown.length === all ? plural(all, "case") : `${shown.length.toLocaleString("en")} of ${plural(all, "case")}`;
    byId("clear").hidden = !state.filtered();
    pages(shown.length);
  }

  function pages(count) {
    const last = Math.min(first + ROWS, count);
    byId("pages").hidden = count <= ROWS;
    byId("page-of").textContent = `${first + 1}–${last} of ${count.toLocaleString("en")}`;
    byId("previous").disabled = first === 0;
    byId("next").disabled = last >= count;
  }

  function turn(rows) {
    first = Math.max(0, first + rows);
    draw();
    byId("table").scrollIntoView({ block: "start" });
  }

  function choices(id, values, key) {
    const select = byId(id);
    options(select, [["", "all"], ...values.map((value) => [value, value])], "");
    select.parentElement.hidden = values.length < 2 && id !== "remark" ? true : !values.length;
    select.addEventListener("change", () => ((first = 0), state.change({ [key]: select.value })));
  }

  function columnToggles() {
    const boxes = columns.slice(FIXED.length).map((column) => {
      const box = el("input", { type: "checkbox", checked: !hidden.has(column.key) });
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(column.key);
        else hidden.add(column.key);
        draw();
      });
      return el("label", {}, box, ` ${column.title}`);
    });
    fill(byId("columns"), boxes);
  }

  page.table = {
    badge,
    start() {
      const unique = (values) => [...new Set(values.filter(Boolean))];
      choices("group", unique(state.cases.map((one) => one.group)), "group");
      choices("outcome", unique(state.cases.map((one) => one.outcome)), "outcome");
      choices("remark", unique(state.cases.flatMap((one) => one.badges.map((item) => item.text))).sort(), "remark");
      columnToggles();
      byId("table").tHead.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-sort]");
        if (button) sortBy(button.dataset.sort);
      });
      let typing = 0;
      byId("query").addEventListener("input", (event) => {
        clearTimeout(typing);
        typing = setTimeout(() => ((first = 0), state.change({ query: event.target.value })), state.cases.length > 200 ? 120 : 0);
      });
      byId("clear").addEventListener("click", () => {
        for (const id of ["query", "group", "outcome", "remark"]) byId(id).value = "";
        first = 0;
        state.change({ query: "", group: "", outcome: "", remark: "" });
        byId("query").focus();
      });
      byId("previous").addEventListener("click", () => turn(-ROWS));
      byId("next").addEventListener("click", () => turn(ROWS));
      const menu = document.querySelector("details.columns");
      document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        menu.open = false;
        menu.firstElementChild.focus();
      });
      state.on("view", draw);
      draw();
    },
  };
})((window.ltxbench ??= {}));
