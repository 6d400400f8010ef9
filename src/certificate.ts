/** What an artifact's attestations, evidence and lineage say, in plain words: for whoever must decide whether to use it. */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import type { Opened } from "./artifact/bundle.ts";
import type { SealedArtifact } from "./artifact/container.ts";
import { fingerprint } from "./artifact/keys.ts";
import { decodeLineage, type Lineage } from "./artifact/lineage.ts";
import { METRICS, OPERATING_POINT, PROVENANCE, SUMMARY, TEST_RESULT } from "./artifact/statement.ts";
import { openAll, verifyAttestations } from "./artifact/verify.ts";
import { sayOperatingPoint, signedOperatingPoint } from "./escalation.ts";
import { sayChance } from "./evidence/chance.ts";

export interface Certificate {
  readonly digest: string;
  /** Whether the signatures were checked, against keys that the reader gave. */
  readonly believed: boolean;
  readonly who: readonly string[];
  readonly measured: readonly string[];
  readonly looks: readonly string[];
  readonly madeFrom: readonly string[];
  readonly notChecked: readonly string[];
}

/** Whom the reader believes: the build, the certifier, and where he knows one a gate. */
type Keys = readonly [build: KeyObject, certifier: KeyObject, gate?: KeyObject];

/**
 * @param keys the build's, the certifier's and a gate's public keys; without them nothing is believed, and the certificate says so
 * Throws what verifyAttestations throws, and trust/lineage.
 */
export function certificateOf(artifact: SealedArtifact, keys?: Keys): Certificate {
  if (keys) {
    const [build, certifier, gate] = keys;
    verifyAttestations(artifact, { build, certifier, ...(gate && { gate }) });
    signedOperatingPoint(artifact, certifier);
  }
  const opened = openAll(artifact);
  const lineage = decodeLineage(artifact.sections.get("lineage"));
  const evidence = evidenceOf(artifact);
  return {
    digest: artifact.digest,
    believed: keys !== undefined,
    who: opened.length === 0 ? ["nobody signed anything"] : opened.map((one) => saidBy(one, artifact, keys)),
    measured: measuredIn(evidence),
    looks: looksIn(evidence),
    madeFrom: madeFrom(lineage),
    notChecked: notChecked({ keys, opened, lineage, evidence }),
  };
}

const Evidence = z.object({
  verdict: z.string(),
  gates: z.array(z.object({ gate: z.string(), verdict: z.string(), reason: z.string() })),
  accuracy: z.object({
    metric: z.string(),
    teacher: z.number(),
    compiled: z.number(),
    n: z.number(),
    interval: z.object({ low: z.number(), high: z.number() }).optional(),
    chance: z.object({ value: z.number(), teacher: z.number(), excluded: z.boolean() }).optional(),
  }),
  openings: z.array(z.object({ number: z.number(), samples: z.number() })),
  looked: z.object({ look: z.number(), alpha: z.number() }).optional(),
  latency: z.object({ ms: z.number() }).optional(),
});
type Evidence = z.infer<typeof Evidence>;

function evidenceOf(artifact: SealedArtifact): Evidence | undefined {
  const section = artifact.sections.get("evidence");
  if (section === undefined) return undefined;
  return Evidence.safeParse(JSON.parse(new TextDecoder().decode(section))).data;
}

type Says = (predicate: { readonly [key: string]: unknown }) => string;
const CLAIMS: ReadonlyMap<string, Says> = new Map<string, Says>([
  [PROVENANCE, () => "made these bytes from the recipe, teacher, data and target below (SLSA Build Level 1 at most)"],
  [TEST_RESULT, ({ result }) => `judged these bytes on data that the build never saw: ${String(result)}`],
  [METRICS, () => "measured what stands below on these bytes, sample by sample"],
  [OPERATING_POINT, sayOperatingPoint],
  [SUMMARY, saySummary],
]);

const Summary = z.object({
  policy: z.object({ uri: z.string() }),
  verificationResult: z.string(),
  failedGates: z.array(z.string()),
  waivers: z.array(z.object({ gate: z.string(), until: z.string() })),
});

function saySummary(predicate: { readonly [key: string]: unknown }): string {
  const parsed = Summary.safeParse(predicate);
  if (!parsed.success) return "checked the others' claims against a policy, and does not say how";
  const { policy, verificationResult, failedGates, waivers } = parsed.data;
  const failed = failedGates.length === 0 ? "" : `; not kept: ${failedGates.join(", ")}`;
  const waived = waivers.map(({ gate, until }) => `; ${gate} waived until ${until}`).join("");
  return `checked the others' claims against ${policy.uri}: ${verificationResult}${failed}${waived}`;
}

