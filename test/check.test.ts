import { describe, expect, it } from "vitest";
import { firstDifference, relativeError } from "../src/check.ts";
import { float32, int64 } from "../src/ir/tensor.ts";
import { interpret } from "../src/run/interpret.ts";
import { prepare, seededFeeds } from "./harness/pass.ts";

describe("relativeError", () => {
  it.each([
    [[1, 2], [1, 2], 0],
    [[1, -4], [1, -3], 0.25],
    [[0, 0], [0, 1], Number.POSITIVE_INFINITY],
    [[Number.NaN, 1], [Number.NaN, 1], 0],
    [[Number.NaN, 1], [0, 1], Number.POSITIVE_INFINITY],
    [[Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY], 0],
    [[Number.POSITIVE_INFINITY], [1], Number.POSITIVE_INFINITY],
  ])("%j against %j is %d", (a, b, error) => {
    expect(relativeError(float32([a.length], a), float32([b.length], b))).toBe(error);
  });
  it("is infinite where shapes differ", () => {
    expect(relativeError(float32([2], [1, 2]), float32([1, 2], [1, 2]))).toBe(Number.POSITIVE_INFINITY);
  });
  it("reads integers and sequences", () => {
    expect(relativeError(int64([1], [4]), int64([1], [3]))).toBe(0.25);
    expect(relativeError([float32([1], [1])], [])).toBe(Number.POSITIVE_INFINITY);
  });
});

it("names the first value that differs, with the teacher's nodes it came from", async () => {
  const before = prepare("input x: float32[2]\na = Relu(x)\nb = Exp(a)\ny = Neg(b)\nreturn y");
  const after = prepare("input x: float32[2]\na = Relu(x)\nb = Sigmoid(a)\ny = Neg(b)\nreturn y");
  const samples = { size: 1, feeds: () => seededFeeds(before) };
  const found = await firstDifference(before, after, {
    samples,
    run: (graph, feeds, keep) => interpret(graph, feeds, { keep }),
  });
  expect(found).toMatchObject({ value: "b", origin: ["node-b"], sample: 0 });
  expect(
    await firstDifference(before, before, { samples, run: (graph, feeds, keep) => interpret(graph, feeds, { keep }) }),
  ).toBeUndefined();
});
