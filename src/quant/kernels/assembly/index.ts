// AssemblyScript, not TypeScript: built by `npm run build:wasm` to ../kernels.wasm. Addresses are in bytes.
export { codeSums } from "./code-sums";
export { errors } from "./errors";
export { roundRows } from "./nearest";
export { sweep } from "./sweep";
