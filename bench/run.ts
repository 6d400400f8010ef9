/** `npm run bench -- [names]`: every bench in its own process, so that none warms up another. One JSON line a figure. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const BENCHES = ["passes", "integer", "startup", "backend"];

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : BENCHES) {
  if (!BENCHES.includes(name)) {
    console.error(`there is no bench ${name}; there are ${BENCHES.join(", ")}`);
    process.exit(2);
  }
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