function saidBy({ statement, hint }: Opened, artifact: SealedArtifact, keys?: Keys): string {
  const roles = ["the build", "the certifier", "the gate"];
  const names = new Map((keys ?? []).flatMap((key, at) => (key ? [[fingerprint(key), roles[at]]] : [])));
  const claim = CLAIMS.get(statement.predicateType)?.(statement.predicate) ?? `claims ${statement.predicateType}`;
  const about =
    `sha256:${statement.subject[0].digest.sha256}` === artifact.digest ? "" : ", but about another artifact";
  const name = names.get(hint);
  return `${name ?? "somebody"} (${hint.slice(0, 23)}…) ${claim}${about}${name === undefined ? "; not believed, for want of his key" : ""}`;
}

function measuredIn(evidence: Evidence | undefined): string[] {
  if (evidence === undefined) return ["nothing: the artifact was not certified"];
  const { accuracy, gates, verdict, latency } = evidence;
  const { metric, teacher, compiled, n, interval } = accuracy;
  const guessing = sayChance(metric, accuracy.chance);
  const within = interval
    ? `; the true drop is between ${interval.low.toFixed(4)} and ${interval.high.toFixed(4)} in 95 of 100 such measurements`
    : "; how sure that is was not computed";
  return [
    `${metric} on ${n} samples: teacher ${teacher.toFixed(4)}, compiled ${compiled.toFixed(4)}${within}`,
    ...(guessing === undefined ? [] : [guessing]),
    ...(latency ? [`${latency.ms.toFixed(3)} ms for one inference, on the emulated chip`] : []),
    ...gates.map(({ gate, verdict: one, reason }) => `${gate}: ${one}, ${reason}`),
    gates.length === 0 ? "no gate was set: the verdict says nothing about quality" : `verdict: ${verdict}`,
  ];
}

function looksIn(evidence: Evidence | undefined): string[] {
  if (evidence === undefined) return [];
  const { looked, openings } = evidence;
  const counted = looked
    ? `look ${looked.look} at this data over all artifacts: a gate may err once in ${Math.round(1 / looked.alpha)}`
    : "the looks at this data were not counted";
  return [counted, `this artifact was judged ${openings.length === 1 ? "once" : `${openings.length} times`}`];
}

function madeFrom({ teacher, recipe, target, data, passes, compiler, licenses, numerics }: Lineage): string[] {
  const changed = passes.filter(({ before, after }) => before !== after).length;
  const splits = Object.entries(data).map(
    ([name, split]) => `${name} (${split.samples.length} samples, ${split.digest})`,
  );
  const weights = teacher.external.length === 0 ? "" : ` and ${teacher.external.length} files of weights`;
  return [
    `teacher ${teacher.file}${weights}, ${teacher.digest}${teacher.package ? `, from ${teacher.package}` : ""}`,
    `licence of the teacher: ${licenses.teacher ?? "unknown"}; of the data: ${licenses.data ?? "unknown"}`,
    `recipe ${recipe.name}, ${recipe.digest}`,
    `data ${splits.join(", ")}`,
    `target ${target.name}, profile ${target.profile}, ${target.digest}`,
    `${passes.length} passes, of which ${changed} changed the graph`,
    `${compiler.name} ${compiler.version} on Node ${compiler.node}; float numerics of ${numerics}`,
  ];
}

interface Known {
  readonly keys: Keys | undefined;
  readonly opened: readonly Opened[];
  readonly lineage: Lineage;
  readonly evidence: Evidence | undefined;
}

/** Whoever reads only what was checked takes the rest for granted. */
function notChecked({ keys, opened, lineage, evidence }: Known): string[] {
  const kinds = new Set(opened.map(({ statement }) => statement.predicateType));
  const when = (condition: boolean, says: string) => (condition ? [says] : []);
  return [
    ...when(keys === undefined, "the signatures: give --trust with the public keys"),
    ...when(evidence?.accuracy.interval === undefined, "how far chance may have flattered the accuracy"),
    ...when(!kinds.has(SUMMARY), "any policy but the recipe's own gates: no gate has signed a summary"),
    ...when(lineage.licenses.teacher === undefined, "whether the teacher may be used: nobody says its licence"),
    ...when(lineage.licenses.data === undefined, "whether the data may be used: nobody says its licence"),
    "whether the data is like what the model will meet",
    "silicon: time and energy are the emulator's, by an assumed description of the chip",
    "when anything was signed: there is no clock and no transparency log in the signatures",
    "that the artifact can be made again, and that the program is safe: `optimus-compile verify --rebuild` does that",
    "whether a newer certification was left out: the certifier's ledger of looks tells (`verify --ledger`)",
  ];
}
