/** Start-up of the built command line: the median of nine `--help`s, whole process (bar: 100 ms). */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/src/cli/main.js", import.meta.url));
const times: number[] = [];
for (let round = 0; round < 9; round++) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [main, "--help"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`--help ended with ${status}: ${stderr}`);
  times.push(performance.now() - start);
}
const ms = Math.round(times.sort((a, b) => a - b)[4]);
console.log(JSON.stringify({ bench: "startup", ms, barMs: 100 }));
