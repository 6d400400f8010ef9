/** Data whose samples go wrong together by group, from two models whose true drop is known. */
import { normalCdf } from "../../src/evidence/statistics/distributions.ts";
import type { Outcomes } from "../../src/evidence/statistics/outcomes.ts";
import { chance, gaussian } from "../../src/evidence/statistics/variates.ts";

export type Random = () => number;

/** How many groups there are, and how large: all the same, uniform from 1, or log-uniform from 1 (few hold most samples). */
export interface Structure {
  readonly groups: number;
  readonly size: number;
  readonly sizes: "equal" | "uniform" | "log-uniform";
  /** Intra-class correlation of going wrong: how much of the variance is between groups. */
  readonly icc: number;
}

function sizeOf(random: Random, { size, sizes }: Structure): number {
  if (sizes === "equal") return size;
  if (sizes === "uniform") return 1 + Math.floor(random() * (2 * size - 1));
  return Math.max(1, Math.floor(size ** (2 * random())));
}

function drawn(
  random: Random,
  structure: Structure,
  of: (size: number) => Iterable<Omit<Outcomes, "group">>,
): Outcomes[] {
  const records: Outcomes[] = [];
  for (let group = 0; group < structure.groups; group++) {
    const name = String(group);
    for (const sample of of(sizeOf(random, structure))) records.push({ group: name, ...sample });
  }
  return records;
}

const right = { labels: [1], correct: 1 };
const wrong = { labels: [0], correct: 0 };

/** Right or wrong. `better`: the share that only the compiled model gets right; `both`: of the rest, what both do. */
export function answers(
  random: Random,
  structure: Structure,
  { drop, better, both }: { readonly drop: number; readonly better: number; readonly both: number },
): Outcomes[] {
  const worse = better + drop;
  return drawn(random, structure, function* (size) {
    const harm = chance(random, worse, structure.icc);
    const help = chance(random, better / (1 - worse), structure.icc);
    for (let sample = 0; sample < size; sample++) {
      if (random() < harm) yield { teacher: right, compiled: wrong };
      else if (random() < help) yield { teacher: wrong, compiled: right };
      else yield random() < both ? { teacher: right, compiled: right } : { teacher: wrong, compiled: wrong };
    }
  });
}

export interface Detections {
  /** Of the samples, how many are positive. */
  readonly positive: number;
  /** The teacher's chance to miss a positive one, and to take a negative one for positive. */
  readonly miss: number;
  readonly alarm: number;
  /** The chance that the compiled model answers the other class; it differs from group to group. */
  readonly turned: number;
}

/** Of two classes, for F1: how frequent the positive one is, and how much is turned round, both differ by group. */
export function detections(random: Random, structure: Structure, kind: Detections): Outcomes[] {
  return drawn(random, structure, function* (size) {
    const positive = chance(random, kind.positive, structure.icc);
    const turned = chance(random, kind.turned, structure.icc);
    for (let sample = 0; sample < size; sample++) {
      const label = random() < positive ? 1 : 0;
      const wrong = random() < (label === 1 ? kind.miss : kind.alarm);
      const answer = wrong ? 1 - label : label;
      yield { teacher: { label, answer }, compiled: { label, answer: random() < turned ? 1 - answer : answer } };
    }
  });
}

/** F1 of the expected shares, of the teacher and the compiled model. */
export function scoreOfDetections({ positive, miss, alarm, turned }: Detections) {
  const score = (missed: number, alarmed: number) => {
    const hits = 2 * positive * (1 - missed);
    return hits / (hits + positive * missed + (1 - positive) * alarmed);
  };
  const after = (wrong: number) => wrong * (1 - turned) + (1 - wrong) * turned;
  return { teacher: score(miss, alarm), compiled: score(after(miss), after(alarm)) };
}

/** Of a line, in characters; a burst has two on average. */
const LINE = 24.5;
const burst = (random: Random): number => 1 + Math.floor(random() * 3);

