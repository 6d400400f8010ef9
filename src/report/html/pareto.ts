import { at, metricText, timeText } from "./figures.ts";
import type { AccuracyModel, Point, ReportModel } from "./model.ts";
import { chart, line, planeOf } from "./plane.ts";
import { type Html, html, shortName } from "./text.ts";

/** Accuracy and latency of this artifact and the baselines; the teacher, which does not run on the chip, as a line. */
export function paretoSection({ accuracy, points }: ReportModel): Html {
  if (accuracy === undefined || points.length === 0) return html`<p>Nothing was measured.</p>`;
  const lone =
    points.length === 1
      ? html` Give other artifacts with <code class="n">--baseline</code> to see them beside it.`
      : undefined;
  return html`<p>${dominance(points, accuracy)}${lone}</p><figure>${drawing(points, accuracy)}<figcaption>The dashed line is the teacher in floating point, which does not run on this chip. Strokes are what the samples do not exclude, one-sided.</figcaption></figure>${points.length > 1 ? tableOf(points, accuracy) : undefined}`;
}

function better(a: Point, b: Point, { direction }: AccuracyModel): boolean {
  const asGood = direction === "higher" ? a.metric >= b.metric : a.metric <= b.metric;
  return asGood && a.ms <= b.ms && (a.metric !== b.metric || a.ms !== b.ms);
}

function dominance(points: readonly Point[], accuracy: AccuracyModel): string {
  const [own, ...others] = points;
  const beaten = others.filter((other) => better(own, other, accuracy)).length;
  const beating = others.filter((other) => better(other, own, accuracy)).length;
  const many = (count: number) => `${count} of ${others.length} baseline${others.length === 1 ? "" : "s"}`;
  const what = `${metricText(accuracy.metric, own.metric)} in ${timeText(own.ms)}.`;
  if (others.length === 0) return what;
  if (beating > 0) return `${what} At least as good and as fast: ${many(beating)}.`;
  if (beaten > 0) return `${what} It is at least as good and as fast as ${many(beaten)}.`;
  return `${what} None of the baselines is better in both.`;
}

function drawing(points: readonly Point[], { metric, teacher, direction }: AccuracyModel): Html {
  const values = [teacher, ...points.flatMap(({ metric: value, low, high }) => [value, low ?? value, high ?? value])];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * 0.25;
  const longest = Math.max(...points.map(({ ms }) => ms)) * 1.3;
  const up = {
    low: least - room,
    high: most + room,
    label: `${metric} (${direction} is better)`,
    show: (value: number) => metricText(metric, value),
  };
  const plane = planeOf({ low: 0, high: longest, label: "time of one inference", show: timeText }, up);
  const { x, y, width, left } = plane;
  const labels = apart(points.map(({ metric: value }) => y(value) + 4));
  const marks = points.map(({ name, ms, metric: value, low, high }, place) => {
    const first = place === 0;
    const right = x(ms) > width * 0.6;
    const whisker =
      low !== undefined && high !== undefined
        ? html`<path class="${first ? "whisker" : "of-teacher"}" d="M${at(x(ms))} ${at(y(low))}V${at(y(high))}"/>`
        : undefined;
    return html`${whisker}<circle class="${first ? "dot-compiled" : "dot-teacher"}" cx="${at(x(ms))}" cy="${at(y(value))}" r="${first ? 6 : 4.5}"/><text class="${first ? "strong" : ""}" x="${at(x(ms) + (right ? -11 : 11))}" y="${at(labels[place])}" text-anchor="${right ? "end" : "start"}">${shortName(name, 26)}</text>`;
  });
  const ours = [
    line(
      plane,
      [
        [0, teacher],
        [longest, teacher],
      ],
      "of-teacher dashed",
    ),
    html`<text x="${left + 6}" y="${at(y(teacher) - 6)}">teacher</text>`,
  ];
  const says = points
    .map(({ name, ms, metric: value }) => `${shortName(name)}: ${metricText(metric, value)} in ${timeText(ms)}`)
    .join("; ");
  return chart(plane, `Accuracy against latency. Teacher: ${metricText(metric, teacher)}. ${says}`, [
    ...ours,
    ...marks,
  ]);
}

/** Heights of labels, moved down until each has a line of its own. */
function apart(wanted: readonly number[]): number[] {
  const order = wanted.map((_, place) => place).sort((a, b) => wanted[a] - wanted[b]);
  const found = [...wanted];
  for (const [rank, place] of order.entries()) {
    if (rank > 0) found[place] = Math.max(found[place], found[order[rank - 1]] + 15);
  }
  return found;
}

function tableOf(points: readonly Point[], { metric }: AccuracyModel): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Artifacts compared"><table><thead><tr><th scope="col">artifact</th><th scope="col" class="n">${metric}</th><th scope="col" class="n">time</th><th scope="col">note</th></tr></thead><tbody>${points.map(
    (point) =>
      html`<tr><th scope="row">${shortName(point.name)}</th><td class="n">${metricText(metric, point.metric)}</td><td class="n">${timeText(point.ms)}</td><td>${point.caution ?? ""}</td></tr>`,
  )}</tbody></table></div>`;
}
