// AssemblyScript, not TypeScript: built by `npm run build:wasm` to ../kernels.wasm. Addresses are in bytes.
export { adamW } from "./adam-w";
export { addDivided, addSquares } from "./gradients";
export { sgd } from "./sgd";
