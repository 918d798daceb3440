// node harness.mjs ROW CHUNKS SECONDS [MODULE]
//
// Measures one row in this process, as ../measuring.py does: the work is done again and again, first to warm up and
// then to be timed, until the time is over. Prints the chunks per second of each run as JSON.

import process from "node:process";

import * as bytes from "./bytes.mjs";
import * as creating from "./creating.mjs";
import * as piping from "./piping.mjs";
import * as reading from "./reading.mjs";
import * as writing from "./writing.mjs";

const WARM_CHUNKS = 60000;
const WARM_SHARE = 0.5;
const FEWEST_RUNS = 3;

const scenarios = Object.assign({}, ...[reading, writing, piping, bytes, creating].map((group) => group.scenarios));

async function once(scenario, chunks) {
  const work = scenario(chunks);
  const start = performance.now();
  const arrived = await work();
  const seconds = (performance.now() - start) / 1000;
  if (arrived !== chunks) {
    throw new Error(`${arrived} chunks arrived, not ${chunks}`);
  }
  return seconds;
}

async function repeat(scenario, chunks, seconds, fewest) {
  const rates = [];
  const end = performance.now() + seconds * 1000;
  while (rates.length < fewest || performance.now() < end) {
    rates.push(chunks / (await once(scenario, chunks)));
  }
  return rates;
}

const [, , row, chunkText, secondText] = process.argv;
const [chunks, seconds] = [Number(chunkText), Number(secondText)];
await repeat(scenarios[row], chunks, seconds * WARM_SHARE, Math.ceil(WARM_CHUNKS / chunks));
const rates = await repeat(scenarios[row], chunks, seconds, FEWEST_RUNS);
console.log(JSON.stringify({ rates }));
process.exit(0);
