import { describe, expect, it, test } from "vitest";
import { CompileError } from "../../src/error.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { checkGradient } from "../harness/gradient.ts";
import { GRADIENT_CASES } from "./cases/all.ts";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CompileError) return `${error.code} ${error.where ?? ""}`.trim();
    throw error;
  }
  return "nothing was thrown";
}

const operatorsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

const NETWORK = parse(`
  input x: float32[2, 3]
  const w: float32[3, 2] = [0.1, 0.2, 0.3, -0.4, 0.5, 0.6]
  const v: float32[2, 2] = [1, 2, 3, 4]
  const unread: float32[2] = [1, 2]
  h = MatMul(x, w)
  r = Relu(h)
  y = MatMul(r, v)
  loss = ReduceSum(y) keepdims=0
  other = Neg(unread)
  return loss, other
`);
const X = float32([2, 3], [1, 2, 3, -1, 0, 1]);

describe("differentiate", () => {
  it("makes weights inputs, and gives the loss, the gradients and what is kept", () => {
    const step = differentiate(NETWORK, { loss: "loss", parameters: ["w", "v", "unread"], keep: ["y"] });
    expect(step.inputs).toEqual(["x", "w", "v", "unread"]);
    expect(step.outputs).toEqual(["loss", "gradient/w", "gradient/v", "gradient/unread", "y"]);
    expect(verify(step)).toBeUndefined();
    expect(inferTypes(step).types).toEqual(step.types);
    const weights = ["w", "v", "unread"].map((name): [string, Tensor] => [name, NETWORK.constants.get(name) as Tensor]);
    const found = interpret(step, new Map([["x", X], ...weights]));
    const before = interpret(NETWORK, new Map([["x", X]]));
    expect(found.get("loss")).toEqual(before.get("loss"));
    // The second column of h is negative in neither row: h = [[2.2, 1.2], [0.4, 0.4]]; dh is v's row sums.
    expect(numbersOf(found.get("gradient/w") as Tensor)).toEqual(
      [0, 0, 6, 14, 12, 28].map((each) => expect.closeTo(each, 4)),
    );
    expect(numbersOf(found.get("gradient/unread") as Tensor)).toEqual([0, 0]);
  });

  it("leaves the graph as it was, and gives the same graph again", () => {
    const nodes = [...NETWORK.nodes];
    const [first, second] = [0, 1].map(() => differentiate(NETWORK, { loss: "loss", parameters: ["v"] }));
    expect(second).toEqual(first);
    expect(NETWORK.nodes).toEqual(nodes);
    expect(NETWORK.constants.has("v")).toBe(true);
  });

  it("computes nothing for what is not asked for", () => {
    const step = differentiate(NETWORK, { loss: "loss", parameters: ["v"] });
    // Only vᵀ's product: nothing goes back through Relu and the first MatMul, and `other` is gone.
    expect(operatorsOf(step).filter((op) => op === "HardSigmoid" || op === "Neg")).toEqual([]);
    expect(step.constants.has("w")).toBe(true);
  });

  it("differentiates by inputs", () => {
    const step = differentiate(NETWORK, { loss: "loss", parameters: ["x"] });
    expect(step.inputs).toEqual(["x"]);
    const found = interpret(step, new Map([["x", X]]));
    expect(numbersOf(found.get("gradient/x") as Tensor).length).toBe(6);
  });

  it("walks long chains without recursion", () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `v${index + 1} = Neg(v${index})`);
    const graph = parse(`input v0: float32[1]\n${lines.join("\n")}\nreturn v5000`);
    const step = differentiate(graph, { loss: "v5000", parameters: ["v0"] });
    expect(numbersOf(interpret(step, new Map([["v0", float32([1], [3])]])).get("gradient/v0") as Tensor)).toEqual([1]);
  });

  it("keeps the running statistics of a normalization in training", () => {
    const graph = parse(`
      input x: float32[4, 1]
      const s: float32[1] = [2]
      const b: float32[1] = [0]
      const m: float32[1] = [1]
      const v: float32[1] = [1]
      y, mean, variance = BatchNormalization(x, s, b, m, v) training_mode=1 momentum=0.75
      q = Mul(y, y)
      loss = ReduceSum(q) keepdims=0
      return loss, mean, variance
    `);
    const feeds = new Map([["x", float32([4, 1], [1, 2, 3, 6])]]);
    const before = interpret(graph, feeds);
    const step = differentiate(graph, { loss: "loss", parameters: ["s"], keep: ["mean", "variance"] });
    const after = interpret(step, new Map([...feeds, ["s", graph.constants.get("s") as Tensor]]));
    for (const name of ["loss", "mean", "variance"]) {
      expect(numbersOf(after.get(name) as Tensor)[0]).toBeCloseTo(numbersOf(before.get(name) as Tensor)[0], 5);
    }
  });

  test.each([
    ["usage/unknown-value value nobody", () => differentiate(NETWORK, { loss: "loss", parameters: ["nobody"] })],
    ["usage/unknown-value value nobody", () => differentiate(NETWORK, { loss: "nobody", parameters: ["w"] })],
    [
      "usage/unknown-value value nobody",
      () => differentiate(NETWORK, { loss: "loss", parameters: ["w"], keep: ["nobody"] }),
    ],
    ["usage/not-a-loss value y", () => differentiate(NETWORK, { loss: "y", parameters: ["w"] })],
    [
      "model/no-gradient node h (Det)",
      () =>
        differentiate(parse("input x: float32[2, 2]\nh = Det(x)\ny = Exp(h)\nreturn y"), {
          loss: "y",
          parameters: ["x"],
        }),
    ],
    [
      "model/unknown-size node h (Exp)",
      () =>
        differentiate(parse("input x: float32[batch]\nh = Exp(x)\ny = ReduceSum(h)\nreturn y"), {
          loss: "y",
          parameters: ["x"],
        }),
    ],
  ])("%s", (code, run) => {
    expect(codeOf(run)).toBe(code);
  });

  it("asks for no gradient of what the loss does not pass through", () => {
    const graph = parse("input x: float32[2, 2]\nd = Det(x)\ny = ReduceSum(x) keepdims=0\nreturn y, d");
    expect(differentiate(graph, { loss: "y", parameters: ["x"], keep: ["d"] }).outputs).toEqual([
      "y",
      "gradient/x",
      "d",
    ]);
  });
});

describe("gradients against finite differences", () => {
  test.each(GRADIENT_CASES.map((each) => [each.name, each] as const))("%s", (_, each) => {
    const { worst, where } = checkGradient(each);
    expect(worst, where).toBeLessThan(1e-6);
  });
});
