// The shapes of benchmarks/shapes.py, in Node's web streams: `node shapes.mjs CHUNKS ROUNDS`.
const count = Number(process.argv[2]);
const rounds = Number(process.argv[3]);
const COPIES = 500;

const numbers = (n) =>
  ReadableStream.from(
    (function* () {
      for (let i = 0; i < n; i++) yield i;
    })(),
  );
const through = (n, transform) => numbers(n).pipeThrough(new TransformStream({ transform }));
const addOne = (chunk, controller) => controller.enqueue(chunk + 1);
const keepOdd = (chunk, controller) => {
  if (chunk % 2) controller.enqueue(chunk);
};
const copy = (chunk, controller) => {
  for (let i = 0; i < COPIES; i++) controller.enqueue(chunk);
};
const mapped = (n, stages) => {
  let stream = numbers(n);
  for (let i = 0; i < stages; i++) stream = stream.pipeThrough(new TransformStream({ transform: addOne }));
  return stream;
};
const full = (n) =>
  new ReadableStream({
    start(controller) {
      for (let i = 0; i < n; i++) controller.enqueue(i);
      controller.close();
    },
  });

const SOURCES = {
  "no stage": (n) => mapped(n, 0),
  "1 map": (n) => mapped(n, 1),
  "3 maps": (n) => mapped(n, 3),
  filter: (n) => through(n, keepOdd),
  flatten: (n) => through(Math.max(1, Math.floor(n / COPIES)), copy),
  "full queue": full,
};
const ENDS = {
  pipe_to: (stream) => stream.pipeTo(new WritableStream({ write() {} })),
  "async for": async (stream) => {
    for await (const _ of stream);
  },
  "read()": async (stream) => {
    const reader = stream.getReader();
    while (!(await reader.read()).done);
  },
  "list()": async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
  },
};

for (const [sourceName, source] of Object.entries(SOURCES)) {
  for (const [endName, end] of Object.entries(ENDS)) {
    let best = Infinity;
    for (let i = 0; i < rounds; i++) {
      const began = process.cpuUsage();
      await end(source(count));
      const used = process.cpuUsage(began);
      best = Math.min(best, used.user + used.system);
    }
    console.log(`${sourceName}, ${endName} ${best / count}`);
  }
}
