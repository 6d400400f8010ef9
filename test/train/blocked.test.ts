import { describe, expect, it, test } from "vitest";
import { type Graph, makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { createSession } from "../../src/run/ort.ts";
import { withBlockedConvolutions } from "../../src/train/blocked.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { BLOCKED_DOMAIN, convolutionBlock } from "../../src/train/layout.ts";
import { graphOf, singleFeedsOf } from "../harness/gradient.ts";
import { WIDE_CONVOLUTIONS } from "./cases/blocked.ts";

const block = await convolutionBlock();
const LATEST = 21;

async function outputsOf(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(encodeModel({ ...graph, opsets: new Map([...graph.opsets, ["", LATEST]]) }));
  const found = await session.run(feeds);
  await session.release();
  return found;
}

const blockedNodes = (graph: Graph): number =>
  graph.nodes.filter(({ op, domain }) => op === "Conv" && domain === BLOCKED_DOMAIN).length;

describe("convolutions in blocks", () => {
  test.runIf(block !== undefined).each(WIDE_CONVOLUTIONS)("$name gives the same gradients", async (given) => {
    const graph = graphOf(given, "float32");
    const parameters = Object.keys(given.by);
    const plain = differentiate(graph, { loss: "loss", parameters });
    const step = differentiate(graph, { loss: "loss", parameters, block: block as number });
    const blocked = withBlockedConvolutions(step, block as number);
    expect(blockedNodes(blocked) > 0).toBe(!given.name.includes("odd"));
    const [wanted, found] = await Promise.all([plain, blocked].map((each) => outputsOf(each, singleFeedsOf(given))));
    for (const name of plain.outputs) {
      const [a, b] = [wanted, found].map((values) => numbersOf(values.get(name) as Tensor));
      const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      const apart = a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at])), 0);
      expect(apart / scale, name).toBeLessThan(1e-5);
    }
  });

  const ofShapes = (x: string, w: string, rest = "", given = `input w: ${w}`): Graph =>
    inferTypes(parse(`input x: ${x}\n${given}\ny = Conv(x, w) ${rest}\nreturn y`));

  it.each([
    [
      "constant weights",
      ofShapes("float32[1, 16, 4, 4]", "", "", `const w: float32[16, 16, 1, 1] = [${Array(256).fill(1)}]`),
    ],
    ["pointwise", ofShapes("float32[1, 16, 4, 4]", "float32[16, 16, 1, 1]")],
    ["float64", ofShapes("float64[1, 16, 4, 4]", "float64[16, 16, 3, 3]")],
    ["channels that are no multiple of 4", ofShapes("float32[1, 18, 4, 4]", "float32[16, 18, 3, 3]")],
    ["few filters", ofShapes("float32[1, 16, 4, 4]", "float32[3, 16, 3, 3]")],
    ["several channels a group", ofShapes("float32[1, 32, 4, 4]", "float32[32, 16, 3, 3]", "group=2")],
    ["no image", ofShapes("float32[0, 16, 4, 4]", "float32[16, 16, 3, 3]")],
    ["one dimension", ofShapes("float32[1, 16, 4]", "float32[16, 16, 3]")],
    ["an unknown size", ofShapes("float32[batch, 16, 4, 4]", "float32[16, 16, 3, 3]")],
  ])("leaves alone: %s", (_, graph) => {
    expect(withBlockedConvolutions(graph, 16)).toBe(graph);
  });

  it("reorders a value once for all that read it, and back only where something else reads it", () => {
    const types = ["x: float32[1, 16, 6, 6]", "w: float32[16, 16, 3, 3]", "v: float32[16, 16, 3, 3]"];
    const graph = inferTypes(
      parse(
        `${types.map((each) => `input ${each}`).join("\n")}\na = Conv(x, w)\nb = Conv(x, v)\nc = Conv(a, v)\nreturn b, c`,
      ),
    );
    const count = (op: string): number =>
      withBlockedConvolutions(makeGraph(graph), 16).nodes.filter((node) => node.op === op).length;
    expect([count("Conv"), count("ReorderInput"), count("ReorderOutput")]).toEqual([3, 1, 2]);
  });
});
