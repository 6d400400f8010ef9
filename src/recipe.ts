import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { basename, dirname, extname, resolve } from "node:path";
import { parseDocument } from "yaml";
import type { z } from "zod";
import { resolveReference } from "./data/reference.ts";
import { CompileError } from "./error.ts";
import { type Config, findConfig, layered, says } from "./recipe/config.ts";
import { readRecipeText } from "./recipe/file.ts";
import { type Located, parseYaml } from "./recipe/locate.ts";
import { splitSetting } from "./recipe/patch.ts";
import { type RecipeFile, recipeSchema } from "./recipe/schema.ts";
import { didYouMean } from "./suggest.ts";

type DataSpec = Readonly<Record<string, unknown>>;

/** What a build does, with every default filled in and every path absolute. */
export interface Recipe extends Omit<RecipeFile, "$schema" | "data" | "name" | "jobs" | "out"> {
  readonly name: string;
  /** The recipe's own folder: what the data's paths and the metric's are relative to. */
  readonly folder: string;
  readonly file: string;
  /** sha256 of the recipe's bytes as read, and of the settings put over it. */
  readonly digest: string;
  readonly data: { readonly calibration: DataSpec; readonly selection?: DataSpec; readonly certification: DataSpec };
  readonly jobs: number;
  /** Absolute. */
  readonly out: string;
}

export interface RecipeOptions {
  /** `a.b=c` in order; c is YAML. */
  readonly set?: readonly string[];
  /** Unknown keys are errors instead of warnings. */
  readonly strict?: boolean;
  /** What recipes of a folder have in common; `loadRecipe` finds it by itself. */
  readonly config?: Config;
  /** Told each warning, with its place. */
  readonly warn?: (message: string) => void;
}

/** @throws CompileError where the file is missing, is not YAML, or says what no recipe can say. */
export function loadRecipe(path: string, options: RecipeOptions = {}): Recipe {
  const text = readRecipeText(path, "recipes/quickstart.yaml");
  const config = findConfig(dirname(resolve(path)));
  return parseRecipe(text, path, { ...options, ...(config && { config }) });
}

/** As `loadRecipe`, of a text; `path` says where it would stand. */
export function parseRecipe(text: string, path: string, options: RecipeOptions = {}): Recipe {
  const { config } = options;
  const located = config ? overConfig(parseYaml(text, path), config) : parseYaml(text, path);
  const overrides = (options.set ?? []).map(parseOverride);
  const value = overrides.reduce((whole, { keys, value }) => put(whole, keys, value), located.value);
  const file = check(value, located, overrides, options);
  if (file.goal) requireOpenFormats(value, located);
  const digest = createHash("sha256").update(text);
  if (config) digest.update(`\0\0${config.text}\0`);
  for (const setting of options.set ?? []) digest.update(`\0${setting}`);
  return fill(file, resolve(path), `sha256:${digest.digest("hex")}`, located);
}

/** What a goal leaves to be chosen. */
const CHOSEN_BY_GOAL = ["weights", "activations", "formats", "int16Share", "int8Share"];

function requireOpenFormats(value: unknown, located: Located): void {
  const given = CHOSEN_BY_GOAL.find((key) => says(value, ["quantize", key]));
  if (given === undefined) return;
  throw new CompileError("usage/goal-and-formats", `a goal chooses the formats, and quantize.${given} gives them`, {
    where: located.excerpt(["quantize", given]),
    remedy: `leave out quantize.${given}, or the goal`,
  });
}

/** What the configuration says holds where the recipe says nothing; each is shown where it stands. */
function overConfig(own: Located, config: Config): Located {
  return {
    value: layered(config.value, own.value),
    excerpt: (path, key) => (says(config.value, path) && !says(own.value, path) ? config : own).excerpt(path, key),
  };
}

/** Every default is filled here, once. */
function fill(file: RecipeFile, path: string, digest: string, located: Located): Recipe {
  const { $schema, name = basename(path, extname(path)), data, jobs, out = "out", ...rest } = file;
  const folder = dirname(path);
  const absolute = (given: string | undefined): string | undefined => given && resolve(folder, given);
  const [key, certifierKey, ledger] = [absolute(file.key), absolute(file.certifierKey), absolute(file.ledger)];
  return {
    ...rest,
    name,
    folder,
    file: path,
    digest,
    model: modelPath(file.model, folder, located),
    data: { ...data, ...(data.selection && { selection: data.selection }) } as Recipe["data"],
    ...(key && { key }),
    ...(certifierKey && { certifierKey }),
    ...(ledger && { ledger }),
    jobs: jobs ?? usualJobs(),
    out: resolve(out),
  };
}

const MOST_JOBS = 16;

/** Worker threads where nobody says how many: a machine's cores, where each thread takes `threads` of them. */
export function usualJobs(threads = 1): number {
  return Math.min(MOST_JOBS, Math.max(1, Math.floor(availableParallelism() / threads)));
}

function modelPath(reference: string, folder: string, located: Located): string {
  try {
    return resolveReference(reference, folder);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    throw new CompileError(error.code, error.message, { where: located.excerpt(["model"]), ...remedy });
  }
}

interface Override {
  readonly text: string;
  readonly keys: readonly string[];
  readonly value: unknown;
}

