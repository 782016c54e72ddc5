// Two videos at full resolution: side by side, under a divider, or their difference.
(function (page) {
  "use strict";
  const { el, fill, options, byId, plural } = page.dom;
  const { state, transport } = page;
  const COARSE = 10; // percent of the width for Page Up and Page Down
  const parts = { a: null, b: null };
  const chosen = { a: 0, b: 0 };
  let mode = "side";
  let waiting = 0; // picked first, until the second is

  const clipOf = (side) => state.player(chosen[side])?.clip || null;
  const label = (n) => {
    const one = state.player(n);
    return one.case ? `#${one.case} ${one.title}` : `#${n} ${one.title}`;
  };

  function setVideo(side) {
    const clip = clipOf(side);
    const video = byId(`video-${side}`);
    if (parts[side]) transport.remove(parts[side]);
    parts[side] = null;
    video.parentElement.hidden = byId(`caption-${side}`).hidden = !clip;
    if (!clip) {
      video.removeAttribute("src");
      video.load();
      return;
    }
    video.muted = true;
    video.src = clip.src;
    video.poster = clip.poster;
    video.setAttribute("aria-label", `Video ${side.toUpperCase()}: ${label(chosen[side])}`);
    parts[side] = transport.add(video, clip, chosen[side]);
    transport.activate(parts[side], true);
    fill(byId(`caption-${side}`), el("b", {}, side.toUpperCase()), ` ${label(chosen[side])}`);
    byId(`caption-${side}`).dataset.case = state.player(chosen[side]).case ?? chosen[side];
  }

  // Both in the box of the larger one where they lie on top of each other.
  function layout() {
    const both = ["a", "b"].map(clipOf).filter(Boolean);
    if (!both.length) return;
    const frames = byId("frames");
    const wide = both.reduce((left, right) => (right.width > left.width ? right : left));
    const zoom = byId("zoom").value;
    frames.dataset.mode = both.length === 2 ? mode : "side";
    frames.dataset.zoom = zoom;
    frames.style.setProperty("--ratio", `${wide.width} / ${wide.height}`);
    frames.style.setProperty("--ratio-number", wide.width / wide.height);
    frames.style.setProperty("--width", `${wide.width * (Number(zoom) || 1)}px`);
    const two = both.length === 2;
    byId("divider").hidden = !(two && mode === "divider");
    document.querySelector(".amplify").hidden = !(two && mode === "difference");
    document.querySelector("#stage .modes").disabled = !two;
    note(both);
  }

  function note(both) {
    const sizes = both.map((clip) => `${clip.width}x${clip.height}`);
    const said = [];
    if (both.length === 1) said.push(`${sizes[0]}, ${plural(both[0].frames, "frame")} at ${both[0].fps} fps. Choose a second one to compare.`);
    else if (chosen.a === chosen.b) said.push("A and B are the same case.");
    else if (mode === "difference") said.push("|A − B| of each pixel as the browser decodes it: black is equal.");
    else if (mode === "divider") said.push("A is left of the divider, B right of it: drag it, or use the arrow keys.");
    if (both.length === 2) {
      if (sizes[0] !== sizes[1]) said.push(`Sizes differ (${sizes.join(" and ")}): ${mode === "side" ? "each is" : "the smaller is"} scaled to the same width.`);
      if (both[0].fps !== both[1].fps) said.push(`Rates differ (${both[0].fps} and ${both[1].fps} fps): shown at the same time, not the same frame.`);
      if (both[0].frames !== both[1].frames) said.push(`Lengths differ (${both[0].frames} and ${both[1].frames} frames): the shorter holds its last frame.`);
    }
    byId("stage-note").textContent = said.join(" ");
  }

  function show(a, b) {
    const changed = { a: a !== chosen.a, b: b !== chosen.b };
    const closed = byId("stage").hidden;
    [chosen.a, chosen.b] = [a, b];
    byId("stage").hidden = false;
    byId("stage-a").value = a;
    byId("stage-b").value = b || "";
    for (const side of ["a", "b"]) if (changed[side] || closed) setVideo(side);
    layout();
    mark();
    if (closed) byId("stage").scrollIntoView({ block: "start" });
  }

  function close() {
    const from = chosen.a;
    chosen.a = chosen.b = waiting = 0;
    setVideo("a");
    setVideo("b");
    byId("stage").hidden = true;
    mark();
    document.querySelector(`[data-compare="${from}"]`)?.focus();
  }

  function mark() {
    for (const button of document.querySelectorAll("[data-compare]")) {
      const n = Number(button.dataset.compare);
      const on = n === waiting || (!byId("stage").hidden && (n === chosen.a || n === chosen.b));
      button.setAttribute("aria-pressed", String(on));
      button.textContent = n === waiting ? "Compare with …" : "Compare";
    }
  }

  function setDivider(percent) {
    const value = Math.max(0, Math.min(100, percent));
    byId("frames").style.setProperty("--split", `${value}%`);
    const divider = byId("divider");
    divider.setAttribute("aria-valuenow", String(Math.round(value)));
    divider.setAttribute("aria-valuetext", `${Math.round(value)}% A, ${100 - Math.round(value)}% B`);
  }

  function dividerKeys(event) {
    const now = Number(byId("divider").getAttribute("aria-valuenow"));
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageDown: now - COARSE, PageUp: now + COARSE, Home: 0, End: 100 }[event.key];
    if (to === undefined) return;
    setDivider(to);
    event.preventDefault();
  }

  function drag() {
    const pictures = byId("pictures");
    const move = (event) => {
      const box = pictures.getBoundingClientRect();
      setDivider((100 * (event.clientX - box.left)) / box.width);
    };
    pictures.addEventListener("pointerdown", (event) => {
      if (mode !== "divider" || event.button) return;
      pictures.setPointerCapture(event.pointerId);
      pictures.addEventListener("pointermove", move);
      byId("divider").focus({ preventScroll: true });
      move(event);
      event.preventDefault();
    });
    for (const over of ["pointerup", "pointercancel"]) pictures.addEventListener(over, () => pictures.removeEventListener("pointermove", move));
  }

  page.stage = {
    mark,
    // The first pick waits for a second one; two more start anew.
    pick(n) {
      const open = !byId("stage").hidden;
      if (open && chosen.a && !chosen.b && n !== chosen.a) show(chosen.a, n);
      else if (waiting === n) waiting = 0;
      else if (waiting) {
        const first = waiting;
        waiting = 0;
        show(first, n);
      } else waiting = n;
      mark();
    },
    alone(n) {
      waiting = 0;
      show(n, 0);
      byId("zoom").value = "1";
      layout();
    },
    show,
    start(cases) {
      const names = cases.map((one) => [one.n, label(one.n)]);
      options(byId("stage-a"), names, "");
      options(byId("stage-b"), [["", "none"], ...names], "");
      byId("stage-a").addEventListener("change", (event) => show(Number(event.target.value), chosen.b));
      byId("stage-b").addEventListener("change", (event) => show(chosen.a, Number(event.target.value)));
      byId("stage-swap").addEventListener("click", () => chosen.b && show(chosen.b, chosen.a));
      byId("stage-close").addEventListener("click", close);
      byId("zoom").addEventListener("change", layout);
      for (const radio of document.querySelectorAll("#stage input[name=mode]"))
        radio.addEventListener("change", () => {
          mode = radio.value;
          layout();
        });
      const amplify = byId("amplify");
      const amplified = () => {
        const times = 2 ** Number(amplify.value);
        byId("frames").style.setProperty("--amplify", times);
        byId("amplify-value").textContent = `${times}×`;
        amplify.setAttribute("aria-valuetext", `${times} times`);
      };
      amplify.addEventListener("input", amplified);
      amplified();
      byId("divider").addEventListener("keydown", dividerKeys);
      setDivider(50);
      drag();
    },
  };
})((window.ltxbench ??= {}));
