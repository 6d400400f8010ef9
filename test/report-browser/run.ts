/**
 * Reports in a real Chromium: at three widths, light and dark, with and without scripts, with hostile names, and as large as
 * they get. `npm run test:report [-- ARTIFACT…] [--shots FOLDER]`; CHROMIUM names another browser than Debian's.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, chromium, type Page } from "playwright-core";
import { MOST, type ReportModel, type Span } from "../../src/report/html/model.ts";
import { renderReport } from "../../src/report/html/page.ts";
import { reportOf } from "../../src/report.ts";
import { hostile, SAMPLE } from "../report/html/sample.ts";

const WIDTHS = [390, 1024, 1680];
const THEMES = ["light", "dark"] as const;
const MOST_BYTES = 3 * 2 ** 20;
const FIRST_PAINT_MS = 1000;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { shots: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "report-"));
const failures: string[] = [];
let passed = 0;

function expectThat(holds: boolean, what: string): void {
  if (holds) passed++;
  else {
    failures.push(what);
    console.log(`FAILED ${what}`);
  }
}

/** All that a page may hold at most. */
function largest(): ReportModel {
  const { chip, layers } = SAMPLE;
  if ("absent" in chip || "absent" in layers) throw new Error("the sample has a run");
  const cycles = 10_000_000;
  const name = (at: number) => `/backbone/stage.${at % 7}/block.${at}/attention/projection/MatMul`;
  const spans = Array.from(
    { length: MOST.spans },
    (_, at): Span => [at % 2, at * 1600, 1200, at % MOST.layers, at % 3 === 0 ? 1 : 0],
  );
  const buffers = Array.from({ length: MOST.buffers }, (_, at) => ({
    ...{ name: name(at), address: (at % 100) * 4096, bytes: 4096, start: at * 6000, end: at * 6000 + 300_000 },
  }));
  const lines = Array.from({ length: MOST.layers }, (_, at) => ({
    ...{
      ...layers.layers[0],
      nodes: [name(at), `${name(at)}/add`],
      reads: [at - 1, at - 9].filter((source) => source >= 0),
    },
  }));
  return {
    ...SAMPLE,
    name: "largest",
    chip: {
      ...chip,
      cycles,
      spans,
      layers: lines.map((_, at) => name(at)),
      trace: "A".repeat(MOST.trace),
      sram: [{ ...chip.sram[0], buffers, peakBytes: 400 * 1024 }],
    },
    layers: { ...layers, cycles, layers: lines },
  };
}

async function tryPage(browser: Browser, name: string, file: string): Promise<void> {
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      const where = `${name} at ${width} px, ${theme}`;
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, offline: true });
      const page = await context.newPage();
      const said: string[] = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      page.on("dialog", (dialog) => {
        said.push("a dialog");
        void dialog.dismiss();
      });
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) said.push(`a request: ${request.url()}`);
      });
      await page.goto(`file://${file}`);
      // Thousands of rows alike are looked at once, not by axe, which takes a minute for them.
      if (name !== "largest")
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
      expectThat(
        said.length === 0,
        `${where}: the page is silent${said.length > 0 ? `, but said ${said.slice(0, 3).join(" | ").slice(0, 400)}` : ""}`,
      );
      const wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      expectThat(wide === 0, `${where}: nothing sticks out sideways`);
      await accessible(page, where);
      if (width === WIDTHS[0] && theme === "light") await keyboard(page, name);
      if (values.shots !== undefined)
        await page.screenshot({ path: join(values.shots, `${name}-${width}-${theme}.png`), fullPage: true });
      await context.close();
    }
  }
}

async function accessible(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave
    .map(({ id, nodes }) => `${id} (${nodes.length}: ${String(nodes[0]?.target).slice(0, 120)})`)
    .join(", ");
  expectThat(grave.length === 0, `${where}: axe finds nothing serious${told && `, but ${told}`}`);
}

/** The timeline answers to keys and buttons, and says what it shows. */
async function keyboard(page: Page, name: string): Promise<void> {
  const plot = page.locator("#plot");
  if ((await plot.count()) === 0) return;
  const view = () => page.locator("#plot svg").getAttribute("viewBox");
  const whole = await view();
  await plot.focus();
  await page.keyboard.press("+");
  const near = await view();
  await page.keyboard.press("ArrowRight");
  const right = await view();
  await page.keyboard.press("]");
  const told = (await page.locator("#readout").textContent()) ?? "";
  await page.keyboard.press("Home");
  expectThat(
    whole !== near && near !== right && (await view()) === whole,
    `${name}: the timeline zooms, pans and comes back by keyboard`,
  );
  expectThat(/cycles from/.test(told), `${name}: the timeline says what is under the cursor`);
  await page.getByRole("button", { name: "Zoom in" }).click();
  expectThat((await view()) !== whole, `${name}: the timeline zooms by its button`);
}

/** The best of three loads: what is slow each time is the page, what is slow once is the machine. */
async function firstPaint(browser: Browser, file: string): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let load = 0; load < 3; load++) {
    const page = await browser.newPage({ viewport: { width: 1024, height: 900 } });
    await page.goto(`file://${file}`);
    const paint = await page.evaluate(
      "new Promise((tell) => new PerformanceObserver((list) => tell(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))",
    );
    best = Math.min(best, Number(paint));
    await page.close();
  }
  return best;
}

async function withoutScripts(browser: Browser, name: string, file: string): Promise<void> {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1024, height: 900 } });
  const page = await context.newPage();
  await page.goto(`file://${file}`);
  expectThat(await page.locator("#accuracy").isVisible(), `${name} without scripts: can be read`);
  expectThat(
    !(await page
      .getByRole("button")
      .first()
      .isVisible()
      .catch(() => false)),
    `${name} without scripts: shows no dead buttons`,
  );
  await context.close();
}

const { accuracy: _a, cost: _c, verdict: _v, ...rest } = SAMPLE;
const absent = { absent: "There is nothing to show." };
const models = new Map<string, ReportModel>([
  ["sample", SAMPLE],
  ["hostile", hostile(SAMPLE)],
  ["bare", { ...rest, gates: [], points: [], chip: absent, layers: absent, risk: absent, calibration: absent }],
  ["largest", largest()],
]);
for (const path of positionals) models.set(basename(path, ".dopt"), await reportOf(path));
if (values.shots !== undefined) mkdirSync(values.shots, { recursive: true });

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
try {
  for (const [name, model] of models) {
    const text = renderReport(model);
    const file = join(folder, `${name}.html`);
    writeFileSync(file, text);
    const bytes = Buffer.byteLength(text);
    expectThat(bytes <= MOST_BYTES, `${name}: ${bytes} bytes are at most ${MOST_BYTES}`);
    const paint = await firstPaint(browser, file);
    expectThat(
      paint <= FIRST_PAINT_MS,
      `${name}: first paint after ${Math.round(paint)} ms, at most ${FIRST_PAINT_MS}`,
    );
    console.log(`${name}: ${bytes} bytes, first paint after ${Math.round(paint)} ms`);
    await tryPage(browser, name, file);
    await withoutScripts(browser, name, file);
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failures.length} failed`);
// What the browser left open must not keep a finished run alive.
process.exit(failures.length === 0 ? 0 : 1);
