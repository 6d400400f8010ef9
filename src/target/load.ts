import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import type { z } from "zod";
import { CompileError } from "../error.ts";
import { supportedOperators } from "./constraints.ts";
import { type FigureSource, type Target, type TargetFile, targetSchema } from "./schema.ts";

/** `sram` alone means its size; the rest are paths as `targets show` prints them. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ["sram", "sram.bytes"],
  ["dram", "dram.bytes"],
  ["clock", "clockGHz"],
]);

const SUFFIXES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1000],
  ["M", 1e6],
  ["G", 1e9],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
  ["kB", 1000],
  ["MB", 1e6],
  ["GB", 1e9],
]);

/** The folder of descriptions: beside `src` in the sources, one further up in `dist`. */
function folder(): URL {
  for (const path of ["../../targets/", "../../../targets/"]) {
    const url = new URL(path, import.meta.url);
    if (existsSync(url)) return url;
  }
  throw new Error("bug: the folder of targets is missing");
}

/** Names of the shipped targets, sorted. */
export function listTargets(): string[] {
  return readdirSync(folder())
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length))
    .sort();
}

export interface LoadOptions {
  /** What-if: `sram=1MiB`, `dram.GBps=448`. */
  readonly set?: readonly string[];
}

/** A shipped description by name. Throws usage/unknown-target, usage/bad-target, usage/bad-override. */
export function loadTarget(name: string, options: LoadOptions = {}): Target {
  const known = listTargets();
  if (!/^[a-z0-9-]+$/.test(name) || !known.includes(name)) {
    throw new CompileError("usage/unknown-target", `there is no target "${name}"`, {
      remedy: `choose one of ${known.join(", ")}`,
    });
  }
  const text = readFileSync(new URL(`${name}.yaml`, folder()), "utf8");
  return parseTarget(text, `targets/${name}.yaml`, options);
}

/** A description from its YAML text. */
export function parseTarget(text: string, where: string, options: LoadOptions = {}): Target {
  const parsed = targetSchema.safeParse(parse(text));
  if (!parsed.success) {
    throw new CompileError("usage/bad-target", `the target is not valid: ${describe(parsed.error)}`, { where });
  }
  const overridden = override(parsed.data, options.set ?? []);
  if (!(overridden.defaultProfile in overridden.profiles)) {
    throw new CompileError("usage/bad-target", `the profile "${overridden.defaultProfile}" is not described`, {
      where,
    });
  }
  checkOperators(overridden.lacks.value, where);
  const figures: FigureSource[] = [];
  const plain = strip(overridden, "", figures) as Omit<Target, "figures">;
  return { ...plain, figures };
}

function checkOperators(lacks: readonly string[], where: string): void {
  const known = new Map(supportedOperators());
  for (const op of lacks) {
    if (known.has(op)) continue;
    throw new CompileError("usage/bad-target", `lacks: there is no operator ${op.slice(0, 40)}`, { where });
  }
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue.path.join(".")}: ${issue.message}`;
}

function isFigure(value: unknown): value is { value: unknown; source?: string; assumed?: string; confidence: "high" } {
  return typeof value === "object" && value !== null && "value" in value && "confidence" in value;
}

/** Plain values, with the figures' origins collected on the way. */
function strip(value: unknown, path: string, figures: FigureSource[]): unknown {
  if (isFigure(value)) {
    figures.push({ path, ...value });
    return value.value;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    strip(inner, path === "" ? key : `${path}.${key}`, figures),
  ]);
  return Object.fromEntries(entries);
}

function override(file: TargetFile, settings: readonly string[]): TargetFile {
  const copy = structuredClone(file);
  for (const setting of settings) {
    const [given, text, ...rest] = setting.split("=");
    const path = SHORT.get(given) ?? given;
    const found = text === undefined || rest.length > 0 ? undefined : lookUp(copy, path.split("."));
    if (found === undefined) {
      throw new CompileError("usage/bad-override", `"${setting}" names no figure of the target ${file.name}`, {
        remedy: `say for example sram=1MiB or dram.GBps=448; \`optimus-compile targets show ${file.name}\` prints the names`,
      });
    }
    found.value = typeof found.value === "number" ? parseNumber(text, setting) : text;
    delete found.source;
    found.assumed = "set by the user";
    found.confidence = "low";
  }
  const checked = targetSchema.safeParse(copy);
  if (checked.success) return checked.data;
  throw new CompileError("usage/bad-override", `${settings.join(", ")}: ${describe(checked.error)}`, {
    remedy: "give a value of the same kind and a sane size",
  });
}

interface Settable {
  value: unknown;
  source?: string;
  assumed?: string;
  confidence: string;
}

function lookUp(file: TargetFile, path: readonly string[]): Settable | undefined {
  let at: unknown = file;
  for (const key of path) {
    if (typeof at !== "object" || at === null || isFigure(at) || !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[key];
  }
  return isFigure(at) ? (at as Settable) : undefined;
}

function parseNumber(text: string, setting: string): number {
  const match = /^([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([A-Za-z]*)$/.exec(text);
  const factor = match ? SUFFIXES.get(match[2]) : undefined;
  if (match && factor !== undefined) return Number(match[1]) * factor;
  throw new CompileError("usage/bad-override", `"${text}" in "${setting}" is not a number`, {
    remedy: "write it as 448, 1.5, 64MiB",
  });
}
