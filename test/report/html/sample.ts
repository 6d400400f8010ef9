/** A report's model that has everything, small; and one whose names were chosen by an enemy. */
import type { LayerLine, ReportModel, Span } from "../../../src/report/html/model.ts";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

function layer(name: string, part: Partial<LayerLine> = {}): LayerLine {
  const cost = { cycles: 100, share: 0.25, boundBy: "array", macs: 1000, utilization: 0.5, dramBytes: 2048 };
  return { nodes: [name], op: "Conv", ...cost, sqnr: 25, reads: [], ...part };
}

export const SAMPLE: ReportModel = {
  name: "small-net",
  artifact: "small-net.dopt",
  digest: digest("a"),
  verdict: "incomplete",
  trust: { state: "unsigned", says: "Nobody signed this artifact: the figures are what the file claims." },
  target: { name: "ai4", profile: "driving" },
  gates: [
    {
      ...{ gate: "maxDrop", limit: 0.003, value: 0.001, shown: 0.004, verdict: "incomplete", keeps: "at most" },
      says: "how much worse it may be",
      reason: "0.001 was measured, but 0.004 is not excluded, which is not at most 0.003",
    },
    {
      ...{ gate: "maxCycles", limit: 500, value: 400, verdict: "pass", keeps: "at most" },
      says: "cycles of one inference",
      reason: "400 is at most 500",
    },
  ],
  accuracy: {
    ...{ metric: "accuracy", direction: "higher", teacher: 0.95, compiled: 0.949, drop: 0.001, n: 1000, groups: 100 },
    agreement: 0.99,
    interval: { low: -0.001, high: 0.0045 },
    metricLimits: { lower: 0.93, upper: 0.96 },
    flips: { flipped: 10, harmful: 4, harmfulAtMost: 0.008 },
    divergence: 0.002,
    source: "1,000 photographs",
    slices: [
      {
        ...{ key: "light", value: "dusk", n: 200, teacher: 0.9, compiled: 0.88, drop: 0.02 },
        limits: { lower: 0, upper: 0.05 },
      },
      { key: "light", value: "noon", n: 800, teacher: 0.96, compiled: 0.961, drop: -0.001 },
    ],
  },
  cost: {
    ...{ cycles: 400, ms: 0.0002, floorCycles: 300, efficiency: 0.75, clockGHz: 2 },
    ...{ sramPeakBytes: 4096, weightBytes: 2048, dramBytes: 8192, artifactBytes: 9000 },
    mJ: { low: 0.01, mid: 0.02, high: 0.03 },
  },
  points: [
    { name: "small-net", ms: 0.0002, metric: 0.949, low: 0.93, high: 0.96 },
    { name: "older", ms: 0.0003, metric: 0.94, caution: "measured on other data" },
  ],
  search: {
    goal: { maxDrop: 0.003, maxMs: 0.001 },
    metric: "accuracy",
    teacher: 0.95,
    samples: { layers: 64, plans: 512 },
    front: [
      {
        ...{ layers: { W4A8: 3, W8A8: 1 }, loss: 0.02, cycles: 380, ms: 0.00019, weightBytes: 1300, chosen: true },
        measured: { compiled: 0.948, drop: 0.002, agreement: 0.99, cycles: 381, ms: 0.00019, weightBytes: 1310 },
      },
      {
        ...{ layers: { W8A8: 4 }, loss: 0.01, cycles: 400, ms: 0.0002, weightBytes: 2048, chosen: false },
        ...{ uniform: "W8A8", expectedDrop: 0.001 },
      },
    ],
    formats: { conv1: "W4A8" },
    distances: [],
  },
  chip: {
    ...{
      cycles: 400,
      clockGHz: 2,
      tracks: ["array", "vector"],
      layers: ["conv1", "conv2", "add", "head"],
      busy: [200, 200],
    },
    spans: [
      [0, 0, 100, 0, 1],
      [1, 80, 100, 1, 0],
      [0, 180, 100, 2, 1],
      [1, 280, 100, 3, 1],
    ] satisfies Span[],
    commands: 4,
    trace: "H4sIAAAAAAAAAwMAAAAAAAAAAAA=",
    sram: [
      {
        npu: 0,
        bytes: 65536,
        peakBytes: 4096,
        left: 0,
        buffers: [{ name: "y1", address: 0, bytes: 2048, start: 0, end: 180 }],
      },
    ],
  },
  layers: {
    cycles: 400,
    layers: [
      layer("conv1"),
      layer("conv2", { reads: [0], boundBy: "DRAM", sqnr: 12 }),
      layer("add", { reads: [0, 1], op: "Add" }),
      layer("head", { reads: [2] }),
    ],
    left: 0,
    limits: [
      { limit: "array", cycles: 300 },
      { limit: "DRAM", cycles: 100 },
    ],
    whatIf: [{ what: "an array at twice the rate", gain: 0.3 }],
  },
  risk: {
    compiled: [
      { coverage: 0.5, risk: 0.01 },
      { coverage: 1, risk: 0.051 },
    ],
    teacher: [
      { coverage: 0.5, risk: 0.012 },
      { coverage: 1, risk: 0.05 },
    ],
    ...{
      aurc: { compiled: 0.02, teacher: 0.021 },
      augrc: { compiled: 0.018, teacher: 0.019 },
      by: "margin",
      loss: "the share of answers that are wrong",
      n: 1000,
    },
    point: {
      ...{ margin: 1234, escalationRate: 0.125, escalationAtMost: 0.14, risk: 0.018, alpha: 0.02, delta: 0.05 },
      atRisk: { compiled: 0.11, teacher: 0.105 },
    },
  },
  calibration: {
    ...{ before: 0.02, after: 0.05 },
    bins: {
      teacher: [{ probability: 0.9, right: 0.88, count: 1000 }],
      compiled: [{ probability: 0.9, right: 0.85, count: 1000 }],
    },
  },
  lineage: {
    compiler: "optimus-compile 0.1.0, Node 24",
    recipe: { name: "small-net", digest: digest("b") },
    teacher: { name: "small.onnx", digest: digest("c") },
    target: { name: "ai4", digest: digest("d") },
    data: [{ name: "calibration", digest: digest("e"), samples: 64, use: "set the ranges of the integer codes" }],
    passes: [{ name: "fuse/conv-bn", before: 9, after: 7 }],
    signers: [{ who: "the build", key: digest("f"), about: "how it was built" }],
    look: { look: 1, alpha: 0.03 },
    licenses: { teacher: "MIT", data: "not stated" },
  },
  advice: [{ title: "Label more data", says: "maxDrop is undecided." }],
};

/** Ends elements, attributes and scripts; turns text around; obeyed by terminals; and endless. */
export const HOSTILE = `"><script>alert(1)</script></script><img src=x onerror=alert(2)>' onload='x\u202e\u2066\u001b[31m${"A".repeat(2 ** 20)}`;

/** Every string of a model replaced. Keys that choose markup, such as verdicts, stay. */
export function hostile<T>(value: T, key = ""): T {
  const kept = new Set(["verdict", "keeps", "state", "direction", "trace", "boundBy"]);
  if (typeof value === "string") return (kept.has(key) ? value : HOSTILE) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => hostile(one, key)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hostile(one, name)])) as T;
}
