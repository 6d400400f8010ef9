import { Command } from "commander";
import { wholeNumber } from "./options.ts";
import { print, printJson, say } from "./terminal.ts";

interface Flags {
  readonly json?: boolean;
}
interface PruneFlags extends Flags {
  readonly maxBytes?: number;
  readonly olderThan?: number;
}

const DAY_MS = 86_400_000;

const list = new Command("list")
  .description("say what is kept, the most recently used first")
  .option("--json", "print one JSON document")
  .action(async (flags: Flags) => {
    const { folder, entries } = await open();
    if (flags.json) return printJson({ schema: "optimus-compile/cache@1", folder, entries });
    if (folder === undefined) return say("nothing is kept: OPTIMUS_CACHE says so");
    const { formatBytes } = await import("../report/table.ts");
    for (const { stage, bytes, used, digest } of entries) {
      print(`${new Date(used).toISOString()}  ${formatBytes(bytes).padStart(10)}  ${stage.padEnd(8)}  ${digest}\n`);
    }
    const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    say(`${entries.length} entries, ${formatBytes(total)}, in ${folder}`);
  });

const pruneCommand = new Command("prune")
  .description("remove entries, those first that were used least recently; all without a limit")
  .option("--max-bytes <n>", "keep as much as this", wholeNumber(0))
  .option("--older-than <days>", "remove what was last used longer ago", wholeNumber(0))
  .option("--json", "print one JSON document")
  .action(async ({ maxBytes, olderThan, json }: PruneFlags) => {
    const { folder } = await open();
    const { prune } = await import("../cache/entries.ts");
    const limits = {
      ...(maxBytes !== undefined && { maxBytes }),
      ...(olderThan !== undefined && { before: Date.now() - olderThan * DAY_MS }),
    };
    const none = maxBytes === undefined && olderThan === undefined;
    const gone = folder === undefined ? [] : prune(folder, none ? { maxBytes: 0 } : limits);
    const bytes = gone.reduce((sum, entry) => sum + entry.bytes, 0);
    if (json) return printJson({ schema: "optimus-compile/cache-prune@1", folder, removed: gone.length, bytes });
    say(`removed ${gone.length} entries, ${(await import("../report/table.ts")).formatBytes(bytes)}`);
  });

async function open() {
  const [{ cacheFolder }, { listEntries }] = await Promise.all([
    import("../cache/folder.ts"),
    import("../cache/entries.ts"),
  ]);
  const folder = cacheFolder();
  return { folder, entries: folder === undefined ? [] : listEntries(folder) };
}

export const cache = new Command("cache")
  .description("look at the stages that are kept, and remove them")
  .addCommand(list)
  .addCommand(pruneCommand);
