import { readFileSync, writeFileSync } from "node:fs";
import type { StageLine } from "../report/build-document.ts";

/** Measures stages: their time, and the most memory that this process and its children held during each. */
export interface StageWatch {
  /** A stage begins; the one before it ends. */
  begin(name: string): void;
  /** Memory that a child process held at its peak, while this process held its own. */
  child(peakRssBytes: number): void;
  end(): readonly StageLine[];
}

export function watchStages(): StageWatch {
  const lines: StageLine[] = [];
  let current: { name: string; start: number; children: number } | undefined;
  const close = () => {
    if (current === undefined) return;
    const { name, start, children } = current;
    lines.push({ name, ms: round(performance.now() - start), peakRssBytes: peakRss() + children });
    current = undefined;
  };
  return {
    begin(name) {
      close();
      resetPeak();
      current = { name, start: performance.now(), children: 0 };
    },
    child(peakRssBytes) {
      if (current !== undefined) current.children += peakRssBytes;
    },
    end() {
      close();
      return lines;
    },
  };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

/** Linux starts its record of the largest resident size anew; elsewhere the record is the process's whole life. */
function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // The record of the whole life is then an upper bound, which is what is said.
  }
}

/** Bytes. Of this process alone, all its threads. */
export function peakRss(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    if (kibibytes !== undefined) return 1024 * Number(kibibytes);
  } catch {
    // Not Linux.
  }
  return 1024 * process.resourceUsage().maxRSS;
}
