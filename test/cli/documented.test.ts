import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { optimus } from "./command.ts";

/** Of a command's help: the commands below it, without `help` itself. */
async function commandsOf(path: readonly string[]): Promise<string[]> {
  const { stdout } = await optimus([...path, "--help"], { env: { COLUMNS: "400" } });
  const [, list = ""] = stdout.split(/^Commands:$/m);
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name).filter((name) => name !== "help");
}

test("docs/cli.md names every command of the program, and no other", async () => {
  const names = await commandsOf([]);
  const below = await Promise.all(
    names.map(async (name) => {
      const own = await commandsOf([name]);
      return own.length === 0 ? [name] : own.map((each) => `${name} ${each}`);
    }),
  );
  const table = /^## All commands$([\s\S]*?)^## /m.exec(readFileSync("docs/cli.md", "utf8"))?.[1] ?? "";
  const documented = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(names).toContain("train");
  expect(documented.sort()).toEqual(below.flat().sort());
}, 120_000);
