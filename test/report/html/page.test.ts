import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { adviceFor } from "../../../src/report/html/advice.ts";
import { differenceText, rangeText, significant, ticks, timeText } from "../../../src/report/html/figures.ts";
import { renderReport } from "../../../src/report/html/page.ts";
import { html, inertJson, shortName } from "../../../src/report/html/text.ts";
import { wiresOf } from "../../../src/report/html/wires.ts";
import { HOSTILE, hostile, SAMPLE } from "./sample.ts";

const page = renderReport(SAMPLE);

/** What a reader sees, without the script and the style. */
const seen = (text: string) => text.replace(/<script[^>]*>[\s\S]*?<\/script>|<style>[\s\S]*?<\/style>/g, "");

describe("the page", () => {
  test("says the verdict, why, and each figure beside its limit", () => {
    expect(page).toContain('<span class="badge incomplete">? Not enough evidence</span>');
    expect(page).toContain("1 gate of 2 could not be decided");
    expect(page).toContain("0.001 was measured, but 0.004 is not excluded");
    expect(page).toContain("0.10 points worse than its teacher in accuracy (95 %: −0.10 to 0.45 points)");
    expect(page.indexOf("light = dusk")).toBeLessThan(page.indexOf("light = noon"));
    expect(page).toContain("teacher: MIT; data: not stated");
  });

  test("draws the plans that formats were chosen among", () => {
    expect(page).toContain("chosen to lose at most 0.30 points and to take at most 1 µs, on 512 samples");
    expect(page).toContain("What 2 plans lose against weights. Taken: +0.20 points at 1.3 KiB.");
    expect(page).toMatch(/3 W4A8, 1 W8A8<\/th><td class="n">\+0\.20 points<\/td>.*?taken/);
    const { search: _, ...without } = SAMPLE;
    expect(renderReport(without)).not.toContain("chosen among");
  });

  test("says where the teacher itself is not shown to be better than chance, and nothing of it elsewhere", () => {
    const told = (teacher: number) =>
      renderReport({
        ...SAMPLE,
        accuracy: { ...SAMPLE.accuracy!, chance: { value: 0.5, teacher, excluded: teacher > 0.5 } },
      });
    expect(told(0.48)).toContain("The teacher itself is not shown to be better than chance: accuracy 0.48 at worst");
    expect(told(0.9)).not.toContain("better than chance");
    expect(page).not.toContain("better than chance");
  });

  test("is the same for the same model", () => expect(renderReport(SAMPLE)).toBe(page));

  test("allows its own style and script by their digests, and nothing else", () => {
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? "";
    expect(policy).toContain("default-src 'none'");
    for (const element of ["style", "script"]) {
      const body = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(page)?.[1] ?? "";
      expect(policy).toContain(`sha256-${createHash("sha256").update(body).digest("base64")}`);
    }
    expect(page).not.toMatch(/\son\w+=|\sstyle=|https?:\/\/(?!in-toto|slsa)|@import|url\(/);
  });

  test("says why where there is nothing to show", () => {
    const { accuracy: _a, cost: _c, verdict: _v, ...rest } = SAMPLE;
    const absent = { absent: "There is no timeline: another target." };
    const bare = renderReport({
      ...rest,
      gates: [],
      points: [],
      chip: absent,
      layers: absent,
      risk: absent,
      calibration: absent,
    });
    expect(bare).toContain("Not certified");
    expect(bare.split(absent.absent)).toHaveLength(5);
    expect(seen(bare)).not.toMatch(/undefined|NaN/);
  });

  test("shows hostile names as text, and short", () => {
    const text = renderReport(hostile(SAMPLE));
    expect(text).not.toContain("<script>alert");
    expect(text).not.toContain("<img");
    expect(seen(text)).not.toContain("onload='");
    expect(text.match(/<script/g)).toHaveLength(2);
    expect(text).not.toMatch(/[\p{Cf}\p{Co}]/u);
    expect(text).not.toContain("\u001b");
    expect(text.length).toBeLessThan(400_000);
  });

  test("has no holes in its numbers", () => expect(seen(page)).not.toMatch(/undefined|NaN|Infinity|\[object/));
});

describe("text", () => {
  test("is escaped unless the tag made it", () => {
    expect(html`<b title="${'"x'}">${"<i>"}${html`<i></i>`}${["&", 3]}${undefined}</b>`.html).toBe(
      '<b title="&quot;x">&lt;i&gt;<i></i>&amp;3</b>',
    );
  });

  test("in scripts can end none", () => {
    const { html: text } = inertJson({ name: "</script><!--\u2028" });
    expect(text).not.toMatch(/[<>\u2028]/);
    expect(JSON.parse(text)).toEqual({ name: "</script><!--\u2028" });
  });

  test("is cut in the middle", () => {
    expect(shortName("a".repeat(30) + "b".repeat(30), 20)).toBe(`${"a".repeat(12)}…${"b".repeat(7)}`);
    expect(shortName(HOSTILE, 48).length).toBeLessThanOrEqual(48);
  });
});

describe("figures", () => {
  test.each([
    [differenceText("cer", 0.00123), "+0.12 points"],
    [differenceText("auc", -0.00123), "−0.00123"],
    [rangeText("accuracy", -0.01, 0.02), "−1.00 to 2.00 points"],
    [significant(-1234567, 3), "−1.23e+6"],
    [timeText(0.1841), "184 µs"],
    [timeText(2500), "2.5 s"],
  ])("%s", (found, wanted) => expect(found).toBe(wanted));

  test("ticks are round and within", () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, expect.closeTo(0.6), 0.8, 1]);
    expect(ticks(3, 3)).toEqual([3]);
    for (const tick of ticks(0.0291, 0.0344, 4)) expect(tick).toBeGreaterThanOrEqual(0.0291);
  });
});

