/**
 * NVDLA's configurations as descriptions, by rules that hold for all of them: nothing here is fitted to a row of the vendor's
 * table. `npm run generate` writes the seven of the table; tests ask for others.
 */

export interface NvdlaConfiguration {
  /** 8-bit multipliers. */
  readonly macs: number;
  readonly bufferBytes: number;
  readonly GBps: number;
}

/** ResNet-50 in int8 at 1 GHz: the vendor's estimates (nvdla.org, primer). */
export const NVDLA_TABLE: readonly (NvdlaConfiguration & { readonly framesPerSecond: number })[] = [
  { macs: 2048, bufferBytes: 512 * 1024, GBps: 20, framesPerSecond: 269 },
  { macs: 1024, bufferBytes: 256 * 1024, GBps: 15, framesPerSecond: 153 },
  { macs: 512, bufferBytes: 256 * 1024, GBps: 10, framesPerSecond: 93 },
  { macs: 256, bufferBytes: 256 * 1024, GBps: 5, framesPerSecond: 46 },
  { macs: 128, bufferBytes: 256 * 1024, GBps: 2, framesPerSecond: 20 },
  { macs: 64, bufferBytes: 128 * 1024, GBps: 1, framesPerSecond: 7.3 },
  { macs: 32, bufferBytes: 128 * 1024, GBps: 0.5, framesPerSecond: 3.6 },
];

/**
 * Kernels at once. The published specifications (spec/defs in the vendor's repository) have 32 at 2048 multipliers, 16 at 1024
 * and 512, 8 at 256 and 64; thresholds between them.
 */
function atomicK(macs: number): number {
  if (macs >= 2048) return 32;
  if (macs >= 512) return 16;
  return macs >= 64 ? 8 : 4;
}

/** Codes that the single data point processor takes in a cycle: 16 at 2048 multipliers, in proportion, at least one. */
function postThroughput(macs: number): number {
  return Math.min(16, Math.max(1, Math.floor(macs / 128)));
}

