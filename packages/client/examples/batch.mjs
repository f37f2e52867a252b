// Have many questions done while others use the server: node packages/client/examples/batch.mjs http://127.0.0.1:9997 demo
import { AtalayaClient } from "@atalaya/client";

const [endpoint = "http://127.0.0.1:9997", model = "demo"] = process.argv.slice(2);
const client = new AtalayaClient({ endpoint, apiKey: process.env.ATALAYA_API_KEY });

const questions = ["What do you see?", "Which number?", "Which colour?"];
const lines = questions.map((content, index) =>
  JSON.stringify({
    custom_id: `question-${index}`,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model, messages: [{ role: "user", content }], max_tokens: 20 },
  }),
);

const input = await client.files.upload(new Blob([lines.join("\n")]), { purpose: "batch" });
const { id } = await client.batches.create({
  input_file_id: input.id,
  endpoint: "/v1/chat/completions",
});
let batch;
for await (batch of client.batches.follow(id)) {
  const { total, completed, failed } = batch.request_counts;
  console.log(`${batch.status}: ${completed} of ${total} done, ${failed} failed`);
}
const output = await client.files.content(batch.output_file_id);
for (const line of (await output.text()).trimEnd().split("\n")) {
  const { custom_id: name, response } = JSON.parse(line);
  console.log(`${name}: ${response.body.choices[0].message.content}`);
}
