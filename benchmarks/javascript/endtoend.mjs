// node endtoend.mjs WAY FOLDER PORT SIZES ROUNDS
//
// The jobs of ../endtoend/catalogue.py with web streams (WAY is "web") or with Node's own streams ("classic"): prints for
// each job what it found and the microseconds of processor time of its best round, as JSON.

import { createReadStream, createWriteStream } from "node:fs";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import process from "node:process";
import readline from "node:readline";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";

const CHUNK = 64 * 1024;
const [, , way, folder, portText, sizeText, roundText] = process.argv;
const [port, sizes, rounds] = [Number(portText), JSON.parse(sizeText), Number(roundText)];

const file = (job, name) => join(folder, job, name);
const reading = (path, options) => createReadStream(path, { highWaterMark: CHUNK, ...options });
const webFile = (path) => Readable.toWeb(reading(path));
const keeps = (record) => record.number % 4 === 0;

function connect(line) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.write(line, () => resolve(socket)));
    socket.once("error", reject);
  });
}

async function answerOf(socket) {
  let text = "";
  socket.setEncoding("utf8");
  for await (const part of socket) text += part;
  socket.destroy();
  return Number(text);
}

async function relay(size, forward) {
  const [source, sink] = await Promise.all([connect(`send ${size}\n`), connect("take\n")]);
  const answer = answerOf(sink);
  await forward(source, sink);
  source.destroy();
  return answer;
}

async function proxy(size, forward) {
  const server = http.createServer((request, response) => {
    response.setHeader("Content-Length", size);
    forward(`http://127.0.0.1:${port}/${size}`, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const answer = await answerOf(await connect(`get ${server.address().port}\n`));
  server.close();
  return answer;
}

async function counted(stream, count = (chunk) => chunk.length) {
  let total = 0;
  await stream.pipeTo(new WritableStream({ write(chunk) { total += count(chunk); } }));
  return total;
}

async function countedParts(stream) {
  let total = 0;
  for await (const part of stream) total += part.length;
  return total;
}

function lineCutter() {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop();
      for (const part of parts) controller.enqueue(part);
    },
    flush(controller) {
      if (rest) controller.enqueue(rest);
    },
  });
}

const web = {
  async copy(size) {
    await webFile(file("copy", "text.txt")).pipeTo(Writable.toWeb(createWriteStream(file("copy", "copy"))));
    return size;
  },
  relay: (size) => relay(size, (source, sink) => Readable.toWeb(source).pipeTo(Writable.toWeb(sink))),
  proxy: (size) =>
    proxy(size, async (address, response) => (await fetch(address)).body.pipeTo(Writable.toWeb(response))),
  decode: () => counted(webFile(file("decode", "text.txt")).pipeThrough(new TextDecoderStream())),
  lines: () =>
    counted(webFile(file("lines", "text.txt")).pipeThrough(new TextDecoderStream()).pipeThrough(lineCutter()), () => 1),
  async ndjson() {
    let kept = 0;
    const parse = new TransformStream({ transform: (line, out) => out.enqueue(JSON.parse(line)) });
    const filter = new TransformStream({ transform: (record, out) => { if (keeps(record)) out.enqueue(record); } });
    const format = new TransformStream({
      transform(record, out) {
        kept += 1;
        out.enqueue(`${JSON.stringify(record)}\n`);
      },
    });
    await webFile(file("ndjson", "records.ndjson"))
      .pipeThrough(new TextDecoderStream()).pipeThrough(lineCutter())
      .pipeThrough(parse).pipeThrough(filter).pipeThrough(format).pipeThrough(new TextEncoderStream())
      .pipeTo(Writable.toWeb(createWriteStream(file("ndjson", "kept.ndjson"))));
    return kept;
  },
  async gzip(size) {
    await counted(webFile(file("gzip", "text.txt")).pipeThrough(new CompressionStream("gzip")));
    return size;
  },
  gunzip: () => counted(webFile(file("gunzip", "text.txt.gz")).pipeThrough(new DecompressionStream("gzip"))),
};

const classic = {
  async copy(size) {
    await pipeline(reading(file("copy", "text.txt")), createWriteStream(file("copy", "copy")));
    return size;
  },
  relay: (size) => relay(size, (source, sink) => pipeline(source, sink)),
  proxy: (size) => proxy(size, (address, response) => http.get(address, (origin) => pipeline(origin, response))),
  decode: () => countedParts(reading(file("decode", "text.txt"), { encoding: "utf8" })),
  async lines() {
    let total = 0;
    for await (const _ of readline.createInterface({ input: reading(file("lines", "text.txt")) })) total += 1;
    return total;
  },
  async ndjson() {
    let kept = 0;
    await pipeline(
      readline.createInterface({ input: reading(file("ndjson", "records.ndjson")) }),
      async function* (lines) {
        for await (const line of lines) {
          const record = JSON.parse(line);
          if (!keeps(record)) continue;
          kept += 1;
          yield `${JSON.stringify(record)}\n`;
        }
      },
      createWriteStream(file("ndjson", "kept.ndjson")),
    );
    return kept;
  },
  async gzip(size) {
    await countedParts(reading(file("gzip", "text.txt")).pipe(zlib.createGzip()));
    return size;
  },
  gunzip: () => countedParts(reading(file("gunzip", "text.txt.gz")).pipe(zlib.createGunzip())),
};

const found = {};
for (const [name, size] of Object.entries(sizes)) {
  let best = Infinity;
  let amount;
  try {
    for (let i = 0; i < rounds; i++) {
      const began = process.cpuUsage();
      amount = await { web, classic }[way][name](size);
      const used = process.cpuUsage(began);
      best = Math.min(best, used.user + used.system);
    }
    found[name] = { amount, microseconds: best };
  } catch (error) {
    found[name] = { error: String(error) };
  }
}
console.log(JSON.stringify(found));
process.exit(0);
