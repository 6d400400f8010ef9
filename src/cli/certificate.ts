import { Command } from "commander";
import type { Certificate } from "../certificate.ts";
import { CompileError } from "../error.ts";
import { printable } from "../report/escape.ts";
import { collect } from "./options.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly trust?: readonly string[];
  readonly gateKey?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const show = new Command("show")
  .description("say in plain words who says what about these bytes, what was measured, and what was not checked")
  .argument("<artifact>", "a .dopt file")
  .option("--trust <pem>", "public keys: the build's first, then the certifier's (repeatable)", collect)
  .option("--gate-key <pem>", "a gate's public key: then its summary must be there, too, and is believed")
  .option("--json", "print one JSON document")
  .action(async (path: string, { trust, gateKey, json }: Flags) => {
    const [{ certificateOf }, { readArtifact }, { readPublicKeys }] = await Promise.all([
      import("../certificate.ts"),
      import("../artifact/file.ts"),
      import("../artifact/keys.ts"),
    ]);
    const [build, certifier] = trust?.flatMap(readPublicKeys) ?? [];
    if ((trust || gateKey) && (build === undefined || certifier === undefined)) {
      throw new CompileError("trust/two-keys", "two public keys are needed to believe an artifact", {
        remedy: "Give --trust public.pem, as `optimus-compile keygen` wrote it: the build's key, then the certifier's.",
      });
    }
    const gate = gateKey === undefined ? undefined : readPublicKeys(gateKey)[0];
    const keys = build && certifier && ([build, certifier, gate] as const);
    const certificate = certificateOf(readArtifact(path), keys);
    if (json) printJson({ schema: "optimus-compile/certificate@1", artifact: path, ...certificate });
    else tell(textOf(certificate));
  });

const bom = new Command("bom")
  .description("write the artifact's bill of materials: CycloneDX 1.6, from its lineage")
  .argument("<artifact>", "a .dopt file")
  .option("-o, --out <json>", "the file to write (default: print it)")
  .action(async (path: string, { out }: Flags) => {
    const [{ bomOf }, { readArtifact, writeFileAtomic }] = await Promise.all([
      import("../artifact/bom.ts"),
      import("../artifact/file.ts"),
    ]);
    const value = bomOf(readArtifact(path));
    if (out === undefined) printJson(value);
    else writeFileAtomic(out, [`${JSON.stringify(value, undefined, 2)}\n`]);
  });

export const certificate = new Command("certificate")
  .description("read what is signed about an artifact")
  .addCommand(show)
  .addCommand(bom);

function textOf({ digest, believed, who, measured, looks, madeFrom, notChecked }: Certificate): string {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? "" : `\n${title}\n${lines.map((line) => `  - ${printable(line, 600)}\n`).join("")}`;
  return [
    `${digest}\n${believed ? "signatures checked with the keys given" : "signatures NOT checked: nothing below is believed"}\n`,
    part("who says what", who),
    part("what was measured, and how sure it is", measured),
    part("looks at the certification data", looks),
    part("made from", madeFrom),
    part("NOT checked", notChecked),
  ].join("");
}
