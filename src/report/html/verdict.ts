import { at, metricText, significant } from "./figures.ts";
import type { GateLine, ReportModel } from "./model.ts";
import { type Html, html } from "./text.ts";

export const VERDICTS = {
  pass: { mark: "✓", word: "Passed" },
  fail: { mark: "✗", word: "Failed" },
  incomplete: { mark: "?", word: "Not enough evidence" },
  none: { mark: "?", word: "Not certified" },
} as const;

/** The verdict and why: each gate with what was measured, what the samples do not exclude, and the limit. */
export function verdictSection({ gates, verdict, accuracy }: ReportModel): Html {
  const order = { fail: 0, incomplete: 1, pass: 2 } as const;
  const sorted = [...gates].sort((a, b) => order[a.verdict] - order[b.verdict]);
  if (sorted.length === 0) {
    return html`<p>${verdict === undefined ? "Nobody has judged this artifact yet." : "The recipe sets no gates, so nothing could fail."}</p>`;
  }
  return html`<p>${summaryOf(sorted)} What counts is not the figure that was measured, but the least favourable one that the samples do not exclude.</p>
<ul class="gates">${sorted.map((gate) => gateItem(gate, accuracy?.metric ?? ""))}</ul>`;
}

function summaryOf(gates: readonly GateLine[]): string {
  const failed = gates.filter(({ verdict }) => verdict === "fail").length;
  const open = gates.filter(({ verdict }) => verdict === "incomplete").length;
  const many = (count: number) => (count === 1 ? "1 gate" : `${count} gates`);
  if (failed > 0)
    return `${many(failed)} of ${gates.length} failed${open > 0 ? `, ${open} could not be decided` : ""}.`;
  if (open > 0) return `${many(open)} of ${gates.length} could not be decided with these samples.`;
  return gates.length === 1 ? "The one gate held." : `All ${gates.length} gates held.`;
}

function gateItem(gate: GateLine, metric: string): Html {
  const { mark, word } = VERDICTS[gate.verdict];
  return html`<li><div><p><strong>${gate.gate}</strong> <span class="${gate.verdict}">${mark} ${word.toLowerCase()}</span></p>
<p class="note">${gate.says === "" ? "" : `${sentence(gate.says)}. `}${gate.where === undefined ? "" : `Worst: ${gate.where}. `}${sentence(gate.reason)}.</p></div>${gateBar(gate, metric)}</li>`;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A scale with the limit as a stroke, the measured figure as a dot, and how far it may really be as a line. */
function gateBar({ gate, value, shown, limit, keeps }: GateLine, metric: string): Html {
  if (value === undefined || !Number.isFinite(limit)) return html``;
  const all = [value, shown ?? value, limit, keeps === "at most" ? 0 : Math.min(value, limit, shown ?? value) * 0.98];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = (high - low || 1) * 0.08;
  const x = (figure: number) => at(8 + (284 * (figure - low)) / (high + room - low));
  const figure = (one: number) => (/Metric|Agreement/.test(gate) ? metricText(metric, one) : significant(one, 4));
  const words = `${gate}: measured ${figure(value)}${shown === undefined ? "" : `, ${figure(shown)} at worst`}, limit ${figure(limit)}`;
  const end =
    shown === undefined ? html`` : html`<path class="whisker" d="M${x(value)} 10H${x(shown)}M${x(shown)} 6v8"/>`;
  const nearEnd = Number(x(limit)) > 200;
  return html`<svg class="bar" viewBox="0 0 300 34" role="img" aria-label="${words}"><path class="axis" d="M0 10H300"/>${end}<circle class="dot-compiled" cx="${x(value)}" cy="10" r="4.5"/><path class="limit" d="M${x(limit)} 2v16"/><text x="${x(limit)}" y="31" text-anchor="${nearEnd ? "end" : "start"}">limit ${figure(limit)}</text></svg>`;
}
