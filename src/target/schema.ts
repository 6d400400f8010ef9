import { z } from "zod";

/**
 * A figure is a value with where it comes from: `source` (read somewhere) or `assumed` (our inference, with its reason).
 * A file with a bare number in a figure's place is rejected, so that no number is anonymous.
 */
function figure<T extends z.ZodType>(value: T) {
  return z
    .strictObject({
      value,
      source: z.string().min(1).optional(),
      assumed: z.string().min(1).optional(),
      confidence: z.enum(["high", "medium", "low"]),
    })
    .refine((given) => (given.source === undefined) !== (given.assumed === undefined), {
      message: "a figure has either a source or the reason why it is assumed",
    });
}

const count = () => figure(z.int().positive().max(1_000_000));
const bytes = () =>
  figure(
    z
      .int()
      .positive()
      .max(2 ** 40),
  );
const positive = () => figure(z.number().positive().finite());
const nonNegative = () => figure(z.number().nonnegative().finite());
const range = () =>
  figure(
    z.strictObject({ low: z.number().nonnegative(), mid: z.number().nonnegative(), high: z.number().nonnegative() }),
  );

/** Work of the vector unit, in passes of all lanes over the elements. */
export const VECTOR_STEPS = [
  "add",
  "mul",
  "max",
  "min",
  "scale",
  "table",
  "interpolate",
  "reduce",
  "root",
  "softmax",
  "norm",
  "move",
  "fill",
  "gather",
  "mac",
] as const;
export type VectorStep = (typeof VECTOR_STEPS)[number];

const steps = z.strictObject(
  Object.fromEntries(VECTOR_STEPS.map((step) => [step, positive()])) as Record<VectorStep, ReturnType<typeof positive>>,
);

const profile = z.strictObject({
  summary: z.string(),
  /** What the other clients leave of the sustained DRAM bandwidth. */
  dramShare: figure(z.number().positive().max(1)),
  /** Whether the SoCs run the same program and compare, or work on their own. */
  socs: figure(z.enum(["redundant", "independent"])),
  deadlineMs: positive().optional(),
});

/** What `targets/*.yaml` says. Units: bytes, cycles of the NPU's clock, GHz, GB/s (10^9), watts, picojoules. */
export const targetSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  summary: z.string(),
  socs: count(),
  npus: count(),
  clockGHz: positive(),
  array: z.strictObject({
    rows: count(),
    columns: count(),
    accumulatorBits: figure(z.int().min(16).max(48)),
    activationPortBytes: count(),
    weightPortBytes: count(),
    drainColumnsPerCycle: positive(),
    int16Passes: count(),
    int4Rate: positive(),
  }),
  sram: z.strictObject({ bytes: bytes(), alignmentBytes: count() }),
  vector: z.strictObject({ lanes: count(), steps }),
  pool: z.strictObject({ lanes: count() }),
  dma: z.strictObject({ burstBytes: count(), latencyCycles: nonNegative(), alignmentBytes: count() }),
  dram: z.strictObject({ bytes: bytes(), GBps: positive(), sustained: figure(z.number().positive().max(1)) }),
  issueCycles: nonNegative(),
  cpu: z.strictObject({ callCycles: nonNegative(), cyclesPerElement: nonNegative() }),
  power: z.strictObject({ boardWatts: positive(), idleWatts: nonNegative() }),
  energy: z.strictObject({
    macInt8: range(),
    vectorOperation: range(),
    sramByte: range(),
    dramByte: range(),
    leakageWatts: range(),
  }),
  round: figure(z.enum(["tosa-single", "tosa-double", "ort-f32-rne"])),
  limits: z.strictObject({
    kernel: count(),
    stride: count(),
    dilation: count(),
    poolKernel: count(),
    rank: count(),
  }),
  profiles: z.record(z.string().regex(/^[a-z0-9-]+$/), profile),
  defaultProfile: z.string(),
});

type Figure = { value: unknown; confidence: string };
type Strip<T> = T extends Figure
  ? T["value"]
  : T extends readonly (infer U)[]
    ? Strip<U>[]
    : T extends object
      ? { readonly [K in keyof T]: Strip<T[K]> }
      : T;

export type TargetFile = z.infer<typeof targetSchema>;

export interface FigureSource {
  /** For example `array.rows`. */
  readonly path: string;
  readonly value: unknown;
  readonly source?: string;
  readonly assumed?: string;
  readonly confidence: "high" | "medium" | "low";
}

/** The description as plain numbers; `figures` says where each comes from. */
export type Target = Strip<TargetFile> & { readonly figures: readonly FigureSource[] };
export type Profile = Target["profiles"][string];
