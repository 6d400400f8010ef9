import { readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { type Attr, type DType, makeGraph, type Node, type Tensor, type Type } from "../../src/ir/graph.ts";
import { findOp } from "../../src/ops/find.ts";
import { randomTensor } from "../harness/differential.ts";

const NOT_OPERATORS = ["find.ts", "gradient.ts", "infer.ts", "integer.ts", "op.ts"];
const OPERATORS = readdirSync(new URL("../../src/ops", import.meta.url))
  .filter((file) => file.endsWith(".ts") && !NOT_OPERATORS.includes(file))
  // What fileNameOf does to this name gives the file again, so no table of names is needed.
  .map((file) => file.slice(0, -3));

const DTYPES: readonly DType[] = [
  "float32",
  "float32",
  "float32",
  "int64",
  "int64",
  "int8",
  "int32",
  "bool",
  "string",
  "int4",
];
const NAMES = [
  "axis",
  "axes",
  "perm",
  "kernel_shape",
  "strides",
  "pads",
  "dilations",
  "group",
  "hidden_size",
  "direction",
  "to",
  "equation",
  "blocksize",
  "block_size",
  "batch_dims",
  "num_groups",
  "q_num_heads",
  "kv_num_heads",
  "auto_pad",
  "mode",
  "p",
  "size",
  "value",
  "body",
  "then_branch",
  "else_branch",
  "num_scan_inputs",
  "num_outputs",
  "output_shape",
  "layout",
  "k",
  "dtype",
  "keepdims",
]; // prettier-ignore

const attribute: fc.Arbitrary<Attr> = fc.oneof(
  fc.integer({ min: -3, max: 9 }).map((i) => ({ i })),
  fc.array(fc.integer({ min: -2, max: 4 }), { maxLength: 4 }).map((ints) => ({ ints })),
  fc.constantFrom("", "SAME_UPPER", "bidirectional", "ij,jk->ik", "CRD").map((s) => ({ s })),
  fc.constant({ g: makeGraph({ inputs: [], outputs: [], nodes: [] }) }),
);
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const input = fc.option(fc.record({ dtype: fc.constantFrom(...DTYPES), shape, seed: fc.nat(99) }), {
  nil: undefined,
  freq: 9,
});
const call = fc.record({
  inputs: fc.array(input, { maxLength: 7 }),
  outputs: fc.integer({ min: 1, max: 4 }),
  attrs: fc.dictionary(fc.constantFrom(...NAMES), attribute, { maxKeys: 5 }),
  constant: fc.boolean(),
});

function tensorOf(given: { dtype: DType; shape: number[]; seed: number } | undefined): Tensor | undefined {
  if (given === undefined) return undefined;
  const { dtype, shape, seed } = given;
  if (dtype !== "string") return randomTensor(dtype, shape, seed, -3, 4);
  return { dtype, shape, data: new Array<string>(shape.reduce((a, b) => a * b, 1)).fill("x") };
}

/** The user's error, or a size that JavaScript refuses, which the callers turn into one. Anything else is a bug. */
function refused(compute: () => unknown): boolean {
  try {
    compute();
    return false;
  } catch (error) {
    if (error instanceof CompileError || error instanceof RangeError) return true;
    throw error;
  }
}

describe("whatever a file says, an operator answers or refuses with the user's error", () => {
  it.each(OPERATORS)("%s", (name) => {
    const op = findOp("", name);
    if (op === undefined) throw new Error(`${name} is no operator`);
    fc.assert(
      fc.property(call, ({ inputs, outputs, attrs, constant }) => {
        const tensors = inputs.map(tensorOf);
        const node: Node = {
          op: name,
          domain: "",
          inputs: inputs.map((each, index) => (each ? `x${index}` : "")),
          outputs: Array.from({ length: outputs }, (_, index) => `y${index}`),
          attrs: new Map(Object.entries(attrs)),
          origin: ["the node"],
        };
        const types = tensors.map((tensor): Type | undefined => tensor && { dtype: tensor.dtype, shape: tensor.shape });
        const context = { constant: (index: number) => (constant ? tensors[index] : undefined), subgraph: () => [] };
        const rejected = refused(() => {
          for (const type of op.infer(node, types, context)) expect(type?.dtype).toBeDefined();
        });
        if (rejected) return;
        refused(() => op.evaluate(node, tensors, { subgraph: () => [], random: () => 0.5 }));
      }),
      { seed: 11, numRuns: 600 },
    );
  });
});
