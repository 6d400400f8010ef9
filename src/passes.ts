import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { type Check, firstDifference } from "./check.ts";
import { bug, CompileError } from "./error.ts";
import type { Graph } from "./ir/graph.ts";
import { seededRandom } from "./ir/random.ts";
import { verify } from "./ir/verify.ts";
import { inferTypes } from "./ops/infer.ts";
import type { Context, Log, Pass, PassSpec } from "./pass.ts";
import { listPresets, presetPasses } from "./presets.ts";
import { didYouMean } from "./suggest.ts";

const load = createRequire(import.meta.url);
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const folder = new URL("../passes/", import.meta.url);

/** One run of one pass. Times are for people; they reach no artifact. */
export interface PassRecord {
  readonly name: string;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly changed: boolean;
  readonly ms: number;
  /** As the pass itself filled them in. */
  readonly options: unknown;
  /** Of the graph before and after, where the environment has a digest for it. */
  readonly digests?: { readonly before: string; readonly after: string };
}

/** What `runPasses` needs; everything but `log` may be left out. */
export type PassEnvironment = Partial<Omit<Context<unknown>, "options" | "infer" | "random">> & {
  readonly seed?: number;
  /** Compare each graph with the one before it (`--check`). */
  readonly check?: Check;
  /** Names each graph by its content, for the lineage. */
  readonly digest?: (graph: Graph) => string;
  /** Told before each pass, for progress. */
  readonly onPass?: (name: string) => void;
};

export interface PassesResult {
  readonly graph: Graph;
  readonly log: readonly PassRecord[];
  /** What passes kept beside the graph, by `PASS:KEY`. */
  readonly notes: ReadonlyMap<string, unknown>;
}

/** All passes' names, sorted: every file of `passes/FOLDER/`. */
export function listPasses(): string[] {
  const names: string[] = [];
  for (const group of readdirSync(folder, { withFileTypes: true })) {
    if (!group.isDirectory()) continue;
    for (const file of readdirSync(new URL(`${group.name}/`, folder))) {
      const isPass = file.endsWith(extension) && !file.endsWith(".d.ts");
      if (isPass) names.push(`${group.name}/${file.slice(0, -extension.length)}`);
    }
  }
  return names.sort();
}

/** The pass in `passes/NAME`; the path is the name. Throws usage/unknown-pass, with the name that was probably meant. */
export function loadPass(name: string): Pass<unknown> {
  const url = new URL(`${name}${extension}`, folder);
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(name) || !existsSync(url)) {
    throw new CompileError("usage/unknown-pass", `there is no pass "${name}"`, {
      where: "passes",
      remedy: didYouMean(name, [...listPasses(), ...listPresets()]),
    });
  }
  const found = (load(fileURLToPath(url)) as { default?: Pass<unknown> }).default;
  return found ?? bug(`passes/${name} has no default export`);
}

/**
 * Runs passes in order. After each that changed the graph: verified, types inferred, and with `check` compared with the
 * graph before. The pass that broke something is named.
 */
export async function runPasses(
  graph: Graph,
  specs: readonly PassSpec[],
  environment: PassEnvironment = {},
): Promise<PassesResult> {
  const wrong = verify(graph);
  if (wrong !== undefined) throw new CompileError("model/invalid-graph", `the model's graph is not sound: ${wrong}`);
  const log: PassRecord[] = [];
  const notes = new Map<string, unknown>();
  const loaded = loadAll(specs);
  const result = await runAll(inferTypes(graph), loaded, environment, log, notes);
  return { graph: result, log, notes };
}

type Loaded =
  | { readonly name: string; readonly pass: Pass<unknown>; readonly options: unknown }
  | { readonly repeat: readonly Loaded[] };

/** All passes are found, and their options checked, before the first one runs. */
function loadAll(specs: readonly PassSpec[]): Loaded[] {
  return specs.flatMap((spec): Loaded[] => {
    if (typeof spec === "object" && "repeat" in spec && Array.isArray(spec.repeat)) {
      return [{ repeat: loadAll(spec.repeat as readonly PassSpec[]) }];
    }
    const { pass: name, ...options } = (typeof spec === "string" ? { pass: spec } : spec) as { pass: string };
    if (listPresets().includes(name) && Object.keys(options).length === 0) return loadAll(presetPasses(name));
    const pass = loadPass(name);
    return [{ name, pass, options: parseOptions(name, pass, options) }];
  });
}

