/** Making an artifact again, byte for byte: from its quantization record, as any machine can, or from the recipe. */
import { isSealed, type SealedArtifact } from "./artifact/container.ts";
import { scheduleGraph } from "./build/schedule.ts";
import { make } from "./build.ts";
import { targetOf } from "./certify/measure.ts";
import { decodeCommands } from "./emulate/decode.ts";
import { CompileError } from "./error.ts";
import { decodeRecord } from "./ir/record.ts";
import type { Recipe } from "./recipe.ts";
import type { Check } from "./verify.ts";

/** Everything after the record is integer work: program, weights and plan must come out as they are sealed. */
export function rebuildFromRecord(artifact: SealedArtifact): Check {
  const target = targetOf(artifact);
  const sealed = (section: string) => artifact.sections.get(section) ?? new Uint8Array();
  const { sramBytes, npus } = decodeCommands(sealed("program"));
  const again = scheduleGraph(decodeRecord(sealed("record")), target, { allowCpu: true, sramBytes, npus });
  for (const [section, bytes] of Object.entries(again.sections))
    compare(section, bytes as Uint8Array, sealed(section), "record");
  return { name: "rebuild from the record", says: "program, weights and plan came out byte for byte" };
}

/** The whole artifact again: teacher, data and passes take part, so it holds within one kind of CPU. */
export async function rebuildFromRecipe(
  artifact: SealedArtifact,
  recipe: Recipe,
  signal?: AbortSignal,
): Promise<Check> {
  const { key: _, ...unsigned } = recipe;
  const { sealed } = await make(unsigned, signal === undefined ? {} : { signal });
  // The record comes first of all that is made: where it differs, the others differ because of it.
  const names = ["record", "program", "weights", "plan", "golden"];
  for (const [name] of artifact.sections) if (isSealed(name) && !names.includes(name)) names.push(name);
  for (const name of names) {
    compare(
      name,
      sealed.sections.get(name) ?? new Uint8Array(),
      artifact.sections.get(name) ?? new Uint8Array(),
      "recipe",
    );
  }
  if (JSON.stringify(sealed.manifest) !== JSON.stringify(artifact.manifest)) {
    throw new CompileError("trust/rebuild", "the recipe gives another manifest", { where: "manifest" });
  }
  return { name: "rebuild from the recipe", says: `${names.length} sealed sections came out byte for byte` };
}

function compare(section: string, made: Uint8Array, sealed: Uint8Array, from: "record" | "recipe"): void {
  if (Buffer.compare(made, sealed) === 0) return;
  const shorter = Math.min(made.length, sealed.length);
  let at = 0;
  while (at < shorter && made[at] === sealed[at]) at++;
  const remedy =
    from === "record"
      ? "The artifact was not made from the record in it, or by another version of optimus-compile."
      : "Give the build's own recipe and settings; on another kind of CPU calibration may differ in the last bit.";
  throw new CompileError("trust/rebuild", `made again from the ${from}, section "${section}" is another one`, {
    where: `section ${section}, byte ${at} of ${sealed.length}`,
    remedy,
  });
}
