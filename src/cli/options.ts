import { InvalidArgumentError } from "commander";
import { cacheFolder } from "../cache/folder.ts";

/** A whole number of at least `least`, from the command line. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  };
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

export interface RecipeFlags {
  readonly set?: readonly string[];
  readonly seed?: number;
  readonly ci?: boolean;
  readonly check?: boolean;
}

/** `--ci`, or CI=true in the environment: no spinner, and nothing unknown is overlooked. */
export function isCi(flags: { readonly ci?: boolean }): boolean {
  return flags.ci ?? process.env.CI === "true";
}

/** Flags that are settings of the recipe under another name, so that the recipe's digest covers them. */
export function settingsOf(flags: RecipeFlags): string[] {
  const settings = [...(flags.set ?? [])];
  if (flags.seed !== undefined) settings.push(`seed=${flags.seed}`);
  if (flags.check) settings.push("check=true");
  return settings;
}

/** The folder that `--cache`, OPTIMUS_CACHE or custom names, as an option of build and certify; nothing for `--no-cache`. */
export function cacheOf({ cache }: { readonly cache?: string | boolean }): { readonly cache?: string } {
  if (cache === false) return {};
  const folder = typeof cache === "string" ? cache : cacheFolder();
  return folder === undefined ? {} : { cache: folder };
}
