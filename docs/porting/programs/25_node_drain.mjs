// Node: a Writable that says when there is room, and how it ends.
import { once } from "node:events";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";

const sink = new Writable({
  objectMode: true,
  highWaterMark: 2,
  write(chunk, encoding, callback) { console.log("written", chunk); setImmediate(callback); },
});
const end = finished(sink);
for (const chunk of [1, 2, 3, 4]) {
  if (!sink.write(chunk)) await once(sink, "drain");
}
sink.end();
await end;
console.log("finished");