/** The description of a configuration as the text of a target file. `macs` is a multiple of 32. */
export function nvdlaTarget({ macs, bufferBytes, GBps }: NvdlaConfiguration): string {
  const kernels = atomicK(macs);
  const channels = Math.floor(macs / kernels);
  const post = postThroughput(macs);
  const one = `{ value: 1, assumed: "one pass of the single data point processor", confidence: medium }`;
  const absent = `{ value: 64, assumed: "not an operator of the chip", confidence: low }`;
  return `# Written by \`npm run generate\` from the rules in scripts/nvdla.ts.
name: nvdla-${macs}
summary: NVDLA with ${macs} int8 multipliers, ${bufferBytes / 1024} KiB of convolution buffer and ${GBps} GB/s at 1 GHz. Describes another vendor's chip, to test the model.
socs: { value: 1, assumed: "a single block", confidence: high }
npus: { value: 1, assumed: "a single block", confidence: high }
clockGHz: { value: 1, source: "the vendor's estimates are for 1 GHz (nvdla.org primer)", confidence: high }
array:
  rows: { value: 1, source: "one output pixel in each atomic operation (nvdla.org unit description)", confidence: high }
  columns: { value: ${kernels}, source: "atomic-K: published for 2048, 1024, 512, 256 and 64 multipliers (spec/defs), in between by threshold", confidence: high }
  inputs: { value: ${channels}, source: "atomic-C: multipliers / atomic-K (spec/defs)", confidence: high }
  stepCycles: { value: 1, source: "an atomic operation a cycle (nvdla.org unit description)", confidence: high }
  packing: { value: { taps: 16, channels: 4 }, source: "pixel formats: the channel extension puts a kernel's row beside the channels (nvdla.org unit description)", confidence: medium }
  pixels: { value: fused, source: "one pixel at a time has no edges", confidence: high }
  accumulatorBits: { value: 32, assumed: "34 bits for int8 products, cut to 32 at the output (nvdla.org unit description)", confidence: medium }
  activationPortBytes: { value: ${channels}, assumed: "one entry of a buffer bank a cycle, as wide as atomic-C", confidence: medium }
  weightPortBytes: { value: ${channels * Math.max(1, kernels / 16)}, assumed: "the next kernels are loaded in 16 cycles, the shortest stripe, or in one each where they are fewer (nvdla.org unit description)", confidence: medium }
  gathers: { value: true, source: "pixels are addressed one by one", confidence: high }
  weightHold: { value: 32, assumed: "stripes of 16 to 32 pixels while the next kernels are loaded (nvdla.org unit description)", confidence: medium }
  skewCycles: { value: 0, assumed: "stripes follow each other without a gap", confidence: medium }
  drainColumnsPerCycle: { value: ${kernels}, assumed: "all kernels of a pixel leave the accumulators at once", confidence: medium }
  drainHidden: { value: true, source: "assembly and delivery buffers (nvdla.org unit description)", confidence: high }
  int16Passes: { value: 2, source: "half the rate (nvdla.org primer)", confidence: medium }
  int4Rate: { value: 1, assumed: "no int4", confidence: high }
  int4Storage: { value: none, assumed: "no int4", confidence: high }
  depthwise: { value: [column], assumed: "groups run one after the other", confidence: medium }
sram:
  bytes: { value: ${bufferBytes}, source: "convolution buffer (nvdla.org primer)", confidence: high }
  alignmentBytes: { value: 32, assumed: "an atom", confidence: medium }
  banks: { value: 16, source: "16 or 32 banks (spec/defs)", confidence: medium }
  readBytesPerCycle: { value: ${2 * channels}, assumed: "an entry of activations and one of weights", confidence: medium }
  writeBytesPerCycle: { value: ${Math.max(32, 2 * channels)}, assumed: "as wide as the reads and the memory interface", confidence: low }
  keeps: { value: operands, source: "filled from memory only; results leave through the post-processor to memory (nvdla.org unit description)", confidence: high }
vector:
  lanes: { value: ${post}, source: "throughput of the single data point processor: 16 at 2048 multipliers (spec/defs), in proportion", confidence: medium }
  steps:
    add: ${one}
    mul: ${one}
    max: ${one}
    min: ${one}
    scale: ${one}
    table: ${one}
    interpolate: ${one}
    reduce: ${one}
    root: ${absent}
    softmax: ${absent}
    norm: ${absent}
    move: ${one}
    fill: ${one}
    gather: ${one}
    mac: ${one}
pool:
  lanes: { value: ${Math.max(1, Math.floor(post / 2))}, source: "throughput of the planar data processor: 8 at 2048 multipliers (spec/defs), in proportion", confidence: medium }
  takes: { value: inputs, source: "partial results of a line are kept (nvdla.org unit description)", confidence: medium }
dma:
  engines: { value: 1, assumed: "one memory interface", confidence: medium }
  bytesPerCycle: { value: 32, assumed: "a memory interface of 256 bits (spec/defs of the large one); the DRAM is slower", confidence: medium }
  burstBytes: { value: 32, source: "an atom (spec/defs)", confidence: medium }
  latencyCycles: { value: 128, source: "50 to 1024 cycles are tolerated (spec/defs)", confidence: low }
  alignmentBytes: { value: 32, assumed: "an atom", confidence: medium }
dram:
  bytes: { value: 4294967296, assumed: "32-bit addresses", confidence: medium }
  GBps: { value: ${GBps}, source: "the vendor's table (nvdla.org primer)", confidence: high }
  sustained: { value: 1, assumed: "the table's bandwidth is what is delivered", confidence: low }
issueCycles: { value: 32, assumed: "two sets of registers for each unit: the next layer is set up meanwhile", confidence: low }
cpu:
  callCycles: { value: 10000, assumed: "10 µs to interrupt, schedule and return", confidence: low }
  cyclesPerElement: { value: 4, assumed: "a scalar loop with conversions to and from float", confidence: low }
power:
  boardWatts: { value: 5, assumed: "a small system on chip", confidence: low }
  idleWatts: { value: 1, assumed: "a small system on chip", confidence: low }
energy:
  macInt8: { value: { low: 0.05, mid: 0.10, high: 0.20 }, assumed: "16 nm, as for the other targets", confidence: low }
  vectorOperation: { value: { low: 0.1, mid: 0.3, high: 1.0 }, assumed: "as for the other targets", confidence: low }
  sramByte: { value: { low: 0.8, mid: 1.6, high: 3.2 }, assumed: "as for the other targets", confidence: low }
  dramByte: { value: { low: 44, mid: 55, high: 60 }, assumed: "as for the other targets", confidence: low }
  leakageWatts: { value: { low: 0.01, mid: 0.03, high: 0.06 }, assumed: "some square millimetres at 16 nm", confidence: low }
round: { value: tosa-single, assumed: "a multiplication, a shift with rounding and a saturation", confidence: medium }
lacks: { value: [Softmax, LayerNorm, Gather, ReduceMargin], source: "not among the chip's units (nvdla.org unit description)", confidence: high }
limits:
  kernel: { value: 32, source: "kernels of up to 32 × 32 (nvdla.org unit description)", confidence: medium }
  stride: { value: 8, source: "strides of up to 8 (nvdla.org unit description)", confidence: medium }
  dilation: { value: 32, source: "dilations of up to 32 (nvdla.org unit description)", confidence: medium }
  poolKernel: { value: 8, source: "pooling windows of up to 8 × 8 (nvdla.org unit description)", confidence: medium }
  rank: { value: 8, assumed: "software reorders what has more", confidence: low }
profiles:
  alone:
    summary: The vendor's estimate - one network, nobody else on the memory.
    dramShare: { value: 1, assumed: "the table's bandwidth is the accelerator's", confidence: medium }
    socs: { value: independent, assumed: "a single block", confidence: high }
defaultProfile: alone
`;
}
