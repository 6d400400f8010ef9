/**
 * Certification: a process of its own that shares nothing with the compiler but the artifact's format, the emulator and
 * the metrics. It reads the artifact, the certification data and the teacher's file, and signs what it found.
 */
import { createHash } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { canonicalBytes, toJson } from "./artifact/canonical.ts";
import type { SealedArtifact } from "./artifact/container.ts";
import { EVIDENCE_SCHEMA } from "./artifact/evidence.ts";
import { digestOfFile, readArtifact, readRegularFile, writeArtifact } from "./artifact/file.ts";
import { fingerprint, readPrivateKey } from "./artifact/keys.ts";
import { decodeLineage, type Lineage } from "./artifact/lineage.ts";
import { buildersOf } from "./artifact/verify.ts";
import { attest, type Opening, openingsOf } from "./certify/attest.ts";
import { keepOutcomes, recallOutcomes, rememberOutcomes } from "./certify/kept.ts";
import { headOf, takeLook } from "./certify/ledger.ts";
import { measure } from "./certify/measure.ts";
import { type CertifyAnswer, type CertifyTask, type CertifyWork, tasksOf } from "./certify/task.ts";
import { openDataset } from "./data/dataset.ts";
import { checkDisjoint, digestOf } from "./data/disjoint.ts";
import { checkInputs, type Wanted } from "./data/fit.ts";
import { CompileError } from "./error.ts";
import { sayChance } from "./evidence/chance.ts";
import { type Evaluation, evaluate, type SampleRecord } from "./evidence/evaluate.ts";
import { type GateResult, judge, type Measured, type Verdict } from "./evidence/gates.ts";
import { loadMetric } from "./evidence/metric.ts";
import type { Recipe } from "./recipe.ts";
import { createPool } from "./run/pool.ts";
import { didYouMean } from "./suggest.ts";
import { toolFacts } from "./tool.ts";

