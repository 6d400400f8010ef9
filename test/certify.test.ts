import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";

const root = new URL("../", import.meta.url);

/** Files that a file loads when it runs, itself among them; types are erased and load nothing. */
function loadedBy(start: readonly string[]): Set<string> {
  const found = new Set(start);
  for (const path of found) {
    const text = readFileSync(new URL(path, root), "utf8").replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "");
    const imports = text.matchAll(
      /^\s*(?:import|export)\s+(?!type\b)[^;]*?\bfrom\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"\s*\)/gm,
    );
    for (const [statement, from, lazily] of imports) {
      const name = posix.join(posix.dirname(path), from ?? lazily);
      const onlyTypes =
        /\{([^}]*)\}/
          .exec(statement)?.[1]
          .split(",")
          .every((item) => /^\s*(type\s|$)/.test(item)) ?? false;
      if (!onlyTypes) found.add(name);
    }
  }
  return found;
}

describe("certify", () => {
  test("shares nothing with the compiler: no pass, no quantization, no scheduler, no ONNX import", () => {
    const loaded = loadedBy(["src/certify.ts", "src/certify/worker.ts"]);
    expect([...loaded]).toContain("src/emulate/integer.ts");
    const compiler = /^(passes|src\/(quant|train|schedule|onnx|build)\/|src\/(build|passes|presets|check)\.ts$)/;
    // The Program's type and its sizes are the format itself.
    const format = ["src/schedule/program.ts", "src/schedule/operand.ts"];
    expect([...loaded].filter((path) => compiler.test(path) && !format.includes(path))).toEqual([]);
  });
});
