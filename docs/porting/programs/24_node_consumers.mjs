// Node: everything at once.
import { Readable } from "node:stream";
import { buffer, json, text } from "node:stream/consumers";

const parts = (...texts) => Readable.from(texts.map((each) => Buffer.from(each)));
console.log(await text(parts("slow ", "and steady")));
console.log((await json(parts('{"spam":', " 42}"))).spam);
console.log((await buffer(parts("ab", "c"))).length);
console.log((await Readable.from([1, 2, 3, 4]).drop(1).take(2).toArray()).join());
