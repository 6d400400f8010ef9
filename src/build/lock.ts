/**
 * `optimus.lock`: what a recipe's last locked build was made from, by digest, so that `--locked` can say what changed
 * before anything is computed from it. One file a folder, one entry a recipe, for version control.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { toJson } from "../artifact/canonical.ts";
import { readRegularFile, writeFileAtomic } from "../artifact/file.ts";
import { CompileError } from "../error.ts";

const SCHEMA = "optimus-compile/lock@1";
const NAME = "optimus.lock";
const MAX_BYTES = 16 * 2 ** 20;

const Entry = z.record(z.string(), z.string());
const LockSchema = z.strictObject({ schema: z.literal(SCHEMA), recipes: z.record(z.string(), Entry) });

/** What is locked, by name: `teacher`, `teacher/FILE`, `data/SPLIT`, `target`, `tool` … → digest or version. */
export type Locked = Readonly<Record<string, string>>;

interface Inputs {
  readonly teacher: { readonly digest: string; readonly external: readonly { file: string; digest: string }[] };
  readonly data: Readonly<Record<string, { readonly digest: string } | undefined>>;
  readonly target: string;
  readonly tool: { readonly version: string; readonly digest: string; readonly dependencies: Locked };
}

/** The entry that the inputs of a build make. The certification data is not among them: the build never sees it. */
export function lockOf({ teacher, data, target, tool }: Inputs): Locked {
  const entries = new Map<string, string>([["teacher", teacher.digest]]);
  for (const { file, digest } of teacher.external) entries.set(`teacher/${file}`, digest);
  for (const [split, found] of Object.entries(data)) if (found) entries.set(`data/${split}`, found.digest);
  entries.set("target", target).set("tool", `${tool.version} ${tool.digest}`);
  for (const [name, version] of Object.entries(tool.dependencies)) entries.set(`dependency/${name}`, version);
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Beside the recipe. */
export const lockPath = (recipe: { readonly folder: string }): string => join(recipe.folder, NAME);

/** Writes or replaces the recipe's entry; the others stay. Throws usage/bad-lock, usage/cannot-write. */
export function writeLock(path: string, recipe: string, entry: Locked): void {
  const recipes = new Map(Object.entries(readLock(path))).set(recipe, entry);
  const sorted = Object.fromEntries([...recipes].sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileAtomic(path, [`${JSON.stringify(toJson({ schema: SCHEMA, recipes: sorted }), undefined, 2)}\n`]);
}

/** Throws usage/no-lock where there is no entry, and usage/lock-changed, which names all that is not as it was. */
export function checkLock(path: string, recipe: string, entry: Locked): void {
  const locked = new Map(Object.entries(readLock(path))).get(recipe);
  if (locked === undefined) {
    throw new CompileError("usage/no-lock", `there is no lock of the recipe "${recipe}"`, {
      where: path,
      remedy: "Build once with --lock, and put the file under version control.",
    });
  }
  const [was, is] = [new Map(Object.entries(locked)), new Map(Object.entries(entry))];
  const changed = [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name)).sort();
  if (changed.length === 0) return;
  throw new CompileError("usage/lock-changed", `not as it was locked: ${changed.join(", ")}`, {
    where: changed
      .map((name) => `${name}: was ${was.get(name) ?? "not there"}, is ${is.get(name) ?? "not there"}`)
      .join("\n"),
    remedy: "Bring back what changed, or accept it with --lock.",
  });
}

function readLock(path: string): z.infer<typeof LockSchema>["recipes"] {
  if (!existsSync(path)) return {};
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readRegularFile(path, "lock", MAX_BYTES));
    return LockSchema.parse(JSON.parse(text)).recipes;
  } catch (cause) {
    throw new CompileError("usage/bad-lock", "this is no lock that this version reads", {
      where: path,
      remedy: "Get it from version control, or remove it and build with --lock.",
      cause,
    });
  }
}
