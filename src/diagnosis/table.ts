/** A diagnosis for people. */
import { printable } from "../report/escape.ts";
import { formatBytes, formatShare, formatTable } from "../report/table.ts";
import type { Diagnosis, Standing, TriedRemedy } from "./diagnose.ts";
import type { Glance } from "./glance.ts";

/** Lines that are printed; `--json` has all. */
const SHOWN = 16;

const decibels = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(1));
const share = (value: number | undefined): string => (value === undefined ? "" : formatShare(value, 1));
const signed = (value: number, digits: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

export function glanceTable({ digest, layers }: Glance): string {
  const head = ["", "operator", "dB from the teacher", "at an end", "codes unused"];
  const rows = layers.slice(0, SHOWN).map(({ layer, op, cumulativeDb, saturated, dead }) => {
    return [printable(layer, 48), op, decibels(cumulativeDb), share(saturated), share(dead)];
  });
  return `digest ${digest}\n${formatTable([head, ...rows])}${more(layers.length)}\nwhich layers cost answers, and what helps, needs the teacher and data: give --recipe\n`;
}

const more = (count: number): string => (count > SHOWN ? `  and ${count - SHOWN} more; --json has them\n` : "");

/** @param patch where the best remedies were written */
export function diagnosisTable({ now, layers, remedies, best }: Diagnosis, patch: string | undefined): string {
  const head = ["", "format", "alone flips", "distance", "dB alone", "dB so far", "at an end", "codes unused"];
  const rows = layers
    .slice(0, SHOWN)
    .map((line) => [
      printable(line.layer, 40),
      line.format,
      formatShare(line.flips),
      line.distance.toExponential(1),
      decibels(line.isolatedDb),
      decibels(line.cumulativeDb),
      share(line.saturated),
      share(line.dead),
    ]);
  const tried = remedies.length === 0 ? "" : `\n${formatTable([REMEDY_HEAD, ...remedies.map(remedyRow)])}`;
  return `${standing(now)}\nthe worst first\n${formatTable([head, ...rows])}${more(layers.length)}${tried}\n${advice({ now, best }, patch)}`;
}

function standing({ metric, teacher, compiled, agreement, samples, ms, weightBytes }: Standing): string {
  return `${metric} ${compiled.toFixed(4)}, the teacher's ${teacher.toFixed(4)}; ${formatShare(agreement)} of its answers, on ${samples} selection samples; ${timeOf(ms)}, ${formatBytes(weightBytes)} of weights\n`;
}

const timeOf = (ms: number): string => `${Number(ms.toPrecision(4))} ms`;

const REMEDY_HEAD = ["remedy", "same answers, points: predicted", "measured", "metric, points", "µs"];

function remedyRow({ what, about, predicted, measured, microseconds, failed }: TriedRemedy): string[] {
  const name = about.length === 0 ? what : `${what}: ${about.map((each) => printable(each, 40)).join(", ")}`;
  const points = (value: number | undefined) => (value === undefined ? "" : signed(100 * value, 2));
  if (failed !== undefined) return [name, points(predicted), printable(failed, 60), "", ""];
  return [
    name,
    points(predicted),
    measured ? points(measured.agreement) : "not built",
    points(measured?.metric),
    microseconds === undefined ? "" : signed(microseconds, 2),
  ];
}

function advice({ now, best }: Pick<Diagnosis, "now" | "best">, patch: string | undefined): string {
  if (best === undefined) return "nothing that was tried brings the answers nearer to the teacher's\n";
  const { remedies, standing: after, microseconds } = best;
  const gain = `${formatShare(now.agreement)} → ${formatShare(after.agreement)} of the teacher's answers, ${signed(microseconds, 2)} µs`;
  const next =
    patch === undefined ? `\n${best.patch}` : `optimus-compile build RECIPE --patch ${printable(patch, 4096)}\n`;
  return `best: ${remedies.map((name) => printable(name, 80)).join("; ")}\n${gain}\n${next}`;
}
