import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { CompileError } from "../error.ts";
import { readRegularFile, writeFileAtomic } from "./file.ts";

export type KeyKind = "p256" | "ed25519";

const MAX_PEM = 64 * 1024;
const PUBLIC_BLOCK = /-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g;

/** How a key is named in bundles and messages: the SHA-256 of its public half (SPKI, DER). */
export function fingerprint(key: KeyObject): string {
  const half = key.type === "private" ? createPublicKey(key) : key;
  return `sha256:${createHash("sha256")
    .update(half.export({ type: "spki", format: "der" }))
    .digest("hex")}`;
}

/** Throws CompileError usage/no-such-file, trust/bad-key, trust/key-kind. */
export function readPrivateKey(path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(Buffer.from(readRegularFile(path, "key", MAX_PEM)));
  } catch (error) {
    if (error instanceof CompileError) throw error;
    throw new CompileError("trust/bad-key", "this is no private key in PEM", {
      where: path,
      remedy: "Make one with `optimus-compile keygen`; the file for signing is the one without `.pub`.",
    });
  }
  return supported(key, path);
}

/** The public keys of a PEM file, in its order. Throws as readPrivateKey does. */
export function readPublicKeys(path: string): KeyObject[] {
  const text = Buffer.from(readRegularFile(path, "key", MAX_PEM)).toString("latin1");
  const blocks = text.match(PUBLIC_BLOCK) ?? [];
  if (blocks.length === 0) {
    throw new CompileError("trust/bad-key", "there is no public key in this file", {
      where: path,
      remedy: "Give the `.pub.pem` that `optimus-compile keygen` wrote beside the private key.",
    });
  }
  return blocks.map((block) => {
    try {
      return supported(createPublicKey(block), path);
    } catch (error) {
      if (error instanceof CompileError) throw error;
      throw new CompileError("trust/bad-key", "this public key cannot be read", { where: path });
    }
  });
}

/** Writes `path` (private, for its owner only) and the public half beside it; returns the latter's path. */
export function writeKeyPair(path: string, kind: KeyKind): { publicPath: string; fingerprint: string } {
  const { privateKey, publicKey } =
    kind === "p256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const publicPath = `${path.replace(/\.pem$/, "")}.pub.pem`;
  writeFileAtomic(path, [privateKey.export({ type: "pkcs8", format: "pem" }) as string], 0o600);
  writeFileAtomic(publicPath, [publicKey.export({ type: "spki", format: "pem" }) as string]);
  return { publicPath, fingerprint: fingerprint(publicKey) };
}

function supported(key: KeyObject, path: string): KeyObject {
  const p256 = key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  if (p256 || key.asymmetricKeyType === "ed25519") return key;
  throw new CompileError("trust/key-kind", `a key of kind "${key.asymmetricKeyType}" is not used here`, {
    where: path,
    remedy: "Keys are P-256 or Ed25519; `optimus-compile keygen` makes them.",
  });
}
