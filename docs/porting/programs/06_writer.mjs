// A writer that waits for room.
const stream = new WritableStream(
  { write: async (chunk) => { await null; console.log("written", chunk); } },
  new CountQueuingStrategy({ highWaterMark: 2 }),
);
const writer = stream.getWriter();
for (const chunk of ["a", "b", "c"]) {
  await writer.ready;
  writer.write(chunk);
}
await writer.close();
console.log("closed");
