/** Who is compared: a row is a way to quantize one teacher to one format, with the command that does it. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Recipe } from "../../../src/recipe.ts";

export type Format = "W8A8" | "W4A16";
export const FORMATS: readonly Format[] = ["W8A8", "W4A16"];

export interface Row {
  /** Of its files in the run's folder. */
  readonly id: string;
  readonly isOurs: boolean;
  readonly command: readonly string[];
  /** What the command writes: a quantization record of ours, ONNX of the others. */
  readonly out: string;
}

export interface Place {
  readonly teacher: string;
  readonly recipe: Recipe;
  readonly format: Format;
  /** Where what is made is kept. */
  readonly folder: string;
  readonly model: string;
  readonly calibration: string;
  /** Steps of sequences that the calibration file has; undefined where samples are independent. */
  readonly steps: number | undefined;
  /** Interpreters that have the packages of requirements.txt and of requirements-aimet.txt. */
  readonly python: string | undefined;
  readonly aimet: string | undefined;
}

/** Few samples, nothing searched and nothing corrected: what our quantization takes at the least. */
const QUICK = ["int16Share=0", "rounding=nearest", "equalize=false", "biasCorrection=false"].map(
  (set) => `quantize.${set}`,
);
const QUICK_SAMPLES = 64;

/** Ours first: the first row is what the others are compared with. */
export function rowsOf(place: Place): Row[] {
  const { format, recipe, python, aimet } = place;
  const rows: Row[] = [];
  const add = (name: string, isOurs: boolean, ending: string, command: (out: string) => readonly string[]) => {
    const id = `${format}-${name}`;
    const out = join(place.folder, `${id}.${ending}`);
    rows.push({ id, isOurs, out, command: command(out) });
  };
  const ours = (name: string, settings: readonly string[], samples?: number) => {
    const given = [
      ...settings.flatMap((setting) => ["--set", setting]),
      ...(place.steps === undefined ? [] : ["--steps", String(place.steps)]),
      ...(samples === undefined || place.steps !== undefined ? [] : ["--samples", String(samples)]),
    ];
    const files = (out: string) => [place.teacher, format, place.calibration, out];
    add(name, true, "record", (out) => [process.execPath, here("ours.ts"), ...given, ...files(out)]);
  };
  const peer = (name: string, interpreter: string | undefined, script: string, ...flags: string[]) => {
    if (interpreter === undefined) return;
    const files = (out: string) => [place.model, place.calibration, out];
    add(name, false, "onnx", (out) => [interpreter, here(script), ...flags, ...files(out)]);
  };
  ours("ours", []);
  if (format === "W8A8") {
    if (recipe.quantize.int16Share > 0) ours("ours-8-bits", ["quantize.int16Share=0"]);
    ours("ours-quick", QUICK, QUICK_SAMPLES);
    peer("ort", python, "ort_static.py");
    peer("ort-percentile", python, "ort_static.py", "--accurate");
    peer("nncf", python, "nncf_ptq.py");
    peer("nncf-accurate", python, "nncf_ptq.py", "--accurate");
    peer("aimet", aimet, "aimet_ptq.py");
    peer("aimet-seq-mse", aimet, "aimet_ptq.py", "--accurate");
  } else {
    for (const algorithm of ["default", "rtn"])
      peer(`ort-${algorithm}`, python, "ort_nbits.py", "--algorithm", algorithm);
    // These two want torch.
    for (const algorithm of ["hqq", "gptq"]) peer(`ort-${algorithm}`, aimet, "ort_nbits.py", "--algorithm", algorithm);
    peer("nncf-int4", python, "nncf_weights.py");
    peer("nncf-int4-accurate", python, "nncf_weights.py", "--accurate");
  }
  return rows;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
