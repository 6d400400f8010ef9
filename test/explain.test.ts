import { readdirSync, readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { allExplanations, explain, looksLikeCode } from "../src/explain.ts";

const FAMILY = "(?:gate|usage|model|trust|evidence)";

/** Words of that form that are no error's code. */
const NO_CODES: ReadonlySet<string> = new Set(["gate/v1"]);

function sources(): { path: string; text: string }[] {
  return ["src", "passes"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.startsWith("explain/"))
      .map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), "utf8") })),
  );
}

/** Codes that are put together from a word: the words of the file; and what commander, whose words are passed on, has. */
function assembled(path: string, text: string): string[] {
  const [family] = new RegExp(`\`(${FAMILY})/\\$\\{`).exec(text)?.slice(1) ?? [];
  if (family === undefined) return [];
  if (path.endsWith("cli/main.ts")) {
    const folder = join(dirname(findPackageJSON("commander", import.meta.url) ?? ""), "lib");
    const text = ["command.js", "error.js"].map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
    const words = [...text.matchAll(/(?:code: |super\(1, )'commander\.(\w+)'/g)].map(([, word]) => word);
    return words.map((word) => `${family}/${word.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
  const words = [...text.matchAll(/"([a-z]+-[a-z-]+)"/g)].map(([, word]) => `${family}/${word}`);
  return words.filter((word) => allExplanations().some(({ code }) => code === word));
}

const thrown = new Set(
  sources().flatMap(({ path, text }) => [
    ...[...text.matchAll(new RegExp(`["\`](${FAMILY}/[a-z][a-z0-9-]*)["\`]`, "g"))].map(([, code]) => code),
    ...assembled(path, text),
  ]),
);
for (const word of NO_CODES) thrown.delete(word);

describe("errors and what is said of them", () => {
  const known = allExplanations().map(({ code }) => code);

  test("every code that the program can throw is explained: add it to src/explain/FAMILY.ts", () => {
    expect([...thrown].filter((code) => !known.includes(code)).sort()).toEqual([]);
  });

  test("nothing is explained that cannot be thrown", () => {
    expect(known.filter((code) => !thrown.has(code))).toEqual([]);
  });

  test("an explanation is sentences", () => {
    const unfinished = allExplanations().filter(
      ({ meaning, cause }) => ![meaning, cause].every((text) => /[.)]$/.test(text)),
    );
    expect(unfinished).toEqual([]);
  });

  test("a code is found as it was printed, and a mistyped one is nearly found", () => {
    expect(explain("usage/leak")).toMatchObject({ exitCode: 2, meaning: expect.stringContaining("share") });
    expect(explain("error[trust/digest]").exitCode).toBe(4);
    expect(() => explain("usage/leek")).toThrow(
      expect.objectContaining({ code: "usage/unknown-code", remedy: expect.stringContaining("usage/leak") }),
    );
  });

  test.each([
    ["usage/leak", true],
    ["error[model/cycle]", true],
    ["out/quickstart.dopt", false],
    ["usage", false],
    ["./usage/leak", false],
  ])("%s has the form of a code: %s", (word, is) => expect(looksLikeCode(word)).toBe(is));
});
