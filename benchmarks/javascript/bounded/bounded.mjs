// The situations of benchmarks/bounded.py with p-map, one after the other; prints JSON. Numbers come as arguments.
import pMap, { pMapIterable } from "p-map";

const settings = JSON.parse(process.argv[2]);
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const numbers = (count) => Array.from({ length: count }, (_, index) => index);

function makeCalls(quick, seconds) {
  const calls = { started: 0, running: 0 };
  calls.run = async (chunk) => {
    calls.started++;
    calls.running++;
    try {
      if (chunk === calls.failsAt) throw new Error("boom");
      if (chunk >= quick) await sleep(seconds);
    } finally {
      calls.running--;
    }
    return chunk;
  };
  return calls;
}

const iterate = (calls, limit, options = {}) => pMapIterable(numbers(settings.chunks), calls.run, { concurrency: limit, ...options });

async function leaves() {
  const calls = makeCalls(settings.leaves_at, settings.long);
  let taken = 0;
  for await (const _ of iterate(calls, settings.limit)) {
    if (++taken === settings.leaves_at) break;
  }
  await sleep(settings.pause);
  return calls.running;
}

async function fails() {
  const calls = makeCalls(0, settings.long);
  calls.failsAt = 2;
  const start = performance.now();
  try {
    for await (const _ of iterate(calls, settings.limit));
  } catch (error) {
    const seconds = (performance.now() - start) / 1000;
    return [seconds, calls.running];
  }
  throw new Error("it did not fail");
}

async function slow() {
  const calls = makeCalls(0, settings.short);
  const run = calls.run;
  calls.run = async (chunk) => {
    if (chunk % 16 === 0) await sleep(settings.short * 19);
    return run(chunk);
  };
  const start = performance.now();
  let taken = 0;
  for await (const _ of iterate(calls, settings.limit, { backpressure: settings.window })) taken++;
  if (taken !== settings.chunks) throw new Error(`${taken} chunks arrived`);
  return (performance.now() - start) / 1000;
}

async function trivial() {
  const same = async (chunk) => chunk;
  const start = process.cpuUsage();
  let taken = 0;
  for await (const _ of pMapIterable(numbers(settings.trivial), same, { concurrency: 16 })) taken++;
  const { user, system } = process.cpuUsage(start);
  if (taken !== settings.trivial) throw new Error(`${taken} chunks arrived`);
  return (user + system) / settings.trivial;
}

const [late, left] = await fails();
const results = { break: await leaves(), failure: late, left, slow: await slow(), trivial: await trivial() };
console.log(JSON.stringify(results));
process.exit(0);
