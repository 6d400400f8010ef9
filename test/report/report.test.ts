import { describe, expect, test } from "vitest";
import type { BuildDocument, BuildNotes } from "../../src/report/build-document.ts";
import { summariseBuild } from "../../src/report/build-summary.ts";
import { printable, printableLines } from "../../src/report/escape.ts";
import { formatBytes, formatCount, formatMs, formatNames, formatShare, formatTable } from "../../src/report/table.ts";

describe("printable", () => {
  test.each([
    ["plain", "conv1/weights é 漢字", "conv1/weights é 漢字"],
    ["ANSI", "\u001b[31mred\u001b[0m", "\\u{1b}[31mred\\u{1b}[0m"],
    ["bell and newline", "a\u0007\nb", "a\\u{7}\\u{a}b"],
    ["bidi", "a\u202Eb\u2066c", "a\\u{202e}b\\u{2066}c"],
    ["invisible", "a\u200Bb\uFEFF", "a\\u{200b}b\\u{feff}"],
    ["line separators", "a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
    ["C1 controls", "a\u009bb", "a\\u{9b}b"],
    ["half a pair", "a\ud800", "a\\u{d800}"],
  ])("%s", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test("cuts what is endless", () => {
    expect(printable("x".repeat(1e6))).toBe(`${"x".repeat(200)}… (1000000 characters)`);
    expect(printableLines("\n".repeat(1e6)).length).toBe(40);
  });
});

describe("figures", () => {
  test("are readable", () => {
    expect([formatCount(1234567), formatCount(0.4)]).toEqual(["1,234,567", "0"]);
    expect([1, 1023, 1024, 5 * 2 ** 20, 3 * 2 ** 30].map(formatBytes)).toEqual([
      "1 B",
      "1023 B",
      "1.0 KiB",
      "5.0 MiB",
      "3.0 GiB",
    ]);
    expect([0.0123, 0.5, 1.234, 123.4, 12345].map(formatMs)).toEqual([
      "0.012 ms",
      "0.50 ms",
      "1.2 ms",
      "123 ms",
      "12.3 s",
    ]);
    expect([formatShare(0.98765), formatShare(0.5, 0)]).toEqual(["98.77 %", "50 %"]);
    expect(formatNames(["a", "b", "c"], 2)).toBe("a, b and 1 more");
  });

  test("stand under each other", () => {
    expect(
      formatTable([
        ["a", "1", "x"],
        ["bcd", "20", ""],
      ]),
    ).toBe("  a     1  x\n  bcd  20\n");
  });
});

const document: BuildDocument = {
  schema: "optimus-compile/build@2",
  artifact: "/tmp/out/a.dopt",
  digest: "sha256:00",
  verdict: "fail",
  teacher: { nodes: 45, parameters: 1000, macs: 5000 },
  accuracy: { metric: "accuracy", teacher: 0.93, compiled: 0.92, drop: 0.01, n: 10_000, agreement: 0.98 },
  latency: { cycles: 5000, ms: 0.0123, rooflineCycles: 2000, floorCycles: 4000, efficiency: 0.8 },
  memory: { sramPeakBytes: 2048, weightBytes: 4096, dramBytesPerInference: 8192 },
  energy: { mJ: { low: 0.1, mid: 0.2, high: 0.4 } },
  placement: { npu: 3, vector: 2, cpu: 1 },
  floatTensors: 0,
  int16Tensors: 1,
  int4Tensors: 0,
  passes: [],
  stages: [],
};
const notes: BuildNotes = {
  gates: [{ gate: "maxDrop", limit: 0.003, value: 0.01, verdict: "fail", reason: "0.01 is not at most 0.003" }],
  signatures: {},
  kept: ["schedule"],
  onCpu: ['Softmax "evil\u001b[2J": why'],
  teacherBytes: 5000,
  sealedBytes: 5500,
  artifactBytes: 6000,
  target: "ai4, profile driving",
  interval: { low: 0.004, high: 0.016 },
};

describe("summariseBuild", () => {
  test("tells a person everything, in the same figures", () => {
    expect(summariseBuild(document, notes)).toMatchInlineSnapshot(`
      "
                      teacher  compiled
        accuracy       0.9300    0.9200  drop 1.00 points (95 %: 0.40 to 1.60)
        same answer             98.00 %  as the teacher, 10,000 samples
        latency                0.012 ms  5,000 cycles on ai4, profile driving
        floor                      80 %  reached of the 4,000 cycles that no schedule can beat
        SRAM peak               2.0 KiB  per NPU
        DRAM traffic            8.0 KiB  per inference
        weights       3.9 KiB   4.0 KiB  with scales
        file          4.9 KiB   5.4 KiB  5.9 KiB with the evidence
        energy                 0.200 mJ  estimate: 0.10 to 0.40
        nodes              45         6  3 on the array, 2 on the vector unit, 1 on the CPU; 1 int16 and 0 float tensors
        on the CPU: Softmax "evil\\u{1b}[2J": why
        unchanged since an earlier build: schedule

        ✗ maxDrop: 0.01 is not at most 0.003

      verdict: fail
      artifact: /tmp/out/a.dopt
      digest: sha256:00
      unsigned: the recipe has no \`key\` (\`optimus-compile keygen\` makes keys)

      next: optimus-compile verify /tmp/out/a.dopt --unsigned
            optimus-compile report /tmp/out/a.dopt -o report.html
            optimus-compile emulate /tmp/out/a.dopt --input X.npz --output Y.npz
      "
    `);
  });

  test("tells who signed, and how to verify", () => {
    const text = summariseBuild(
      { ...document, verdict: "pass" },
      { ...notes, signatures: { build: "a", certifier: "b" } },
    );
    expect(text).toContain("signed by the build and by the certifier");
    expect(text).toContain("verify /tmp/out/a.dopt --key BUILD.pub.pem --key CERTIFIER.pub.pem");
  });
});
