// The model asks for the time, is told it, and answers. node packages/client/examples/tools.mjs http://127.0.0.1:9997 demo
import { AtalayaClient } from "@atalaya/client";

const [endpoint = "http://127.0.0.1:9997", model = "demo"] = process.argv.slice(2);
const client = new AtalayaClient({ endpoint, apiKey: process.env.ATALAYA_API_KEY });

const functions = {
  get_time: ({ zone }) => new Date().toLocaleString("en-GB", { timeZone: zone }),
};
const tools = [
  {
    type: "function",
    function: {
      name: "get_time",
      description: "Tells the time in a zone.",
      parameters: {
        type: "object",
        properties: { zone: { enum: ["UTC", "Europe/Madrid", "Asia/Tokyo"] } },
        required: ["zone"],
      },
    },
  },
];

const messages = [{ role: "user", content: "What time is it in Tokyo?" }];
// The first answer must be a call; what the model then says is up to it.
let choice = "required";
for (;;) {
  const answer = await client.chat({ model, messages, tools, tool_choice: choice });
  const [{ message }] = answer.choices;
  messages.push(message);
  if (message.tool_calls === undefined) {
    console.log(message.content);
    break;
  }
  for (const call of message.tool_calls) {
    const run = functions[call.function.name];
    const result = run(JSON.parse(call.function.arguments));
    console.log(`${call.function.name} ${call.function.arguments}: ${result}`);
    messages.push({ role: "tool", tool_call_id: call.id, content: result });
  }
  choice = "auto";
}