/** Errors in characters of lines: rare and in bursts, in lines of different length, as a recogniser's are. */
export function errors(
  random: Random,
  structure: Structure,
  { drop, better, both }: { readonly drop: number; readonly better: number; readonly both: number },
): Outcomes[] {
  const lines = (characters: number) => (characters * LINE) / 2;
  return drawn(random, structure, function* (size) {
    const harm = chance(random, lines(better + drop), structure.icc);
    const help = chance(random, lines(better), structure.icc);
    for (let sample = 0; sample < size; sample++) {
      const count = 10 + Math.floor(random() * 30);
      const shared = random() < lines(both) ? burst(random) : 0;
      const teacher = shared + (random() < help ? burst(random) : 0);
      const compiled = shared + (random() < harm ? burst(random) : 0);
      yield {
        teacher: { bits: teacher, count, labels: [teacher] },
        compiled: { bits: compiled, count, labels: [compiled] },
      };
    }
  });
}

/** Bits of 64 characters: every sample changes a little, with a long tail to the bad side. `spread`: a sample's deviation. */
export function bits(
  random: Random,
  structure: Structure,
  { drop, spread }: { readonly drop: number; readonly spread: number },
): Outcomes[] {
  const [between, within] = [Math.sqrt(structure.icc), Math.sqrt(1 - structure.icc)];
  const tail = () => -Math.log(Math.max(1e-300, random())) - 1;
  return drawn(random, structure, function* (size) {
    const shift = between * tail();
    for (let sample = 0; sample < size; sample++) {
      const teacher = 64 * (2 + 0.3 * gaussian(random));
      const compiled = teacher + 64 * (drop + spread * (shift + within * tail()));
      yield {
        teacher: { bits: teacher, count: 64, labels: [0] },
        compiled: { bits: compiled, count: 64, labels: [sample] },
      };
    }
  });
}

export interface Scores {
  /** Between the classes' means, in deviations of the teacher's scores. */
  readonly distance: number;
  /** Deviation of what the teacher adds to a good score, and the compiled model. */
  readonly teacher: number;
  readonly compiled: number;
  /** Share of positive samples. */
  readonly positive: number;
}

/** Scores of two classes. Groups shift them: the scores themselves, what each model adds, and how many are positive. */
export function scores(random: Random, structure: Structure, kind: Scores): Outcomes[] {
  const { icc } = structure;
  const [between, within] = [Math.sqrt(icc), Math.sqrt(1 - icc)];
  return drawn(random, structure, function* (size) {
    const positive = chance(random, kind.positive, icc / 2);
    const shifts = [gaussian(random), gaussian(random), gaussian(random)].map((shift) => between * shift);
    const part = (at: number) => shifts[at] + within * gaussian(random);
    for (let sample = 0; sample < size; sample++) {
      const label = random() < positive ? 1 : 0;
      const score = kind.distance * label + part(0);
      yield {
        teacher: { score: score + kind.teacher * part(1), label },
        compiled: { score: score + kind.compiled * part(2), label },
      };
    }
  });
}

/**
 * The expected area under the curve: Φ(distance / √(2·variance)), where of two samples from one group the shift cancels. Of
 * the pairs that count, positive with negative, the share Σ m(m−1)·(1 − icc/2) / (M(M−1)) is within a group.
 * @param noise deviation of what the model adds to a good score
 */
export function expectedArea(structure: Structure, distance: number, noise: number): number {
  const { groups, icc } = structure;
  const { mean, square } = sizeMoments(structure);
  const within = (square - mean) * (1 - icc / 2);
  const inside = within / (within + (groups - 1) * mean * mean);
  const variance = 2 * (1 + noise * noise);
  const apart = normalCdf(distance / Math.sqrt(variance));
  const together = icc === 1 ? 0.5 : normalCdf(distance / Math.sqrt(variance * (1 - icc)));
  return inside * together + (1 - inside) * apart;
}

function sizeMoments({ size, sizes }: Structure): { readonly mean: number; readonly square: number } {
  const possible = sizes === "equal" ? [size] : Array.from({ length: 4096 }, (_, at) => sizeAt((at + 0.5) / 4096));
  function sizeAt(draw: number): number {
    return sizeOf(() => draw, { groups: 1, icc: 0, size, sizes });
  }
  const mean = possible.reduce((sum, each) => sum + each, 0) / possible.length;
  return { mean, square: possible.reduce((sum, each) => sum + each * each, 0) / possible.length };
}
