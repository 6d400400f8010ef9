/** Values that JSON can say without loss. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

const MAX_DEPTH = 64;

/**
 * One text for one value: keys in code-point order, no blanks, absent members left out. Numbers must be finite, since
 * JSON has no others (`bug` otherwise): two hosts that hold the same value write the same bytes.
 */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

/** The value as JSON can say it: members that are no JSON are left out, numbers that are not finite become null. */
export function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

export function canonicalBytes(value: Json): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

function write(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw new RangeError(`a JSON value deeper than ${MAX_DEPTH} levels`);
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`bug: JSON has no ${value}`);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  let text = "";
  if (Array.isArray(value)) {
    for (const entry of value) text += `${text === "" ? "" : ","}${write(entry, depth + 1)}`;
    return `[${text}]`;
  }
  const members = value as { readonly [key: string]: Json | undefined };
  for (const key of Object.keys(members).sort()) {
    const entry = members[key];
    if (entry !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${write(entry, depth + 1)}`;
  }
  return `{${text}}`;
}
