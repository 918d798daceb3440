// Records in JSON, one to a line, and a sum.
const input = ['{"price": 2}\n{"pr', 'ice": 40}\n'];
let rest = "";
const records = new TransformStream({
  transform(text, controller) {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    for (const line of parts) controller.enqueue(JSON.parse(line));
  },
});
let sum = 0;
for await (const record of ReadableStream.from(input).pipeThrough(records)) sum += record.price;
console.log(sum);
