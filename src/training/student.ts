/** The student that a recipe derives from its teacher, as a file beside the training's results. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { digestOfFile, writeFileAtomic } from "../artifact/file.ts";
import type { Dataset } from "../data/dataset.ts";
import { bug, CompileError } from "../error.ts";
import { removeDead } from "../ir/edit.ts";
import type { Graph } from "../ir/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { runPasses } from "../passes.ts";
import { presetPasses } from "../presets.ts";
import type { Training } from "../recipe/training.ts";
import { deriveStudent } from "../student/derive.ts";
import type { Batch } from "../student/means.ts";
import { batchOf } from "./batches.ts";
import { freeModel } from "./models.ts";

/** Milliseconds that one sample takes on a target, of float graphs with a batch of 1. */
export type LatencyOf = (target: string, sample: Batch) => (graph: Graph) => Promise<number>;

/** Samples that units and blocks are ranked on, at a time. */
const BATCH = 64;

/**
 * Writes `NAME.student.onnx`, the teacher cut down with the weights that stay, and `NAME.student.json`, which says what went
 * and why; with `resume` what is there stays. Throws usage/student-too-large.
 */
export async function writeStudent(
  recipe: Training,
  { out, resume, latency }: { readonly out: string; readonly resume: boolean; readonly latency?: LatencyOf },
  data: Dataset,
): Promise<string> {
  const { teacher = bug("a student without a teacher"), student = bug("no student is asked for"), seed } = recipe;
  const files = { model: join(out, `${recipe.name}.student.onnx`), report: join(out, `${recipe.name}.student.json`) };
  if (resume && existsSync(files.model) && existsSync(files.report)) return files.model;
  const whole = endingWith(await freeModel(teacher, data.describe().inputs), student.outputs);
  const graph = student.fuse ? (await runPasses(whole, presetPasses("training"))).graph : whole;
  const size = Math.min(BATCH, data.length);
  const batches: Batch[] = [];
  const wanted = new Set(graph.inputs);
  for (let at = 0; at < Math.max(1, Math.floor(Math.min(student.samples, data.length) / size)); at++) {
    const batch = await batchOf({ dataset: data, batch: size, seed }, at);
    batches.push(new Map([...batch].filter(([name]) => wanted.has(name))));
  }
  const one = await batchOf({ dataset: data, batch: 1, seed }, 0);
  const { graph: derived, report } = await deriveStudent(graph, student, {
    batches,
    ...(student.maxMs !== undefined && latency && { latency: latency(student.target, one) }),
  });
  writeModel(derived, files.model);
  const document = { schema: "optimus-compile/student@1", teacher: digestOfFile(teacher, "teacher"), ...report };
  writeFileAtomic(files.report, [`${JSON.stringify(document, undefined, 2)}\n`]);
  return files.model;
}

/** The graph that ends with other values of its own; as it is where none are named. */
function endingWith(graph: Graph, outputs: readonly string[] | undefined): Graph {
  if (outputs === undefined) return graph;
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const missing = outputs.find((name) => !made.has(name));
  if (missing === undefined) return removeDead({ ...graph, outputs });
  throw new CompileError("usage/unknown-value", `the teacher has no value "${missing}"`, { where: "student.outputs" });
}
