/** Making an artifact again, byte for byte: from its quantization record, as any machine can, or from the recipe. */
import { digestOf, isSealed, type SealedArtifact } from "./artifact/container.ts";
import { decodeGolden, encodeGolden } from "./artifact/golden.ts";
import { decodeLineage, type Lineage } from "./artifact/lineage.ts";
import { manifestJson } from "./artifact/manifest.ts";
import { scheduleGraph } from "./build/schedule.ts";
import { make } from "./build.ts";
import { targetOf } from "./certify/measure.ts";
import { decodeCommands } from "./emulate/decode.ts";
import { CompileError } from "./error.ts";
import { decodeRecord, encodeRecord } from "./ir/record.ts";
import type { Recipe } from "./recipe.ts";
import { fastExecutor } from "./replay.ts";
import type { Check } from "./verify.ts";

/**
 * Everything after the record is integer work, which comes out equal on every machine: program, weights, plan, and what
 * the golden vectors' inputs give. With the manifest that makes the digest. What was before the record is not checked.
 */
export function rebuildFromRecord(artifact: SealedArtifact): Check {
  const target = targetOf(artifact);
  const sealed = (section: string) => artifact.sections.get(section) ?? new Uint8Array();
  const { sramBytes, npus } = decodeCommands(sealed("program"));
  const graph = decodeRecord(sealed("record"));
  const { sections } = scheduleGraph(graph, target, { allowCpu: true, sramBytes, npus });
  const fast = fastExecutor(graph);
  const golden = decodeGolden(sealed("golden")).map((steps) => {
    fast.reset();
    return steps.map(({ inputs }) => ({ inputs, outputs: fast.run(inputs) }));
  });
  const again = new Map<string, Uint8Array>([
    ["record", encodeRecord(graph)],
    ...(Object.entries(sections) as [string, Uint8Array][]),
    ["golden", encodeGolden(golden)],
  ]);
  for (const [section, bytes] of again) compare(section, bytes, sealed(section), RECORD_REMEDY);
  const digest = digestOf({ manifest: artifact.manifest, sections: again });
  if (digest !== artifact.digest) throw different("the digest", `${digest}, sealed ${artifact.digest}`, RECORD_REMEDY);
  return {
    name: "rebuild from the record",
    says: `${again.size} sections and the digest came out byte for byte; what came before the record was not checked`,
  };
}

/** The whole artifact again: teacher, data and passes take part, so it holds within one class of numerics. */
export async function rebuildFromRecipe(
  artifact: SealedArtifact,
  recipe: Recipe,
  signal?: AbortSignal,
): Promise<Check> {
  const { key: _, ...unsigned } = recipe;
  const { sealed } = await make(unsigned, signal === undefined ? {} : { signal });
  const before = decodeLineage(artifact.sections.get("lineage"));
  const now = decodeLineage(sealed.sections.get("lineage"));
  const digest = digestOf(sealed);
  if (digest !== artifact.digest) {
    compareLineage(before, now);
    // The record comes first of all that is made: where it differs, the others differ because of it.
    const names = ["record", "program", "weights", "plan", "golden"];
    for (const name of [...artifact.sections.keys()]) if (isSealed(name) && !names.includes(name)) names.push(name);
    const bytes = (from: SealedArtifact["sections"], name: string) => from.get(name) ?? new Uint8Array();
    for (const name of names) {
      compare(name, bytes(sealed.sections, name), bytes(artifact.sections, name), RECIPE_REMEDY);
    }
    const [made, was] = [sealed, artifact].map(({ manifest }) => JSON.stringify(manifestJson(manifest)));
    throw different("the manifest", made === was ? `${digest}, sealed ${artifact.digest}` : made, RECIPE_REMEDY);
  }
  const other = before.numerics === now.numerics ? "" : `, though the build's numerics were ${before.numerics}`;
  return {
    name: "rebuild from the recipe",
    says: `the whole artifact came out byte for byte, within the numerics of ${now.numerics}${other}`,
  };
}

const RECORD_REMEDY = "The artifact was not made from the record in it, or by another version of optimus-compile.";
const RECIPE_REMEDY = "Give the build's own recipe and settings, with the version that the lineage names.";

/** The first stage that is another one, in the order in which they ran. */
export function compareLineage(before: Lineage, now: Lineage): void {
  const stage = (what: string, was: string | undefined, is: string | undefined, remedy: string) => {
    if (was !== is) throw different(what, `was ${was ?? "not there"}, is ${is ?? "not there"}`, remedy);
  };
  stage("the teacher", before.teacher.digest, now.teacher.digest, "Give the teacher that the artifact was made from.");
  const weights = (lineage: Lineage) => lineage.teacher.external.map(({ file, digest }) => `${file} ${digest}`).join();
  stage("the teacher's external data", weights(before), weights(now), "Give the weights of the build.");
  for (const split of ["calibration", "selection"] as const) {
    const remedy = "Give the data of the build, in its order.";
    stage(`the ${split} data`, before.data[split]?.digest, now.data[split]?.digest, remedy);
  }
  stage("the target", before.target.digest, now.target.digest, "Give the hardware description of the build.");
  for (let at = 0; at < Math.max(before.passes.length, now.passes.length); at++) comparePass(at, before, now);
  stage("the record", before.record, now.record, RECIPE_REMEDY);
}

function comparePass(at: number, before: Lineage, now: Lineage): void {
  const [was, is] = [before.passes[at], now.passes[at]];
  const name = `pass ${at + 1}, ${was?.name ?? is?.name}`;
  if (was === undefined || is === undefined || was.name !== is.name) {
    throw different(name, `was ${was?.name ?? "not there"}, is ${is?.name ?? "not there"}`, RECIPE_REMEDY);
  }
  if (was.before !== is.before)
    throw different(`what ${name} gets`, `was ${was.before}, is ${is.before}`, RECIPE_REMEDY);
  const apart = optionsApart(was.options, is.options);
  if (apart.length > 0) throw different(`${name}: its options`, apart.join("; "), RECIPE_REMEDY);
  if (was.after === is.after) return;
  const foreign = before.numerics !== now.numerics;
  throw different(
    name,
    `gave ${was.after}, gives ${is.after}`,
    foreign
      ? `The build's numerics were ${before.numerics}, here they are ${now.numerics}: check from the record, or there.`
      : RECIPE_REMEDY,
  );
}

type Options = Lineage["passes"][number]["options"];

/** Each option that is another now: `samples was 256, is 7`. */
function optionsApart(was: Options, is: Options): string[] {
  const told = (value: unknown) => (value === undefined ? "not there" : JSON.stringify(value));
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .sort()
    .map((name) => [name, told(was[name]), told(is[name])])
    .filter(([, before, now]) => before !== now)
    .map(([name, before, now]) => `${name} was ${before}, is ${now}`);
}

function different(stage: string, where: string, remedy: string): CompileError {
  return new CompileError("trust/rebuild", `made again, the first that differs is ${stage}`, { where, remedy });
}

function compare(section: string, made: Uint8Array, sealed: Uint8Array, remedy: string): void {
  if (Buffer.compare(made, sealed) === 0) return;
  const shorter = Math.min(made.length, sealed.length);
  let at = 0;
  while (at < shorter && made[at] === sealed[at]) at++;
  throw different(`section ${section}`, `byte ${at} of ${sealed.length}`, remedy);
}
