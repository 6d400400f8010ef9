/** The network that learns: bound to a batch, with its losses, and written again with what it has learnt. */

import { CompileError } from "../error.ts";
import { type Dim, type Graph, isStatic, type Tensor, type Type, typeOf } from "../ir/graph.ts";
import { readsOf } from "../ir/uses.ts";
import { importOnnx } from "../onnx/import.ts";
import { normalise } from "../onnx/normalise.ts";
import { readModel } from "../onnx/read.ts";
import { runPasses } from "../passes.ts";
import type { Training } from "../recipe/training.ts";
import { withWeights } from "../train/loop.ts";
import { parametersOf } from "../train/mode.ts";
import type { Weights } from "../train/step.ts";
import type { LossTerm } from "../train/terms.ts";
import { taughtAs } from "./teacher.ts";

/** Of one sample of the data, with its batch axis of 1. */
export type SampleShapes = readonly { readonly name: string; readonly shape: readonly number[] }[];

/** The model for so many samples at once; simplified, so that no shape is left to be computed. */
export async function modelFor(path: string, shapes: SampleShapes, batch: number): Promise<Graph> {
  const inputs = new Map(shapes.map(({ name, shape }) => [name, { shape: [batch, ...shape.slice(1)] }]));
  const wanted = new Set(readModel(path).inputs);
  const known = new Map([...inputs].filter(([name]) => wanted.has(name)));
  return simplified(importOnnx(path, { inputs: known }));
}

/**
 * The graph simplified, whatever its weights hold: biases that are all 0 stay, and scales that are all 1 stay apart, since they
 * will not be so for long. Weights are inputs meanwhile, which no pass looks into.
 */
async function simplified(graph: Graph): Promise<Graph> {
  const running = graph.nodes.flatMap(({ op, inputs }) => (op === "BatchNormalization" ? inputs.slice(3, 5) : []));
  const weights = new Map<string, Tensor>();
  for (const name of [...parametersOf(graph), ...running]) {
    const tensor = graph.constants.get(name);
    if (tensor !== undefined && !graph.inputs.includes(name)) weights.set(name, tensor);
  }
  const constants = new Map([...graph.constants].filter(([name]) => !weights.has(name)));
  const types = new Map([
    ...graph.types,
    ...[...weights].map(([name]) => [name, typeOf(graph, name) as Type] as const),
  ]);
  const open = { ...graph, inputs: [...graph.inputs, ...weights.keys()], constants, types };
  const { graph: simple } = await runPasses(open, ["simplify"]);
  const read = new Set([...simple.outputs, ...simple.nodes.flatMap(readsOf)]);
  return {
    ...simple,
    inputs: simple.inputs.filter((name) => !weights.has(name)),
    constants: new Map([...simple.constants, ...[...weights].filter(([name]) => read.has(name))]),
    types: new Map([...simple.types].filter(([name]) => !weights.has(name))),
  };
}

/** The model for any number of samples at once, as far as its file leaves that open; simplified. */
export async function freeModel(path: string, shapes: SampleShapes): Promise<Graph> {
  const read = readModel(path);
  const sizes = new Map(shapes.map(({ name, shape }) => [name, shape]));
  const free = (dim: Dim, axis: number, name: string): Dim =>
    typeof dim === "number" ? dim : axis === 0 ? "batch" : (sizes.get(name)?.[axis] ?? dim);
  const types = new Map<string, Type>();
  for (const [name, type] of read.types) {
    if (!read.inputs.includes(name)) {
      if (isStatic(type.shape)) types.set(name, type);
    } else if (type.shape) types.set(name, { ...type, shape: type.shape.map((dim, axis) => free(dim, axis, name)) });
    else types.set(name, type);
  }
  return simplified(normalise({ ...read, types }));
}

/** The trained model: as its file has it where that has all the weights by name, for one sample a run elsewhere. */
export async function trainedModel(path: string, shapes: SampleShapes, weights: Weights): Promise<Graph> {
  const isIn = (graph: Graph): boolean =>
    [...weights].every(([name, { shape }]) => graph.constants.get(name)?.shape.join() === shape.join());
  const original = readModel(path);
  if (isIn(original)) return withWeights(original, weights);
  const single = await modelFor(path, shapes, 1);
  if (isIn(single)) return withWeights(single, weights);
  throw new CompileError("model/weights-vary", "the model's weights depend on how many samples it is given at once", {
    where: path,
    remedy: "export it with its weights as initializers",
  });
}

/** The recipe's losses for the graph: labels become an input of this name, the teacher's values are found as `taughtAs`. */
export const LABELS = "label~";
export function lossTerm(term: Training["losses"][number], teacher: Graph | undefined): LossTerm {
  if (term.kind === "labels") return { ...term, labels: LABELS };
  const shape = teacher?.types.get(term.teacher)?.shape;
  return { ...term, teacher: taughtAs(term.teacher), ...(isStatic(shape) && { teacherShape: shape }) };
}

/** Of the scores that labels are for: all but their last axis. */
export function labelShape(graph: Graph, scores: string): readonly number[] {
  const shape = graph.types.get(scores)?.shape;
  if (isStatic(shape)) return shape.slice(0, -1);
  throw new CompileError("usage/unknown-value", `the model has no value "${scores}" of a known shape`, {
    where: "losses",
  });
}
