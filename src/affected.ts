/** Which artifacts an erratum touches, from their lineage alone: no teacher, no data and no build is needed. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact } from "./artifact/file.ts";
import { decodeLineage, type Lineage } from "./artifact/lineage.ts";
import { CompileError } from "./error.ts";
import { parseYaml } from "./recipe/locate.ts";

const OperatorSchema = z
  .strictObject({
    op: z.string().describe("an operator of the teacher, or `npu.NAME` of the program"),
    attrs: z.record(z.string(), z.union([z.string(), z.number()]).transform(String)).default({}),
    dtype: z.string().optional(),
    readBy: z.string().optional().describe("an operator that reads its result"),
  })
  .describe("all that is said must hold of one kind of node");

const ErratumSchema = z
  .strictObject({
    id: z.string().min(1),
    title: z.string().min(1),
    /** Of the compiler: `<1.2.0`, `>=1.0.0 <1.2.0`, `1.1.0`; a list is alternatives. */
    versions: z.array(z.string()).optional(),
    /** Passes that changed the graph. */
    passes: z.array(z.string()).optional(),
    operators: z.array(OperatorSchema).optional(),
    targets: z.array(z.string()).optional(),
    /** Digests of teachers, weights, data, recipes, hardware descriptions, records, compilers, emulators. */
    digests: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)).optional(),
    /** Of dependencies: name → versions. */
    dependencies: z.record(z.string(), z.array(z.string())).optional(),
  })
  .refine(
    ({ id: _, title: __, ...criteria }) => Object.keys(criteria).length > 0,
    "an erratum without a criterion would touch everything",
  );

export type Erratum = z.infer<typeof ErratumSchema>;

export interface Affected {
  readonly artifact: string;
  readonly digest: string;
  readonly affected: boolean;
  /** For each criterion, what met it, or that nothing did. */
  readonly because: readonly string[];
}

/** Throws usage/erratum. */
export function readErratum(path: string): Erratum {
  const located = parseYaml(readFileSync(path, "utf8"), path);
  const parsed = ErratumSchema.safeParse(located.value);
  if (parsed.success) return checkRanges(parsed.data, path);
  const [issue] = parsed.error.issues;
  throw new CompileError("usage/erratum", `${issue.path.join(".") || "the erratum"}: ${issue.message}`, {
    where: located.excerpt(issue.path),
    remedy: "docs/trust.md says what an erratum may hold.",
  });
}

/** Throws what readArtifact throws, and trust/lineage. */
export const affectedBy = (erratum: Erratum, paths: readonly string[]): Affected[] =>
  paths.map((path) => judge(erratum, path, readArtifact(path)));

function judge(erratum: Erratum, path: string, artifact: SealedArtifact): Affected {
  const found = matchLineage(erratum, decodeLineage(artifact.sections.get("lineage")));
  const because = [...found].map(([criterion, hit]) => `${criterion}: ${hit ?? "none"}`);
  return {
    artifact: path,
    digest: artifact.digest,
    affected: [...found.values()].every((hit) => hit !== undefined),
    because,
  };
}

/** For each criterion that the erratum has, the first thing that meets it. All must be met. */
export function matchLineage(erratum: Erratum, lineage: Lineage): Map<string, string | undefined> {
  const { versions, passes, operators, targets, digests, dependencies } = erratum;
  const found = new Map<string, string | undefined>();
  const { compiler } = lineage;
  if (versions)
    found.set("version", versions.some((range) => within(compiler.version, range)) ? compiler.version : undefined);
  if (passes) {
    const ran = lineage.passes.find(({ name, before, after }) => passes.includes(name) && before !== after);
    found.set("pass", ran?.name);
  }
  if (operators) found.set("operator", operatorIn(operators, lineage));
  if (targets)
    found.set(
      "target",
      targets.find((name) => name === lineage.target.name),
    );
  if (digests)
    found.set(
      "digest",
      digestsOf(lineage).find((digest) => digests.includes(digest)),
    );
  if (dependencies) {
    const hit = Object.entries(dependencies).find(([name, ranges]) => {
      const version = new Map(Object.entries(compiler.dependencies)).get(name);
      return version !== undefined && ranges.some((range) => within(version, range));
    });
    found.set("dependency", hit && `${hit[0]} ${compiler.dependencies[hit[0]]}`);
  }
  return found;
}

function operatorIn(wanted: NonNullable<Erratum["operators"]>, { operators }: Lineage): string | undefined {
  for (const kind of [...operators.teacher, ...operators.program]) {
    const attrs = new Map(Object.entries(kind.attrs));
    const meets = wanted.some(
      ({ op, dtype, readBy, attrs: said }) =>
        op === kind.op &&
        (dtype === undefined || dtype === kind.dtype) &&
        (readBy === undefined || kind.readBy.includes(readBy)) &&
        Object.entries(said).every(([name, value]) => attrs.get(name) === value),
    );
    if (meets) return `${kind.count} of ${kind.op}`;
  }
  return undefined;
}

function digestsOf({ teacher, data, recipe, target, record, compiler, emulator }: Lineage): string[] {
  const splits = Object.values(data).map((split) => split?.digest);
  const files = teacher.external.map(({ digest }) => digest);
  const all = [
    teacher.digest,
    ...files,
    ...splits,
    recipe.digest,
    target.digest,
    record,
    compiler.digest,
    emulator.digest,
  ];
  return all.filter((digest) => digest !== undefined);
}

const COMPARATOR = /^(<=|>=|<|>|=)?\s*v?(\d+)\.(\d+)\.(\d+)$/;

function checkRanges(erratum: Erratum, path: string): Erratum {
  const ranges = [...(erratum.versions ?? []), ...Object.values(erratum.dependencies ?? {}).flat()];
  const wrong = ranges.find(
    (range) =>
      range.trim() === "" ||
      range
        .trim()
        .split(/\s+/)
        .some((part) => !COMPARATOR.test(part)),
  );
  if (wrong === undefined) return erratum;
  throw new CompileError("usage/erratum", `${JSON.stringify(wrong)} is no range of versions`, {
    where: path,
    remedy: 'For example "1.1.0", "<1.2.0" or ">=1.0.0 <1.2.0".',
  });
}

/** Comparators side by side must all hold. What comes after a version's three numbers is not looked at. */
function within(version: string, range: string): boolean {
  const numbers = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) return false;
  return range
    .trim()
    .split(/\s+/)
    .every((part) => {
      const [, sign = "=", ...wanted] = COMPARATOR.exec(part) ?? [];
      const at = numbers.findIndex((number, index) => number !== Number(wanted[index]));
      const order = at < 0 ? 0 : Math.sign(numbers[at] - Number(wanted[at]));
      return { "<": order < 0, "<=": order <= 0, "=": order === 0, ">=": order >= 0, ">": order > 0 }[sign] ?? false;
    });
}
