/** Ways to change a signed artifact. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalBytes, type Json } from "../../src/artifact/canonical.ts";
import { type Artifact, type SealedArtifact, sha256 } from "../../src/artifact/container.ts";
import { signStatement } from "../../src/artifact/sign.ts";
import { METRICS, makeStatement, parseStatement, TEST_RESULT } from "../../src/artifact/statement.ts";
import { CompileError } from "../../src/error.ts";
import { type VerifyOptions, verifyArtifact } from "../../src/verify.ts";
import { again, built, bytesOf, certified, folder, gated, keys, ledger, WAIVED_UNTIL } from "./signed-artifact.ts";

export const fresh = await built();
export const other = await gated(await certified(await built({ channels: 16 })));
export const good = await gated(await certified(fresh));

const trusted: VerifyOptions = {
  keys: [keys.build.publicKey, keys.certifier.publicKey],
  gateKey: keys.gate.publicKey,
  ledger,
  today: WAIVED_UNTIL,
  unsigned: false,
  rebuild: true,
};

export async function outcome(
  bytes: Uint8Array,
  options: Partial<VerifyOptions> = {},
): Promise<{ code: string; says: string }> {
  const path = join(folder, "tampered.dopt");
  writeFileSync(path, bytes);
  try {
    const { checks } = await verifyArtifact(path, { ...trusted, ...options });
    return { code: "accepted", says: checks.map(({ name }) => name).join(", ") };
  } catch (error) {
    if (error instanceof CompileError) return { code: error.code, says: error.message };
    throw error;
  }
}

interface Envelope {
  mediaType: string;
  verificationMaterial: { [key: string]: Json };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

/** The artifact with another section, and a container that is sound around it. */
export const put = (artifact: Artifact, name: string, bytes: Uint8Array): Uint8Array =>
  bytesOf({ ...artifact, sections: new Map(artifact.sections).set(name, bytes) });

export const json = (artifact: Artifact, name: string) =>
  JSON.parse(new TextDecoder().decode(artifact.sections.get(name))) as { [key: string]: Json };

export function putJson(name: string, edit: (value: { [key: string]: Json }) => void): Uint8Array {
  const value = json(good, name);
  edit(value);
  return put(good, name, canonicalBytes(value));
}

const bundlesOf = (artifact: Artifact) => json(artifact, "attestations") as unknown as Envelope[];
export const kindOf = ({ dsseEnvelope }: Envelope) =>
  parseStatement(Buffer.from(dsseEnvelope.payload, "base64"))?.predicateType;

export function putBundles(edit: (bundles: Envelope[]) => Envelope[]): Uint8Array {
  return put(good, "attestations", canonicalBytes(edit(bundlesOf(good)) as unknown as Json));
}

export function editOne(kind: string, edit: (bundle: Envelope) => void): Uint8Array {
  return putBundles((bundles) => {
    for (const bundle of bundles) if (kindOf(bundle) === kind) edit(bundle);
    return bundles;
  });
}

/** Another statement in the place of the one of a kind, signed with a key that the tamperer has. */
export async function replace(
  kind: string,
  key: "build" | "certifier" | "gate" | "stranger",
  edit: Edit = () => undefined,
) {
  const bundles = bundlesOf(good);
  const at = bundles.findIndex((bundle) => kindOf(bundle) === kind);
  const { predicate, predicateType } = parseStatement(Buffer.from(bundles[at].dsseEnvelope.payload, "base64"))!;
  const claim = { predicateType, predicate: predicate as { [key: string]: Json }, digest: good.digest };
  edit(claim);
  const statement = makeStatement(claim.digest, claim.predicateType, claim.predicate);
  bundles[at] = (await signStatement(statement, keys[key].privateKey)) as unknown as Envelope;
  return put(good, "attestations", canonicalBytes(bundles as unknown as Json));
}
type Edit = (claim: { predicateType: string; predicate: { [key: string]: Json }; digest: string }) => void;

const headerLength = (bytes: Buffer): number => Number(bytes.readBigUInt64LE(8));

/** The same sections under another header, its length kept by blanks nowhere: written anew. */
export function withHeader(edit: (text: string) => string): Uint8Array {
  const bytes = bytesOf(good);
  const end = 16 + headerLength(bytes);
  const text = Buffer.from(edit(bytes.subarray(16, end).toString()));
  const start = (length: number) => Math.ceil((16 + length) / 64) * 64;
  const head = Buffer.alloc(start(text.length));
  bytes.copy(head, 0, 0, 8);
  head.writeBigUInt64LE(BigInt(text.length), 8);
  text.copy(head, 16);
  return Buffer.concat([head, bytes.subarray(start(headerLength(bytes)))]);
}

export function flipped(name: string): Uint8Array {
  const bytes = bytesOf(good);
  const section = again(good).sections.get(name)!;
  const at = bytes.indexOf(section);
  bytes[at + (section.length >> 1)] ^= 16;
  return bytes;
}

/** Sections as the header lists them, the first two exchanged. */
export const exchanged = (text: string): string =>
  text.replace(/("sections":\[)(\{[^}]*\}),(\{[^}]*\})/, (_, head, first, second) => `${head}${second},${first}`);

export const swap = (artifact: SealedArtifact, name: string): Uint8Array =>
  put(good, name, artifact.sections.get(name)!);

/** Bytes between the header and the first section. */
export function withPadding(): Uint8Array {
  const bytes = bytesOf(good);
  const end = 16 + headerLength(bytes);
  // The section table of a signed artifact ends where it ends: where no gap follows the header, one follows a section.
  const gap = end % 64 !== 0 ? end : bytes.indexOf(good.sections.get("golden")!) + good.sections.get("golden")!.length;
  bytes[gap] = 7;
  return bytes;
}

export function editPayload(bundle: Envelope, edit: (text: string) => string): void {
  const { dsseEnvelope } = bundle;
  dsseEnvelope.payload = Buffer.from(edit(Buffer.from(dsseEnvelope.payload, "base64").toString())).toString("base64");
}

export function edited(bundle: Envelope): void {
  editPayload(bundle, (text) => text.replace('"predicate":{', '"predicate":{"a":1,'));
}

/** Other evidence, with verdict and figures by the certifier's own key: his mistake, or that of an older version. */
export async function resigned(edit: (evidence: { [key: string]: Json }) => void): Promise<Uint8Array> {
  const evidence = json(good, "evidence");
  edit(evidence);
  const bytes = canonicalBytes(evidence);
  const digest = sha256(bytes);
  const claims = [
    makeStatement(good.digest, TEST_RESULT, {
      result: "PASSED",
      configuration: [{ name: "evidence", digest: { sha256: digest } }],
    }),
    makeStatement(good.digest, METRICS, { evidenceDigest: digest }),
  ];
  const bundles: Json[] = json(good, "attestations") as unknown as Json[];
  for (const claim of claims) bundles.push((await signStatement(claim, keys.certifier.privateKey)) as unknown as Json);
  return bytesOf({
    ...good,
    sections: new Map(good.sections).set("evidence", bytes).set("attestations", canonicalBytes(bundles)),
  });
}

export type Tampering = readonly [
  name: string,
  code: string,
  says: RegExp,
  make: () => Uint8Array | Promise<Uint8Array>,
  options?: Partial<VerifyOptions>,
];
