import { expect } from "vitest";
import type { RuntimeValue, Tensor } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { parse } from "../../src/ir/text.ts";
import { interpret } from "../../src/run/interpret.ts";

/** The outputs of a graph without inputs, as plain numbers, bigints or strings. */
export function outputsOf(text: string): (number | bigint | string)[][] {
  return [...interpret(parse(text), new Map()).values()].map(elements);
}

function elements(value: RuntimeValue): (number | bigint | string)[] {
  if (value === undefined || Array.isArray(value)) throw new Error("a tensor was expected");
  const tensor = value as Tensor;
  if (tensor.dtype === "string") return [...(tensor.data as readonly string[])];
  return Array.from(decode(tensor) as ArrayLike<number | bigint>);
}

/**
 * Runs one operator: `statement` is `Add(a, b) axis=1`, `inputs` the constants it reads, as `a: float32[2] = [1, 2]`. Fails
 * unless its first outputs are `expected`; numbers to six digits after the point.
 */
export function expectOperator(
  statement: string,
  inputs: readonly string[],
  ...expected: (number | bigint | string)[][]
) {
  const names = expected.map((_, index) => `y${index}`).join(", ");
  const text = [...inputs.map((input) => `const ${input}`), `${names} = ${statement}`, `return ${names}`].join("\n");
  const actual = outputsOf(text);
  expected.forEach((values, index) => {
    expect(actual[index].length, "number of elements").toBe(values.length);
    values.forEach((value, at) => {
      if (typeof value === "number") expect(actual[index][at], `element ${at}`).toBeCloseTo(value, 6);
      else expect(actual[index][at], `element ${at}`).toBe(value);
    });
  });
}
