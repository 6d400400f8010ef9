import { sayChance } from "../../evidence/chance.ts";
import { formatCount } from "../table.ts";
import { at, differenceText, metricText, percent, rangeText, significant, sizeText } from "./figures.ts";
import type { AccuracyModel, ReportModel, SliceLine } from "./model.ts";
import { type Html, html, shortName } from "./text.ts";

const MOST_SLICES = 200;

/** The metric of both models with its interval, and the slices, worst first. */
export function accuracySection({ accuracy }: ReportModel): Html {
  if (accuracy === undefined) return html`<p>Nothing was measured.</p>`;
  const { metric, teacher, compiled, drop, interval, n, groups, agreement, flips, divergence, source, chance } =
    accuracy;
  const guessing = sayChance(metric, chance);
  const within = interval ? ` (95 %: ${rangeText(metric, interval.low, interval.high)})` : "";
  const direction = drop > 0 ? "worse" : drop < 0 ? "better" : "no different";
  return html`<p>${metric}: ${metricText(metric, compiled)}, the teacher ${metricText(metric, teacher)}. That is ${drop === 0 ? direction : `${sizeText(metric, drop)} ${direction}`}${within}, on ${formatCount(n)} samples in ${formatCount(groups)} independent groups${source === undefined ? "" : ` (${shortName(source, 90)})`}.</p>
${guessing === undefined ? undefined : html`<p class="incomplete">${guessing.charAt(0).toUpperCase() + guessing.slice(1)}.</p>`}
<dl class="facts"><dt>Same answer</dt><dd>${percent(agreement, 2)} of the teacher’s answers</dd>${
    flips &&
    html`<dt>Changed answers</dt><dd>${formatCount(flips.flipped)}, of which ${formatCount(flips.harmful)} for the worse${flips.harmfulAtMost === undefined ? "" : `: at most ${percent(flips.harmfulAtMost, 2)} of all samples`}</dd>`
  }${divergence === undefined ? undefined : html`<dt>Divergence</dt><dd>${significant(divergence, 3)} nats (Kullback–Leibler, from the teacher, mean)</dd>`}</dl>
${slicesOf(accuracy)}`;
}

function slicesOf({ slices, metric, drop }: AccuracyModel): Html {
  if (slices.length === 0) return html``;
  const shown = slices.slice(0, MOST_SLICES);
  const ends = shown.flatMap(({ drop: own, limits }) => [own, ...(limits ? [limits.lower, limits.upper] : [])]);
  const low = Math.min(0, drop, ...ends);
  const high = Math.max(0, drop, ...ends);
  const x = (value: number) => at(6 + (188 * (value - low)) / (high - low || 1));
  const row = (slice: SliceLine) =>
    html`<tr><th scope="row">${shortName(slice.key, 24)} = ${shortName(slice.value, 32)}</th><td class="n">${differenceText(metric, slice.drop)}</td><td>${dropPlot(slice, x)}</td><td class="n">${metricText(metric, slice.compiled)}</td><td class="n">${metricText(metric, slice.teacher)}</td><td class="n">${formatCount(slice.n)}</td></tr>`;
  const first = shown.slice(0, 12).map(row);
  const rest = shown.slice(12).map(row);
  const head = html`<thead><tr><th scope="col">slice</th><th scope="col" class="n">drop</th><th scope="col">between</th><th scope="col" class="n">compiled</th><th scope="col" class="n">teacher</th><th scope="col" class="n">samples</th></tr></thead>`;
  return html`<h3>Slices, worst first</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Slices, worst first"><table><caption>Dots are drops (right of the line: worse than the teacher), strokes how far each may really be.</caption>${head}<tbody>${first}</tbody></table></div>
${rest.length === 0 ? undefined : html`<details><summary>${slices.length - 12} more slices</summary><div class="scroll" tabindex="0" role="region" aria-label="Further slices"><table>${head}<tbody>${rest}</tbody></table></div></details>`}${slices.length > MOST_SLICES ? html`<p class="note">${slices.length - MOST_SLICES} further slices, all better than these, are in the evidence.</p>` : undefined}`;
}

function dropPlot({ drop, limits }: SliceLine, x: (value: number) => string): Html {
  const span = limits && html`<path class="whisker" d="M${x(limits.lower)} 9H${x(limits.upper)}"/>`;
  return html`<svg class="drop-plot" width="200" height="18" viewBox="0 0 200 18" aria-hidden="true"><path class="axis" d="M${x(0)} 0v18"/>${span}<circle class="dot-compiled" cx="${x(drop)}" cy="9" r="4"/></svg>`;
}
