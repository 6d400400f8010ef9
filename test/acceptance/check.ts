/** One thing that was tried, and how it went. */
export interface Outcome {
  readonly name: string;
  readonly good: boolean;
  /** The figures, in one line. */
  readonly says: string;
  /** The figures as data, where the check is a table: then its line is JSON. */
  readonly figures?: Readonly<Record<string, unknown>>;
}

export interface AcceptanceOptions {
  /** At most this many samples of each recipe; absent: as many as the check wants. */
  readonly samples?: number;
  /** Of `distillation`: one of its parts. */
  readonly part?: string;
  /** Of `optimum` and `distillation`: the first seed. */
  readonly first?: number;
  /** Of `quantization`: one teacher, one format, so many calibration sets, another split, settings over the recipe. */
  readonly teacher?: string;
  readonly format?: string;
  readonly seeds?: number;
  readonly split?: "selection" | "certification";
  readonly set?: readonly string[];
}

/** A named check of `npm run acceptance`; outcomes are printed as they come. */
export type AcceptanceCheck = (options: AcceptanceOptions) => AsyncIterable<Outcome>;

/** Runs what yields one outcome; what it throws is the outcome. */
export async function attempt(name: string, work: () => Promise<Omit<Outcome, "name">>): Promise<Outcome> {
  try {
    return { name, ...(await work()) };
  } catch (error) {
    const { code, where, remedy } = error as { code?: string; where?: string; remedy?: string };
    const message = error instanceof Error ? error.message : String(error);
    const says = [code === undefined ? message : `error[${code}] ${message}`, where, remedy].filter(Boolean).join("; ");
    return { name, good: false, says };
  }
}
