/**
 * The `.dopt` container:
 *
 *     magic (8) · u64 header length · header (canonical JSON) · sections, each at a multiple of 64 bytes
 *
 * Everything in the file is said exactly once: gaps are zero, sections follow one another in the header's order without
 * overlap, the last one ends the file, and the header is the one text that its value has. So no bit can change unseen.
 */
import { createHash } from "node:crypto";
import { CompileError } from "../error.ts";
import { canonicalBytes, type Json } from "./canonical.ts";
import { FORMAT, type Manifest, manifestJson, parseManifest } from "./manifest.ts";

/** Carries a carriage return and a line feed, so that a transfer in text mode shows at once. */
const MAGIC = new Uint8Array([0x44, 0x4f, 0x50, 0x54, 0x0d, 0x0a, 0x1a, 0x01]);
const ALIGNMENT = 64;
const PREFIX = MAGIC.length + 8;
const LIMITS = { header: 16 * 2 ** 20, sections: 256, file: 2 ** 31 - 1 };
const SECTION_NAME = /^[a-z][a-z0-9-]{0,31}(\/[a-z0-9-]{1,32})?$/;

/** Sections about the artifact, which may be added or replaced without making it another one. All others are sealed. */
const ABOUT: ReadonlySet<string> = new Set(["attestations", "evidence", "lineage"]);

export interface Artifact {
  readonly manifest: Manifest;
  readonly sections: ReadonlyMap<string, Uint8Array>;
}

export interface SealedArtifact extends Artifact {
  /** `sha256:…` over the manifest and exactly the sealed sections. */
  readonly digest: string;
}

interface Entry {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
}

export const isSealed = (name: string): boolean => !ABOUT.has(name);

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The artifact's name for ever: what is signed, compared and asked for. */
export function digestOf(artifact: Artifact): string {
  return digestOfHashes(artifact.manifest, hashSections(artifact.sections));
}

type Hashes = ReadonlyMap<string, { readonly length: number; readonly sha256: string }>;

function hashSections(sections: ReadonlyMap<string, Uint8Array>): Hashes {
  return new Map([...sections].map(([name, bytes]) => [name, { length: bytes.length, sha256: sha256(bytes) }]));
}

function digestOfHashes(manifest: Manifest, hashes: Hashes): string {
  const sections = inOrder(hashes.keys())
    .filter(isSealed)
    .map((name): Json => ({ name, ...hashes.get(name)! }));
  return `sha256:${sha256(canonicalBytes({ manifest: manifestJson(manifest), sections }))}`;
}

/** Sealed sections first, then those about the artifact; by name within each. */
function inOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Number(ABOUT.has(a)) - Number(ABOUT.has(b)) || (a < b ? -1 : 1));
}

const align = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

/** The container's bytes, in chunks so that large sections are not copied. */
export function encodeArtifact(artifact: Artifact): Uint8Array[] {
  const hashes = hashSections(artifact.sections);
  const names = inOrder(artifact.sections.keys());
  for (const name of names) if (!SECTION_NAME.test(name)) throw new Error(`bug: no section may be called "${name}"`);
  const digest = digestOfHashes(artifact.manifest, hashes);
  const header = layOut(artifact.manifest, digest, names, hashes);
  const prefix = new Uint8Array(align(PREFIX + header.bytes.length));
  prefix.set(MAGIC);
  new DataView(prefix.buffer).setBigUint64(MAGIC.length, BigInt(header.bytes.length), true);
  prefix.set(header.bytes, PREFIX);
  const chunks: Uint8Array[] = [prefix];
  let end = prefix.length;
  for (const { name, offset } of header.entries) {
    if (offset > end) chunks.push(new Uint8Array(offset - end));
    const bytes = artifact.sections.get(name)!;
    chunks.push(bytes);
    end = offset + bytes.length;
  }
  return chunks;
}

/**
 * Offsets are counted from the first section on, so that the header's own length (which their digits take part in) does
 * not change them.
 */
function layOut(manifest: Manifest, digest: string, names: readonly string[], hashes: Hashes) {
  let end = 0;
  const entries = names.map((name): Entry => {
    const offset = align(end);
    end = offset + hashes.get(name)!.length;
    return { name, offset, ...hashes.get(name)! };
  });
  const bytes = canonicalBytes({ digest, manifest: manifestJson(manifest), sections: entries as unknown as Json });
  if (bytes.length > LIMITS.header) throw new Error("bug: an artifact's header beyond its limit");
  const start = align(PREFIX + bytes.length);
  return { bytes, entries: entries.map((entry) => ({ ...entry, offset: start + entry.offset })) };
}

/**
 * Reads a container and checks every hash and the digest. Sections are views into `bytes`. Throws CompileError
 * `trust/container` (not a container, or not as one is written), `trust/truncated`, `trust/appended`, `trust/padding`,
 * `trust/section-order`, `trust/format-version`, `trust/digest` and `trust/section` (a section's bytes were changed).
 */
