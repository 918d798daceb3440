// How full a queue is.
const stream = new WritableStream(
  { write: async () => {} },
  new CountQueuingStrategy({ highWaterMark: 3 }),
);
const writer = stream.getWriter();
for (const chunk of ["a", "b", "c", "d"]) {
  console.log(writer.desiredSize);
  writer.write(chunk);
}
console.log(writer.desiredSize);
await writer.close();
