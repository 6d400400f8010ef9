import { formatBytes, formatCount } from "../table.ts";
import { at, percent, significant } from "./figures.ts";
import { isAbsent, type LayerLine, type LayersModel, leadOf, type ReportModel } from "./model.ts";
import { type Html, html, shortName } from "./text.ts";
import { type Wire, wiresOf } from "./wires.ts";

const FIRST = 12;
/** Decibels beyond which float32 itself is no more exact. */
const EXACT = 140;

/** Time and error of every layer side by side: first those that take the most time, then all of them on the graph. */
export function layersSection({ layers }: ReportModel): Html {
  if (isAbsent(layers)) return html`<p>${layers.absent}</p>`;
  const worst = [...layers.layers]
    .sort((a, b) => b.cycles - a.cycles)
    .filter(({ cycles }) => cycles > 0)
    .slice(0, FIRST);
  const scale = scaleOf(layers);
  const withErrors = layers.noErrors === undefined;
  const together = worst.reduce((sum, { share }) => sum + share, 0);
  const head = headOf(withErrors);
  const wires = wiresOf(layers.layers);
  return html`<p>Every cycle of the run belongs to the layer that the rest of the program waits for at that time, so the layers add up to the run: ${formatCount(layers.cycles)} cycles in ${layers.layers.length + layers.left} layers. Names are the teacher’s nodes.${withErrors ? " The error is signal over error in decibels, against the teacher’s own values on the golden inputs: 20 dB is an error of a tenth, 40 dB of a hundredth." : ""}</p>
${limitsBar(layers)}
<h3>What takes the most time</h3>
<div class="scroll" tabindex="0" role="region" aria-label="The layers that take the most time"><table class="layers"><caption>${worst.length} layers take ${percent(together, 0)} of the run.</caption>${head}<tbody>${worst.map((layer) => rowOf(layer, scale, withErrors))}</tbody></table></div>
${layers.noErrors === undefined ? undefined : html`<p class="note">${layers.noErrors}</p>`}
<details><summary>All ${layers.layers.length} layers on the graph, in the order in which they run</summary><div class="scroll" tabindex="0" role="region" aria-label="All layers on the graph"><table class="layers">${headOf(withErrors, true)}<tbody>${layers.layers.map((layer, place) => rowOf(layer, scale, withErrors, wires.rows[place], wires.width))}</tbody></table></div>${layers.left > 0 ? html`<p class="note">${formatCount(layers.left)} further layers are not shown; <code>optimus-compile profile --json</code> has all of them.</p>` : undefined}</details>`;
}

function headOf(errors: boolean, graph = false): Html {
  return html`<thead><tr>${graph ? html`<th scope="col">graph</th>` : undefined}<th scope="col">layer</th><th scope="col">time</th><th scope="col" class="n"><span>share</span></th>${errors ? html`<th scope="col">error</th><th scope="col" class="n">dB</th>` : undefined}<th scope="col">bound by</th><th scope="col" class="n">array used</th><th scope="col" class="n">DRAM</th></tr></thead>`;
}

/** Where the bars of time and error end: the longest time; 0 and 50 dB, beyond which all is equally bad or good. */
interface Scale {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

function scaleOf({ layers }: LayersModel): Scale {
  return {
    share: Math.max(1e-9, ...layers.map(({ share }) => share)),
    low: 0,
    high: 50,
  };
}

function rowOf(layer: LayerLine, scale: Scale, errors: boolean, wire?: Wire, width = 0): Html {
  const { nodes, share, sqnr, boundBy, utilization, dramBytes, cycles } = layer;
  const more = nodes.length > 1 ? html`<small>+${nodes.length - 1}</small>` : undefined;
  const title = nodes
    .slice(0, 4)
    .map((name) => shortName(name, 60))
    .join(", ");
  const error =
    sqnr === undefined
      ? html`<td></td><td class="n">–</td>`
      : html`<td>${barOf((scale.high - sqnr) / (scale.high - scale.low), "error")}</td><td class="n">${sqnr >= EXACT ? "exact" : significant(sqnr, 3)}</td>`;
  return html`<tr>${wire && html`<td class="wire">${drawn(wire, width)}</td>`}<th scope="row" title="${title}">${shortName(leadOf(layer), 34)}${more}</th><td>${barOf(share / scale.share, "time")}</td><td class="n">${percent(share)}</td>${errors ? error : undefined}<td>${cycles > 0 ? boundBy : "hidden"}</td><td class="n">${utilization > 0 ? percent(utilization, 0) : "–"}</td><td class="n">${dramBytes > 0 ? formatBytes(dramBytes) : "–"}</td></tr>`;
}

function barOf(share: number, className: string): Html {
  const width = at(100 * Math.min(1, Math.max(0, share)));
  return html`<svg width="100" height="10" viewBox="0 0 100 10" aria-hidden="true"><rect class="track" width="100" height="10" rx="2"/><rect class="${className}" width="${width}" height="10" rx="2"/></svg>`;
}

function drawn({ paths, x }: Wire, width: number): Html {
  return html`<svg class="wires" width="${width}" height="34" viewBox="0 0 ${width} 34" aria-hidden="true"><path d="${{ html: paths }}"/><circle cx="${x}" cy="17" r="4"/></svg>`;
}

/** What the cycles are for, as one bar. */
function limitsBar({ limits, cycles }: LayersModel): Html {
  if (cycles === 0) return html``;
  let from = 0;
  const parts = limits.map(({ cycles: own }, place) => {
    const [x, width] = [(1000 * from) / cycles, (1000 * own) / cycles];
    from += own;
    return html`<rect class="l${place}" x="${at(x)}" width="${at(Math.max(0, width - 2))}" height="20"/>`;
  });
  const words = limits.map(({ limit, cycles: own }) => `${limit} ${percent(own / cycles, 0)}`).join(", ");
  return html`<h3>What the cycles are for</h3><svg class="limits" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="Of the run: ${words}">${parts}</svg><ul class="key">${limits.map(({ limit, cycles: own }, place) => html`<li><svg viewBox="0 0 24 10" aria-hidden="true"><rect class="l${place}" width="24" height="10" rx="2"/></svg>${limit} ${percent(own / cycles, 0)}</li>`)}</ul>`;
}
