import type { Limit } from "../emulate/limits.ts";
import { LIMITS } from "../emulate/limits.ts";
import type { Profiled, ProfiledLayer } from "../profile.ts";
import { printable } from "../report/escape.ts";
import { formatCount, formatMs, formatShare } from "../report/table.ts";

/** How text is coloured, where it is. */
export type Paint = (
  style: "bold" | "dim" | "green" | "blue" | "magenta" | "yellow" | "red" | "cyan",
  text: string,
) => string;

const COLOURS: Readonly<Record<Limit, Parameters<Paint>[0]>> = {
  array: "green",
  drain: "yellow",
  "array ports": "yellow",
  "SRAM ports": "yellow",
  vector: "magenta",
  DRAM: "blue",
  latency: "cyan",
  host: "red",
};

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** What stands beside a layer's name takes 44 columns and the bar. */
const [BAR, SHORT_BAR, BESIDE] = [16, 6, 44];

/** A bar of so many characters at most, in eighths of one. */
function bar(share: number, width: number): string {
  const eighths = Math.min(8 * width, Math.max(share > 0 ? 1 : 0, Math.round(8 * width * share)));
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

/** Several nodes of one module: `/block/{conv/Conv + relu/Relu}`. */
function shortened(name: string): string {
  const nodes = name.split(" + ");
  const [first] = nodes;
  let shared = nodes.length > 1 ? first.lastIndexOf("/", first.length - 2) + 1 : 0;
  while (shared > 0 && !nodes.every((node) => node.startsWith(first.slice(0, shared)))) {
    shared = first.lastIndexOf("/", shared - 2) + 1;
  }
  return shared < 2 ? name : `${first.slice(0, shared)}{${nodes.map((node) => node.slice(shared)).join(" + ")}}`;
}

/** What a layer is known by among nodes that ride on it. */
const LEADING = /(conv|gemm|matmul|lstm|gru|attention|pool)/i;

/** The layer's own node, its type left out where its name tells it, and how many ride on it: `/block/conv +2`. */
function leading(name: string): string {
  const nodes = name.split(" + ");
  const own = nodes.find((node) => LEADING.test(node.slice(node.lastIndexOf("/") + 1))) ?? nodes[0];
  const at = own.lastIndexOf("/");
  const told = own
    .slice(own.lastIndexOf("/", at - 1) + 1, at)
    .toLowerCase()
    .includes(own.slice(at + 1).toLowerCase());
  const first = at > 0 && told ? own.slice(0, at) : own;
  return nodes.length > 1 ? `${first} +${nodes.length - 1}` : first;
}

/** A name in so many characters: of one that is too long even by its own node alone, the end, which tells layers apart. */
function fitted(name: string, width: number): string {
  const whole = printable(shortened(name), 4096);
  if (whole.length <= width) return whole.padEnd(width);
  const text = printable(leading(name), 4096);
  return text.length <= width ? text.padEnd(width) : `…${text.slice(text.length - width + 1)}`;
}

/** The profile for a terminal of so many columns. */
export function profileTable(profiled: Profiled, top: number, columns: number, paint: Paint): string {
  return [heading(profiled, paint), layerTable(profiled, top, columns, paint), summary(profiled, paint)].join("\n");
}

function heading({ target, profile, cycles, ms, clockGHz, capped, set, before, rescheduling }: Profiled, paint: Paint) {
  const on = `on ${target}, profile ${printable(profile)}, ${clockGHz} GHz`;
  const lines = [`${paint("bold", `${formatMs(ms)}  ${formatCount(cycles)} cycles`)}  ${on}`];
  if (before !== undefined) {
    const change =
      ms <= before.ms ? `${(before.ms / ms).toFixed(2)} × as fast as` : `${(ms / before.ms).toFixed(2)} × as long as`;
    lines.push(
      `with ${printable(set.join(", "), 400)}: ${change} before (${formatMs(before.ms)}, ${formatCount(before.cycles)} cycles)`,
    );
    lines.push(paint("dim", "the same program, re-timed; nothing was scheduled again"));
  }
  for (const need of rescheduling) lines.push(`${paint("yellow", "build again:")} ${printable(need, 400)}`);
  if (capped !== undefined) lines.push(`${paint("yellow", "power:")} ${capped}`);
  return `${lines.join("\n")}\n`;
}

function layerTable({ layers }: Profiled, top: number, columns: number, paint: Paint): string {
  const shown = layers.slice(0, top).filter(({ cycles, arrayCycles }) => cycles + arrayCycles > 0);
  const longest = Math.max(5, ...shown.map(({ name }) => shortened(name).length));
  // The longest advice takes 46 columns.
  const advises = columns >= 126;
  const room = columns - BESIDE - (advises ? 46 : 0);
  const bars = room - BAR >= Math.min(longest, 40) ? BAR : SHORT_BAR;
  const width = Math.max(16, Math.min(longest, room - bars));
  const most = shown[0]?.share ?? 1;
  const head = `${"layer".padEnd(width)}  ${"of the run".padEnd(bars + 8)}  ${"cycles".padStart(11)}  array  ${"bound by".padEnd(11)}${advises ? "  would help" : ""}`;
  const lines = [paint("dim", head), ...shown.map((layer) => line(layer, width, bars, most, advises, paint))];
  const rest = layers.slice(shown.length);
  const left = rest.reduce((sum, { cycles }) => sum + cycles, 0);
  const share = rest.reduce((sum, layer) => sum + layer.share, 0);
  if (rest.length > 0) {
    const text = `${fitted(`${rest.length} more`, width)}  ${" ".repeat(bars)} ${formatShare(share, 1).padStart(7)}  ${formatCount(left).padStart(11)}`;
    lines.push(paint("dim", text));
  }
  return `${lines.join("\n")}\n`;
}

function line(layer: ProfiledLayer, width: number, bars: number, most: number, advises: boolean, paint: Paint): string {
  const { name, share, cycles, arrayCycles, utilization, boundBy, help } = layer;
  const colour = COLOURS[boundBy];
  const busy = arrayCycles === 0 ? "" : formatShare(utilization, 0);
  const advice = help === undefined || !advises ? "" : `${help.what} (${percent(help.gain)})`;
  const cells = [
    fitted(name, width),
    `${paint(colour, bar(most === 0 ? 0 : share / most, bars).padEnd(bars))} ${formatShare(share, 1).padStart(7)}`,
    formatCount(cycles).padStart(11),
    busy.padStart(5),
    paint(colour, (cycles > 0 ? boundBy : "hidden").padEnd(11)),
    advice,
  ];
  return cells.join("  ").trimEnd();
}

const percent = (gain: number): string => `−${(100 * gain).toFixed(gain < 0.01 ? 2 : 1)} %`;

function summary({ limits, cycles, whatIf }: Profiled, paint: Paint): string {
  const parts = LIMITS.filter((limit) => limits[limit] > 0).sort((a, b) => limits[b] - limits[a]);
  const lines = [paint("dim", "where the run's time goes")];
  for (const limit of parts) {
    const share = limits[limit] / cycles;
    lines.push(
      `${limit.padEnd(11)} ${paint(COLOURS[limit], bar(share, 40).padEnd(40))} ${formatShare(share, 1).padStart(7)}`,
    );
  }
  const helpful = whatIf.filter(({ gain }) => gain >= 0.0005);
  if (helpful.length > 0) lines.push("", paint("dim", "the same program on a better chip"));
  const width = Math.max(0, ...helpful.map(({ what }) => what.length));
  for (const { what, gain, cycles: fewer } of helpful) {
    lines.push(`${what.padEnd(width)}  ${percent(gain).padStart(8)}  ${formatCount(fewer).padStart(11)} cycles`);
  }
  return `${lines.join("\n")}\n`;
}
