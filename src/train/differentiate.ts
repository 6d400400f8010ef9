/** Reverse-mode differentiation, graph to graph: what comes out is standard operators, and runs wherever the model runs. */
import { bug, CompileError } from "../error.ts";
import { removeDead } from "../ir/edit.ts";
import { elementCount, type Graph, isStatic, logical, type Node, subgraphs, type Type, typeOf } from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { scalar } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { findOp, opOf } from "../ops/find.ts";
import type { GradientContext, Value } from "../ops/gradient.ts";
import { inferTypes, knownValues } from "../ops/infer.ts";
import { nameOfNode } from "../ops/shared/types.ts";
import { builderInto, freshIn, sameShape, type Workshop } from "./build.ts";
import { recomputed } from "./recompute.ts";

export interface DifferentiateOptions {
  /** The value to differentiate: a float of one element. */
  readonly loss: string;
  /** Constants or inputs whose gradients are wanted. The constants become inputs, after those that there are. */
  readonly parameters: readonly string[];
  /** Constants that become inputs too, without gradients: what a training carries from step to step. */
  readonly carry?: readonly string[];
  /** Values to give out beside: a metric's, running statistics. */
  readonly keep?: readonly string[];
  /** Channels of a block where convolutions will run in blocks: some gradients are then written as convolutions. */
  readonly block?: number;
  /** Values of the forward pass are made again where the way back needs them, instead of kept: less memory, more time. */
  readonly recompute?: boolean;
}

/**
 * The graph that yields the loss, then the gradient of each parameter (named `gradient/NAME`; zeros where the loss does not
 * depend on it), then what is to be kept. It keeps the forward nodes and their names; nodes that nothing asks for go.
 * Nothing is computed for a value that no parameter reaches, and where a value is read more than once its gradients are
 * added in the order in which its readers stand, last first. Weights are inputs, so that a session serves every step.
 *
 * Throws CompileError: usage/unknown-value, usage/not-a-loss for the options; model/unknown-size where a shape is not known;
 * model/no-gradient, naming the node, for an operator between a parameter and the loss that has no gradient.
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const { loss, parameters, carry = [], keep = [], block } = options;
  const forward = inferTypes(constantsAsInputs(graph, [...parameters, ...carry]));
  for (const name of [loss, ...keep]) {
    if (typeOf(forward, name) === undefined) throw unknownValue(name);
  }
  checkLoss(loss, typeOf(forward, loss));
  const active = activeValues(forward, new Set(parameters));
  const path = pathTo(forward, loss, active);
  checkPath(forward, path, active);

  const workshop: Workshop = {
    names: namesOf(forward),
    types: new Map(forward.types),
    constants: new Map(forward.constants),
    known: knownValues(forward),
    shared: new Map(),
    scaled: new Map(),
    ...(block === undefined ? {} : { block }),
  };
  const backward: Node[] = [];
  const changed = new Map<Node, readonly Node[]>();
  const arriving = new Map<string, Value[]>();
  if (active.has(loss)) {
    const { dtype, shape } = placeOf(forward, workshop, loss);
    const one = builderInto(workshop, backward, forward.nodes.at(-1) ?? bug("a graph without nodes"));
    arriving.set(loss, [
      one.expand(
        one.reshape(
          asValue(one, dtype),
          shape.map(() => 1),
        ),
        shape,
      ),
    ]);
  }
  for (const node of [...path].reverse()) {
    const [after, gradients] = backThrough(node, { forward, workshop, backward, arriving, active });
    if (after !== undefined) changed.set(node, after);
    gradients.forEach((value, index) => {
      const name = node.inputs[index];
      if (value === undefined || !active.has(name)) return;
      const found = arriving.get(name);
      if (found === undefined) arriving.set(name, [value]);
      else found.push(value);
    });
  }
  const results = parameters.map((name) => resultOf(name, forward, workshop, backward, arriving));
  const outputs = [loss, ...results, ...keep];
  const ahead = forward.nodes.flatMap((node) => changed.get(node) ?? [node]);
  const weights = new Set([...parameters, ...carry]);
  const inputs = new Set(forward.inputs.filter((name) => !weights.has(name)));
  return removeDead({
    ...{ ...forward, outputs },
    nodes: options.recompute
      ? recomputed({ forward: ahead, backward, workshop, inputs, kept: new Set(outputs) })
      : [...ahead, ...backward],
    constants: workshop.constants,
    types: workshop.types,
    opsets: withDomains(forward.opsets, backward),
    states: [],
  });
}

/** What the walk back shares. */
interface Walk {
  readonly forward: Graph;
  readonly workshop: Workshop;
  readonly backward: Node[];
  readonly arriving: Map<string, Value[]>;
  readonly active: ReadonlySet<string>;
}

