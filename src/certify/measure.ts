import { canonicalBytes, toJson } from "../artifact/canonical.ts";
import { type SealedArtifact, sha256 } from "../artifact/container.ts";
import { boundOf } from "../checker/bound.ts";
import { checkProgram, summaryOf, type VerdictSummary } from "../checker/check.ts";
import { decodeProgram } from "../emulate/decode.ts";
import type { Range } from "../emulate/energy.ts";
import { operate } from "../emulate/power.ts";
import { CompileError } from "../error.ts";
import { decodeRecord } from "../ir/record.ts";
import type { Program } from "../schedule/program.ts";
import { didYouMean } from "../suggest.ts";
import { loadTarget } from "../target/load.ts";
import type { Target } from "../target/schema.ts";

/** What the sealed program costs, by the hardware description that it was made for. */
export interface Measurement {
  readonly latency: {
    readonly cycles: number;
    readonly ms: number;
    readonly rooflineCycles: number;
    readonly floorCycles: number;
    readonly efficiency: number;
    readonly clockGHz: number;
    /** Where a power cap costs something, what it does. */
    readonly capped?: string;
  };
  readonly memory: {
    readonly sramPeakBytes: number;
    readonly weightBytes: number;
    readonly dramBytesPerInference: number;
  };
  /** Of one run, and with its part of what the board draws anyway. */
  readonly energy: { readonly mJ: Range; readonly boardMJ: Range };
  readonly floatTensors: number;
  /** What the checker proved of the program. */
  readonly checked: VerdictSummary;
}

/** Content of a hardware description: its numbers, not the prose around them. */
export function targetDigest(target: Target): string {
  const { figures: _, ...numbers } = target;
  return `sha256:${sha256(canonicalBytes(toJson(numbers)))}`;
}

/** The description that the artifact names. Throws trust/other-target where it is not the one of the build. */
export function targetOf({ manifest }: SealedArtifact): Target {
  const { name, digest } = manifest.target;
  const target = loadTarget(name);
  if (targetDigest(target) === digest) return target;
  throw new CompileError("trust/other-target", `the description of ${name} here is not the one of the build`, {
    where: `${targetDigest(target)}, wanted ${digest}`,
    remedy: "Use the version of optimus-compile that the artifact's lineage names.",
  });
}

/** Throws usage/unknown-profile, trust/bad-program, trust/unsafe-program, trust/record. */
export function measure(artifact: SealedArtifact, profile = artifact.manifest.target.profile): Measurement {
  const target = targetOf(artifact);
  checkProfile(target, profile);
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const sections = { program: section("program"), weights: section("weights"), plan: section("plan") };
  const program = decodeProgram(sections);
  const checked = requireProven(program, target);
  const graph = decodeRecord(section("record"));
  const { target: clocked, timing, energy, power } = operate(program, target, { profile });
  const { rooflineCycles, floorCycles } = boundOf(graph, clocked, { profile, npus: program.npus });
  const { cycles, ms, dramBytes } = timing;
  const capped = power.note === undefined ? {} : { capped: power.note };
  const floats = new Set(
    graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => isFloat(graph.types.get(name)?.dtype)),
  );
  return {
    latency: {
      cycles,
      ms,
      rooflineCycles,
      floorCycles,
      efficiency: floorCycles / cycles,
      clockGHz: clocked.clockGHz,
      ...capped,
    },
    memory: {
      sramPeakBytes: Math.max(0, ...program.plan.map(({ sramPeakBytes }) => sramPeakBytes)),
      weightBytes: sections.weights.length,
      dramBytesPerInference: dramBytes,
    },
    energy: { mJ: energy.mJ, boardMJ: power.boardMJ },
    floatTensors: floats.size,
    checked,
  };
}

/** What the checker proved. Throws trust/unsafe-program for its first fault. */
export function requireProven(program: Program, target: Target): VerdictSummary {
  const verdict = checkProgram(program, target);
  const [fault] = verdict.faults;
  if (fault === undefined) return summaryOf(verdict);
  throw new CompileError("trust/unsafe-program", `the program is not safe to run: ${fault.kind}: ${fault.says}`, {
    where: fault.where,
    remedy: "`optimus-compile check` lists all faults; do not run this artifact.",
  });
}

export function checkProfile(target: Target, profile: string): void {
  const known = Object.keys(target.profiles);
  if (known.includes(profile)) return;
  throw new CompileError("usage/unknown-profile", `the target ${target.name} has no profile "${profile}"`, {
    where: "profile",
    remedy: didYouMean(profile, known),
  });
}

const isFloat = (dtype: string | undefined): boolean => dtype?.includes("float") ?? false;
