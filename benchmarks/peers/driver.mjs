// Runs one workload on one peer and prints one JSON line.
//
//   node --expose-gc driver.mjs PEER WORKLOAD.json
//
// The workload (rows, views, writes) comes from benchmarks/workload.py. A peer is a module that
// exports `open(document)`, see below. What is timed is one write until every view that it changes
// has delivered its new value to a subscriber; work that a peer leaves for afterwards (`settle`)
// is outside that figure and inside `wall_ms`.
//
// A peer's module exports
//   packages          names of the npm packages whose versions are reported
//   unsupported(view, mode)   why it cannot express that view, or undefined
//   open(document)    -> { load(), watch(index, view, mode, emit), write(changes), settle(),
//                          rows(index), close() }; each may be asynchronous
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [, , peerName, path] = process.argv;
const require = createRequire(import.meta.url);
const now = () => Number(process.hrtime.bigint()) / 1e3; // microseconds
const tick = () => new Promise((resolve) => setImmediate(resolve));
const DELIVERY_TIMEOUT_MS = 20_000;

const quantile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];

function version(name) {
  const manifest = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

async function run() {
  const peer = await import(`./${peerName}.mjs`);
  const document = JSON.parse(readFileSync(path, 'utf8'));
  const packages = Object.fromEntries(peer.packages.map((name) => [name, version(name)]));
  const base = { workload: document.name, engine: peerName, mode: document.mode, packages };

  for (const view of document.views) {
    const reason = peer.unsupported?.(view, document.mode);
    if (reason) return { ...base, na: reason };
  }

  const emissions = new Array(document.views.length).fill(0);
  let waiting = null;
  const emit = (index) => {
    emissions[index] += 1;
    waiting?.();
  };

  const engine = await peer.open(document);
  const loadFrom = now();
  await engine.load();
  const openFrom = now();
  for (const [index, view] of document.views.entries()) {
    const opened = engine.watch(index, view, document.mode, () => emit(index));
    if (opened) await opened;
  }
  await engine.settle?.();
  const openTo = now();
  for (const table of Object.values(document.tables)) table.rows = null;
  globalThis.gc?.();
  const rss = process.memoryUsage.rss();
  emissions.fill(0);

  const delivered = (wakes, before) => wakes.every((index, at) => emissions[index] > before[at]);
  const times = [];
  const started = now();
  const interval = document.rate ? 1e6 / document.rate : 0;
  for (const [step, write] of document.writes.entries()) {
    const before = write.wakes.map((index) => emissions[index]);
    let from = now();
    if (interval) {
      const due = started + step * interval;
      while (now() < due) await tick();
      from = due;
    }
    const writing = engine.write(write.changes);
    if (writing) await writing;
    if (!delivered(write.wakes, before)) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`write ${step} was not delivered to views ${write.wakes}`)),
          DELIVERY_TIMEOUT_MS,
        );
        waiting = () => {
          if (!delivered(write.wakes, before)) return;
          clearTimeout(timer);
          waiting = null;
          resolve();
        };
      });
    }
    times.push(now() - from);
    const settling = engine.settle?.();
    if (settling) await settling;
  }
  const wall = now() - started;

  const hash = createHash('sha256');
  for (const index of document.views.keys()) {
    hash.update(JSON.stringify(await engine.rows(index)));
    hash.update('\n');
  }
  const grouped = [];
  for (let at = 0; at < times.length; at += document.group)
    grouped.push(times.slice(at, at + document.group).reduce((sum, value) => sum + value, 0));
  const counted = grouped.slice(document.warmup).sort((a, b) => a - b);
  const result = {
    ...base,
    n: counted.length,
    median_us: quantile(counted, 0.5),
    p99_us: quantile(counted, 0.99),
    max_us: counted[counted.length - 1],
    wall_ms: wall / 1e3,
    load_ms: (openFrom - loadFrom) / 1e3,
    open_ms: (openTo - openFrom) / 1e3,
    rss_mb: rss / 2 ** 20,
    emissions: emissions.reduce((sum, value) => sum + value, 0),
    checksum: hash.digest('hex').slice(0, 16),
  };
  await engine.close?.();
  return result;
}

run().then(
  (result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
