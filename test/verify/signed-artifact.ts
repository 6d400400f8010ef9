/** A small artifact that both parties and a gate signed, made as build, certify and attest make theirs. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Network } from "../../bench/backend/builder.ts";
import { canonicalBytes, type Json } from "../../src/artifact/canonical.ts";
import { type Artifact, decodeArtifact, encodeArtifact, type SealedArtifact } from "../../src/artifact/container.ts";
import { EVIDENCE_SCHEMA } from "../../src/artifact/evidence.ts";
import { encodeGolden } from "../../src/artifact/golden.ts";
import { fingerprint } from "../../src/artifact/keys.ts";
import { LINEAGE_SCHEMA, type Lineage } from "../../src/artifact/lineage.ts";
import { attestVerdict, certifiedGates } from "../../src/artifact/summary.ts";
import { operatorsOf } from "../../src/build/operators.ts";
import { scheduleGraph } from "../../src/build/schedule.ts";
import { seal } from "../../src/build/seal.ts";
import { attest } from "../../src/certify/attest.ts";
import { headOf, takeLook } from "../../src/certify/ledger.ts";
import { targetDigest } from "../../src/certify/measure.ts";
import type { Chance } from "../../src/evidence/chance.ts";
import { graphDigest } from "../../src/ir/digest.ts";
import { decodeRecord, encodeRecord } from "../../src/ir/record.ts";
import { fastExecutor } from "../../src/replay.ts";
import { loadTarget } from "../../src/target/load.ts";
import { toolFacts } from "../../src/tool.ts";

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const keys = {
  build: generateKeyPairSync("ec", { namedCurve: "P-256" }) as Pair,
  certifier: generateKeyPairSync("ed25519") as Pair,
  gate: generateKeyPairSync("ec", { namedCurve: "P-256" }) as Pair,
  stranger: generateKeyPairSync("ed25519") as Pair,
};

const digestOf = (digit: string): string => `sha256:${digit.repeat(64)}`;
export const WAIVED_UNTIL = "2031-05-31";

export interface Options {
  /** What the teacher would be by chance. */
  readonly chance?: Chance;
  /** Makes it another artifact. */
  readonly channels?: number;
  readonly certifier?: Pair;
  readonly ledger?: string;
  readonly verdict?: "pass" | "fail";
}

export const folder = mkdtempSync(join(tmpdir(), "tampering-"));
export const ledger = join(folder, "optimus.ledger.jsonl");

/** Built: sealed and signed by the build. */
export async function built({ channels = 8 }: Options = {}): Promise<SealedArtifact> {
  const network = new Network("small");
  const graph = network.finish([network.conv(network.input("x", [1, 3, 8, 8]), channels, 3)]);
  const target = loadTarget("ai4");
  const record = encodeRecord(graph);
  const { sections } = scheduleGraph(decodeRecord(record), target, { allowCpu: false });
  const input = {
    name: "x",
    dtype: "int8",
    shape: [1, 3, 8, 8],
    bytes: Uint8Array.from({ length: 192 }, (_, at) => at),
  };
  const golden = encodeGolden([[{ inputs: [input], outputs: fastExecutor(decodeRecord(record)).run([input]) }]]);
  const lineage: Lineage = {
    schema: LINEAGE_SCHEMA,
    ...toolFacts(),
    recipe: { name: "small", digest: digestOf("1") },
    teacher: { file: "teacher.onnx", digest: digestOf("2"), external: [{ file: "w.bin", digest: digestOf("3") }] },
    target: { name: "ai4", digest: targetDigest(target), profile: "driving" },
    data: { calibration: { digest: digestOf("4"), samples: [{ id: "0", group: "0", hash: "00" }] } },
    passes: [
      { name: "fuse/conv-bn", nodesBefore: 2, nodesAfter: 1, before: digestOf("5"), after: digestOf("6"), options: {} },
      { name: "fuse/gelu", nodesBefore: 1, nodesAfter: 1, before: digestOf("6"), after: digestOf("6"), options: {} },
      {
        name: "lower/integer",
        nodesBefore: 1,
        nodesAfter: 1,
        before: digestOf("6"),
        after: graphDigest(graph),
        options: {},
      },
    ],
    operators: { teacher: operatorsOf(graph), program: operatorsOf(graph) },
    licenses: { teacher: "Apache-2.0" },
    record: digestOf("7"),
  };
  const sealed = await seal({
    manifest: {
      format: 1,
      target: { name: "ai4", digest: targetDigest(target), profile: "driving" },
      inputs: [{ name: "x", dtype: "float32", shape: [1, 3, 8, 8] }],
      outputs: [{ name: "y", dtype: "float32", shape: [1, channels, 8, 8] }],
      states: [],
    },
    sections: {
      ...(sections as unknown as { program: Uint8Array; weights: Uint8Array; plan: Uint8Array }),
      record,
      golden,
    },
    lineage,
    key: keys.build.privateKey,
  });
  return again(sealed);
}

/** Certified: judged, with a look written down and the evidence signed. */
export async function certified(artifact: SealedArtifact, options: Options = {}): Promise<SealedArtifact> {
  const { certifier = keys.certifier, verdict = "pass", ledger: path = ledger, chance } = options;
  const data = digestOf("8");
  const key = certifier.privateKey;
  const { look, alpha } = await takeLook(path, { artifact: artifact.digest, data, hashes: ["a", "b"] }, key);
  const looked = { look, alpha, ledger: headOf(path) };
  const gates = [
    { gate: "maxDrop", limit: 0.01, value: 0.001, shown: 0.004, verdict, reason: "0.004 of 0.01" } as const,
  ];
  const openings = [{ number: 1, data, samples: 2 }];
  const accuracy = { metric: "accuracy", teacher: 0.9, compiled: 0.899, drop: 0.001, n: 2, ...(chance && { chance }) };
  const judged = { digest: artifact.digest, verdict, gates, accuracy, looked, openings };
  const evidence = { schema: EVIDENCE_SCHEMA, ...judged, data: { digest: data, samples: 2 }, samples: [] };
  return again(await attest(artifact, canonicalBytes(evidence as unknown as Json), judged, key));
}

/** Let through by a gate, one limit waived. */
export async function gated(artifact: SealedArtifact): Promise<SealedArtifact> {
  const waiver = {
    gate: "maxMs",
    until: WAIVED_UNTIL,
    reason: "the next board is faster",
    by: fingerprint(keys.gate.publicKey),
  };
  const verdict = { verdict: "pass", policy: certifiedGates(artifact), failed: [], waivers: [waiver] } as const;
  return again(await attestVerdict(artifact, verdict, keys.gate.privateKey));
}

export const bytesOf = (artifact: Artifact): Buffer => Buffer.concat(encodeArtifact(artifact));

export const again = (artifact: Artifact): SealedArtifact => decodeArtifact(bytesOf(artifact));
