import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { CompileError } from "../error.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly out: string;
  readonly type: "p256" | "ed25519";
  readonly force?: boolean;
  readonly json?: boolean;
}

const ROLES = ["build", "certifier"] as const;

export const keygen = new Command("keygen")
  .description("make the two key pairs that artifacts are signed with: the build's and the certifier's")
  .argument("[names...]", "names of the pairs", [...ROLES])
  .option("--out <folder>", "folder for the PEM files", ".")
  .addOption(new Option("--type <kind>", "kind of key").choices(["p256", "ed25519"]).default("p256"))
  .option("--force", "replace keys that are there already")
  .option("--json", "print one JSON document")
  .action(async (names: string[], flags: Flags) => {
    const [{ writeKeyPair }, { writeFileAtomic }] = await Promise.all([
      import("../artifact/keys.ts"),
      import("../artifact/file.ts"),
    ]);
    const paths = names.map((name) => join(flags.out, `${name.replace(/\.pem$/, "")}.pem`));
    for (const path of paths) {
      if (flags.force || !existsSync(path)) continue;
      throw new CompileError("usage/key-exists", "there is a key already, and what it signed needs it", {
        where: path,
        remedy: "Choose another --out, or replace it with --force.",
      });
    }
    mkdirSync(flags.out, { recursive: true });
    const keys = paths.map((path) => ({ privateKey: path, ...writeKeyPair(path, flags.type) }));
    const both = names.join() === ROLES.join() ? join(flags.out, "public.pem") : undefined;
    if (both)
      writeFileAtomic(
        both,
        keys.map(({ publicPath }) => readFileSync(publicPath, "utf8")),
      );
    if (flags.json) return printJson({ schema: "optimus-compile/keygen@1", keys, ...(both && { public: both }) });
    for (const { privateKey, publicPath, fingerprint } of keys) {
      tell(`${privateKey} (keep it secret)\n${publicPath}\n  ${fingerprint}\n`);
    }
    if (both) {
      const [build, certifier] = paths.map((path) => resolve(path));
      tell(`${both}\n  both public keys, in the order that verify wants\n`);
      tell(`\nnext: in the recipe\n  key: ${build}\n  certifierKey: ${certifier}\n`);
      tell(`then: optimus-compile verify ARTIFACT --key ${resolve(both)}\n`);
    }
  });
