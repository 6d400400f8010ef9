/** Under which terms the teacher and the data may be used, and whether those are terms that are allowed. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Lineage } from "../artifact/lineage.ts";
import { CompileError } from "../error.ts";
import type { Recipe } from "../recipe.ts";

export interface PackageFacts {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** The npm package that a file was installed with, if it was. */
export function packageOf(path: string): PackageFacts | undefined {
  if (!/[\\/]node_modules[\\/]/.test(path)) return undefined;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const { name, version, license } = JSON.parse(readFileSync(file, "utf8")) as Partial<Record<string, unknown>>;
    if (typeof name !== "string" || typeof version !== "string") continue;
    return { name, version, ...(typeof license === "string" && { license }) };
  }
  return undefined;
}

/** What the recipe says goes before what the teacher's package says. */
export function licensesOf({ licenses, model }: Recipe): Lineage["licenses"] {
  const teacher = licenses?.teacher ?? packageOf(model)?.license;
  return { ...(teacher && { teacher }), ...(licenses?.data && { data: licenses.data }) };
}

/**
 * Throws gate/license where a licence is not among the recipe's `licenses.allowed`, and evidence/unknown-license where
 * nobody says which one it is: what is not known is not allowed.
 */
export function requireLicenses(recipe: Recipe, found: Lineage["licenses"]): void {
  const allowed = recipe.licenses?.allowed;
  if (allowed === undefined) return;
  for (const role of ["teacher", "data"] as const) {
    const license = found[role];
    if (license === undefined) {
      throw new CompileError("evidence/unknown-license", `nobody says under which licence the ${role} may be used`, {
        where: `licenses.${role}`,
        remedy: `Say it in the recipe: licenses: { ${role}: SPDX-ID }.`,
      });
    }
    if (satisfies(license, new Set(allowed))) continue;
    throw new CompileError("gate/license", `the ${role}'s licence is ${license}, which is not among those allowed`, {
      where: "licenses.allowed",
      remedy: `Allowed are ${allowed.join(", ")}: use another ${role}, or allow it.`,
    });
  }
}

/** Of an SPDX expression: one side of an OR, both sides of an AND; `WITH` belongs to its licence; AND binds tighter. */
export function satisfies(expression: string, allowed: ReadonlySet<string>): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (depth: number): boolean => {
    let holds = both(depth);
    while (tokens[at] === "OR") {
      at++;
      holds = both(depth) || holds;
    }
    return holds;
  };
  const both = (depth: number): boolean => {
    let holds = one(depth);
    while (tokens[at] === "AND") {
      at++;
      holds = one(depth) && holds;
    }
    return holds;
  };
  const one = (depth: number): boolean => {
    const token = tokens[at++];
    if (token === "(") {
      const holds = depth < 32 && either(depth + 1);
      return tokens[at++] === ")" && holds;
    }
    if (token === undefined || [")", "OR", "AND", "WITH"].includes(token)) return false;
    if (tokens[at] !== "WITH") return allowed.has(token);
    at += 2;
    return allowed.has(`${token} WITH ${tokens[at - 1]}`);
  };
  const holds = either(0);
  return holds && at === tokens.length;
}
