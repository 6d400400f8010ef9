/** Every error's code with what it means, what usually leads to it, and what helps; docs/errors.md is made from this. */
import { CompileError, type ErrorFamily } from "./error.ts";
import type { Entries } from "./explain/entry.ts";
import { evidence } from "./explain/evidence.ts";
import { gate } from "./explain/gate.ts";
import { model } from "./explain/model.ts";
import { trust } from "./explain/trust.ts";
import { usage } from "./explain/usage.ts";
import { didYouMean } from "./suggest.ts";

const FAMILIES: Readonly<
  Record<ErrorFamily, { readonly entries: Entries; readonly says: string; readonly exit: number }>
> = {
  gate: { entries: gate, says: "What was made is sound, and not good enough.", exit: 1 },
  usage: { entries: usage, says: "The command line, a file that was named, or what it says.", exit: 2 },
  model: { entries: model, says: "The model was rejected, and nothing was written.", exit: 3 },
  trust: { entries: trust, says: "A signature, a digest, or a permission.", exit: 4 },
  evidence: { entries: evidence, says: "There is not enough to judge by, which is never a pass.", exit: 5 },
};

export interface Explanation {
  readonly code: string;
  readonly exitCode: number;
  readonly meaning: string;
  readonly cause: string;
  readonly remedy: string;
}

/** Every code, by family and name. */
export function allExplanations(): Explanation[] {
  return Object.entries(FAMILIES).flatMap(([family, { entries, exit }]) =>
    Object.keys(entries)
      .sort()
      .map((name) => {
        const [meaning, cause, remedy] = entries[name];
        return { code: `${family}/${name}`, exitCode: exit, meaning, cause, remedy };
      }),
  );
}

/** Whether a word has the form of an error's code, and not of a file's name. */
export const looksLikeCode = (word: string): boolean =>
  new RegExp(`^(error\\[)?(${Object.keys(FAMILIES).join("|")})/[a-z0-9-]+\\]?$`).test(word);

/** Throws usage/unknown-code, with the code that was probably meant. */
export function explain(code: string): Explanation {
  const wanted = code.replace(/^error\[|\]$/g, "");
  const all = allExplanations();
  const found = all.find((one) => one.code === wanted);
  if (found !== undefined) return found;
  const near = didYouMean(
    wanted,
    all.map((one) => one.code),
  );
  throw new CompileError("usage/unknown-code", `there is no error "${wanted}"`, {
    remedy: near.startsWith("there are") ? "docs/errors.md lists them all" : near,
  });
}

/** docs/errors.md. */
export function errorsPage(notice: string): string {
  const pages = Object.entries(FAMILIES).map(([family, { says, exit }]) => {
    const entries = allExplanations()
      .filter(({ code }) => code.startsWith(`${family}/`))
      .map(
        ({ code, meaning, cause, remedy }) =>
          `### ${code}\n\n${meaning}\n\n- Usual cause: ${cause}\n- What helps: ${remedy}\n`,
      );
    return `## ${family}: exit status ${exit}\n\n${says}\n\n${entries.join("\n")}`;
  });
  return `# Errors\n\n${notice}\n\nEvery error has a code, a place and a remedy. \`optimus-compile explain CODE\` prints what stands here. Whatever has no\ncode is a mistake of ours: it leaves with exit status 70, and we want to hear of it.\n\n${pages.join("\n")}`;
}
