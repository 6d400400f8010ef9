import { attrs, elementCount, intAttr, type Node, type Tensor } from "../../ir/graph.ts";
import { opOf } from "../../ops/find.ts";
import type { EvaluateContext } from "../../ops/op.ts";
import type { CompileStep, Slot } from "./step.ts";

export const NO_CONTEXT: EvaluateContext = { subgraph: () => [], random: () => 0 };

/** A tensor of the slot's shape whose elements are their own addresses. */
function addressesOf({ address, bytes, shape, count }: Slot): Tensor {
  return { dtype: "int32", shape, data: Int32Array.from({ length: count }, (_, index) => address + index * bytes) };
}

/**
 * Transpose, Slice, Concat, Pad, Expand, and Gather with constant indices only move codes. The oracle, run once on addresses
 * instead of codes, says where each element comes from.
 */
export const compileMove: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const gathers = node.op === "Gather";
  const indices = gathers ? context.constant(1) : undefined;
  if (gathers && !indices) return undefined;
  const sources = (gathers ? [0] : node.inputs.map((_, index) => index)).map((index) =>
    addressesOf(context.input(index)),
  );
  const moved = node.op === "Pad" ? withValueAt(node, valueCell(context)) : node;
  const [result] = opOf(node).evaluate(moved, indices ? [...sources, indices] : sources, NO_CONTEXT);
  const addresses = (result as Tensor).data as Int32Array;

  const run = runLength(addresses, output.bytes);
  const length = run * output.bytes;
  if (length < 8) {
    const table = layout.constant(addresses);
    return () => kernels.move(table, output.bytes, output.count, output.address);
  }
  const starts = addresses.filter((_, index) => index % run === 0);
  const table = layout.constant(starts);
  return () => kernels.moveRuns(table, starts.length, length, output.address);
};

/** The code that padding stores, in memory. */
function valueCell({ node, layout, output }: Parameters<CompileStep>[0]): number {
  const value = intAttr(node, "value", 0);
  return layout.constant(
    output.bytes === 1 ? Uint8Array.of(value) : output.bytes === 2 ? Int16Array.of(value) : Int32Array.of(value),
  );
}

function withValueAt(node: Node, address: number): Node {
  return { ...node, attrs: new Map([...node.attrs, ...attrs({ value: { i: address } })]) };
}

/** The largest length such that the sources fall into consecutive runs of it. */
function runLength(addresses: Int32Array, bytes: number): number {
  let run = addresses.length;
  for (let index = 1; index < addresses.length && run > 1; index++) {
    if (addresses[index] !== addresses[index - 1] + bytes) run = greatestCommonDivisor(run, index);
  }
  return run;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The same bytes at another place: Reshape and Cast to the same type, where they could not share it. */
export const compileCopy: CompileStep = ({ kernels, input, output }) => {
  const x = input(0);
  if (x.dtype !== output.dtype) return undefined;
  const length = elementCount(x.shape) * x.bytes;
  return () => new Uint8Array(kernels.memory.buffer).copyWithin(output.address, x.address, x.address + length);
};
