/**
 * Runs every case of Debian's libonnx-testdata through import and interpreter: `npm run test:conformance [-- PATTERN]`.
 * ONNX_TEST_DATA names another folder of cases.
 * Of the cases in random.json only types and shapes are compared. Ends with one line `N passed, N failed, N listed` and fails where
 *   - less than 99 % of the cases of declared operators pass,
 *   - fewer than 700 of the node cases pass,
 *   - a case fails that expected-failures.json does not list, or one passes that it does.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createPool } from "../../src/run/pool.ts";
import type { Outcome, Task } from "./case.ts";

const LEAST_DECLARED = 0.99;
const LEAST_NODE_CASES = 700;
const KINDS = ["node", "simple", "pytorch-operator", "pytorch-converted"];

function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as T;
}

function casesIn(root: string, pattern: string): string[] {
  return KINDS.flatMap((kind) => {
    const folder = join(root, kind);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
      .filter((path) => existsSync(join(path, "model.onnx")) && path.includes(pattern));
  });
}

/** `node/test_abs`. */
function nameOf(folder: string): string {
  return folder.split("/").slice(-2).join("/");
}

function table(outcomes: readonly Outcome[]): void {
  for (const kind of KINDS) {
    const own = outcomes.filter((outcome) => outcome.name.startsWith(`${kind}/`));
    const passed = own.filter((outcome) => outcome.failure === undefined).length;
    console.log(`${kind.padEnd(20)} ${String(passed).padStart(4)} of ${String(own.length).padStart(4)}`);
  }
}

async function main(): Promise<number> {
  const root = process.env.ONNX_TEST_DATA ?? "/usr/share/libonnx-testdata/data";
  const pattern = process.argv[2] ?? "";
  const random = new Set(readJson<string[]>("./random.json"));
  const cases = casesIn(root, pattern).map((folder) => ({ folder, random: random.has(nameOf(folder)) }));
  if (cases.length === 0) {
    console.error(`no cases in ${root}: install them with apt-get install libonnx-testdata, or set ONNX_TEST_DATA`);
    return 2;
  }
  const declared = new Set(readJson<string[]>("./operators.json"));
  const expected = new Map(Object.entries(readJson<Record<string, string>>("./expected-failures.json")));
  const pool = createPool(Math.min(2, availableParallelism()));
  const outcomes: Outcome[] = [];
  const work = new URL("./case.ts", import.meta.url);
  for await (const outcome of pool.map<undefined, Task, Outcome>(work, undefined, cases)) outcomes.push(outcome);

  const problems: string[] = [];
  for (const { name, failure } of outcomes) {
    if (failure !== undefined && !expected.has(name)) problems.push(`failed  ${name}: ${failure}`);
    if (failure === undefined && expected.has(name)) problems.push(`passes, but is listed as failing: ${name}`);
  }
  for (const line of problems) console.log(line);
  table(outcomes);

  const own = outcomes.filter(({ operators }) => operators.length > 0 && operators.every((op) => declared.has(op)));
  const ownPassed = own.filter(({ failure }) => failure === undefined).length;
  console.log(`declared operators   ${String(ownPassed).padStart(4)} of ${String(own.length).padStart(4)}`);
  const passed = outcomes.filter(({ failure }) => failure === undefined).length;
  const listed = outcomes.filter(({ name, failure }) => failure !== undefined && expected.has(name)).length;
  const node = outcomes.filter(({ name, failure }) => name.startsWith("node/") && failure === undefined).length;
  if (pattern === "") {
    if (ownPassed < LEAST_DECLARED * own.length) problems.push("declared");
    if (node < LEAST_NODE_CASES) problems.push("node");
  }
  console.log(`${passed} passed, ${outcomes.length - passed - listed} failed, ${listed} listed`);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main();
