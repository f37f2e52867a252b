// What is in a picture? node packages/client/examples/ask.mjs http://127.0.0.1:9997 demo picture.png
import { readFile } from "node:fs/promises";
import { AtalayaClient } from "@atalaya/client";

const [endpoint = "http://127.0.0.1:9997", model = "demo", file] = process.argv.slice(2);
const client = new AtalayaClient({ endpoint, apiKey: process.env.ATALAYA_API_KEY });

const content = [{ type: "text", text: "What do you see?" }];
if (file !== undefined) {
  const picture = (await readFile(file)).toString("base64");
  content.push({ type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } });
}

for await (const chunk of client.streamChat({ model, messages: [{ role: "user", content }] })) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
}
console.log();
