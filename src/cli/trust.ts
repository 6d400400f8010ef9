import type { Command } from "commander";
import { CompileError } from "../error.ts";
import type { Trust } from "../gate/evidence.ts";
import { collect } from "./options.ts";

/** Flags that say whom to believe, as `verify` has them. */
export interface TrustFlags {
  readonly key?: readonly string[];
  readonly certifierKey?: string;
  readonly unsigned?: boolean;
}

export function trustOptions(command: Command): Command {
  return command
    .option("--key <pem>", "public keys: the build's first, then the certifier's (repeatable)", collect)
    .option("--certifier-key <pem>", "the certifier's public key")
    .option("--unsigned", "take the evidence as it is; nobody vouches for it");
}

/** Throws trust/two-keys where it was not said whom to believe, usage/unsigned-with-key where two things were. */
export async function trustOf({ key = [], certifierKey, unsigned }: TrustFlags): Promise<Trust> {
  if (unsigned && (key.length > 0 || certifierKey !== undefined)) {
    throw new CompileError("usage/unsigned-with-key", "--unsigned does not look at signatures, so no key is needed", {
      remedy: "Leave out --unsigned to check the signatures.",
    });
  }
  if (unsigned) return "unsigned";
  const { readPublicKeys } = await import("../artifact/keys.ts");
  const [build, certifier, ...more] = [...key, ...(certifierKey === undefined ? [] : [certifierKey])].flatMap(
    readPublicKeys,
  );
  if (build !== undefined && certifier !== undefined && more.length === 0) return { build, certifier };
  throw new CompileError("trust/two-keys", "it was not said whose evidence counts", {
    remedy: "Give --key BUILD.pub.pem --certifier-key CERTIFIER.pub.pem, or --unsigned to take evidence from anybody.",
  });
}
