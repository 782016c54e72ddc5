// One clock for all videos. Each follows it by time, whatever its own frame rate and length.
//
// The clock never runs ahead of what the slowest video shows: a machine that cannot keep up plays slower, in step.
// Small drift is corrected by a video's rate, larger drift by pausing it or by seeking. At the loop all start together.
(function (page) {
  "use strict";
  const { byId } = page.dom;
  const NUDGE_PER_S = 6; // share of rate for a second of drift
  const MOST_NUDGE = 0.5;
  const LOST_FRAMES = 4; // further behind, a video is sought to its place
  const STALL_S = 0.1; // a pause of the page's own, in which the videos ran on by themselves
  const SLOWER = 0.75; // at each frame out of step or stall
  const RECOVERY = 1.01; // at each one in step
  const SLOWEST = 0.1;
  const STALE_MS = 250; // browsers stop telling about frames of videos that are scrolled away
  const PATIENCE_MS = 3000; // then a video that does not become ready is left behind

  const videos = new Set();
  let fps = 24;
  let duration = 0;
  let clock = 0;
  let rate = 1;
  let able = 1; // the share of that rate at which this machine keeps all in step
  let looping = true;
  let playing = false;
  let waitingSince = 0; // all wait until each is at its place; 0 while they run
  let last = 0;
  let inSight = false;

  const frame = () => 1 / fps;
  const frames = () => Math.max(1, Math.round(duration * fps));
  const frameAt = (time) => Math.min(frames() - 1, Math.max(0, Math.floor(time * fps + 1e-4)));
  const active = () => [...videos].filter((one) => one.active && !one.failed);

  // The middle of the frame that the clock shows, so that no rounding picks its neighbour.
  function place(one, time) {
    const index = Math.min(one.frames - 1, Math.max(0, Math.floor(time * one.fps + 1e-4)));
    return (index + 0.5) / one.fps;
  }

  const ended = (one) => clock >= one.duration - 1e-4;

  function seek(one) {
    const target = place(one, clock);
    if (Math.abs(one.video.currentTime - target) > 1e-4) one.video.currentTime = target;
  }

  const speed = () => Math.max(0.0625, rate * able);
  const ready = (one) => one.video.readyState >= 2 && !one.video.seeking;

  function gather() {
    waitingSince = performance.now();
    for (const one of active()) {
      one.video.pause();
      seek(one);
    }
  }

  function run(one) {
    one.video.playbackRate = speed();
    if (one.video.paused) one.video.play().catch(() => {});
  }

  function follow(one) {
    const { video } = one;
    if (ended(one)) {
      if (!video.paused) video.pause();
      return;
    }
    if (!ready(one)) return;
    const ahead = video.currentTime - clock;
    if (ahead < -LOST_FRAMES * frame()) seek(one);
    else if (ahead > frame()) video.pause();
    else {
      const nudge = Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, -ahead * NUDGE_PER_S));
      video.playbackRate = Math.max(0.0625, speed() * (1 + (Math.abs(ahead) > 0.2 * frame() ? nudge : 0)));
      if (video.paused) video.play().catch(() => {});
    }
  }

  // What a video is known to show: the last presented frame where the browser tells, its clock otherwise.
  function shows(one) {
    const { currentTime } = one.video;
    const stale = one.presented === null || performance.now() - one.presentedAt > Math.max(STALE_MS, 2000 / (one.fps * speed()));
    return stale ? currentTime : Math.min(currentTime, one.presented + 1 / one.fps);
  }

  function outOfStep(running) {
    const times = running.filter((one) => !ended(one) && one.presented !== null).map((one) => one.presented);
    return times.length > 1 && Math.max(...times) - Math.min(...times) > 1.5 * frame();
  }

  function tick(now) {
    if (!playing) return;
    requestAnimationFrame(tick);
    const stalled = (now - last) / 1000 > STALL_S;
    const elapsed = Math.min(STALL_S, (now - last) / 1000);
    last = now;
    const running = active();
    if (waitingSince) {
      if (running.every(ready) || now - waitingSince > PATIENCE_MS) {
        waitingSince = 0;
        for (const one of running) if (!ended(one)) run(one);
      }
      return;
    }
    const slowest = Math.min(...running.filter((one) => !ended(one) && ready(one)).map(shows), Infinity);
    able = stalled || outOfStep(running) ? Math.max(SLOWEST, able * SLOWER) : Math.min(1, able * RECOVERY);
    clock = Math.max(clock, Math.min(clock + elapsed * speed(), slowest + frame()));
    if (clock >= duration) {
      if (!looping) {
        clock = duration - frame() / 2;
        pause();
        return;
      }
      clock = frame() / 2;
      gather();
    } else for (const one of running) follow(one);
    draw();
  }

  function play() {
    if (playing || !duration) return;
    if (frameAt(clock) >= frames() - 1) clock = 0;
    playing = true;
    last = performance.now();
    gather();
    requestAnimationFrame(tick);
    draw();
  }

  function pause() {
    playing = false;
    waitingSince = 0;
    for (const one of active()) {
      one.video.pause();
      seek(one);
    }
    draw();
  }

  function goTo(time) {
    clock = Math.max(0, Math.min(time, Math.max(0, duration - frame() / 2)));
    if (playing) gather();
    else for (const one of active()) seek(one);
    draw();
  }

  const goToFrame = (index) => goTo((index + 0.5) / fps);

  function step(by) {
    if (playing) pause();
    const count = frames();
    goToFrame(looping ? (frameAt(clock) + by + count) % count : frameAt(clock) + by);
  }

  function draw() {
    const index = frameAt(clock);
    const scrub = byId("scrub");
    scrub.max = frames() - 1;
    scrub.value = index;
    const text = `frame ${index} of ${frames() - 1}, ${(index / fps).toFixed(2)} s`;
    scrub.setAttribute("aria-valuetext", text);
    byId("position").textContent = `${index} / ${frames() - 1}${playing && able < 0.8 ? ` at ${speed().toFixed(1)}×` : ""}`;
    byId("position").title = text;
    byId("transport").classList.toggle("away", !inSight && !playing);
    const button = byId("play");
    button.classList.toggle("playing", playing);
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  function watch(one) {
    if (!one.video.requestVideoFrameCallback) return;
    const told = (_now, metadata) => {
      one.presented = metadata.mediaTime;
      one.presentedAt = performance.now();
      if (videos.has(one)) one.video.requestVideoFrameCallback(told);
    };
    one.video.requestVideoFrameCallback(told);
  }

  function measure() {
    const all = [...videos];
    fps = Math.max(1, ...all.map((one) => one.fps));
    duration = Math.max(0, ...all.map((one) => one.duration));
    byId("transport").hidden = !all.length;
    draw();
  }

  // Arrow keys step unless something in focus uses them itself.
  function onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !duration) return;
    if (document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    const within = (selector) => target.closest(selector);
    if (within("input, select, textarea, [role=slider], .scroll, .viewport, [contenteditable]") && target.id !== "scrub") return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === " " && within("#transport, #videos, #stage") && !within("button, a, summary")) playing ? pause() : play();
    else return;
    event.preventDefault();
  }

  page.transport = {
    // clip: {frames, fps}; the video takes part while `active`
    add(video, clip, n) {
      const one = { video, n, fps: clip.fps, frames: clip.frames, duration: clip.frames / clip.fps, active: false, failed: false, presented: null, presentedAt: 0 };
      video.addEventListener("error", () => (one.failed = true));
      videos.add(one);
      watch(one);
      measure();
      return one;
    },
    remove(one) {
      one.video.pause();
      videos.delete(one);
      measure();
    },
    // Joins at the clock's place, or leaves and rests.
    activate(one, on) {
      if (one.active === on) return;
      one.active = on;
      one.presented = null;
      if (on) seek(one);
      else one.video.pause();
    },
    play,
    pause,
    step,
    goToFrame,
    startAt(time) {
      clock = time;
    },
    get playing() {
      return playing;
    },
    get frame() {
      return frameAt(clock);
    },
    // For whoever wants to check that all are in step: what each active video shows.
    positions: () => active().map((one) => ({ n: one.n, fps: one.fps, shown_s: one.presented, current_s: one.video.currentTime, ended: ended(one), waiting: waitingSince > 0 })),
    start() {
      // In the way only where there is something to play, or while something plays.
      new IntersectionObserver((entries) => {
        inSight = entries[entries.length - 1].isIntersecting;
        draw();
      }).observe(byId("videos"));
      byId("play").addEventListener("click", () => (playing ? pause() : play()));
      byId("step-back").addEventListener("click", () => step(-1));
      byId("step-on").addEventListener("click", () => step(1));
      byId("scrub").addEventListener("input", (event) => goToFrame(Number(event.target.value)));
      byId("speed").addEventListener("change", (event) => {
        rate = Number(event.target.value);
        able = 1;
        if (playing) gather();
      });
      byId("loop").addEventListener("change", (event) => (looping = event.target.checked));
      document.addEventListener("keydown", onKey);
      document.addEventListener("visibilitychange", () => document.hidden && playing && pause());
    },
  };
})((window.ltxbench ??= {}));
