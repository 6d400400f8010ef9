import { Command } from "commander";
import { printJson, tell } from "./terminal.ts";

export const explain = new Command("explain")
  .description("say what an error's code means, what usually leads to it, and what helps")
  .argument("<code>", "as it stands in brackets, for example usage/leak")
  .option("--json", "print one JSON document")
  .action(async (code: string, flags: { readonly json?: boolean }) => {
    const found = (await import("../explain.ts")).explain(code);
    if (flags.json) return printJson({ schema: "optimus-compile/explanation@1", ...found });
    tell(
      `${found.code} (exit status ${found.exitCode})\n\n${found.meaning}\n\n  usual cause: ${found.cause}\n  what helps:  ${found.remedy}\n`,
    );
  });
