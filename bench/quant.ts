/** `npm run -s bench:quant -- NAME [options]`: the figures of the quantizer, each a file in bench/quant. One JSON line a figure. */
import { readdirSync } from "node:fs";

const folder = new URL("./quant/", import.meta.url);
const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""));
const [name, ...words] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`choose one of ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  const { run } = (await import(new URL(`${name}.ts`, folder).href)) as {
    run(words: readonly string[]): Promise<void>;
  };
  await run(words);
}
