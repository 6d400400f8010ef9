/**
 * The student of PP-OCR's recognizer, from its recipe to an artifact: trained, built with the data of `ocr-rec` and no values in 16 bits, and
 * held against what `ocr-rec` says of the teacher on the same lines. `--samples` limits the lines of certification,
 * for a shorter look: the bars are for all of them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildDocument } from "../../src/report/build-document.ts";
import { type AcceptanceCheck, attempt } from "./check.ts";
import { complaint, main, runProgram } from "./command.ts";

const CYCLES_BAR = 0.5;
const CER_BAR = 0.015;
const SECONDS_BAR = 7200;

async function run(
  folder: string,
  ...args: string[]
): Promise<{ readonly document: unknown; readonly seconds: number }> {
  const finished = await runProgram(process.execPath, [main, ...args, "--out", folder, "--json", "--ci"], SECONDS_BAR);
  if (finished.stdout === "" || finished.stdout.includes("optimus-compile/error@1"))
    throw new Error(complaint(finished));
  return { document: JSON.parse(finished.stdout), seconds: finished.seconds };
}

const points = (share: number): string => (100 * share).toFixed(2);

export const ocrStudent: AcceptanceCheck = async function* ({ samples }) {
  const folder = mkdtempSync(join(tmpdir(), "ocr-student-"));
  const fewer = samples === undefined ? [] : ["--set", `data.certification.count=${samples}`];
  try {
    yield await attempt("student of ocr-rec", async () => {
      const trained = await run(folder, "train", "recipes/train/ocr-rec-student.yaml", "--jobs", "2");
      const { model } = trained.document as { readonly model: string };
      const settings = [`model=${model}`, "name=ocr-rec-student", "quantize.int16Share=0"];
      const chosen = settings.flatMap((each) => ["--set", each]);
      const built = await run(folder, "build", "recipes/ocr-rec.yaml", ...chosen, ...fewer);
      const teacher = (await run(folder, "build", "recipes/ocr-rec.yaml", ...fewer)).document as BuildDocument;
      const student = built.document as BuildDocument;
      const ratio = student.latency.cycles / teacher.latency.cycles;
      const more = student.accuracy.compiled - teacher.accuracy.teacher;
      const seconds = trained.seconds + built.seconds;
      return {
        good: ratio <= CYCLES_BAR && more <= CER_BAR && seconds <= SECONDS_BAR,
        says: [
          `${student.latency.cycles} cycles, ${ratio.toFixed(3)} of the teacher's`,
          `CER ${points(student.accuracy.compiled)} %, ${points(student.accuracy.teacher)} % in float, the teacher's ${points(teacher.accuracy.teacher)} %`,
          `n ${student.accuracy.n}`,
          `${seconds.toFixed(0)} s`,
        ].join("; "),
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
