import { z } from "zod";
import { arraySchema } from "./schema/array.ts";
import { count, figure, nonNegative, positive } from "./schema/figure.ts";
import { dmaSchema, dramSchema, sramSchema } from "./schema/memory.ts";
import { energySchema, powerSchema } from "./schema/power.ts";
import { profileSchema } from "./schema/profile.ts";
import { cpuSchema, poolSchema, vectorSchema } from "./schema/vector.ts";

export type { VectorStep } from "./schema/vector.ts";

/** What `targets/*.yaml` says. Units: bytes, cycles of the NPU's clock, GHz, GB/s (10^9), watts, picojoules. */
export const targetSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  summary: z.string(),
  socs: count(),
  /** In one SoC. */
  npus: count(),
  clockGHz: positive(),
  array: arraySchema,
  sram: sramSchema,
  vector: vectorSchema,
  pool: poolSchema,
  dma: dmaSchema,
  dram: dramSchema,
  /** Before a command begins. */
  issueCycles: nonNegative(),
  cpu: cpuSchema,
  power: powerSchema,
  energy: energySchema,
  /** How an accumulator is requantized (docs/integer-semantics.md). */
  round: figure(z.enum(["tosa-single", "tosa-double", "ort-f32-rne"])),
  /** Operators of docs/operators.md, domain `npu`, that this chip has not. */
  lacks: figure(z.array(z.string())),
  /** What the address generators can count to. */
  limits: z.strictObject({
    kernel: count(),
    stride: count(),
    dilation: count(),
    poolKernel: count(),
    rank: count(),
  }),
  profiles: z.record(z.string().regex(/^[a-z0-9-]+$/), profileSchema),
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

/** For editors, and for those who write descriptions: docs/target.schema.json. */
export function targetJsonSchema(): object {
  const schema = z.toJSONSchema(targetSchema, { io: "input", target: "draft-2020-12", reused: "ref" });
  return { title: "optimus-compile target", ...schema };
}
