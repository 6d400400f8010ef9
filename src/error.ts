/**
 * The user's errors. Every one has a stable code, says what is wrong, where, and what to do about it; the exit code
 * follows from the code's family. Anything else that is thrown is a bug of ours and leaves with 70.
 */

const KIND = Symbol.for("optimus-compile.CompileError");

/** Code families and the exit status that each ends in. */
const EXIT_CODES = {
  gate: 1, // a gate failed
  usage: 2, // command line, recipe, data
  model: 3, // the model was rejected
  trust: 4, // signature, digest, permission
  evidence: 5, // not enough evidence to judge
} as const;

export type ErrorFamily = keyof typeof EXIT_CODES;
/** `family/what-went-wrong`, for example `model/undefined-input` or `usage/unknown-key`. */
export type ErrorCode = `${ErrorFamily}/${string}`;

export interface ErrorDetails {
  /** The node, value, file, byte offset or recipe line, in the user's own names. */
  where?: string;
  /** What the user can do. One sentence. */
  remedy?: string;
  cause?: unknown;
}

export class CompileError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly remedy: string | undefined;
  readonly [KIND] = true;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CompileError";
    this.code = code;
    this.where = details.where;
    this.remedy = details.remedy;
  }

  /** By brand and not by identity: an error that crossed a worker's border is still the user's. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && KIND in value;
  }
}

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof CompileError)) return 70;
  const family = error.code.slice(0, error.code.indexOf("/")) as ErrorFamily;
  return EXIT_CODES[family] ?? 70;
}

/** An invariant of ours: reaching it is never the user's fault. */
export function bug(message: string): never {
  throw new Error(`bug: ${message}`);
}
