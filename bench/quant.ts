/**
 * Quantization's own figures: `npm run bench:quant -- NAME [options]` runs `bench/quant/NAME.ts`, whose default export is
 * given the options and whose figures are printed as one JSON line, or one a row where it has several.
 */
import { existsSync } from "node:fs";

/** What a bench of this folder exports. */
export type QuantBench = (options: readonly string[]) => Promise<Figures | readonly Figures[]>;
export type Figures = Readonly<Record<string, unknown>>;

const [name = "", ...options] = process.argv.slice(2);
const url = new URL(`./quant/${name}.ts`, import.meta.url);
if (!/^[a-z0-9-]+$/.test(name) || !existsSync(url)) {
  console.error(`there is no bench ${JSON.stringify(name)} in bench/quant`);
  process.exit(2);
}
const { default: run } = (await import(url.href)) as { default: QuantBench };
for (const figures of [await run(options)].flat()) console.log(JSON.stringify({ bench: name, ...figures }));