describe("wires", () => {
  test("run from a layer to the last that reads it", () => {
    const { rows } = wiresOf([{ reads: [] }, { reads: [0] }, { reads: [0, 1] }, { reads: [2] }]);
    // 0 is read twice: its lane goes on past 1, which sits beside it.
    expect(rows[1].x).toBeGreaterThan(rows[0].x);
    expect(rows[1].paths).toContain(`M${rows[0].x} 0V34`);
    expect(rows[2].paths).not.toContain("0V34");
    expect(rows[3].x).toBe(rows[2].x);
  });

  test("bear layers that nobody reads, and edges that lead nowhere", () => {
    expect(wiresOf([{ reads: [7, 0, -1] }, { reads: [] }]).rows).toHaveLength(2);
    expect(wiresOf(Array.from({ length: 500 }, (_, at) => ({ reads: at < 250 ? [] : [at - 250] }))).width).toBeLessThan(
      110,
    );
  });
});

describe("advice", () => {
  const titles = (model: Omit<typeof SAMPLE, "advice">) => adviceFor(model).map(({ title }) => title);

  test("comes from the figures", () => {
    expect(titles(SAMPLE)).toEqual([
      "Label more data",
      "Look at light = dusk",
      "Give conv2 finer codes",
      "The array is busy",
      "On the chip",
      "Set confidence thresholds anew",
    ]);
  });

  test("changes with them", () => {
    const { layers } = SAMPLE;
    if ("absent" in layers) throw new Error("the sample has layers");
    const limits = [
      { limit: "DRAM", cycles: 390 },
      { limit: "array", cycles: 10 },
    ];
    const found = titles({
      ...SAMPLE,
      gates: [],
      calibration: { before: 0.05, after: 0.02 },
      layers: { ...layers, limits, whatIf: [] },
    });
    expect(found).toContain("Move less");
    expect(found).not.toContain("The array is busy");
    expect(found).not.toContain("Label more data");
    expect(found).not.toContain("Set confidence thresholds anew");
    const { verdict: _, ...uncertified } = SAMPLE;
    expect(titles(uncertified)[0]).toBe("Certify it");
  });
});
