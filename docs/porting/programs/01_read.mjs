// Read a stream by hand.
const stream = ReadableStream.from(["slow", "and", "steady"]);
const reader = stream.getReader();
while (true) {
  const { value, done } = await reader.read();
  if (done) break;
  console.log(value);
}
