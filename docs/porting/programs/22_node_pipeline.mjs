// Node: pipeline with generators as stages.
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

await pipeline(
  Readable.from(["spam", "eggs"]),
  async function* (words) {
    let number = 0;
    for await (const word of words) yield `${++number}: ${word}`;
  },
  new Writable({
    objectMode: true,
    write(line, encoding, callback) { console.log(line); callback(); },
  }),
);
console.log("done");