function parseOptions(name: string, pass: Pass<unknown>, given: Readonly<Record<string, unknown>>): unknown {
  if (pass.options === undefined) {
    const [key] = Object.keys(given);
    if (key === undefined) return {};
    throw new CompileError("usage/unknown-key", `the pass ${name} has no option "${key}"`, {
      where: `passes: ${name}`,
    });
  }
  const parsed = pass.options.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CompileError("usage/invalid-option", `${issue.path.join(".") || "options"}: ${issue.message}`, {
    where: `passes: ${name}`,
  });
}

/** Lists that are repeated come to rest in a few rounds; one that does not has two passes that undo each other. */
const ROUNDS = 50;

async function runAll(
  start: Graph,
  steps: readonly Loaded[],
  environment: PassEnvironment,
  log: PassRecord[],
  notes: Map<string, unknown>,
): Promise<Graph> {
  let graph = start;
  for (const step of steps) {
    if ("repeat" in step) graph = await runRepeated(graph, step.repeat, environment, log, notes);
    else graph = await runOne(graph, step, environment, log, notes);
  }
  return graph;
}

async function runRepeated(
  start: Graph,
  steps: readonly Loaded[],
  environment: PassEnvironment,
  log: PassRecord[],
  notes: Map<string, unknown>,
): Promise<Graph> {
  let graph = start;
  for (let round = 0; round < ROUNDS; round++) {
    const records: PassRecord[] = [];
    const next = await runAll(graph, steps, environment, records, notes);
    // Later rounds are told where they did something.
    log.push(...(round === 0 ? records : records.filter(({ changed }) => changed)));
    if (next === graph) return graph;
    graph = next;
  }
  const names = steps.map((step) => ("name" in step ? step.name : "repeat"));
  return bug(`${names.join(", ")} do not come to rest`);
}

async function runOne(
  before: Graph,
  { name, pass, options }: Exclude<Loaded, { repeat: readonly Loaded[] }>,
  environment: PassEnvironment,
  log: PassRecord[],
  notes: Map<string, unknown>,
): Promise<Graph> {
  environment.signal?.throwIfAborted();
  environment.onPass?.(name);
  const start = performance.now();
  const after = await pass.run(before, contextOf(name, options, environment, notes));
  const graph = after === before ? before : finish(name, after);
  if (graph !== before && environment.check !== undefined && pass.lossy !== true) {
    await validate(name, before, graph, environment.check);
  }
  log.push({
    name,
    nodesBefore: before.nodes.length,
    nodesAfter: graph.nodes.length,
    changed: graph !== before,
    ms: performance.now() - start,
    options,
    ...(environment.digest && digestsOf(before, graph, environment.digest)),
  });
  return graph;
}

function digestsOf(before: Graph, after: Graph, digest: (graph: Graph) => string): Pick<PassRecord, "digests"> {
  const first = digest(before);
  return { digests: { before: first, after: after === before ? first : digest(after) } };
}

/** Verified and typed, or a bug of ours with the culprit's name. */
function finish(name: string, graph: Graph): Graph {
  const wrong = verify(graph);
  if (wrong !== undefined) return bug(`${name} broke the graph: ${wrong}`);
  try {
    return inferTypes(graph);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return bug(`${name} broke the graph: ${error.message} (${error.where})`);
  }
}

async function validate(name: string, before: Graph, after: Graph, check: Check): Promise<void> {
  const found = await firstDifference(before, after, check);
  if (found === undefined) return;
  const { value, origin, error, sample } = found;
  const from = origin.length === 0 ? "" : `, from ${origin.join(", ")}`;
  throw new CompileError(
    "gate/pass-changed-numbers",
    `${name} changed "${value}" by ${error.toPrecision(3)} of its size`,
    {
      where: `sample ${sample}, value ${value}${from}`,
      remedy: `leave ${name} out of the recipe's passes, and tell us`,
    },
  );
}

const SILENT: Log = { info: () => undefined, warn: () => undefined };

function contextOf(
  name: string,
  options: unknown,
  environment: PassEnvironment,
  notes: Map<string, unknown>,
): Context<unknown> {
  const { seed = 0, log = SILENT, check: _check, onPass: _onPass, notes: keep, ...rest } = environment;
  return {
    ...rest,
    options,
    log,
    infer: inferTypes,
    random: (purpose) => seededRandom(`${seed}:${name}:${purpose}`),
    notes(key, value) {
      notes.set(`${name}:${key}`, value);
      keep?.(key, value);
    },
  };
}