function asValue(build: ReturnType<typeof builderInto>, dtype: Value["dtype"]): Value {
  return build.emit("Identity", [scalar(dtype, 1)]);
}

function constantsAsInputs(graph: Graph, wanted: readonly string[]): Graph {
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const inputs = [...graph.inputs];
  for (const name of wanted) {
    const tensor = constants.get(name);
    if (tensor === undefined && !inputs.includes(name)) throw unknownValue(name);
    if (tensor === undefined) continue;
    types.set(name, typeOf(graph, name) as Type);
    constants.delete(name);
    if (!inputs.includes(name)) inputs.push(name);
  }
  return { ...graph, inputs, constants, types };
}

function unknownValue(name: string): CompileError {
  return new CompileError("usage/unknown-value", `the graph has no value "${name}" to train or to keep`, {
    where: `value ${name}`,
    remedy: "name a constant, an input, or what a node makes",
  });
}

function checkLoss(loss: string, type: Type | undefined): void {
  const one = type !== undefined && isStatic(type.shape) && elementCount(type.shape) === 1 && isFloat(type.dtype);
  if (one) return;
  throw new CompileError("usage/not-a-loss", `"${loss}" is not one number: ${type?.dtype} [${type?.shape ?? "?"}]`, {
    where: `value ${loss}`,
    remedy: "reduce it to a mean or a sum",
  });
}

/** Values that depend on the parameters in a way that a gradient can follow. */
function activeValues(graph: Graph, parameters: ReadonlySet<string>): Set<string> {
  const active = new Set(parameters);
  for (const node of graph.nodes) {
    const reached = node.inputs.some((name) => active.has(name)) || subgraphs(node).length > 0;
    if (!reached) continue;
    for (const name of node.outputs) {
      const type = typeOf(graph, name);
      if (type === undefined || name === "") continue;
      if (isFloat(logical(type).dtype) || node.op === "QuantizeLinear") active.add(name);
    }
  }
  return active;
}

/** The nodes between a parameter and the loss, in execution order. */
function pathTo(graph: Graph, loss: string, active: ReadonlySet<string>): Node[] {
  const wanted = new Set([loss]);
  const path: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name) && active.has(name))) continue;
    path.push(node);
    for (const name of node.inputs) if (active.has(name)) wanted.add(name);
  }
  return path.reverse();
}

function checkPath(graph: Graph, path: readonly Node[], active: ReadonlySet<string>): void {
  for (const node of path) {
    if (!node.inputs.some((name) => active.has(name)) && subgraphs(node).length === 0) continue;
    if (findOp(node.domain, node.op)?.gradient === undefined) {
      throw new CompileError(
        "model/no-gradient",
        `no gradient is known for ${node.op}, so nothing before it can learn`,
        {
          where: nameOfNode(node),
          remedy: "train only what comes after it, or export the model with operators that have one",
        },
      );
    }
    for (const name of [...node.inputs, ...node.outputs]) {
      const type = name === "" ? undefined : typeOf(graph, name);
      if (type === undefined || isStatic(type.shape)) continue;
      throw new CompileError("model/unknown-size", `the shape of "${name}" is [${type.shape ?? "?"}]`, {
        where: nameOfNode(node),
        remedy: "bind the model's dimensions, the batch size included",
      });
    }
  }
}

function placeOf(graph: Graph, workshop: Workshop, name: string): Value {
  const constant = workshop.constants.get(name);
  const type = constant ?? workshop.types.get(name) ?? typeOf(graph, name);
  if (type === undefined || !isStatic(type.shape)) bug(`the type of "${name}" is not known`);
  return { name, dtype: type.dtype, shape: type.shape };
}

