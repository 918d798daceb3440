// Creating streams.

import { Source } from "./parts.mjs";
import { ReadableStream } from "./streams.mjs";

const TOGETHER = 100;

async function create(streams) {
  const source = new Source(0);
  let made = 0;
  while (made < streams) {
    for (let left = Math.min(TOGETHER, streams - made); left > 0; left -= 1) {
      new ReadableStream(source, { highWaterMark: 0 });
      made += 1;
    }
    await null;
  }
  return made;
}

export const scenarios = { create: (streams) => () => create(streams) };
