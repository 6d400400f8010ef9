import type { Pass } from "../../src/pass.ts";
import { PACKED_CACHES } from "../../src/quant/caches.ts";
import { withPackedCaches } from "../../src/quant/packed-caches.ts";

const pass: Pass = {
  summary:
    "Stores caches of 4-bit codes two a byte: rows are packed as they are written, and unpacked as they are read.",
  lossy: true,
  run(graph) {
    const text = graph.metadata.get(PACKED_CACHES);
    if (text === undefined) return graph;
    const metadata = new Map([...graph.metadata].filter(([key]) => key !== PACKED_CACHES));
    return withPackedCaches({ ...graph, metadata }, new Set(JSON.parse(text) as string[]));
  },
};

export default pass;
