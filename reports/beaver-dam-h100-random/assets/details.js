// One case in full, in a dialog; its address is #case-NAME.
(function (page) {
  "use strict";
  const { el, name, fill, byId } = page.dom;
  const { state } = page;
  const PREFIX = "#case-";

  function table(values, caption) {
    return el(
      "div",
      { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
      el(
        "table",
        {},
        el("caption", {}, caption),
        el("thead", {}, el("tr", {}, values.columns.map(([title, numeric]) => el("th", { scope: "col", class: numeric ? "numeric" : null }, title)))),
        el("tbody", {}, values.rows.map((row) => el("tr", {}, row.map((text, index) => el(index ? "td" : "th", { scope: index ? null : "row", class: values.columns[index][1] ? "numeric" : null }, text))))),
      ),
    );
  }

  const facts = (pairs) => el("dl", { class: "facts" }, pairs.map(([term, meaning]) => el("div", {}, el("dt", {}, term), el("dd", {}, meaning))));
  const code = (text, label) => el("pre", { tabindex: "0", "aria-label": label, dir: "auto" }, text);
  const folded = (title, ...inside) => el("details", {}, el("summary", {}, title), inside);

  function body(one) {
    const { detail } = one;
    const badges = one.badges.map((item) => el("li", {}, page.table.badge(item), ` ${item.sentence} ${item.advice}`));
    const list = badges.length ? el("ul", { class: "remarks" }, badges) : null;
    if (!detail) return [list];
    return [
      detail.summary ? el("p", { dir: "auto" }, detail.summary) : null,
      detail.settings ? el("p", { class: "note" }, detail.settings) : null,
      list,
      detail.failure ? [el("p", { class: "banner bad", dir: "auto" }, el("b", {}, `${detail.failure.outcome}: `), detail.failure.text), detail.failure.output_tail ? folded("Its last output", code(detail.failure.output_tail, "Last output")) : null] : null,
      detail.problem ? el("p", { class: "banner" }, detail.problem) : null,
      detail.caption ? el("p", { class: "note" }, detail.caption) : null,
      detail.phases ? table(detail.phases, "Phases") : null,
      detail.figures.length ? facts(detail.figures) : null,
      detail.twin ? [table(detail.twin, `Beside ${detail.twin.label}`), el("ul", { class: "remarks" }, detail.twin.remarks.map((text) => el("li", {}, text)))] : null,
      detail.steps ? folded("Every step", code(detail.steps, "Every step")) : null,
      detail.facts.length ? folded(detail.command ? "What the engine reported" : "What limits these answers", facts(detail.facts)) : null,
      detail.command ? folded("How to run it again", code(detail.command, "Command")) : null,
    ].flat();
  }

  function wanted() {
    if (!location.hash.startsWith(PREFIX)) return null;
    let text = location.hash.slice(PREFIX.length);
    try {
      text = decodeURIComponent(text);
    } catch {
      return null; // no address of ours
    }
    return state.cases.find((one) => one.name === text) || null;
  }

  function show() {
    const dialog = byId("case");
    const one = wanted();
    if (!one) {
      if (dialog.open) dialog.close();
      return;
    }
    fill(byId("case-title"), `#${one.n} `, name(one.title));
    fill(byId("case-body"), body(one));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  function clearAddress() {
    if (location.hash.startsWith(PREFIX)) history.replaceState(null, "", `${location.pathname}${location.search}`);
  }

  page.details = {
    start() {
      const dialog = byId("case");
      byId("case-close").addEventListener("click", () => dialog.close());
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
      // Browsers tell of `close` some time after the dialog has gone; Escape is told before.
      dialog.addEventListener("cancel", clearAddress);
      dialog.addEventListener("close", clearAddress);
      // A second click on the same address changes nothing that the browser would tell.
      document.addEventListener("click", (event) => {
        const link = event.target.closest?.(`a[href^="${PREFIX}"]`);
        if (link && link.getAttribute("href") === location.hash) show();
      });
      window.addEventListener("hashchange", show);
      show();
    },
  };
})((window.ltxbench ??= {}));
