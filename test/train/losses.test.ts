import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { float32, int64, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";
import { interpret } from "../../src/run/interpret.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { withLosses } from "../../src/train/losses.ts";

const NETWORK = parse("input x: float32[2, 3]\nconst w: float32[3] = [1, 2, 0.5]\nscores = Mul(x, w)\nreturn scores");
const X = float32([2, 3], [1, 0, 2, -1, 1, 1]);
const TEACHER = float32([2, 3], [2, 1, 0, 0, 0, 3]);

function softmax(row: readonly number[]): number[] {
  const powers = row.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((each) => each / sum);
}

const SCORES = [
  [1, 0, 1],
  [-1, 2, 0.5],
];

describe("losses", () => {
  it("adds labels, a teacher's scores and features, each with its weight", () => {
    const { graph, loss, terms } = withLosses(NETWORK, [
      { kind: "labels", scores: "scores", labels: "t", weight: 0.5 },
      { kind: "distill", scores: "scores", teacher: "teacher", temperature: 2 },
      { kind: "features", value: "scores", teacher: "teacher", weight: 3 },
    ]);
    expect(verify(graph)).toBeUndefined();
    expect(graph.inputs).toEqual(["x", "t", "teacher"]);
    const feeds = new Map<string, Tensor>([
      ["x", X],
      ["t", int64([2], [2, 0])],
      ["teacher", TEACHER],
    ]);
    const found = interpret(graph, feeds);
    const at = (name: string): number => numbersOf(found.get(name) as Tensor)[0];
    const labels = -(Math.log(softmax(SCORES[0])[2]) + Math.log(softmax(SCORES[1])[0])) / 2;
    const soft = [0, 1].map((row) => {
      const [p, q] = [numbersOf(TEACHER).slice(3 * row, 3 * row + 3), SCORES[row]].map((each) =>
        softmax(each.map((x) => x / 2)),
      );
      return p.reduce((sum, each, index) => sum + each * Math.log(each / q[index]), 0);
    });
    const off = SCORES.flat().reduce((sum, x, index) => sum + (x - numbersOf(TEACHER)[index]) ** 2, 0);
    const wanted = [0.5 * labels, (4 * (soft[0] + soft[1])) / 2, (3 * off) / 14];
    terms.forEach((name, index) => {
      expect(at(name), name).toBeCloseTo(wanted[index], 5);
    });
    expect(at(loss)).toBeCloseTo(
      wanted.reduce((a, b) => a + b),
      5,
    );
    expect(differentiate(graph, { loss, parameters: ["w"] }).outputs).toEqual(["loss", "gradient/w"]);
  });

  it("names a value that is not there", () => {
    const term = { kind: "features", value: "nobody", teacher: "t" } as const;
    expect(() => withLosses(NETWORK, [term])).toThrowError(/nobody/);
  });
});
