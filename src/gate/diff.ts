/** Two artifacts side by side: what each costs, how good each is on the same samples, and where in the network they differ. */
import type { SealedArtifact } from "../artifact/container.ts";
import { targetOf } from "../certify/measure.ts";
import { decodeProgram } from "../emulate/decode.ts";
import { profileOf } from "../emulate/profile.ts";
import { timelineOf } from "../emulate/timing.ts";
import { CompileError } from "../error.ts";
import type { Interval } from "../evidence/evaluate.ts";
import { GATES, type GateName } from "../evidence/gates.ts";
import type { MetricSpec } from "../evidence/metric.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { decodeRecord } from "../ir/record.ts";
import type { Evidence } from "./evidence.ts";
import { compare, metricOf, pairsOf } from "./relative.ts";

/** A figure in both; absent where the evidence lacks it. */
export interface Both<T = number> {
  readonly before?: T;
  readonly after?: T;
}

export interface QualityLine {
  readonly metric: string;
  readonly before: number;
  readonly after: number;
  /** Positive where the second is worse. */
  readonly drop: number;
  readonly interval?: Interval;
  readonly n: number;
  readonly groups: number;
  readonly flipped?: number;
  readonly harmful?: number;
}

export interface LayerCost {
  readonly cycles: number;
  readonly dramBytes: number;
  readonly weightBytes: number;
  /** Element types of what it computes. */
  readonly format: string;
}

export interface DiffDocument {
  readonly schema: "optimus-compile/diff@1";
  readonly before: { readonly artifact: string; readonly digest: string };
  readonly after: { readonly artifact: string; readonly digest: string };
  readonly figures: readonly ({ readonly figure: string } & Both)[];
  /** By pairs of the same samples; or why there are none. */
  readonly quality?: QualityLine;
  readonly slices: readonly ({ readonly key: string; readonly value: string } & QualityLine)[];
  readonly unpaired?: string;
  /** Those that differ, by how many cycles. */
  readonly layers: readonly ({ readonly layer: string } & Both<LayerCost>)[];
  readonly layersAlike: number;
  /** Why there are no layers. */
  readonly unprofiled?: string;
}

/** What costs have no samples behind them. */
export const FIGURES: Readonly<Record<string, GateName>> = {
  cycles: "maxCycles",
  ms: "maxMs",
  efficiency: "minEfficiency",
  sramBytes: "maxSramBytes",
  weightBytes: "maxWeightBytes",
  dramBytes: "maxDramBytes",
  artifactBytes: "maxArtifactBytes",
  millijoules: "maxMillijoules",
  floatTensors: "maxFloatTensors",
};

export interface DiffOptions {
  readonly metric?: MetricSpec;
  readonly folder: string;
}

const ALPHA = 0.05;

/** Compares two artifacts by their evidence and programs. */
export async function diff(before: Evidence, after: Evidence, options: DiffOptions): Promise<DiffDocument> {
  const figures = Object.entries(FIGURES).map(([figure, gate]) => {
    const [a, b] = [before, after].map(({ measured }) => GATES[gate].value(measured));
    return { figure, ...(a !== undefined && { before: a }), ...(b !== undefined && { after: b }) };
  });
  return {
    schema: "optimus-compile/diff@1",
    before: { artifact: before.path, digest: before.artifact.digest },
    after: { artifact: after.path, digest: after.artifact.digest },
    figures,
    ...(await qualityOf(before, after, options)),
    ...layersOf(before.artifact, after.artifact),
  };
}

async function qualityOf(
  before: Evidence,
  after: Evidence,
  { metric: own, folder }: DiffOptions,
): Promise<Pick<DiffDocument, "quality" | "slices" | "unpaired">> {
  const pairs = pairsOf(before, after);
  if (typeof pairs === "string") return { slices: [], unpaired: pairs };
  const metric = await metricOf(after, own, folder).catch((error: unknown) => error);
  if (metric instanceof CompileError) return { slices: [], unpaired: metric.message };
  if (metric instanceof Error) throw metric;
  const { slices, ...whole } = compare(metric as Awaited<ReturnType<typeof metricOf>>, pairs, ALPHA);
  const line = ({
    metric: name,
    teacher,
    compiled,
    drop,
    n,
    groups,
  }: Omit<(typeof slices)[number], "key" | "value">) => ({
    metric: name,
    before: teacher,
    after: compiled,
    drop,
    n,
    groups,
  });
  const { flipped, harmful } = whole.flips;
  return {
    quality: { ...line(whole), ...(whole.interval && { interval: whole.interval }), flipped, harmful },
    slices: slices.map(({ key, value, limits, ...rest }) => ({
      key,
      value,
      ...line(rest),
      // Two one-sided limits of 5 % each.
      ...(limits && {
        interval: { low: limits.lower, high: limits.upper, level: 1 - 2 * ALPHA, method: limits.method },
      }),
    })),
  };
}

function layersOf(
  before: SealedArtifact,
  after: SealedArtifact,
): Pick<DiffDocument, "layers" | "layersAlike" | "unprofiled"> {
  try {
    const [a, b] = [before, after].map(costsOf);
    const names = [...new Set([...a.keys(), ...b.keys()])];
    const all = names.map((layer) => {
      const [x, y] = [a.get(layer), b.get(layer)];
      return { layer, ...(x && { before: x }), ...(y && { after: y }) };
    });
    const differing = all.filter(({ before: x, after: y }) => JSON.stringify(x) !== JSON.stringify(y));
    const change = ({ before: x, after: y }: Both<LayerCost>) => Math.abs((y?.cycles ?? 0) - (x?.cycles ?? 0));
    differing.sort((x, y) => change(y) - change(x));
    return { layers: differing, layersAlike: all.length - differing.length };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { layers: [], layersAlike: 0, unprofiled: error.message };
  }
}

function costsOf(artifact: SealedArtifact): Map<string, LayerCost> {
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const program = decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
  const target = targetOf(artifact);
  const timeline = timelineOf(program, target, { profile: artifact.manifest.target.profile });
  const graph = decodeRecord(section("record"));
  const found = new Map<string, LayerCost>();
  for (const { name, cycles, dramBytes, commands } of profileOf(timeline, target)) {
    const origin = new Set(commands.flatMap((id) => timeline.commands[id].origin));
    found.set(name, { cycles, dramBytes, ...formatOf(graph, origin) });
  }
  return found;
}

/** Constants and element types of the nodes that come from the teacher's nodes alone that a layer is made of. */
function formatOf(graph: Graph, origin: ReadonlySet<string>): Pick<LayerCost, "weightBytes" | "format"> {
  const nodes = graph.nodes.filter((node) => node.origin.length > 0 && node.origin.every((name) => origin.has(name)));
  const constants = new Set(nodes.flatMap(({ inputs }) => inputs).filter((name) => graph.constants.has(name)));
  const formats = new Set(nodes.flatMap(({ outputs }) => outputs.map((name) => graph.types.get(name)?.dtype ?? "?")));
  let weightBytes = 0;
  for (const name of constants) weightBytes += bytesOf(graph.constants.get(name));
  return { weightBytes, format: [...formats].sort().join("+") };
}

function bytesOf(tensor: Tensor | undefined): number {
  const data = tensor?.data;
  return data !== undefined && "byteLength" in data ? data.byteLength : 0;
}
