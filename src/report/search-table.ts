import type { SearchRecord } from "../artifact/lineage.ts";
import { formatBytes, formatTable } from "./table.ts";

type Plan = SearchRecord["front"][number];

/** The plans that were looked at for a goal, the fastest first, and the one that was taken. */
export function searchTable(search: SearchRecord): string {
  const { goal, metric, samples, front } = search;
  const wanted = [
    goal.maxDrop !== undefined && `drop at most ${points(goal.maxDrop)} points`,
    goal.maxMs !== undefined && `at most ${timeOf(goal.maxMs)}`,
  ].filter(Boolean);
  const rows = shownOf(front).map((plan) => [
    plan.chosen ? "→" : "",
    plan.uniform === undefined ? countsOf(plan) : `${plan.uniform} throughout`,
    timeOf(plan.measured?.ms ?? plan.ms),
    formatBytes(plan.measured?.weightBytes ?? plan.weightBytes),
    dropOf(plan),
    plan.measured ? `${(100 * plan.measured.agreement).toFixed(2)} %` : "",
  ]);
  const head = ["", "layers", "time", "weights", `${metric}: drop, points`, "same answer"];
  const note = `  formats for: ${wanted.join(", ")}; drops on ${samples.plans} selection samples, "about" where the plan was not built\n`;
  return `${note}${formatTable([head, ...rows])}${predicted(front)}`;
}

/** Lines that are printed of plans that were only scheduled; `--json` and the lineage have all. */
const SHOWN = 10;

/** In their order: all that were built or are uniform, and some of the others. */
function shownOf(front: readonly Plan[]): Plan[] {
  const told = (plan: Plan) => plan.measured !== undefined || plan.uniform !== undefined;
  const others = front.filter((plan) => !told(plan));
  const step = Math.max(1, (others.length - 1) / (SHOWN - 1));
  const some = new Set(Array.from({ length: SHOWN }, (_, at) => others[Math.round(at * step)]));
  return front.filter((plan) => told(plan) || some.has(plan));
}

/** Plans differ by little. */
const timeOf = (ms: number): string => `${Number(ms.toPrecision(4))} ms`;

const points = (drop: number): string => (100 * drop).toFixed(2);

function predicted(front: readonly Plan[]): string {
  const { ms, measured } = front.find(({ chosen }) => chosen) ?? {};
  if (ms === undefined || measured === undefined) return "";
  return `  predicted to take ${timeOf(ms)}, takes ${timeOf(measured.ms)}\n`;
}

const countsOf = ({ layers }: Plan): string =>
  Object.entries(layers)
    .map(([format, count]) => `${count} ${format}`)
    .join(", ");

function dropOf({ measured, expectedDrop }: Plan): string {
  if (measured) return points(measured.drop);
  return expectedDrop === undefined ? "" : `about ${points(expectedDrop)}`;
}
