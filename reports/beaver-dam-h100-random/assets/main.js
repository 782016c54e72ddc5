// Starts the parts, each where the page has it.
(function (page) {
  "use strict";
  page.theme.start(() => page.state.emit("scheme"));
  page.table.start();
  if (document.getElementById("players")) page.players.start();
  page.details.start();
  if (document.getElementById("plots")) page.plots.start();
  if (page.chooser) page.chooser.start();
  document.documentElement.dataset.ready = "";
})(window.ltxbench);
