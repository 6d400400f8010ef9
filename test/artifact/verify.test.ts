import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalBytes, type Json } from "../../src/artifact/canonical.ts";
import { digestOf, type SealedArtifact, sha256 } from "../../src/artifact/container.ts";
import { EVIDENCE_SCHEMA } from "../../src/artifact/evidence.ts";
import { signStatement } from "../../src/artifact/sign.ts";
import { METRICS, makeStatement, PROVENANCE, TEST_RESULT } from "../../src/artifact/statement.ts";
import { verifyAttestations } from "../../src/artifact/verify.ts";
import { CompileError } from "../../src/error.ts";
import { sampleArtifact } from "./sample.ts";

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const p256 = (): Pair => generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed25519 = (): Pair => generateKeyPairSync("ed25519");
const build = p256();
const certifier = ed25519();
const stranger = p256();
const keys = { build: build.publicKey, certifier: certifier.publicKey };

interface Options {
  readonly build?: Pair;
  readonly certifier?: Pair;
  readonly digest?: string;
  readonly kinds?: readonly string[];
  edit?(bundles: Json[]): Json;
  readonly sections?: Readonly<Record<string, Uint8Array>>;
}

/** An artifact that both parties signed, unless the options spoil it. */
async function signed(options: Options = {}): Promise<SealedArtifact> {
  const { manifest, sections: bare } = sampleArtifact();
  const own = digestOf({ manifest, sections: bare });
  const said = { schema: EVIDENCE_SCHEMA, digest: own, samples: [] };
  const sections = new Map(bare).set("evidence", canonicalBytes(said));
  const digest = options.digest ?? own;
  const lineage = sha256(sections.get("lineage")!);
  const evidence = sha256(sections.get("evidence")!);
  const configuration = [{ name: "evidence", digest: { sha256: evidence } }];
  const claims: [string, Pair, { [key: string]: Json }][] = [
    [
      PROVENANCE,
      options.build ?? build,
      {
        buildDefinition: { resolvedDependencies: [] },
        runDetails: { byproducts: [{ name: "lineage", digest: { sha256: lineage } }] },
      },
    ],
    [TEST_RESULT, options.certifier ?? certifier, { result: "PASSED", configuration }],
    [METRICS, options.certifier ?? certifier, { evidenceDigest: evidence }],
  ];
  const bundles: Json[] = [];
  for (const [kind, pair, predicate] of claims) {
    if (options.kinds !== undefined && !options.kinds.includes(kind)) continue;
    bundles.push((await signStatement(makeStatement(digest, kind, predicate), pair.privateKey)) as unknown as Json);
  }
  const all = new Map(sections);
  all.set("attestations", canonicalBytes(options.edit?.(bundles) ?? bundles));
  for (const [name, bytes] of Object.entries(options.sections ?? {})) all.set(name, bytes);
  return { manifest, sections: all, digest: digestOf({ manifest, sections: all }) };
}

async function codeOf(options: Options, trusted = keys): Promise<string> {
  try {
    verifyAttestations(await signed(options), trusted);
    return "accepted";
  } catch (error) {
    if (error instanceof CompileError) return error.code;
    throw error;
  }
}

const text = (bundles: Json[], edit: (json: string) => string): Json =>
  JSON.parse(edit(JSON.stringify(bundles))) as Json;
const envelope = (bundle: Json) => (bundle as { dsseEnvelope: { payload: string; signatures: Json[] } }).dsseEnvelope;

describe("verifyAttestations", () => {
  test.each([
    ["P-256 and Ed25519", build, certifier],
    ["Ed25519 and P-256", ed25519(), p256()],
  ])("believes both parties' signatures: %s", async (_, first, second) => {
    const artifact = await signed({ build: first, certifier: second });
    const claims = verifyAttestations(artifact, { build: first.publicKey, certifier: second.publicKey });
    expect(claims.testResult.predicate.result).toBe("PASSED");
  });

  test("an attestation survives JSON with other blanks, since the payload itself is signed", async () => {
    const { manifest, sections, digest } = await signed();
    const value: unknown = JSON.parse(new TextDecoder().decode(sections.get("attestations")));
    const spaced = new Map(sections).set("attestations", new TextEncoder().encode(JSON.stringify(value, undefined, 2)));
    expect(verifyAttestations({ manifest, digest, sections: spaced }, keys).provenance.predicateType).toBe(PROVENANCE);
  });

  test.each<[string, string, Options]>([
    ["nobody signed", "trust/unsigned", { kinds: [] }],
    ["the build did not sign", "trust/missing-attestation", { kinds: [TEST_RESULT, METRICS] }],
    ["the certifier did not sign", "trust/missing-attestation", { kinds: [PROVENANCE] }],
    ["the metrics are missing", "trust/missing-attestation", { kinds: [PROVENANCE, TEST_RESULT] }],
    ["a stranger signed for the build", "trust/wrong-key", { build: stranger }],
    ["a stranger signed for the certifier", "trust/wrong-key", { certifier: stranger }],
    ["the build signed for the certifier", "trust/build-as-certifier", { certifier: build }],
    ["the certifier signed for the build", "trust/wrong-key", { build: certifier }],
    ["they signed another artifact", "trust/wrong-subject", { digest: `sha256:${"1".repeat(64)}` }],
    ["the lineage was swapped", "trust/lineage-swapped", { sections: { lineage: new Uint8Array(3) } }],
    ["the evidence was swapped", "trust/evidence-swapped", { sections: { evidence: new Uint8Array(3) } }],
    ["a sealed section was swapped", "trust/wrong-subject", { sections: { program: new Uint8Array(3) } }],
    ["the attestations are no JSON", "trust/attestations", { sections: { attestations: new Uint8Array(3) } }],
    ["the attestations are no list", "trust/attestations", { edit: () => ({}) }],
    ["a bundle is no bundle", "trust/attestations", { edit: (bundles) => [...bundles, 7] }],
    ["a bundle is empty", "trust/attestations", { edit: (bundles) => [...bundles, {}] }],
    ["there are too many", "trust/attestations", { edit: ([bundle]) => Array.from({ length: 300 }, () => bundle) }],
    [
      "the payload was changed",
      "trust/signature",
      {
        edit(bundles) {
          const content = envelope(bundles[1]);
          const payload = Buffer.from(content.payload, "base64").toString().replace("PASSED", "FAILED");
          content.payload = Buffer.from(payload).toString("base64");
          return bundles;
        },
      },
    ],
    [
      "a stranger's signature claims to be by the build's key",
      "trust/signature",
      { build: stranger, edit: (bundles) => text(bundles, (json) => json.replace(/"hint":"sha256:[0-9a-f]+"/, HINT)) },
    ],
    [
      "a second signature rides along",
      "trust/several-signatures",
      {
        edit(bundles) {
          const { signatures } = envelope(bundles[0]);
          signatures.push(signatures[0]);
          return bundles;
        },
      },
    ],
    [
      "the payload is of another kind",
      "trust/payload-type",
      { edit: (bundles) => text(bundles, (json) => json.replaceAll("vnd.in-toto+json", "vnd.other+json")) },
    ],
  ])("rejects where %s: %s", async (_, code, options) => {
    expect(await codeOf(options)).toBe(code);
  });

  test("rejects one key in both roles, whatever it signed", async () => {
    const same = { build: build.publicKey, certifier: build.publicKey };
    expect(await codeOf({ certifier: build }, same)).toBe("trust/same-key");
  });
});

const HINT = `"hint":"sha256:${sha256(build.publicKey.export({ type: "spki", format: "der" }))}"`;
