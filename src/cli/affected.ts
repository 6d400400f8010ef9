import { Command } from "commander";
import { printable } from "../report/escape.ts";
import { printJson, tell } from "./terminal.ts";

export const affected = new Command("affected")
  .description("say which artifacts an erratum touches, from their lineage alone")
  .argument("<erratum>", "a YAML file: versions, passes, operators, targets, digests; all that it names must hold")
  .argument("<artifacts...>", ".dopt files")
  .option("--json", "print one JSON document")
  .action(async (path: string, artifacts: string[], { json }: { readonly json?: boolean }) => {
    const { affectedBy, readErratum } = await import("../affected.ts");
    const erratum = readErratum(path);
    const results = affectedBy(erratum, artifacts);
    if (json) return printJson({ schema: "optimus-compile/affected@1", erratum: erratum.id, artifacts: results });
    for (const { artifact, affected: hit, because } of results) {
      tell(
        `${hit ? "affected" : "not affected"}: ${printable(artifact, 4096)} (${printable(because.join("; "), 400)})\n`,
      );
    }
    const count = results.filter(({ affected: hit }) => hit).length;
    tell(`${printable(erratum.id)}: ${count} of ${results.length} artifacts are affected\n`);
  });
