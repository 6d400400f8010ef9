import { formatCount } from "../table.ts";
import { at, percent, significant } from "./figures.ts";
import {
  type Bin,
  type CalibrationModel,
  isAbsent,
  type OperatingPointModel,
  type ReportModel,
  type RiskModel,
} from "./model.ts";
import { chart, KEY_OF_MODELS, line, type Plane, planeOf } from "./plane.ts";
import { type Html, html } from "./text.ts";

/** What the confidence is worth: risk over coverage, and whether probabilities are honest. */
export function confidenceSection({ risk, calibration }: ReportModel): Html {
  return html`<div class="pair"><div><h3>Risk and coverage</h3>${isAbsent(risk) ? html`<p class="note">${risk.absent}</p>` : riskPart(risk)}</div><div><h3>Calibration</h3>${isAbsent(calibration) ? html`<p class="note">${calibration.absent}</p>` : calibrationPart(calibration)}</div></div>`;
}

const share = (value: number): string => percent(value, Math.abs(value) < 0.1 && value !== 0 ? 1 : 0);

function riskPart({ compiled, teacher, aurc, augrc, by, loss, n, point }: RiskModel): Html {
  const most = Math.max(1e-6, ...[...compiled, ...teacher].map(({ risk }) => risk));
  const plane = planeOf(
    { low: 0, high: 1, label: "share of answers kept, surest first", show: (value) => percent(value, 0) },
    { low: 0, high: most * 1.08, label: "risk of those kept", show: share },
  );
  const curve = (points: RiskModel["compiled"]) =>
    points.map(({ coverage, risk }): [number, number] => [coverage, risk]);
  const chosen = point === undefined || isAbsent(point) ? undefined : point;
  const marks = [
    ...(chosen ? [markOf(plane, 1 - chosen.escalationRate)] : []),
    line(plane, curve(teacher), "of-teacher"),
    line(plane, curve(compiled), "of-compiled"),
  ];
  const areas = `Area under the curve: compiled ${significant(aurc.compiled, 3)}, teacher ${significant(aurc.teacher, 3)}`;
  const kept = chosen ? `. The operating point keeps ${share(1 - chosen.escalationRate)}` : "";
  const who =
    by === "margin"
      ? "The compiled model is ranked by the integer margin that its program gives, the teacher by the same of its real outputs."
      : "Both models are ranked by their real outputs: the program gives no confidence of its own.";
  return html`<p>Kept are the answers that the model is surest of. The lower the curve, the better its confidence tells right from wrong. ${who}</p><figure>${chart(plane, `Risk of the answers kept against the share kept. ${areas}${kept}`, marks)}${KEY_OF_MODELS}<figcaption>Risk: ${loss}, over ${formatCount(n)} samples.${chosen && " The dashed line is the operating point."}</figcaption></figure>${areasTable(aurc, augrc, chosen)}${pointPart(point)}`;
}

/** How much is kept, as a line through the chart. */
function markOf({ x, bottom }: Plane, coverage: number): Html {
  return html`<path class="limit dashed" d="M${at(x(coverage))} 26V${bottom}"/>`;
}

function areasTable(aurc: RiskModel["aurc"], augrc: RiskModel["augrc"], point: OperatingPointModel | undefined): Html {
  const row = (what: string, compiled: string, teacher: string) =>
    html`<tr><th scope="row">${what}</th><td class="n">${compiled}</td><td class="n">${teacher}</td></tr>`;
  const areas = (what: string, { compiled, teacher }: RiskModel["aurc"]) =>
    row(what, significant(compiled, 3), significant(teacher, 3));
  const least = (value: number | undefined) => (value === undefined ? "never" : percent(value, 2));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What the confidences are worth"><table><thead><tr><th scope="col">confidence</th><th scope="col" class="n">int8</th><th scope="col" class="n">fp32</th></tr></thead><tbody>${areas("AURC", aurc)}${areas("AUGRC", augrc)}${point && row("escalated at the same risk", least(point.atRisk.compiled), least(point.atRisk.teacher))}</tbody></table></div>`;
}

function pointPart(point: RiskModel["point"]): Html | undefined {
  if (point === undefined) return undefined;
  if (isAbsent(point)) return html`<p class="note">${point.absent}</p>`;
  const { margin, escalationRate, escalationAtMost, risk, alpha, delta } = point;
  const which =
    margin === null
      ? "Every decision goes to System 2"
      : `Decisions of margin ${formatCount(margin)} and more stay on the chip`;
  const limit = escalationAtMost === undefined ? "" : `, at most ${percent(escalationAtMost, 2)}`;
  return html`<p>${which}; ${percent(escalationRate, 2)} are escalated${limit}. The risk of both systems together is ${percent(risk, 2)} on this data and was certified to be at most ${percent(alpha, 2)}; of such certifications ${percent(delta, 1)} may err.</p><p class="note">The least share escalated for the same risk, in the table, is of this data and holds no guarantee: it compares the two confidences.</p>`;
}

function calibrationPart({ before, after, bins }: CalibrationModel): Html {
  const intro = html`<p>Expected calibration error: ${percent(after, 2)} compiled, ${percent(before, 2)} before, over 15 bins.</p>`;
  if (bins === undefined) return intro;
  const plane = planeOf(
    { low: 0, high: 1, label: "probability that the model gave", show: (value) => percent(value, 0) },
    { low: 0, high: 1, label: "share that was right", show: (value) => percent(value, 0) },
  );
  const marks = [
    line(
      plane,
      [
        [0, 0],
        [1, 1],
      ],
      "ideal",
    ),
    ...curveOf(plane, bins.teacher, "teacher"),
    ...curveOf(plane, bins.compiled, "compiled"),
  ];
  const says = `Share right against probability given, ${bins.compiled.length} bins. On the diagonal, the model is as often right as it says`;
  return html`${intro}<figure>${chart(plane, says, marks)}${KEY_OF_MODELS}<figcaption>On the dotted line a model is as often right as it says; larger dots hold more samples.</figcaption></figure>`;
}

function curveOf(plane: Plane, bins: readonly Bin[], model: "teacher" | "compiled"): Html[] {
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const dots = bins.map(
    ({ probability, right, count }) =>
      html`<circle class="dot-${model}" cx="${at(plane.x(probability))}" cy="${at(plane.y(right))}" r="${at(1.6 + 3.4 * Math.sqrt(count / most))}"/>`,
  );
  return [
    line(
      plane,
      bins.map(({ probability, right }): [number, number] => [probability, right]),
      `of-${model}`,
    ),
    ...dots,
  ];
}
