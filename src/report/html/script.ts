/**
 * The page's only script. Without it everything can be read; with it the timeline can be searched and the theme chosen.
 * It builds no markup: names go to `textContent`.
 */
export const SCRIPT = `"use strict";
(() => {
const root = document.documentElement, theme = document.getElementById("theme");
if (theme) {
  theme.hidden = false;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; label(); });
  label();
}
const source = document.getElementById("run");
if (!source) return;
const { cycles, ghz, tracks, layers, spans } = JSON.parse(source.textContent);
const plot = document.getElementById("plot"), readout = document.getElementById("readout");
const views = [...document.querySelectorAll("[data-cycles]")], ends = document.getElementById("ends").children;
const rows = tracks.map((_, track) => spans.filter((span) => span[0] === track).sort((a, b) => a[1] - b[1]));
let from = 0, to = cycles, track = 0, chosen = -1;
const time = (at) => { const us = at / ghz / 1000; return us >= 1000 ? +(us / 1000).toPrecision(5) + " ms" : +us.toPrecision(5) + " \\u00b5s"; };
const show = (low, high) => {
  const width = Math.min(cycles, Math.max(20, high - low));
  from = Math.min(Math.max(0, low), cycles - width); to = from + width;
  for (const view of views) view.setAttribute("viewBox", from + " 0 " + width + " " + view.dataset.height);
  ends[0].textContent = time(from); ends[1].textContent = time((from + to) / 2); ends[2].textContent = time(to);
};
const zoom = (factor, at = (from + to) / 2) => show(at - (at - from) * factor, at + (to - at) * factor);
const pan = (share) => show(from + share * (to - from), to + share * (to - from));
const tell = (span) => {
  if (!span) return;
  readout.textContent = tracks[span[0]] + ": " + (layers[span[3]] ?? "") + ", " + span[2].toLocaleString("en") + " cycles from " + time(span[1]) + (span[4] ? "; the run waits for it" : "; hidden behind other work");
};
const placeOf = (event) => { const box = plot.getBoundingClientRect(); return from + ((event.clientX - box.left) / box.width) * (to - from); };
const near = (row, at) => row.find((span) => at >= span[1] && at <= span[1] + span[2]);
const step = (by) => {
  const row = rows[track]; if (row.length === 0) return;
  chosen = Math.min(row.length - 1, Math.max(0, chosen < 0 ? row.findIndex((span) => span[1] >= from) : chosen + by));
  const span = row[chosen], middle = span[1] + span[2] / 2;
  if (span[1] < from || span[1] + span[2] > to) show(middle - (to - from) / 2, middle + (to - from) / 2);
  tell(span);
};
const keys = {
  ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: () => show(0, cycles), "0": () => show(0, cycles),
  ArrowUp: () => { track = Math.max(0, track - 1); chosen = -1; step(0); }, ArrowDown: () => { track = Math.min(rows.length - 1, track + 1); chosen = -1; step(0); },
  "[": () => step(-1), "]": () => step(1),
};
plot.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault(); act();
});
for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => keys[button.dataset.act]());
document.getElementById("tools").hidden = false;
document.getElementById("help").hidden = false;
const fingers = new Map();
plot.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event.clientX); plot.setPointerCapture(event.pointerId); });
for (const kind of ["pointerup", "pointercancel"]) plot.addEventListener(kind, (event) => fingers.delete(event.pointerId));
plot.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), box = plot.getBoundingClientRect();
  if (before === undefined) {
    track = Math.min(rows.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / 26)));
    tell(near(rows[track], placeOf(event)));
    return;
  }
  if (fingers.size === 1) pan((before - event.clientX) / box.width);
  else {
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
    const was = Math.abs(before - others[0]), is = Math.abs(event.clientX - others[0]);
    if (was > 8 && is > 8) zoom(was / is, from + (((event.clientX + others[0]) / 2 - box.left) / box.width) * (to - from));
  }
  fingers.set(event.pointerId, event.clientX);
});
plot.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, placeOf(event)); else pan(event.deltaX / 600);
}, { passive: false });
show(0, cycles);
})();
`;
