import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { loadRecipe } from "../recipe.ts";
import { findConfig, says } from "./config.ts";
import { parseYaml } from "./locate.ts";
import { splitSetting } from "./patch.ts";

export interface Setting {
  /** `quantize.samples` */
  readonly key: string;
  readonly value: unknown;
  /** `FILE:LINE:COLUMN`, `--set …`, or `default`. */
  readonly origin: string;
}

/** What the reader has no use for: it follows from where the recipe lies. */
const HIDDEN: ReadonlySet<string> = new Set(["folder", "digest"]);

/** Every setting of a recipe as it will be used, and who said so. Throws what loadRecipe throws. */
export function traceRecipe(
  path: string,
  { set = [], ...options }: { set?: readonly string[]; strict?: boolean },
): Setting[] {
  const recipe = loadRecipe(path, { ...options, set });
  const own = parseYaml(readFileSync(path, "utf8"), path);
  const config = findConfig(dirname(resolve(path)));
  const settings = set.map((text) => ({ text, keys: splitSetting(text)?.keys ?? [] }));
  const originOf = (keys: readonly string[]): string => {
    const by = settings.findLast(({ keys: said }) => keys.slice(0, said.length).join("\0") === said.join("\0"));
    if (by) return `--set ${by.text}`;
    const source = [own, config].find((one) => one && says(one.value, keys));
    return source === undefined ? "default" : source.excerpt(keys).split("\n")[0];
  };
  const entries = Object.entries(recipe).filter(([key]) => !HIDDEN.has(key));
  return leaves(Object.fromEntries(entries), []).map(([keys, value]) => ({
    key: keys.join("."),
    value,
    origin: keys[0] === "file" ? "the command line" : originOf(keys),
  }));
}

function leaves(value: unknown, path: readonly string[]): [readonly string[], unknown][] {
  const isInner = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isInner) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}
