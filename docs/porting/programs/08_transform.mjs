// A transform, with what comes at its end.
let count = 0;
const upper = new TransformStream({
  transform(word, controller) {
    count++;
    controller.enqueue(word.toUpperCase());
  },
  flush: (controller) => controller.enqueue(`${count} words`),
});
for await (const word of ReadableStream.from(["slow", "and", "steady"]).pipeThrough(upper)) {
  console.log(word);
}
