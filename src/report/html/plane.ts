/** The ground that charts stand on: two axes with round ticks, as SVG that takes its colours from the page. */
import { at, ticks } from "./figures.ts";
import { type Html, html } from "./text.ts";

export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly label: string;
  readonly show: (value: number) => string;
}

export interface Plane {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly bottom: number;
  readonly ground: Html;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [440, 280, 56, 24, 26, 40];

export function planeOf(across: Axis, up: Axis): Plane {
  const scale =
    ({ low, high }: Axis, from: number, to: number) =>
    (value: number) =>
      from + ((to - from) * (value - low)) / (high - low || 1);
  const x = scale(across, LEFT, WIDTH - RIGHT);
  const y = scale(up, HEIGHT - BOTTOM, TOP);
  const rows = ticks(up.low, up.high, 4).map(
    (tick) =>
      html`<path class="axis" d="M${LEFT} ${at(y(tick))}H${WIDTH - RIGHT}"/><text x="${LEFT - 7}" y="${at(y(tick) + 4)}" text-anchor="end">${up.show(tick)}</text>`,
  );
  const columns = ticks(across.low, across.high, 5).map(
    (tick) =>
      html`<text x="${at(x(tick))}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${across.show(tick)}</text>`,
  );
  const ground = html`${rows}${columns}<text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${across.label}</text><text x="0" y="12">${up.label}</text>`;
  return { x, y, width: WIDTH, height: HEIGHT, left: LEFT, bottom: HEIGHT - BOTTOM, ground };
}

/** A line through points of the plane. */
export function line({ x, y }: Plane, points: readonly (readonly [number, number])[], className: string): Html {
  const path = points.map(([a, b], place) => `${place === 0 ? "M" : "L"}${at(x(a))} ${at(y(b))}`).join("");
  return html`<path class="${className}" d="${{ html: path }}"/>`;
}

/** @param says what is to be seen, for those who do not see it */
export function chart({ width, height, ground }: Plane, says: string, marks: Html | readonly Html[]): Html {
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${says}">${ground}${marks}</svg>`;
}

export const KEY_OF_MODELS = html`<ul class="key"><li><svg viewBox="0 0 24 10" aria-hidden="true"><path class="of-compiled" d="M0 5h24"/></svg>compiled</li><li><svg viewBox="0 0 24 10" aria-hidden="true"><path class="of-teacher" d="M0 5h24"/></svg>teacher</li></ul>`;
