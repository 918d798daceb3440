// Text to lines.
function lines() {
  let rest = "";
  return new TransformStream({
    transform(text, controller) {
      const parts = (rest + text).split("\n");
      rest = parts.pop();
      for (const line of parts) controller.enqueue(line);
    },
    flush(controller) {
      if (rest) controller.enqueue(rest);
    },
  });
}

for await (const line of ReadableStream.from(["spam\neg", "gs\nham"]).pipeThrough(lines())) {
  console.log(line);
}
