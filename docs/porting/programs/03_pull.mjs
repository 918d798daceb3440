// A source that is asked.
let next = 3;
const countdown = new ReadableStream({
  pull(controller) {
    controller.enqueue(next--);
    if (next === 0) controller.close();
  },
});
for await (const number of countdown) console.log(number);
