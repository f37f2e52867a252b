// A model in your own program, without a server. Run it in this directory: node examples/ask-in-process.mjs
import { load } from "atalaya";

// `await using model = …` frees it by itself where your runtime or compiler knows it.
const model = await load("demo");
try {
  const question = "What do you see?";
  const images = [new URL("../demo/pictures/first.png", import.meta.url)];

  const { text, images: seen, usage } = await model.ask(question, { images, temperature: 0 });
  console.log(text);
  console.log(
    `${seen[0].grid.rows}×${seen[0].grid.columns} tiles, ${usage.completionTokens} tokens`,
  );

  // The same as it comes; the picture is paid for once.
  for await (const event of model.stream(question, { images, temperature: 0 })) {
    if (event.type === "text-delta") process.stdout.write(event.text);
    if (event.type === "image") console.log(event.report.cached ? "seen before" : "new");
  }
  console.log();
} finally {
  await model[Symbol.asyncDispose]();
}
