import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { parse } from "../../src/ir/text.ts";
import { interpret } from "../../src/run/interpret.ts";

/** Nodes that shapes and attributes make impossible: what is wrong is said, with the node's own name. */
describe("an operator refuses", () => {
  it.each<[what: string, node: string, constants: string[], message: string]>([
    [
      "matrices that do not multiply",
      "Gemm(a, b)",
      ["a: float32[2,3]", "b: float32[2,3]"],
      "the inner dimensions differ: 3 against 2",
    ],
    [
      "an addend that does not fit",
      "Gemm(a, b, c)",
      ["a: float32[2,3]", "b: float32[3,4]", "c: float32[3]"],
      "the shapes [2,4] and [3] do not broadcast",
    ],
    [
      "an equation for other ranks",
      'Einsum(a) equation="ijk->i"',
      ["a: float32[2,3]"],
      'the term "ijk" does not fit rank 2',
    ],
    [
      "an output of its own making",
      'Einsum(a) equation="ij->k"',
      ["a: float32[2,3]"],
      '"k" is in the output of "ij->k" only',
    ],
    [
      "labels of two sizes",
      'Einsum(a, a) equation="ij,ki->j"',
      ["a: float32[2,3]"],
      'the sizes of "i" differ: 2 against 3',
    ],
    [
      "too few scales",
      "BatchNormalization(a, s, s, s, s)",
      ["a: float32[1,3,2]", "s: float32[2]"],
      "channels against the length of input 1: 3 against 2",
    ],
    [
      "groups that do not divide",
      "GroupNormalization(a, s, s) num_groups=2",
      ["a: float32[1,3,2]", "s: float32[3]"],
      "3 channels do not divide into 2 groups",
    ],
    [
      "a rank that has no planes",
      "InstanceNormalization(a, s, s)",
      ["a: float32[1,3]", "s: float32[3]"],
      "has rank 2; InstanceNormalization needs rank at least 3",
    ],
    ["a window of no size", "LRN(a) size=0", ["a: float32[1,3]"], "size 0 is not positive"],
    [
      "weights for another input",
      "LSTM(x, w, r)",
      ["x: float32[2,1,3]", "w: float32[1,8,4]", "r: float32[1,8,2]"],
      "weights [1,8,4] and recurrence [1,8,2] do not fit 1 directions, 4 gates, input 3",
    ],
    [
      "an initial state of another batch",
      "GRU(x, w, r, _, _, h)",
      ["x: float32[2,1,3]", "w: float32[1,6,3]", "r: float32[1,6,2]", "h: float32[1,2,2]"],
      "the initial state has shape [1,2,2]; 2 numbers are needed",
    ],
    [
      "a direction that is none",
      'LSTM(x, w, r) direction="up"',
      ["x: float32[2,1,3]", "w: float32[1,8,3]", "r: float32[1,8,2]"],
      "direction up is not known",
    ],
    [
      "an activation that is none",
      'GRU(x, w, r) activations=["Sigmoid","constructor"]',
      ["x: float32[2,1,3]", "w: float32[1,6,3]", "r: float32[1,6,2]"],
      "the activation constructor is not known",
    ],
    [
      "scales for another axis",
      "DequantizeLinear(x, s) axis=0",
      ["x: int8[2,3]", "s: float32[3]"],
      "3 scales for axis 0 of size 2",
    ],
    [
      "blocks that do not cover",
      "DequantizeLinear(x, s) axis=1 block_size=2",
      ["x: int8[2,4]", "s: float32[2,3]"],
      "scales of shape [2,3] do not fit [2,4] in blocks of 2 along axis 1",
    ],
    [
      "codes that are none",
      "DequantizeLinear(x, s)",
      ["x: float32[2]", "s: float32[]"],
      "is float32, which holds no codes",
    ],
    [
      "channels that make no block",
      "DepthToSpace(x) blocksize=2",
      ["x: float32[1,6,2,2]"],
      "6 channels do not divide into blocks of 2×2",
    ],
    [
      "a grid for other axes",
      "GridSample(x, g)",
      ["x: float32[1,1,4,4]", "g: float32[1,2,2,3]"],
      "the grid [1,2,2,3] does not fit [1,1,4,4]",
    ],
    ["matrices that are not square", "Det(x)", ["x: float32[2,3]"], "the matrices are not square: 3 against 2"],
    ["an axis that is not there", "LogSoftmax(x) axis=2", ["x: float32[2,3]"], "axis 2 does not fit rank 2"],
    ["an empty axis", "ArgMax(x) axis=1", ["x: float32[2,0]"], "axis 1 is empty"],
    ["a negative shape", "ConstantOfShape(s)", ["s: int64[1] = [-2]"], "the shape [-2] has a negative size"],
    [
      "a fraction for a shape",
      "Expand(x, s)",
      ["x: float32[1]", "s: float32[1] = [1.5]"],
      "1.5 stands where an integer is needed",
    ],
    [
      "a one-sided inverse",
      "DFT(x) inverse=1 onesided=1",
      ["x: float32[1,4,2]"],
      "a one-sided inverse transform is not defined",
    ],
    ["a shift to nowhere", "BitShift(x, x)", ["x: uint8[2]"], 'direction "" is neither LEFT nor RIGHT'],
    [
      "heads that do not divide",
      "Attention(x, x, x) q_num_heads=2 kv_num_heads=2",
      ["x: float32[1,2,3]"],
      "3 numbers do not divide into 2 heads",
    ],
    [
      "two bounds of which one is a list",
      "Clip(x, b)",
      ["x: float32[2]", "b: float32[2]"],
      "the bound at input 1 has 2 elements, not one",
    ],
    ["a constant without a value", "Constant()", [], "the constant has no value that is understood"],
    ["a loop without a body", "Loop(n, _)", ["n: int64[]"], "the body is missing"],
    [
      "columns of another image",
      "Col2Im(x, i, b)",
      ["x: float32[1,4,3]", "i: int64[1] = [5]", "b: int64[1] = [2]"],
      "[1,4,3] are not the columns of an image [5] in blocks of [2]",
    ],
  ])("%s", (_, node, constants, message) => {
    const given = constants.map((text) => `const ${text.includes("=") ? text : `${text} = zeros`}`);
    let thrown: unknown;
    try {
      interpret(parse([...given, `y = ${node}  # origin: layer`, "return y"].join("\n")), new Map());
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CompileError);
    expect((thrown as CompileError).message).toContain(message);
    expect((thrown as CompileError).where).toMatch(/^node layer \(/);
  });
});
