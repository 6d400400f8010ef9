/** Losses as nodes of the graph, so that their gradients come with everything else. */

import { CompileError } from "../error.ts";
import { elementCount, type Graph, isStatic, type Node, type Type, typeOf } from "../ir/graph.ts";
import { namesOf } from "../ir/uses.ts";
import type { GradientBuilder, Value } from "../ops/gradient.ts";
import { inferTypes, knownValues } from "../ops/infer.ts";
import { builderInto, type Workshop } from "./build.ts";

interface Weighted {
  /** What the loss counts in the sum; 1 unless said. */
  readonly weight?: number;
}

/** Cross entropy of scores, classes on the last axis, with labels: a new int64 input with the scores' other axes. */
export interface LabelLoss extends Weighted {
  readonly kind: "labels";
  readonly scores: string;
  readonly labels: string;
}

/** `T² · KL(softmax(teacher/T) ‖ softmax(scores/T))`, the mean over all but the last axis. `teacher` is a new input. */
export interface DistillLoss extends Weighted {
  readonly kind: "distill";
  readonly scores: string;
  readonly teacher: string;
  readonly temperature?: number;
}

/** `‖value − teacher‖² / ‖teacher‖²`. `teacher` is a new input of the value's shape. */
export interface FeatureLoss extends Weighted {
  readonly kind: "features";
  readonly value: string;
  readonly teacher: string;
}

export type LossTerm = LabelLoss | DistillLoss | FeatureLoss;

/** Keeps a teacher of nothing but zeros from dividing by zero. */
const LEAST_ENERGY = 1e-12;

/**
 * The graph with `loss`, the weighted sum of the terms, and each term (`loss/0`, `loss/1`, …) as values beside; their
 * teachers and labels become inputs. Throws usage/unknown-value for a value that is not there or whose shape is not known.
 */
export function withLosses(graph: Graph, terms: readonly LossTerm[]): { graph: Graph; loss: string; terms: string[] } {
  const typed = inferTypes(graph);
  const nodes: Node[] = [...typed.nodes];
  const workshop: Workshop = {
    names: namesOf(typed),
    types: new Map(typed.types),
    constants: new Map(typed.constants),
    known: knownValues(typed),
    shared: new Map(),
  };
  const inputs = [...typed.inputs];
  const source: Node = { op: "loss", domain: "", inputs: [], outputs: ["loss"], attrs: new Map(), origin: ["loss"] };
  const build = builderInto(workshop, nodes, source);
  const input: AddInput = (name, dtype, shape) => {
    if (!workshop.names.has(name)) {
      workshop.names.add(name);
      workshop.types.set(name, { dtype, shape });
      inputs.push(name);
    }
    return { name, dtype, shape };
  };
  const weighted = terms.map((term, index): Value => {
    const value = valueNamed(typed, term.kind === "features" ? term.value : term.scores);
    const result = termOf(build, term, value, input);
    return build.emit("Mul", [result, term.weight ?? 1], { outputs: [`loss/${index}`] });
  });
  build.emit("Sum", weighted, { outputs: ["loss"] });
  const names = weighted.map(({ name }) => name);
  return {
    graph: {
      ...typed,
      inputs,
      outputs: [...typed.outputs, "loss", ...names],
      nodes,
      constants: workshop.constants,
      types: workshop.types,
    },
    loss: "loss",
    terms: names,
  };
}

function valueNamed(graph: Graph, name: string): Value {
  const type: Type | undefined = typeOf(graph, name);
  if (type !== undefined && isStatic(type.shape)) return { name, dtype: type.dtype, shape: type.shape };
  throw new CompileError("usage/unknown-value", `the graph has no value "${name}" of a known shape for a loss`, {
    where: `value ${name}`,
    remedy: "name an output of a node, and bind the model's dimensions, the batch size included",
  });
}

type AddInput = (name: string, dtype: Value["dtype"], shape: readonly number[]) => Value;

function termOf(build: GradientBuilder, term: LossTerm, value: Value, input: AddInput): Value {
  const all = (each: Value): number[] => each.shape.map((_, axis) => axis);
  if (term.kind === "features") {
    const teacher = input(term.teacher, value.dtype, value.shape);
    const off = build.sub(value, teacher);
    const energy = build.add(build.sum(build.mul(teacher, teacher), all(value), false), LEAST_ENERGY);
    return build.div(build.sum(build.mul(off, off), all(value), false), energy);
  }
  const classes = value.shape.at(-1) ?? 1;
  const rows = classes === 0 ? 0 : elementCount(value.shape) / classes;
  if (term.kind === "labels") {
    const labels = input(term.labels, "int64", value.shape.slice(0, -1));
    const flat = [build.reshape(value, [rows, classes]), build.reshape(labels, [rows])];
    return build.emit("SoftmaxCrossEntropyLoss", flat);
  }
  const { temperature = 1 } = term;
  const teacher = input(term.teacher, value.dtype, value.shape);
  const logs = [teacher, value].map((each) =>
    build.emit("LogSoftmax", [temperature === 1 ? each : build.mul(each, 1 / temperature)], { attrs: LAST_AXIS }),
  );
  const divergence = build.mul(build.emit("Exp", [logs[0]]), build.sub(logs[0], logs[1]));
  return build.mul(build.sum(divergence, all(value), false), (temperature * temperature) / Math.max(1, rows));
}

const LAST_AXIS = { axis: { i: -1 } };
