import type { SearchRecord } from "../../artifact/lineage.ts";
import { formatBytes } from "../table.ts";
import { at, differenceText, timeText } from "./figures.ts";
import type { ReportModel } from "./model.ts";
import { type Axis, chart, planeOf } from "./plane.ts";
import { type Html, html } from "./text.ts";

type Plan = SearchRecord["front"][number];

/** Plans that are drawn and listed, at most: a page has an end. */
const MOST = 40;

/** Where formats were chosen for a goal: the plans that were looked at, in what they lose, take and weigh. */
export function plansSection({ search }: ReportModel): Html | undefined {
  const plans = search?.front.slice(0, MOST).filter((plan) => dropOf(plan) !== undefined) ?? [];
  if (search === undefined || plans.length === 0) return undefined;
  const { metric, samples, goal } = search;
  const wanted = [
    ...(goal.maxDrop === undefined ? [] : [`lose at most ${differenceText(metric, goal.maxDrop).replace(/^\+/, "")}`]),
    ...(goal.maxMs === undefined ? [] : [`take at most ${timeText(goal.maxMs)}`]),
  ];
  const told = `The formats of the layers were chosen to ${wanted.join(" and to ")}, on ${samples.plans} samples that the figures above do not rest on.`;
  const time = drawing(plans, metric, ({ measured, ms }) => measured?.ms ?? ms, "time of one inference", timeText);
  const weight = drawing(plans, metric, bytesOf, "weights", formatBytes);
  return html`<h3>The plans it was chosen among</h3><p>${told}</p><figure>${time}${weight}<figcaption>Filled: built and measured; the large one was taken. Hollow: expected, from what each layer does alone.</figcaption></figure>${tableOf(plans, metric)}`;
}

const bytesOf = ({ measured, weightBytes }: Plan): number => measured?.weightBytes ?? weightBytes;
const dropOf = ({ measured, expectedDrop }: Plan): number | undefined => measured?.drop ?? expectedDrop;

function drawing(
  plans: readonly Plan[],
  metric: string,
  costOf: (plan: Plan) => number,
  label: string,
  show: (value: number) => string,
): Html {
  const drops = plans.map((plan) => dropOf(plan) ?? 0);
  const up = { ...spanOf(drops), label: `loss in ${metric}`, show: (value: number) => differenceText(metric, value) };
  const plane = planeOf({ ...spanOf(plans.map(costOf)), label, show }, up);
  const marks = plans.map((plan, place) => {
    const [cx, cy] = [at(plane.x(costOf(plan))), at(plane.y(drops[place]))];
    const shape = plan.measured ? "dot-compiled" : "of-compiled";
    return html`<circle class="${shape}" cx="${cx}" cy="${cy}" r="${plan.chosen ? 7 : 3.5}"/>`;
  });
  const chosen = plans.find((plan) => plan.chosen);
  const says = chosen ? ` Taken: ${differenceText(metric, dropOf(chosen) ?? 0)} at ${show(costOf(chosen))}.` : "";
  return chart(plane, `What ${plans.length} plans lose against ${label}.${says}`, marks);
}

/** With room around, also where all are equal. */
function spanOf(values: readonly number[]): Pick<Axis, "low" | "high"> {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.1;
  return { low: low - room, high: high + room };
}

function tableOf(plans: readonly Plan[], metric: string): Html {
  const rows = plans.map((plan) => {
    const drop = differenceText(metric, dropOf(plan) ?? 0);
    const layers = Object.entries(plan.layers)
      .slice(0, 4)
      .map(([format, count]) => `${count} ${format}`);
    const time = timeText(plan.measured?.ms ?? plan.ms);
    const note = plan.chosen ? "taken" : plan.measured ? "built" : "expected";
    return html`<tr><th scope="row">${layers.join(", ")}</th><td class="n">${drop}</td><td class="n">${time}</td><td class="n">${formatBytes(bytesOf(plan))}</td><td>${note}</td></tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Plans compared"><table><thead><tr><th scope="col">layers</th><th scope="col" class="n">loss in ${metric}</th><th scope="col" class="n">time</th><th scope="col" class="n">weights</th><th scope="col">loss is</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}
