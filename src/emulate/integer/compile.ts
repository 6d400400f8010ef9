import type { Graph, Node, Tensor } from "../../ir/graph.ts";
import { bytesOf } from "../../ir/tensor.ts";
import { opOf } from "../../ops/find.ts";
import { compilePackNibbles, compileScatter, compileUnpackNibbles } from "./cache.ts";
import { compileConv } from "./conv.ts";
import { compileConvTranspose } from "./conv-transpose.ts";
import { compileCombine, compileExtreme, compileRescale, compileTable } from "./elementwise.ts";
import { compileMatMul } from "./mat-mul.ts";
import { compileCopy, compileMove, NO_CONTEXT } from "./move.ts";
import {
  compileLayerNorm,
  compilePool,
  compileReduce,
  compileReduceL2,
  compileReduceMargin,
  compileSoftmax,
} from "./reduce.ts";
import type { CompileStep, Step, StepContext } from "./step.ts";

const STEPS: ReadonlyMap<string, CompileStep> = new Map<string, CompileStep>([
  ["Add", compileCombine(0)],
  ["AveragePool", compilePool(true)],
  ["Cast", compileCopy],
  ["Concat", compileMove],
  ["Conv", compileConv],
  ["ConvTranspose", compileConvTranspose],
  ["Expand", compileMove],
  ["Gather", compileMove],
  ["LayerNorm", compileLayerNorm],
  ["MatMul", compileMatMul],
  ["Max", compileExtreme(true)],
  ["MaxPool", compilePool(false)],
  ["Min", compileExtreme(false)],
  ["Mul", compileCombine(1)],
  ["PackNibbles", compilePackNibbles],
  ["Pad", compileMove],
  ["ReduceL2", compileReduceL2],
  ["ReduceMargin", compileReduceMargin],
  ["ReduceMax", compileReduce(1)],
  ["ReduceMin", compileReduce(2)],
  ["ReduceSum", compileReduce(0)],
  ["Rescale", compileRescale],
  ["Reshape", compileCopy],
  ["Slice", compileMove],
  ["Softmax", compileSoftmax],
  ["Table", compileTable],
  ["TensorScatter", compileScatter],
  ["Transpose", compileMove],
  ["UnpackNibbles", compileUnpackNibbles],
]);

/** How the oracle, standing in for a kernel, reads what the node reads. */
export type ReadTensor = (name: string) => Tensor;

/** The node as a step on the program's memory. `inMemory` tells whether all its inputs lie there (or are constants). */
export function compileNode(context: StepContext, inMemory: boolean, read: ReadTensor): Step {
  const step = inMemory ? STEPS.get(context.node.op)?.(context) : undefined;
  return step ?? oracleStep(context, read);
}

/** Operators whose kernels give the results of several nodes from the same accumulators. */
const SHARING = new Set(["Conv", "MatMul"]);

/**
 * The node and its twin as one step; undefined where there is no such kernel. `areTwins` tells whether they are: products of the
 * same operands that differ in what becomes of the sums.
 */
export function compileTwins(context: StepContext, twin: StepContext): Step | undefined {
  return STEPS.get(context.node.op)?.({ ...context, twin });
}

export function areTwins(a: Node, b: Node, graph: Graph): boolean {
  const isProduct = ({ domain, op }: Node) => domain === "npu" && SHARING.has(op);
  const isConstant = (name: string) => name === "" || graph.constants.has(name);
  return (
    isProduct(a) &&
    a.op === b.op &&
    isProduct(b) &&
    a.inputs[0] === b.inputs[0] &&
    a.inputs[1] === b.inputs[1] &&
    [...a.inputs.slice(2), ...b.inputs.slice(2)].every(isConstant) &&
    sharedAttrs(a) === sharedAttrs(b)
  );
}

/** All attributes but those that say where stored results lie, as text. */
function sharedAttrs({ attrs }: Node): string {
  const own = [...attrs].filter(([name]) => !STORED.has(name)).sort(([x], [y]) => (x < y ? -1 : 1));
  return JSON.stringify(own, (_, value) => (typeof value === "bigint" ? String(value) : value));
}

const STORED = new Set(["y_zero", "y_min", "y_max"]);

/** What has no kernel (3-D windows, indices that are computed, 16-bit depthwise…) the operator itself computes. */
function oracleStep({ node, kernels, output }: StepContext, read: ReadTensor): Step {
  const op = opOf(node);
  return () => {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : read(name)));
    const [result] = op.evaluate(node, inputs, NO_CONTEXT);
    new Uint8Array(kernels.memory.buffer).set(bytesOf(result as Tensor), output.address);
  };
}
