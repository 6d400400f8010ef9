import { describe, expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { opOf } from "../../src/ops/find.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { expectOperator } from "../harness/operator.ts";

const ROW = "x: float32[1,1,5] = [1, 2, 3, 4, 5]";
const SQUARE = "x: float32[1,1,3,3] = [1, 2, 3, 4, 5, 6, 7, 8, 9]";

describe("sliding windows", () => {
  it.each<[statement: string, expected: number[]]>([
    ["AveragePool(x) kernel_shape=[2]", [1.5, 2.5, 3.5, 4.5]],
    ["AveragePool(x) kernel_shape=[2] strides=[2] pads=[1,0]", [1, 2.5, 4.5]],
    ["AveragePool(x) kernel_shape=[2] strides=[2] pads=[1,0] count_include_pad=1", [0.5, 2.5, 4.5]],
    ["AveragePool(x) kernel_shape=[3] strides=[3] ceil_mode=1", [2, 4.5]],
    ["AveragePool(x) kernel_shape=[3] strides=[3] pads=[0,1] ceil_mode=1 count_include_pad=1", [2, 3]],
    ['AveragePool(x) kernel_shape=[2] auto_pad="SAME_UPPER"', [1.5, 2.5, 3.5, 4.5, 5]],
    ['AveragePool(x) kernel_shape=[2] auto_pad="SAME_LOWER"', [1, 1.5, 2.5, 3.5, 4.5]],
    ["AveragePool(x) kernel_shape=[2] dilations=[3]", [2.5, 3.5]],
    ["LpPool(x) kernel_shape=[2] strides=[3]", [Math.sqrt(5), Math.sqrt(41)]],
    ["LpPool(x) kernel_shape=[2] strides=[3] p=1", [3, 9]],
    ["GlobalAveragePool(x)", [3]],
    ["GlobalMaxPool(x)", [5]],
    ["GlobalLpPool(x)", [Math.sqrt(55)]],
  ])("%s", (statement, expected) => {
    expectOperator(statement, [ROW], expected);
  });
});

describe("convolutions", () => {
  it("Conv multiplies, sums and adds the bias", () => {
    const weights = ["w: float32[1,1,2,2] = [1, 0, 0, -1]", "b: float32[1] = [10]"];
    expectOperator("Conv(x, w, b)", [SQUARE, ...weights], [6, 6, 6, 6]);
    expectOperator("Conv(x, w, b) pads=[0,0,1,1] strides=[2,2]", [SQUARE, ...weights], [6, 13, 17, 19]);
    expectOperator("Conv(x, w) dilations=[2,2]", [SQUARE, ...weights.slice(0, 1)], [-8]);
  });

  it("Conv in groups sees only its own channels", () => {
    const inputs = ["x: float32[1,2,1] = [3, 5]", "w: float32[4,1,1] = [1, 2, 10, 20]"];
    expectOperator("Conv(x, w) group=2", inputs, [3, 6, 50, 100]);
  });

  it("ConvInteger takes the zero points off, the padding too", () => {
    const inputs = [
      "x: uint8[1,1,3] = [2, 3, 4]",
      "w: int8[2,1,2] = [1, 1, 2, 2]",
      "a: uint8[] = 1",
      "b: int8[2] = [0, 1]",
    ];
    expectOperator("ConvInteger(x, w, a, b) pads=[1,0]", inputs, [1, 3, 5, 1, 3, 5]);
  });

  it("ConvTranspose spreads what Conv gathers", () => {
    const weights = "w: float32[1,1,3] = [1, 10, 100]";
    expectOperator("ConvTranspose(x, w) strides=[2]", ["x: float32[1,1,2] = [1, 2]", weights], [1, 10, 102, 20, 200]);
    expectOperator(
      "ConvTranspose(x, w) strides=[2] pads=[1,1]",
      ["x: float32[1,1,2] = [1, 2]", weights],
      [10, 102, 20],
    );
    expectOperator(
      "ConvTranspose(x, w) strides=[2] output_padding=[1]",
      ["x: float32[1,1,2] = [1, 2]", weights],
      [1, 10, 102, 20, 200, 0],
    );
  });

  it("DeformConv reads between the pixels", () => {
    const inputs = [
      "x: float32[1,1,1,3] = [1, 2, 4]",
      "w: float32[1,1,1,1] = [1]",
      "o: float32[1,2,1,3] = [0, 0, 0, 0.5, 0.25, 0.5]",
    ];
    expectOperator("DeformConv(x, w, o)", inputs, [1.5, 2.5, 2]);
    expectOperator("DeformConv(x, w, o, _, m)", [...inputs, "m: float32[1,1,1,3] = [2, 0, 1]"], [3, 0, 2]);
  });

  it("Col2Im adds overlapping columns", () => {
    const inputs = ["x: float32[1,2,2] = [1, 2, 10, 20]", "i: int64[1] = [3]", "b: int64[1] = [2]"];
    expectOperator("Col2Im(x, i, b)", inputs, [1, 12, 20]);
  });

  it.each([
    [
      "channels that differ",
      "input x: float32[1,3,8]\nconst w: float32[2,2,3] = zeros\ny = Conv(x, w)\nreturn y",
      "3 input channels, but the weights [2,2,3] with group 1 take 2",
    ],
    [
      "a window larger than the input",
      "input x: float32[1,2,2]\nconst w: float32[2,2,3] = zeros\ny = Conv(x, w)\nreturn y",
      "a window of 3 does not fit the padded size 2 (spatial axis 0)",
    ],
    [
      "too few strides",
      "input x: float32[1,2,8,8]\nconst w: float32[2,2,3,3] = zeros\ny = Conv(x, w) strides=[1]\nreturn y",
      "strides has 1 entries; 2 are needed",
    ],
    [
      "a stride of 0",
      "input x: float32[1,2,8]\ny = AveragePool(x) kernel_shape=[2] strides=[0]\nreturn y",
      "strides [0] has an entry below 1",
    ],
    [
      "a bias of another length",
      "input x: float32[1,2,8]\nconst w: float32[2,2,3] = zeros\nconst b: float32[3] = zeros\ny = Conv(x, w, b)\nreturn y",
      "a bias of shape [3] for 2 output channels",
    ],
  ])("refuses %s", (_, text, message) => {
    expect(() => inferTypes(parse(text))).toThrow(message);
  });
});

describe("shapes with symbols", () => {
  it.each([
    ["Conv(x, w) pads=[1,1,1,1]", [1, 2, "H", 8]],
    ["Conv(x, w) pads=[1,1,1,1] strides=[2,2]", [1, 2, "?", 4]],
    ['AveragePool(x) kernel_shape=[2,2] auto_pad="SAME_UPPER"', [1, 3, "H", 8]],
    ["GlobalAveragePool(x)", [1, 3, 1, 1]],
    ["ConvTranspose(x, v) strides=[2,2]", [1, 5, "?", 17]],
  ])("%s", (statement, expected) => {
    const text = `input x: float32[1,3,H,8]\nconst w: float32[2,3,3,3] = zeros\nconst v: float32[3,5,3,3] = zeros\ny = ${statement}\nreturn y`;
    expect(inferTypes(parse(text)).types.get("y")?.shape).toEqual(expected);
  });
});

describe("multiply-accumulates", () => {
  const macs = (text: string): number => {
    const graph = inferTypes(parse(text));
    const [node] = graph.nodes;
    const typed = (name: string) => graph.types.get(name) ?? graph.constants.get(name);
    const outputs = node.outputs.map((name) => typed(name) ?? { dtype: "float32" as const });
    return opOf(node).macs?.(node, node.inputs.map(typed), outputs) ?? 0;
  };

  it.each([
    [
      "Conv",
      "input x: float32[2,6,5,5]\nconst w: float32[4,3,3,3] = zeros\ny = Conv(x, w) group=2\nreturn y",
      2 * 4 * 3 * 3 * 27,
    ],
    [
      "ConvTranspose",
      "input x: float32[1,6,5]\nconst w: float32[6,4,3] = zeros\ny = ConvTranspose(x, w)\nreturn y",
      6 * 5 * 4 * 3,
    ],
    ["Gemm", "input x: float32[7,2]\nconst w: float32[7,5] = zeros\ny = Gemm(x, w) transA=1\nreturn y", 7 * 2 * 5],
    [
      "Einsum",
      'input x: float32[7,2]\nconst w: float32[2,5] = zeros\ny = Einsum(x, w) equation="ab,bc->ac"\nreturn y',
      7 * 2 * 5,
    ],
    [
      "LSTM",
      "input x: float32[9,2,3]\nconst w: float32[1,16,3] = zeros\nconst r: float32[1,16,4] = zeros\ny = LSTM(x, w, r) hidden_size=4\nreturn y",
      9 * 2 * 16 * (3 + 4),
    ],
    [
      "Attention",
      "graph a opset 23\ninput q: float32[2,4,3,8]\ninput k: float32[2,2,5,8]\ninput v: float32[2,2,5,6]\ny = Attention(q, k, v)\nreturn y",
      2 * 4 * 3 * 5 * (8 + 6),
    ],
  ])("%s", (_, text, expected) => {
    expect(macs(text)).toBe(expected);
  });
});