/** The gradients by the node's inputs, and the nodes that stand in for it, where its gradient changed the forward pass. */
function backThrough(node: Node, walk: Walk): [readonly Node[] | undefined, readonly (Value | undefined)[]] {
  const { forward, workshop, backward, active } = walk;
  const outputs = [...node.outputs];
  let instead: Node[] | undefined;
  const build = builderInto(workshop, backward, node);
  const arrived = new Map<number, Value>();
  for (const index of outputs.keys()) {
    const value = summed(walk, outputs[index], build);
    if (value !== undefined) arrived.set(index, value);
  }
  if (arrived.size === 0) return [undefined, []];
  const context: GradientContext = {
    ...build,
    node,
    input: (index) => placeOf(forward, workshop, node.inputs[index] || bug(`${node.op} has no input ${index}`)),
    optional: (index) => (node.inputs[index] ? placeOf(forward, workshop, node.inputs[index]) : undefined),
    output(index) {
      while (outputs.length <= index) outputs.push("");
      if (outputs[index] === "") outputs[index] = nameOutput(walk, { ...node, outputs }, index);
      return placeOf(forward, workshop, outputs[index]);
    },
    arriving: (index) => arrived.get(index),
    wants: (index) => active.has(node.inputs[index] ?? ""),
    constant: (index) => {
      const name = node.inputs[index] ?? "";
      return workshop.constants.get(name) ?? workshop.known.get(name);
    },
    instead(make) {
      instead = [];
      make(builderInto(workshop, instead, node));
    },
  };
  const gradient = opOf(node).gradient ?? bug(`${node.op} has lost its gradient`);
  const gradients = gradient(context);
  gradients.forEach((value, index) => {
    if (value === undefined) return;
    const { shape } = context.input(index);
    if (!sameShape(value.shape, shape)) bug(`the gradient of ${node.op} by [${shape}] has the shape [${value.shape}]`);
  });
  if (instead !== undefined) return [instead, gradients];
  return [sameNames(outputs, node.outputs) ? undefined : [{ ...node, outputs }], gradients];
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** Names an output that nobody wanted so far, and works out its type. */
function nameOutput({ forward, workshop }: Walk, node: Node, index: number): string {
  const name = freshIn(workshop, `${node.origin[0] ?? node.outputs[0]}/output${index}`);
  const outputs = node.outputs.with(index, name);
  const inputs = node.inputs.map((each) => (each === "" ? undefined : placeOf(forward, workshop, each)));
  const types = opOf(node).infer({ ...node, outputs }, inputs, {
    constant: (at) => workshop.constants.get(node.inputs[at]) ?? workshop.known.get(node.inputs[at]),
    subgraph: () => bug("an output of an operator with subgraphs was asked for"),
  });
  workshop.types.set(name, types[index]);
  return name;
}

/** All gradients that arrived at a value, added. */
function summed({ arriving }: Walk, name: string, build: ReturnType<typeof builderInto>): Value | undefined {
  const found = name === "" ? undefined : arriving.get(name);
  if (found === undefined || found.length === 1) return found?.[0];
  const total = found.length === 2 ? build.add(found[0], found[1]) : build.emit("Sum", found);
  arriving.set(name, [total]);
  return total;
}

/** The gradient of a parameter under its own name. */
function resultOf(
  name: string,
  forward: Graph,
  workshop: Workshop,
  backward: Node[],
  arriving: Map<string, Value[]>,
): string {
  const reader = forward.nodes.find((node) => node.inputs.includes(name)) ?? forward.nodes[0];
  const build = builderInto(workshop, backward, reader ?? bug("a graph without nodes"));
  const { dtype, shape } = placeOf(forward, workshop, name);
  const found = summed({ forward, workshop, backward, arriving, active: new Set() }, name, build);
  const real = isFloat(dtype) ? dtype : "float32";
  const output = freshIn(workshop, `gradient/${name}`);
  build.emit("Identity", [found ?? build.zeros(real, shape)], { outputs: [output] });
  return output;
}

function withDomains(opsets: ReadonlyMap<string, number>, nodes: readonly Node[]): Map<string, number> {
  const all = new Map(opsets);
  for (const { domain } of nodes) if (!all.has(domain)) all.set(domain, 1);
  return all;
}
