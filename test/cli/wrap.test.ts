import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wrap } from "../../src/cli/wrap.ts";

describe("wrapped text", () => {
  test("goes on behind its bullet, its label, or below the last column of its table", () => {
    const text = [
      "  - the build made these bytes from the recipe",
      "  bound    88 %  reached of the best mapping's 8,478 cycles",
      "  help: give the path of a recipe, for example",
      "a plain line that is longer than forty columns",
      "short",
      "",
    ].join("\n");
    expect(wrap(text, 40)).toMatchInlineSnapshot(`
      "  - the build made these bytes from the
          recipe
        bound    88 %  reached of the best
        mapping's 8,478 cycles
        help: give the path of a recipe, for
              example
      a plain line that is longer than forty
        columns
      short
      "
    `);
  });

  test.each([
    "next: optimus-compile verify /a/long/path/of/an/artifact.dopt --unsigned",
    "      optimus-compile emulate /a/long/path/of/an/artifact.dopt --input X.npz",
    "  9 | quantise: { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }",
    `sha256:${"0".repeat(64)}`,
  ])("leaves what is to be copied or compared: %s", (line) => {
    expect(wrap(line, 40)).toBe(line);
  });

  test("escape sequences have no width", () => {
    const line = "\u001b[31merror[usage/data]\u001b[39m less than 40 columns";
    expect(stripVTControlCharacters(line)).toHaveLength(38);
    expect(wrap(line, 40)).toBe(line);
  });

  test("keeps all words in their order, and no line is wider unless one word is", () => {
    const words = fc.array(fc.stringMatching(/^[a-z✓:-]{1,12}$/), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(words, fc.nat(8), (some, lead) => {
        const wrapped = wrap(`${" ".repeat(lead)}${some.join(" ")}`, 40);
        expect(wrapped.split(/\s+/).filter((word) => word !== "")).toEqual(some);
        for (const line of wrapped.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});
