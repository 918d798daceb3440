// Node: several calls at a time, results in order.
import { Readable } from "node:stream";

let running = 0, most = 0;
async function square(number) {
  most = Math.max(most, ++running);
  await new Promise((resolve) => setTimeout(resolve, 1));
  running--;
  return number * number;
}

console.log((await Readable.from([1, 2, 3, 4, 5]).map(square, { concurrency: 2 }).toArray()).join());
console.log(most);
