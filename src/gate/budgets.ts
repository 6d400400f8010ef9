/** The budgets file: one committed place for what each artifact may cost, by itself and beside its baseline. */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { sha256 } from "../artifact/container.ts";
import { readRegularFile } from "../artifact/file.ts";
import { CompileError } from "../error.ts";
import { type Located, parseYaml } from "../recipe/locate.ts";
import { gates } from "../recipe/schema.ts";
import { didYouMean } from "../suggest.ts";

/** Where budgets stand unless a command says otherwise. */
export const BUDGETS_FILE = "optimus.budgets.yaml";

const share = (says: string) =>
  z.number().gt(-1).describe(`${says}, as a share of the baseline's: 0 is none`).optional();
const limit = (says: string) => z.number().describe(says).optional();

const escalation = limit("the share of decisions that are handed to System 2, by the certified operating point");

export const relativeLimits = z.strictObject({
  maxDrop: limit("how much worse than the baseline the metric may be, by pairs of the same samples"),
  maxSliceDrop: limit("the same in the worst slice that the recipe names"),
  maxHarmfulFlips: limit("the share of samples that the baseline answers better"),
  maxCycles: share("growth of the cycles of one inference"),
  maxMs: share("growth of the milliseconds of one inference"),
  maxSramBytes: share("growth of the SRAM peak"),
  maxWeightBytes: share("growth of the weights"),
  maxDramBytes: share("growth of the DRAM traffic of one inference"),
  maxArtifactBytes: share("growth of the artifact"),
  maxMillijoules: share("growth of the energy of one inference"),
  maxEscalationRate: share("growth of the escalation rate"),
});

const entry = z.strictObject({
  artifact: z
    .string()
    .min(1)
    .max(256)
    .describe("the artifact's name, as its recipe has it; `*` stands for any letters. Every entry that fits counts"),
  metric: z
    .union([z.string().min(1), z.looseObject({ name: z.string().min(1) })])
    .optional()
    .describe("the metric, where it is a module of one's own: code is never run on an artifact's word"),
  gates: z
    .strictObject({ ...gates.shape, maxEscalationRate: escalation })
    .default({})
    .describe("ceilings and floors, as a recipe's gates"),
  baseline: z
    .strictObject({
      artifact: z.string().min(1).optional().describe("the baseline's .dopt file, from this file's folder"),
      digest: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, "a digest is sha256: and 64 hexadecimal digits")
        .optional()
        .describe("the baseline's digest: another artifact in its place is refused. `accept` writes it"),
      limits: relativeLimits.default({}),
    })
    .optional(),
});

export const budgetsSchema = z.strictObject({
  $schema: z.string().optional().describe("for editors"),
  budgets: z.array(entry).min(1).max(10_000),
});

export type Budget = z.infer<typeof entry>;
export type RelativeLimits = z.infer<typeof relativeLimits>;

export interface Budgets {
  readonly file: string;
  readonly folder: string;
  /** `sha256:…` of the text. */
  readonly digest: string;
  readonly entries: readonly Budget[];
  /** Line and column of what is at a path of the file. */
  place(path: readonly PropertyKey[]): { readonly line: number; readonly column: number };
}

const MAX_BYTES = 2 ** 20;

/** Throws usage/no-such-file, usage/budgets, usage/budgets-syntax, usage/unknown-gate and usage/unknown-key. */
export function readBudgets(path: string): Budgets {
  return parseBudgets(new TextDecoder().decode(readRegularFile(path, "budgets file", MAX_BYTES)), path);
}

/** As `readBudgets`, of a text; `path` says where it would stand. */
export function parseBudgets(text: string, path: string): Budgets {
  const located = locate(text, path);
  const parsed = budgetsSchema.safeParse(located.value ?? {});
  if (!parsed.success) throw failure(parsed.error.issues[0], located);
  return {
    file: path,
    folder: dirname(resolve(path)),
    digest: `sha256:${sha256(text)}`,
    entries: parsed.data.budgets,
    place(at) {
      const [, line, column] = located
        .excerpt(at, true)
        .split("\n")[0]
        .match(/:(\d+):(\d+)$/) ?? ["", "1", "1"];
      return { line: Number(line), column: Number(column) };
    },
  };
}

function locate(text: string, path: string): Located {
  try {
    return parseYaml(text, path);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const message = error.message.replace("recipe", "budgets file");
    throw new CompileError("usage/budgets-syntax", message, {
      ...(error.where && { where: error.where }),
      cause: error,
    });
  }
}

type Issue = z.core.$ZodIssue;

function failure(issue: Issue, located: Located): CompileError {
  const name = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const where = located.excerpt([...issue.path, key], true);
    const remedy = didYouMean(key, keysAt(issue.path));
    const isGate = ["gates", "limits"].includes(String(issue.path.at(-1)));
    const code = isGate ? "usage/unknown-gate" : "usage/unknown-key";
    return new CompileError(code, `there is no ${isGate ? "gate" : "key"} ${JSON.stringify(key)} in budgets`, {
      where,
      remedy,
    });
  }
  const message = name === "" ? `the budgets file is wrong: ${issue.message}` : `${name}: ${issue.message}`;
  return new CompileError("usage/budgets", message, {
    where: located.excerpt(issue.path),
    remedy: "docs/gates.md shows a whole file.",
  });
}

function keysAt(path: readonly PropertyKey[]): string[] {
  const last = path.at(-1);
  if (last === "gates") return [...Object.keys(gates.shape), "maxEscalationRate"];
  if (last === "limits") return Object.keys(relativeLimits.shape);
  if (last === "baseline") return ["artifact", "digest", "limits"];
  return path.length === 0 ? ["budgets"] : Object.keys(entry.shape);
}

/** Whether a pattern of letters and `*` fits a name as a whole. Linear: each piece is looked for once, from the left. */
export function fits(pattern: string, name: string): boolean {
  const [first, ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === name;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** For editors. */
export function budgetsJsonSchema(): object {
  return {
    title: "optimus-compile budgets",
    ...z.toJSONSchema(budgetsSchema, { io: "input", target: "draft-2020-12" }),
  };
}
