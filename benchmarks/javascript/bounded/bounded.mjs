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
  let inCalls = 0;
  const call = async (chunk) => {
    const called = performance.now();
    await sleep(chunk % 16 ? settings.short : 20 * settings.short);
    inCalls += performance.now() - called;
    return chunk;
  };
  const start = performance.now();
  let taken = 0;
  const options = { concurrency: settings.limit, backpressure: settings.window };
  for await (const _ of pMapIterable(numbers(settings.slow_chunks), call, options)) taken++;
  if (taken !== settings.slow_chunks) throw new Error(`${taken} chunks arrived`);
  const milliseconds = performance.now() - start;
  return [milliseconds / 1000, (milliseconds - inCalls / settings.limit) / 1000];
}

async function trivial(collects) {
  const same = async (chunk) => chunk;
  const options = { concurrency: settings.trivial_limit };
  const start = process.cpuUsage();
  let taken = 0;
  if (collects) {
    taken = (await pMap(numbers(settings.trivial), same, options)).length;
  } else {
    for await (const _ of pMapIterable(numbers(settings.trivial), same, options)) taken++;
  }
  const { user, system } = process.cpuUsage(start);
  if (taken !== settings.trivial) throw new Error(`${taken} chunks arrived`);
  return (user + system) / settings.trivial;
}

async function again(collects) {
  const costs = [];
  let sum = 0;
  while (costs.length < 3 || sum * settings.trivial < settings.patience * 1e6) {
    costs.push(await trivial(collects));
    sum += costs.at(-1);
  }
  return Math.min(...costs);
}

async function all(rounds) {
  const [late, left] = await fails();
  const found = [];
  for (let round = 0; round < rounds; round++) found.push(await slow());
  return {
    break: await leaves(),
    failure: late,
    left,
    slow: Math.min(...found.map(([seconds]) => seconds)),
    besides: Math.min(...found.map(([, besides]) => besides)),
    loop_again: await again(false),
    list_again: await again(true),
  };
}

const { what } = settings;
const results = what.endsWith("_first") ? { [what]: await trivial(what === "list_first") } : await all(Number(what));
console.log(JSON.stringify(results));
process.exit(0);