function parseOverride(text: string): Override {
  const split = splitSetting(text);
  const document = parseDocument(split?.value ?? "");
  if (split !== undefined && document.errors.length === 0) {
    return { text, keys: split.keys, value: document.toJS({ maxAliasCount: 0 }) };
  }
  throw new CompileError("usage/bad-setting", `--set ${text} is not KEY.KEY=VALUE`, {
    remedy: "for example --set quantize.calibrator=mse",
  });
}

/** The value with `value` at the keys, last of its map, or without it where that is null; a copy. Lists are reached by their index. */
function put(whole: unknown, keys: readonly string[], value: unknown): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  if (Array.isArray(whole)) {
    return whole.map((element, index) => (String(index) === key ? put(element, rest, value) : element));
  }
  const entries = new Map(typeof whole === "object" && whole !== null ? Object.entries(whole) : []);
  const inner = put(entries.get(key), rest, value);
  entries.delete(key);
  // Of formats that match a layer the last one holds, so what is set comes last.
  return Object.fromEntries(inner === null ? entries : entries.set(key, inner));
}

type Issue = z.core.$ZodIssue;

function check(value: unknown, located: Located, overrides: readonly Override[], options: RecipeOptions): RecipeFile {
  const first = recipeSchema.safeParse(value ?? {});
  if (first.success) return first.data;
  const unknown = first.error.issues.filter((issue) => issue.code === "unrecognized_keys" && !isGate(issue));
  const others = first.error.issues.filter((issue) => !unknown.includes(issue));
  // A mistyped key is also a missing one; the typing mistake is what the user can see.
  const missing = others.length > 0 && others.every((issue) => isMissing(issue));
  if (others.length > 0 && !(missing && unknown.length > 0)) throw failure(others[0], located, overrides);
  if (options.strict || missing) throw failure(unknown[0], located, overrides);
  for (const issue of unknown) {
    const { message, where, remedy } = failure(issue, located, overrides);
    options.warn?.(`${message}${remedy ? `; ${remedy}` : ""}\n${where}`);
  }
  const known = unknown.reduce((whole, issue) => dropKeys(whole, issue.path, keysOf(issue)), value);
  const second = recipeSchema.safeParse(known);
  if (second.success) return second.data;
  throw failure(second.error.issues[0], located, overrides);
}

const keysOf = (issue: Issue): readonly string[] => (issue.code === "unrecognized_keys" ? issue.keys : []);
const isMissing = (issue: Issue): boolean => issue.message.endsWith("received undefined");
const isGate = (issue: Issue): boolean => issue.path[0] === "gates";

function dropKeys(whole: unknown, path: readonly PropertyKey[], keys: readonly string[]): unknown {
  if (typeof whole !== "object" || whole === null) return whole;
  const [step, ...rest] = path;
  if (Array.isArray(whole)) return whole.map((element, at) => (at === step ? dropKeys(element, rest, keys) : element));
  const entries = Object.entries(whole);
  if (step === undefined) return Object.fromEntries(entries.filter(([key]) => !keys.includes(key)));
  return Object.fromEntries(entries.map(([key, inner]) => [key, key === step ? dropKeys(inner, rest, keys) : inner]));
}

/** The first thing that is wrong, where it stands, and what may have been meant. */
function failure(issue: Issue, located: Located, overrides: readonly Override[]): CompileError {
  const [key] = keysOf(issue);
  const path = key === undefined ? issue.path : [...issue.path, key];
  const name = path.map(String).join(".");
  const setting = overrides.find(({ keys }) => {
    const shared = key === undefined ? keys.length : Math.min(keys.length, path.length);
    return path.slice(0, shared).map(String).join("\0") === keys.slice(0, shared).join("\0");
  });
  const where = setting ? `--set ${setting.text}` : located.excerpt(path, key !== undefined);
  if (key !== undefined) {
    const remedy = didYouMean(key, keysAt(issue.path));
    const what = isGate(issue) ? "gate" : "key";
    const code = isGate(issue) ? "usage/unknown-gate" : "usage/unknown-key";
    return new CompileError(code, `there is no ${what} ${JSON.stringify(name)} in a recipe`, { where, remedy });
  }
  const inner = deepest(issue);
  if (isMissing(inner) && name !== "") return new CompileError("usage/recipe", `the recipe lacks ${name}`, { where });
  const message = name === "" ? `the recipe is wrong: ${inner.message}` : `${name}: ${inner.message}`;
  const values = inner.code === "invalid_value" ? inner.values.map(String) : [];
  const remedy = values.length > 0 ? `one of ${values.join(", ")}` : "";
  return new CompileError("usage/recipe", message, { where, ...(remedy && { remedy }) });
}

/** A union's own message is only useful where none of its members says more. */
function deepest(issue: Issue): Issue {
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") return issue;
  const branch = issue.errors.find((issues) => issues[0] && issues[0].code !== "invalid_type") ?? issue.errors[0];
  return branch?.[0] ? deepest(branch[0]) : issue;
}

/** The keys that the schema knows at a path. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = recipeSchema;
  for (const step of [...path, undefined]) {
    schema = unwrap(schema);
    if (step === undefined) break;
    const { shape, valueType } = (schema ?? {}) as { shape?: Record<string, unknown>; valueType?: unknown };
    schema = shape ? shape[String(step)] : valueType;
  }
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {}).filter((key) => !key.startsWith("$"));
}

/** Through `optional`, `default` and `prefault` to the schema inside. */
function unwrap(schema: unknown): unknown {
  let inner = schema as { def?: { innerType?: unknown } } | undefined;
  while (inner?.def?.innerType !== undefined) inner = inner.def.innerType as typeof inner;
  return inner;
}
