import { canonicalBytes, toJson } from "../artifact/canonical.ts";
import { type SealedArtifact, sha256 } from "../artifact/container.ts";
import { boundOf } from "../checker/bound.ts";
import { decodeProgram } from "../emulate/decode.ts";
import { energyOf } from "../emulate/energy.ts";
import { timeProgram } from "../emulate/timing.ts";
import { CompileError } from "../error.ts";
import { decodeRecord } from "../ir/record.ts";
import { didYouMean } from "../suggest.ts";
import { loadTarget } from "../target/load.ts";
import type { Target } from "../target/schema.ts";

/** What the sealed program costs, by the hardware description that it was made for. */
export interface Measurement {
  readonly latency: {
    readonly cycles: number;
    readonly ms: number;
    readonly rooflineCycles: number;
    readonly boundCycles: number;
    readonly efficiency: number;
  };
  readonly memory: {
    readonly sramPeakBytes: number;
    readonly weightBytes: number;
    readonly dramBytesPerInference: number;
  };
  readonly energy: { readonly mJ: { readonly low: number; readonly mid: number; readonly high: number } };
  readonly floatTensors: number;
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

/** Throws usage/unknown-profile, trust/bad-program, trust/record. */
export function measure(artifact: SealedArtifact, profile = artifact.manifest.target.profile): Measurement {
  const target = targetOf(artifact);
  checkProfile(target, profile);
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const sections = { program: section("program"), weights: section("weights"), plan: section("plan") };
  const program = decodeProgram(sections);
  const graph = decodeRecord(section("record"));
  const timing = timeProgram(program, target, { profile });
  const { rooflineCycles, boundCycles } = boundOf(graph, target, { profile });
  const { cycles, ms, dramBytes } = timing;
  const { low, mid, high } = energyOf(program, timing, target).mJ;
  const floats = new Set(
    graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => isFloat(graph.types.get(name)?.dtype)),
  );
  return {
    latency: { cycles, ms, rooflineCycles, boundCycles, efficiency: boundCycles / cycles },
    memory: {
      sramPeakBytes: Math.max(0, ...program.plan.map(({ sramPeakBytes }) => sramPeakBytes)),
      weightBytes: sections.weights.length,
      dramBytesPerInference: dramBytes,
    },
    energy: { mJ: { low, mid, high } },
    floatTensors: floats.size,
  };
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
