import type { Samples } from "../pass.ts";
import type { Calibration } from "./calibrate.ts";
import type { Peak } from "./observe.ts";

/** Fewer samples than this leave tails and means to chance. */
const FEW_SAMPLES = 32;
/** So many times as large as what every other sample reaches: more bits are lost to one sample than 8 bits can spare. */
const FAR = 4;
/** Values named in one warning. */
const SHOWN = 3;
const SHOWN_CLASSES = 8;

export interface CalibrationSet {
  /** Places in the split of the samples that were run, in their order. */
  readonly indices: readonly number[];
  /** Whether they are steps of sequences, which say less each. */
  readonly isStream: boolean;
}

/** Takes note of another magnitude: the two largest stay, of different samples, and which sample had the largest. */
export function higher(peak: Peak, magnitude: number, sample: number): Peak {
  if (magnitude > peak.largest) return { largest: magnitude, second: peak.largest, sample };
  return magnitude > peak.second ? { ...peak, second: magnitude } : peak;
}

/** The peaks of two disjoint sets of samples as one. Of equals the earlier sample's stays. */
export function mergePeaks(a: Peak, b: Peak): Peak {
  const joined = higher(a, b.largest, b.sample);
  return b.second > joined.second ? { ...joined, second: b.second } : joined;
}

/** What makes a calibration set doubtful, in sentences: each names values, and samples by their place in the set. */
export function calibrationWarnings(
  { histograms, peaks }: Calibration,
  { indices, isStream }: CalibrationSet,
): string[] {
  const said: string[] = [];
  const few = isStream ? FEW_SAMPLES * FEW_SAMPLES : FEW_SAMPLES;
  if (indices.length < few) {
    said.push(
      `only ${indices.length} calibration ${isStream ? "steps" : "samples"}: ranges rest on chance; give ${few} or more`,
    );
  }
  const dead = [...histograms]
    .filter(([, { minimum, maximum }]) => minimum === 0 && maximum === 0)
    .map(([name]) => name);
  if (dead.length > 0) {
    said.push(`calibration never sees anything but 0 in ${named(dead)}: what comes there later has no codes`);
  }
  for (const [sample, names] of outliers(peaks)) {
    said.push(
      `calibration sample ${indices[sample]} makes ${named(names)} more than ${FAR} times as large as all others do: ` +
        "if it is no mistake, quantize.calibrator percentile or mse keeps its range from the others' cost",
    );
  }
  return said;
}

/** Whether classes of the recipe's data are in no sample of the set, in a sentence; of more classes than samples nothing is said. */
export function classWarnings({ labels }: Samples, { indices }: CalibrationSet): string[] {
  if (labels === undefined || labels.classes.length > indices.length) return [];
  const seen = new Set(indices.map((index) => labels.of(index)));
  const missing = labels.classes.filter((label) => !seen.has(label));
  if (missing.length === 0) return [];
  const shown = missing.slice(0, SHOWN_CLASSES).join(", ");
  const more = missing.length > SHOWN_CLASSES ? ` and ${missing.length - SHOWN_CLASSES} more` : "";
  return [
    `no calibration sample is of class ${shown}${more}, of ${labels.classes.length} in the data: ranges do not know what these need`,
  ];
}

/** Samples that stretch the range of values on their own, in their order. */
function outliers(peaks: ReadonlyMap<string, Peak>): [number, string[]][] {
  const found = new Map<number, string[]>();
  for (const [name, { largest, second, sample }] of peaks) {
    // Without a second sample that makes anything of the value, there is nothing to compare with.
    if (second === 0 || largest <= FAR * second) continue;
    const names = found.get(sample);
    if (names) names.push(name);
    else found.set(sample, [name]);
  }
  return [...found].sort(([a], [b]) => a - b);
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).map((name) => JSON.stringify(name));
  return names.length > SHOWN ? `${shown.join(", ")} and ${names.length - SHOWN} more` : shown.join(", ");
}
