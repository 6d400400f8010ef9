import { formatCount } from "../table.ts";
import { at, percent, significant } from "./figures.ts";
import { type Bin, type CalibrationModel, isAbsent, type ReportModel, type RiskModel } from "./model.ts";
import { chart, KEY_OF_MODELS, line, type Plane, planeOf } from "./plane.ts";
import { type Html, html } from "./text.ts";

/** What the confidence is worth: risk over coverage, and whether probabilities are honest. */
export function confidenceSection({ risk, calibration }: ReportModel): Html {
  return html`<div class="pair"><div><h3>Risk and coverage</h3>${isAbsent(risk) ? html`<p class="note">${risk.absent}</p>` : riskPart(risk)}</div><div><h3>Calibration</h3>${isAbsent(calibration) ? html`<p class="note">${calibration.absent}</p>` : calibrationPart(calibration)}</div></div>`;
}

const share = (value: number): string => percent(value, Math.abs(value) < 0.1 && value !== 0 ? 1 : 0);

function riskPart({ compiled, teacher, aurc, loss, n }: RiskModel): Html {
  const most = Math.max(1e-6, ...[...compiled, ...teacher].map(({ risk }) => risk));
  const plane = planeOf(
    { low: 0, high: 1, label: "share of answers kept, surest first", show: (value) => percent(value, 0) },
    { low: 0, high: most * 1.08, label: "risk of those kept", show: share },
  );
  const curve = (points: RiskModel["compiled"]) =>
    points.map(({ coverage, risk }): [number, number] => [coverage, risk]);
  const says = `Risk of the answers kept against the share kept. Area under the curve: compiled ${significant(aurc.compiled, 3)}, teacher ${significant(aurc.teacher, 3)}`;
  return html`<p>Kept are the answers that the model is surest of. The lower the curve, the better its confidence tells right from wrong. Area under it (AURC): ${significant(aurc.compiled, 3)}, the teacher’s ${significant(aurc.teacher, 3)}.</p><figure>${chart(plane, says, [line(plane, curve(teacher), "of-teacher"), line(plane, curve(compiled), "of-compiled")])}${KEY_OF_MODELS}<figcaption>Risk: ${loss}, over ${formatCount(n)} samples.</figcaption></figure>`;
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