export function decodeArtifact(bytes: Uint8Array): SealedArtifact {
  const { header, start } = readHeader(bytes);
  const { digest, manifest, entries } = header;
  const sections = new Map<string, Uint8Array>();
  let end = start;
  for (const entry of entries) {
    const offset = start + entry.offset;
    if (offset !== align(end)) return broken(`section "${entry.name}" is not where it must be`, offset);
    if (entry.length > bytes.length - offset) return truncated(`section "${entry.name}" is cut off`, bytes.length);
    zeroBetween(bytes, end, offset);
    end = offset + entry.length;
    sections.set(entry.name, bytes.subarray(offset, end));
  }
  if (end !== bytes.length) {
    return broken(`${bytes.length - end} bytes after the last section belong to none`, end, "trust/appended");
  }
  for (const entry of entries) {
    if (sha256(sections.get(entry.name)!) === entry.sha256) continue;
    throw new CompileError("trust/section", `section "${entry.name}" is not what was sealed`, {
      where: `section ${entry.name}, ${entry.length} bytes`,
      remedy: "Get the artifact again from where it was built.",
    });
  }
  const hashes = new Map(entries.map(({ name, length, sha256: hash }) => [name, { length, sha256: hash }]));
  if (digestOfHashes(manifest, hashes) !== digest) {
    return broken("the digest is not the one of the sealed sections", undefined, "trust/digest");
  }
  return { manifest, sections, digest };
}

interface Header {
  readonly digest: string;
  readonly manifest: Manifest;
  readonly entries: readonly Entry[];
}

function readHeader(bytes: Uint8Array): { header: Header; start: number } {
  if (bytes.length > LIMITS.file) return broken(`it is larger than ${LIMITS.file} bytes`);
  if (bytes.length < PREFIX || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    return broken("it does not begin as an artifact does");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(MAGIC.length, true);
  if (length > LIMITS.header) return broken(`its header is said to be ${length} bytes long`, MAGIC.length);
  const headerEnd = PREFIX + Number(length);
  const start = align(headerEnd);
  if (start > bytes.length) return truncated("its header is cut off", bytes.length);
  zeroBetween(bytes, headerEnd, start);
  const text = bytes.subarray(PREFIX, headerEnd);
  const header = parseHeader(text) ?? broken("its header is malformed", PREFIX);
  const { digest, manifest, entries } = header;
  const again = canonicalBytes({ digest, manifest: manifestJson(manifest), sections: entries as unknown as Json });
  if (Buffer.compare(again, text) !== 0) return broken("its header is not in canonical form", PREFIX);
  return { header, start };
}

function parseHeader(text: Uint8Array): Header | undefined {
  let value: { digest?: unknown; manifest?: unknown; sections?: unknown };
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    return undefined;
  }
  const format = (value?.manifest as { format?: unknown } | null | undefined)?.format;
  if (Number.isSafeInteger(format) && format !== FORMAT) return otherFormat(format as number);
  const manifest = parseManifest(value?.manifest);
  const entries = value?.sections;
  if (manifest === undefined || typeof value.digest !== "string") return undefined;
  if (!Array.isArray(entries) || entries.length > LIMITS.sections || !entries.every(isEntry)) return undefined;
  const names = entries.map((entry) => entry.name);
  const ordered = inOrder(new Set(names));
  if (ordered.length !== names.length) return undefined;
  if (ordered.some((name, at) => name !== names[at])) {
    return broken("its sections stand in another order than they are written in", PREFIX, "trust/section-order");
  }
  return { digest: value.digest, manifest, entries };
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Entry | null;
  return (
    typeof entry === "object" &&
    typeof entry?.name === "string" &&
    SECTION_NAME.test(entry.name) &&
    isSize(entry.offset) &&
    isSize(entry.length) &&
    typeof entry.sha256 === "string" &&
    Object.keys(entry).length === 4
  );
}

const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function zeroBetween(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++)
    if (bytes[at] !== 0) broken("bytes between sections are not zero", at, "trust/padding");
}

function otherFormat(format: number): never {
  throw new CompileError("trust/format-version", `the artifact is of format ${format}; this version reads ${FORMAT}`, {
    where: "manifest",
    remedy: "Build it again with this version, or verify it with the version that its lineage names.",
  });
}

const truncated = (message: string, length: number): never => broken(message, length, "trust/truncated");

function broken(message: string, offset?: number, code: `trust/${string}` = "trust/container"): never {
  throw new CompileError(code, `not a sound artifact: ${message}`, {
    where: offset === undefined ? undefined : `byte ${offset}`,
    remedy: "Get the artifact again from where it was built.",
  });
}
