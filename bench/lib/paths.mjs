// Where things are; everything that a run leaves behind is under build/bench.
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const bench = join(root, 'bench');
export const out = join(root, 'build', 'bench');
export const logs = join(out, 'logs');
export const peers = join(out, 'peers');
export const results = join(out, 'results.json');
export const kept = join(bench, 'kept.json');
export const rollcall = process.env.BENCH_ROLLCALL ?? join(root, 'build/release/rollcall');
export const load = process.env.BENCH_LOAD ?? join(root, 'build/release/bench/bench_load');
export const gate = process.env.BENCH_GATE ?? join(root, 'build/release/bench/bench_gate');
export const clerk = process.env.BENCH_CLERK ?? join(root, 'build/release/bench/bench_clerk');
