// Light or dark: as the system has it, unless the reader chose. Runs before the page is drawn.
(function (page) {
  "use strict";
  const KEY = "ltxbench-scheme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem(KEY) || "";
    } catch {
      return ""; // storage may be forbidden for files
    }
  }

  function apply(choice) {
    if (choice) document.documentElement.dataset.scheme = choice;
    else delete document.documentElement.dataset.scheme;
  }

  const chosen = stored();
  apply(chosen);

  page.theme = {
    dark: () => (document.documentElement.dataset.scheme || (system.matches ? "dark" : "light")) === "dark",
    start(changed) {
      const select = document.getElementById("scheme");
      select.value = chosen;
      select.addEventListener("change", () => {
        apply(select.value);
        try {
          localStorage.setItem(KEY, select.value);
        } catch {
          // the choice then lasts as long as the page
        }
        changed();
      });
      system.addEventListener("change", changed);
    },
  };
})((window.ltxbench ??= {}));
