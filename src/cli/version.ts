import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

/** The version in the package's own manifest. */
export function toolVersion(): string {
  return (JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, "utf8")) as { version: string }).version;
}
