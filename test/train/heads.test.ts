import { describe, expect, it, test } from "vitest";
import { type Graph, intAttr, intsAttr, type Node, type Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { verify } from "../../src/ir/verify.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { createSession } from "../../src/run/ort.ts";
import { withShortRowSums } from "../../src/train/attention.ts";
import { withCausalAttention } from "../../src/train/causal.ts";
import { withBlockedCuts } from "../../src/train/cuts.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { withHeadsApart } from "../../src/train/heads.ts";
import { convolutionBlock } from "../../src/train/layout.ts";
import { withBlockedProducts } from "../../src/train/products.ts";
import { type GradientCase, graphOf, singleFeedsOf } from "../harness/gradient.ts";
import { APART, ATTENTIONS, byHeads, given, LAYOUT, maskOf, PROJECTED, RESULT, SCORES } from "./cases/attention.ts";

const LATEST = 21;
const block = await convolutionBlock();

const plainOf = (each: GradientCase): Graph =>
  withShortRowSums(differentiate(graphOf(each, "float32"), { loss: "loss", parameters: Object.keys(each.by) }));

const stepOf = (each: GradientCase): Graph => withCausalAttention(plainOf(each));

const ofOp = (graph: Graph, op: string): Node[] => graph.nodes.filter((node) => node.op === op);

async function run(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(encodeModel({ ...graph, opsets: new Map([...graph.opsets, ["", LATEST]]) }));
  const found = await session.run(feeds);
  await session.release();
  return found;
}

/** The largest difference as a part of the largest number. */
function expectClose(wanted: Tensor, found: Tensor, most: number): void {
  expect(found.shape).toEqual(wanted.shape);
  const [a, b] = [wanted, found].map(numbersOf);
  const scale = a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
  const apart = a.reduce((largest, value, at) => Math.max(largest, Math.abs(value - b[at])), 0);
  expect(apart / scale).toBeLessThan(most);
}

/** The head of a value: that of the attention that it comes from, of one head. */
function headsOf(graph: Graph): Map<string, number> {
  const heads = new Map<string, number>();
  ofOp(graph, "GroupQueryAttention").forEach((node, head) => {
    for (const name of [...node.inputs.slice(0, 3), ...node.outputs]) if (name !== "") heads.set(name, head);
  });
  for (const { op, inputs, outputs } of graph.nodes) {
    const from = inputs.map((name) => heads.get(name)).find((head) => head !== undefined);
    if (from !== undefined && op !== "Concat") heads.set(outputs[0], from);
  }
  return heads;
}

describe("heads apart", () => {
  it.each([...ATTENTIONS, PROJECTED])("$name: one attention a head, the same gradients", async (each) => {
    const together = stepOf(each);
    const apart = withHeadsApart(together, 1);
    expect(verify(apart)).toBeUndefined();
    const [attention] = ofOp(together, "GroupQueryAttention");
    expect(ofOp(apart, "GroupQueryAttention")).toHaveLength(intAttr(attention, "num_heads", 0));
    const feeds = singleFeedsOf(each);
    const [wanted, found] = [await run(together, feeds), await run(apart, feeds)];
    for (const name of together.outputs) {
      expectClose(wanted.get(name) as Tensor, found.get(name) as Tensor, 1e-6);
    }
  });

  it("turns nothing for all heads, and is done with a head before the next", () => {
    const apart = withHeadsApart(stepOf(PROJECTED), 1);
    expect(ofOp(apart, "Transpose").map((node) => intsAttr(node, "perm"))).toEqual([
      [0, 2, 1],
      [0, 2, 1],
    ]);
    const heads = headsOf(apart);
    const order = ofOp(apart, "FusedMatMul").map(({ outputs }) => heads.get(outputs[0]));
    expect(order).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(ofOp(apart, "Concat").map(({ inputs }) => inputs.length)).toEqual([2, 6]);
  });

  test.runIf(block !== undefined)("cuts and joins in blocks what products have in blocks", async () => {
    const plain = plainOf(PROJECTED);
    const apart = withHeadsApart(withCausalAttention(plain), 1);
    const step = withBlockedCuts(withBlockedProducts(apart, block as number), block as number);
    for (const node of ofOp(step, "Slice")) {
      expect(step.nodes.find(({ outputs }) => outputs[0] === node.inputs[0])?.op).toBe("Conv");
    }
    const feeds = singleFeedsOf(PROJECTED);
    const [wanted, found] = [await run(plain, feeds), await run(step, feeds)];
    for (const name of plain.outputs) {
      expectClose(wanted.get(name) as Tensor, found.get(name) as Tensor, 1e-5);
    }
  });

  const dropped = given(
    "shares that are multiplied with numbers that come from outside",
    [...byHeads("q", "k", "v"), ...SCORES, "d = Mul(p, keep)", "o = MatMul(d, vh)", ...RESULT.slice(1)],
    { by: { ...APART.by, keep: [2, 3, 5, 5] } },
  );

  it.each([
    ["small heads", APART, undefined],
    [
      "an attention that is no causal one",
      given("", APART.text.split("\n"), { constants: [...LAYOUT, maskOf("0")] }),
      1,
    ],
    ["shares that something is done with before the values", dropped, 1],
  ])("stays for %s", (_, each, least) => {
    const step = stepOf(each);
    expect(withHeadsApart(step, least)).toBe(step);
  });
});
