// The players, by group. A poster stands for each video until it comes near the screen.
(function (page) {
  "use strict";
  const { el, name, seconds, fill, byId } = page.dom;
  const { state, transport } = page;
  const AT_ONCE = 12;
  const NEAR = "300px";
  const tiles = new Map(); // by number: {node, part, video}
  let limit = AT_ONCE;
  let near = null;

  function video(one) {
    const player = el("video", { preload: "auto", playsinline: true, tabindex: "-1", "aria-label": `Video of ${one.title}` });
    player.muted = true;
    player.addEventListener("error", () => {
      player.closest(".picture")?.append(el("p", { class: "problem" }, "This video cannot be played here."));
      player.remove();
    });
    return player;
  }

  function load(tile) {
    if (tile.part) return;
    const { one } = tile;
    const player = video(one);
    tile.part = transport.add(player, one.clip, one.n);
    player.addEventListener("loadeddata", () => player.classList.add("loaded"), { once: true });
    player.src = one.clip.src;
    tile.node.querySelector(".picture").append(player);
  }

  function seen(entries) {
    for (const entry of entries) {
      const tile = tiles.get(Number(entry.target.dataset.player));
      if (!tile) continue;
      if (entry.isIntersecting) load(tile);
      if (tile.part) transport.activate(tile.part, entry.isIntersecting);
    }
  }

  function tile(one) {
    const label = one.case ? one.title : `#${one.n} ${one.title}`;
    const compare = el("button", { type: "button", "aria-pressed": "false", "data-compare": one.n, "aria-label": `Compare ${label}` }, "Compare");
    const full = el("button", { type: "button", "data-full": one.n, "aria-label": `Full size of ${label}` }, "Full size");
    const remarks = one.badges.filter((item) => item.kind !== "note");
    const node = el(
      "figure",
      { class: "player", "data-case": one.case ?? one.n, "data-player": one.n },
      el(
        "div",
        { class: "picture", style: `aspect-ratio: ${one.clip.width} / ${one.clip.height}` },
        el("img", { src: one.clip.poster, alt: `Frame of ${label}`, decoding: "async" }),
        state.data.synthetic ? el("span", { class: "mark" }, "synthetic weights: no meaning") : null,
      ),
      el(
        "figcaption",
        {},
        el("a", { href: `#case-${encodeURIComponent(one.name)}` }, one.case ? null : `#${one.n} `, name(one.title)),
        el("span", { class: "figure" }, one.time_s === null ? one.outcome : seconds(one.time_s)),
        el("span", { class: "badges" }, remarks.map(page.table.badge)),
        el("span", { class: "actions" }, compare, full),
      ),
    );
    const made = { one, node, part: null };
    tiles.set(one.n, made);
    return made;
  }

  function draw() {
    const withClip = state.playing();
    const now = withClip.slice(0, limit);
    const wanted = new Set(now.map((one) => one.n));
    for (const [n, old] of tiles) {
      if (wanted.has(n)) continue;
      near.unobserve(old.node);
      if (old.part) transport.remove(old.part);
      tiles.delete(n);
    }
    const groups = new Map();
    for (const one of now) {
      if (!groups.has(one.group)) groups.set(one.group, []);
      const made = tiles.get(one.n) || tile(one);
      near.observe(made.node);
      groups.get(one.group).push(made.node);
    }
    fill(
      byId("players"),
      [...groups].map(([group, nodes]) => el("section", { class: "group", "aria-label": group || "Videos" }, group ? el("h3", {}, name(group)) : null, el("div", { class: "grid" }, nodes))),
    );
    const more = byId("more-players");
    more.hidden = withClip.length <= limit;
    more.textContent = `Show more (${withClip.length - now.length} left)`;
    if (!withClip.length) fill(byId("players"), el("p", { class: "note" }, "None of the cases shown in the table has a video."));
    page.stage.mark();
  }

  page.players = {
    start() {
      const withClip = state.allPlayers();
      near = new IntersectionObserver(seen, { rootMargin: NEAR });
      transport.start();
      const first = withClip[0].clip;
      transport.startAt((state.data.first_frame + 0.5) / first.fps);
      byId("more-players").addEventListener("click", () => ((limit += AT_ONCE), draw()));
      byId("players").addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button?.dataset.compare) page.stage.pick(Number(button.dataset.compare));
        if (button?.dataset.full) page.stage.alone(Number(button.dataset.full));
      });
      state.on("view", draw);
      page.stage.start(withClip);
      draw();
    },
  };
})((window.ltxbench ??= {}));
