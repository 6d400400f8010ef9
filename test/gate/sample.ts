import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalBytes, toJson } from "../../src/artifact/canonical.ts";
import { digestOf } from "../../src/artifact/container.ts";
import { EVIDENCE_SCHEMA } from "../../src/artifact/evidence.ts";
import { writeArtifact } from "../../src/artifact/file.ts";
import { splitMix } from "../../src/data/random.ts";
import { evaluate, type SampleRecord } from "../../src/evidence/evaluate.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { sampleArtifact } from "../artifact/sample.ts";

export const folder = mkdtempSync(join(tmpdir(), "gate-"));

export interface SampleOptions {
  /** Of 1: how often the compiled model's right answers are wrong. */
  readonly broken?: number;
  /** Of 1: how often both are wrong. */
  readonly wrong?: number;
  readonly count?: number;
  readonly cycles?: number;
  readonly data?: string;
  /** Drops have no lower limit, as where hardly any sample shows one. */
  readonly oneSided?: boolean;
  readonly evidence?: Readonly<Record<string, unknown>>;
}

/** Answers to ten classes, each sample a group of its own; the font is every fourth sample's slice. */
export function records({ broken = 0, wrong = 0.05, count = 600 }: SampleOptions): SampleRecord[] {
  const random = splitMix(7);
  return Array.from({ length: count }, (_, at): SampleRecord => {
    const [a, b] = [random(), random()];
    const answer = a < wrong ? 0 : 1;
    return {
      id: `sample ${at}`,
      group: `group ${at}`,
      slices: { font: at % 4 === 0 ? "italic" : "upright" },
      teacher: outcome(answer),
      compiled: outcome(b < broken ? 2 : answer),
      confidence: { teacher: 1, compiled: 1 },
    };
  });
}

/** An artifact with evidence of the certifier's shape, and nobody's signature. */
export async function writeSample(name: string, options: SampleOptions = {}): Promise<string> {
  const metric = await loadMetric("accuracy", folder);
  const samples = records(options);
  const evaluated = evaluate(metric, samples, { seed: 0, alpha: 0.03 });
  const below = <T extends { readonly limits?: { readonly lower: number } }>(one: T): T =>
    options.oneSided ? { ...one, limits: { ...one.limits, lower: Number.NEGATIVE_INFINITY } } : one;
  const accuracy = below({ ...evaluated, slices: evaluated.slices.map(below) });
  const { cycles = 1000 } = options;
  const bare = sampleArtifact();
  const sealed = { ...bare, sections: new Map(bare.sections).set("program", new TextEncoder().encode(name + cycles)) };
  const digest = digestOf(sealed);
  const evidence = {
    schema: EVIDENCE_SCHEMA,
    digest,
    verdict: "pass",
    accuracy,
    slices: accuracy.slices,
    latency: { cycles, ms: cycles / 1e6, efficiency: 0.5 },
    memory: { sramPeakBytes: 4096, weightBytes: 128, dramBytesPerInference: 256 },
    energy: { mJ: { low: 1, mid: 2, high: 3 } },
    floatTensors: 0,
    artifactBytes: 5000,
    gates: [{ gate: "maxDrop", limit: 0.05, verdict: "pass", reason: "at most 0.05" }],
    looked: { look: 1, alpha: 0.03, ledger: "" },
    data: { digest: options.data ?? `sha256:${"d".repeat(64)}`, source: "made", samples: samples.length },
    metric: "accuracy",
    samples,
    ...options.evidence,
  };
  const path = join(folder, `${name}.dopt`);
  const sections = new Map(sealed.sections)
    .set("evidence", canonicalBytes(toJson(evidence)))
    .set("lineage", new TextEncoder().encode(JSON.stringify({ recipe: { name } })));
  writeArtifact(path, { ...sealed, sections });
  return path;
}

/** As the metric `accuracy` has it, where the class is 1. */
function outcome(answer: number) {
  return { labels: [answer], correct: answer === 1 ? 1 : 0 };
}
