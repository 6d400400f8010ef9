/** Builds that went wrong, for negative controls: every stage is the real one, and one thing between two of them is not. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { writeArtifact } from "../../src/artifact/file.ts";
import { openBuildData } from "../../src/build/data.ts";
import { openStages } from "../../src/build/kept.ts";
import { lineageOf, manifestOf, seal } from "../../src/build/seal.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { decodeRecord, encodeRecord } from "../../src/ir/record.ts";
import type { Recipe } from "../../src/recipe.ts";
import { loadTarget } from "../../src/target/load.ts";

/** Everything up to the seal, the record exchanged for what `change` makes of it. @returns the uncertified artifact's path */
export async function buildWith(recipe: Recipe, change: (graph: Graph) => Graph): Promise<string> {
  const target = loadTarget(recipe.target);
  const stages = openStages(recipe, target, {});
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph);
  const { record: sound, log } = await stages.lower(teacher, data);
  const record = encodeRecord(change(decodeRecord(sound)));
  const integer = decodeRecord(record);
  const planned = await stages.schedule(record, integer);
  const golden = await stages.golden(record, integer, planned, data);
  data.close();
  const lineage = lineageOf(recipe, target, {
    ...{ teacher: teacher.lineage, data: data.lineage, passes: log },
    ...{ imported: teacher.graph, integer, record },
  });
  const manifest = manifestOf(teacher.graph, integer, target, recipe.profile);
  mkdirSync(recipe.out, { recursive: true });
  const path = join(recipe.out, `${recipe.name}.dopt`);
  writeArtifact(path, await seal({ manifest, sections: { ...planned.sections, record, golden }, lineage }));
  return path;
}

/** As if the scale of the weights of the convolution in the middle were 2^power of what it is: multiplier · 2^−shift. */
export function scaledLayer(graph: Graph, power: number): Graph {
  const layers = graph.nodes.filter(({ op }) => op === "Conv");
  const name = layers[layers.length >> 1].inputs[4];
  const shift = graph.constants.get(name);
  if (!shift) throw new Error(`the shifts "${name}" are no constant`);
  const data = Int32Array.from(shift.data as Int32Array, (bits) => bits - power);
  return { ...graph, constants: new Map(graph.constants).set(name, { ...shift, data }) };
}

/** Writes an IDX file whose bytes behind the header were changed in place. */
export function changeIdx(from: string, to: string, header: number, change: (bytes: Uint8Array) => void): string {
  const bytes = gunzipSync(readFileSync(from));
  change(bytes.subarray(header));
  writeFileSync(to, gzipSync(bytes, { level: 1 }));
  return to;
}
