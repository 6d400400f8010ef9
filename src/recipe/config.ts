/** optimus.config.yaml (or .json): what the recipes below its folder have in common. What a recipe says itself comes first. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CompileError } from "../error.ts";
import { didYouMean } from "../suggest.ts";
import { type Located, parseYaml } from "./locate.ts";
import { recipeJsonSchema } from "./schema.ts";

export interface Config extends Located {
  readonly path: string;
  readonly text: string;
}

const NAMES = ["optimus.config.yaml", "optimus.config.json"];

/** What says which network it is belongs into the recipe, so that a recipe alone tells what it builds. */
const KEYS = [
  ...["target", "profile", "npus", "allowCpu", "passes", "quantize", "gates", "licenses"],
  ...["key", "certifierKey", "ledger", "seed", "jobs", "check"],
];
/** The configuration's JSON Schema, for editors: the recipe's, as far as its keys go. */
export function configJsonSchema(): object {
  const {
    required: _,
    properties = {},
    ...rest
  } = recipeJsonSchema() as {
    readonly required?: unknown;
    readonly properties?: Readonly<Record<string, unknown>>;
  };
  const kept = ["$schema", ...KEYS].map((key) => [key, properties[key]]);
  return { ...rest, title: "optimus-compile configuration", properties: Object.fromEntries(kept) };
}

const PATHS: ReadonlySet<string> = new Set(["key", "certifierKey", "ledger"]);

/** The nearest configuration from a folder upwards. Throws usage/config where it is another user's or has other keys. */
export function findConfig(start: string): Config | undefined {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const path = NAMES.map((name) => join(folder, name)).find((file) => existsSync(file));
    if (path !== undefined) return readConfig(path);
    if (folder === dirname(folder)) return undefined;
  }
}

function readConfig(path: string): Config {
  const { uid } = statSync(path);
  // In a folder that all may write to, anybody could otherwise change what a recipe builds.
  if (process.getuid !== undefined && uid !== process.getuid() && uid !== 0) {
    throw new CompileError("usage/config", "the configuration belongs to another user", {
      where: path,
      remedy: "move the recipe out of that folder, or make the file your own",
    });
  }
  const text = readFileSync(path, "utf8");
  const located = parseYaml(text, path);
  const value = located.value ?? {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new CompileError("usage/config", "the configuration is no list of keys and values", { where: path });
  }
  const entries = Object.entries(value).filter(([key]) => key !== "$schema");
  for (const [key] of entries) {
    if (KEYS.includes(key)) continue;
    throw new CompileError("usage/config", `there is no key ${JSON.stringify(key)} in a configuration`, {
      where: located.excerpt([key], true),
      remedy: didYouMean(key, KEYS),
    });
  }
  const folder = dirname(path);
  const absolute = entries.map(([key, given]) => [
    key,
    PATHS.has(key) && typeof given === "string" ? resolve(folder, given) : given,
  ]);
  return { path, text, excerpt: located.excerpt, value: Object.fromEntries(absolute) };
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `over`'s values where it has any, `under`'s elsewhere; lists are taken whole. */
export function layered(under: unknown, over: unknown): unknown {
  if (!isPlain(under) || !isPlain(over)) return over ?? under;
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) merged.set(key, layered(merged.get(key), value));
  return Object.fromEntries(merged);
}

/** Whether a value says something at a path. */
export function says(value: unknown, path: readonly PropertyKey[]): boolean {
  let inner = value;
  for (const step of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, step)) return false;
    inner = (inner as Record<PropertyKey, unknown>)[step];
  }
  return true;
}
