// AssemblyScript, not TypeScript: built by `npm run build:wasm` to ../kernels.wasm. Addresses and strides are in bytes.
export { depthwise } from "./depthwise";
export { combine, extreme, lookUp, lookUpWide, move, moveRuns } from "./elementwise";
export { gemmRaw, gemmTile } from "./gemm";
export { packLeft, packRight, packWindows, padPlanes, spreadProducts, sumRows } from "./pack";
export { postRow, postRowPair } from "./post";
export { layerNorm, marginGroups, pool, reduceGroups, rootGroups, softmax } from "./reduce";