const workerUrl = new URL(`./certify/worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/** Where looks are written down unless the recipe says: beside the artifact. */
const LEDGER = "optimus.ledger.jsonl";

export interface CertifyOptions {
  /** Path of the certifier's private key; the evidence is unsigned without. */
  readonly key?: string;
  /** The artifact must not have been certified before: a build looks at its certification data once. */
  readonly first?: boolean;
  /** The folder that outcomes are kept in, by everything that they depend on; without one all samples run. */
  readonly cache?: string;
  /** Told what the user should know: a teacher that guesses, an entry of the cache that is not as it was written. */
  readonly warn?: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface CertifyResult extends Measured {
  readonly digest: string;
  readonly verdict: Verdict;
  readonly accuracy: Evaluation;
  readonly latency: ReturnType<typeof measure>["latency"];
  readonly memory: ReturnType<typeof measure>["memory"];
  readonly energy: ReturnType<typeof measure>["energy"];
  readonly floatTensors: number;
  readonly gates: readonly GateResult[];
  readonly openings: readonly Opening[];
  /** Which look at this data it was, over all artifacts; what it may spend; and the digest of the ledger's last line. */
  readonly looked: { readonly look: number; readonly alpha: number; readonly ledger: string };
  /** Fingerprint of the key that signed. */
  readonly signedBy?: string;
  /** The samples' outcomes were known, and not computed again. */
  readonly outcomesKept?: boolean;
}

/** What `certify --json` prints. */
export interface CertifyDocument extends CertifyResult {
  readonly schema: "optimus-compile/certify@2";
  readonly artifact: string;
  /** Of the certifying process, at its peak. */
  readonly peakRssBytes: number;
}

/** Judges the artifact at `path` and writes the evidence, and with a key the attestations, into it. */
export async function certify(path: string, recipe: Recipe, options: CertifyOptions = {}): Promise<CertifyResult> {
  const key = options.key === undefined ? undefined : readPrivateKey(options.key);
  const artifact = readArtifact(path);
  if (key !== undefined && buildersOf(artifact).includes(fingerprint(key))) throw sameKey(options.key);
  const lineage = decodeLineage(artifact.sections.get("lineage"));
  checkTeacher(recipe.model, lineage);
  const before = openingsOf(artifact);
  if (options.first && before.length > 0) throw openedBefore(before.length);
  const { records, digest: dataDigest, source, hashes, known } = await runSamples(artifact, lineage, recipe, options);
  const ledger = recipe.ledger ?? join(dirname(path), LEDGER);
  const { look, alpha } = await takeLook(ledger, { artifact: artifact.digest, data: dataDigest, hashes }, key);
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const accuracy = evaluate(metric, records, { seed: recipe.seed, alpha });
  const guessing = sayChance(accuracy.metric, accuracy.chance);
  if (guessing !== undefined) options.warn?.(guessing);
  const slices = slicesNamed(accuracy, recipe.slices);
  const measured = { ...measure(artifact), accuracy, slices, artifactBytes: sizeOf(artifact) };
  const { verdict, gates } = judge(recipe.gates, measured);
  const openings = [...before, { number: before.length + 1, data: dataDigest, samples: records.length }];
  const looked = { look, alpha, ledger: headOf(ledger) };
  const result = { digest: artifact.digest, verdict, ...measured, gates, openings, looked };
  const data = { digest: dataDigest, source, samples: records.length };
  const evidence = { schema: EVIDENCE_SCHEMA, ...result, data, metric: recipe.metric, samples: records };
  writeArtifact(path, await attest(artifact, canonicalBytes(toJson(evidence)), result, key));
  return { ...result, ...(key && { signedBy: fingerprint(key) }), ...(known && { outcomesKept: true }) };
}

function sameKey(path: string | undefined): CompileError {
  return new CompileError("trust/same-key", "the build signed with this very key, and must not judge itself", {
    ...(path !== undefined && { where: path }),
    remedy: "Give the certifier a key of its own; `optimus-compile keygen` makes both.",
  });
}

function openedBefore(times: number): CompileError {
  return new CompileError("evidence/second-opening", `the certification data was opened ${times} times already`, {
    where: "section evidence",
    remedy: "A build looks at its certification data once: build again.",
  });
}

/** Evidence about another teacher's outputs would be evidence about nothing. */
function checkTeacher(path: string, { teacher }: Lineage): void {
  const found = `sha256:${createHash("sha256").update(readRegularFile(path, "teacher")).digest("hex")}`;
  if (found === teacher.digest) {
    checkExternal(dirname(path), teacher.external);
    return;
  }
  throw new CompileError("trust/other-teacher", "the teacher is not the one that the artifact was made from", {
    where: `${path}: ${found}, wanted ${teacher.digest}`,
    remedy: "Certify with the recipe that the artifact was built with.",
  });
}

/** Weights beside the model are the model, too. */
function checkExternal(folder: string, files: Lineage["teacher"]["external"]): void {
  for (const { file, digest } of files) {
    const outside = file.split(/[\\/]/).includes("..") || isAbsolute(file);
    const found = outside ? "outside of its folder" : digestOfFile(join(folder, file), "external data");
    if (found === digest) continue;
    throw new CompileError(
      "trust/other-teacher",
      "the teacher's weights are not those that the artifact was made from",
      {
        where: `${file}: ${found}, wanted ${digest}`,
        remedy: "Certify with the recipe that the artifact was built with.",
      },
    );
  }
}

/** The slices that the gates are about. Throws usage/unknown-slice for a key that no sample has. */
function slicesNamed({ slices }: Evaluation, keys: readonly string[]): Evaluation["slices"] {
  const known = [...new Set(slices.map(({ key }) => key))];
  for (const key of keys) {
    if (known.includes(key)) continue;
    throw new CompileError("usage/unknown-slice", `no sample has the slice key "${key}"`, {
      where: "slices",
      remedy: known.length === 0 ? "this data has no slices" : didYouMean(key, known),
    });
  }
  return slices.filter(({ key }) => keys.includes(key));
}

const sizeOf = (artifact: SealedArtifact): number =>
  [...artifact.sections.values()].reduce((sum, { length }) => sum + length, 0);

interface Samples {
  readonly records: readonly SampleRecord[];
  readonly digest: string;
  readonly hashes: readonly string[];
  readonly source: string;
  /** Whether all was kept from before. */
  readonly known: boolean;
}

/** Every sample's outcome, in the samples' order, whatever the number of workers. */
async function runSamples(
  artifact: SealedArtifact,
  lineage: Lineage,
  recipe: Recipe,
  options: CertifyOptions,
): Promise<Samples> {
  const wanted: Wanted = new Map(artifact.manifest.inputs.map(({ name, ...type }) => [name, type]));
  const dataset = await openDataset(recipe.data.certification, recipe.folder);
  const { source } = dataset.describe();
  checkInputs(dataset, wanted, "certification");
  const tasks = tasksOf(dataset.length, dataset.sequences);
  const total = dataset.length;
  const work: CertifyWork = {
    record: artifact.sections.get("record") ?? new Uint8Array(),
    model: recipe.model,
    inputs: recipe.inputs,
    data: recipe.data.certification,
    folder: recipe.folder,
    metric: recipe.metric,
    wanted,
  };
  const { key: pem, cache, warn } = options;
  const kept = keepOutcomes(cache, work, {
    teacher: { digest: lineage.teacher.digest, external: lineage.teacher.external },
    tool: toolFacts(),
    ...(cache !== undefined && dataset.origin && { origin: dataset.origin() }),
    ...(pem !== undefined && { key: readPrivateKey(pem) }),
    ...(warn && { warn }),
  });
  const known = kept && (await recallOutcomes(kept, dataset));
  dataset.close();
  const outcomes = known ?? (await runTasks(work, tasks, total, recipe.jobs, options));
  if (kept && !known) rememberOutcomes(kept, outcomes);
  if (known) options.onProgress?.(total, total);
  const { records, hashes } = outcomes;
  const certification = records.map(({ id, group }, at) => ({ id, group, hash: hashes[at] }));
  const { calibration, selection } = lineage.data;
  const splits = new Map(Object.entries({ calibration: calibration.samples, selection: selection?.samples ?? [] }));
  checkDisjoint(splits.set("certification", certification));
  return { records, digest: digestOf(certification), hashes, source, known: known !== undefined };
}

async function runTasks(
  work: CertifyWork,
  tasks: readonly CertifyTask[],
  total: number,
  jobs: number,
  { signal, onProgress }: CertifyOptions,
): Promise<CertifyAnswer> {
  const records: SampleRecord[] = [];
  const hashes: string[] = [];
  const contents: string[] = [];
  const pool = createPool(Math.min(jobs, tasks.length));
  for await (const answer of pool.map<CertifyWork, CertifyTask, CertifyAnswer>(
    workerUrl,
    work,
    tasks,
    signal && { signal },
  )) {
    records.push(...answer.records);
    hashes.push(...answer.hashes);
    contents.push(...answer.contents);
    onProgress?.(records.length, total);
  }
  return { records, hashes, contents };
}
