/** Changes to a recipe in a file of their own, such as `explain` writes, and the settings that they are. */
import { readFileSync } from "node:fs";
import { CompileError } from "../error.ts";
import { parseYaml } from "./locate.ts";

const HELP =
  "give a YAML file of keys and values, as `optimus-compile explain ARTIFACT --recipe R --patch FILE` writes it";

/**
 * A setting for each value of the file that is no map, as `--set` takes them; `null` takes a key away. Throws usage/patch where
 * the file cannot be read or is no map, and usage/recipe-syntax.
 */
export function settingsOfPatch(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new CompileError("usage/patch", "the patch cannot be read", { where: path, remedy: HELP, cause });
  }
  const { value } = parseYaml(text, path);
  if (!isMap(value))
    throw new CompileError("usage/patch", "the patch is no map of keys", { where: path, remedy: HELP });
  return leaves(value, []);
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Deeper than any recipe. */
const DEPTH = 8;

function leaves(value: unknown, keys: readonly string[]): string[] {
  if (isMap(value) && Object.keys(value).length > 0 && keys.length < DEPTH) {
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...keys, key]));
  }
  return [`${keys.map(quoted).join(".")}=${JSON.stringify(value)}`];
}

/** A key as a setting has it: between double quotes where it has characters that mean something there. */
const quoted = (key: string): string => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key));

/** The keys and the value's text of `a."b.c"=d`; undefined where it is no such setting. */
export function splitSetting(text: string): { readonly keys: readonly string[]; readonly value: string } | undefined {
  const keys: string[] = [];
  const key = /("(?:[^"\\]|\\.)*"|[^.="]+)([.=])/y;
  for (;;) {
    const found = key.exec(text);
    if (found === null) return undefined;
    const [, name, mark] = found;
    const plain = name.startsWith('"') ? unquoted(name) : name;
    if (plain === undefined) return undefined;
    keys.push(plain);
    if (mark === "=") return { keys, value: text.slice(key.lastIndex) };
  }
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
