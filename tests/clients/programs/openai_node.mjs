// openai-node, in nothing but its base URL (from the environment) unlike a program for the cloud.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const client = new OpenAI({ maxRetries: 0 });
const model = "gpt-5.2";
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const ask = 'Use get_weather {"city": "Paris"}';

{
  const tools = [{ type: "function", function: { name: "get_weather", parameters, strict: true } }];
  const messages = [{ role: "user", content: ask }];
  const first = await client.chat.completions.create({ model, messages, tools });
  const call = first.choices[0].message.tool_calls[0];
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Paris" });
  messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "sunny" });
  const second = await client.chat.completions.create({ model, messages, tools });
  assert.equal(second.choices[0].message.content, "The tool said: sunny");
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: [{ role: "user", content: ask }],
    tools: [
      {
        type: "function",
        function: { name: "get_weather", parameters, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` },
      },
    ],
  });
  assert.equal(await runner.finalContent(), "The tool said: sunny in Paris");
  console.log("chat: a tool's turn, and the same streamed by runTools");
}

{
  const tools = [{ type: "function", name: "get_weather", parameters, strict: true }];
  const first = await client.responses.create({ model, input: ask, tools });
  const call = first.output.find((item) => item.type === "function_call");
  assert.deepEqual(JSON.parse(call.arguments), { city: "Paris" });
  const output = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
  const second = await client.responses.create({ model, input: [output], previous_response_id: first.id, tools });
  assert.equal(second.output_text, "The tool said: sunny");
  const stream = client.responses.stream({ model, input: "Say hello.", store: false });
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const final = await stream.finalResponse();
  assert.equal(text, "Heard: Say hello.");
  assert.equal(final.output_text, text);
  const again = await client.responses.retrieve(first.id);
  assert.equal(again.status, "completed");
  console.log("responses: a tool's turn, streamed, retrieved");
}

{
  const conversation = await client.conversations.create({});
  let response;
  for (const input of ["one", "two"]) {
    response = await client.responses.create({ model, input, conversation: conversation.id });
  }
  assert.equal(response.output_text, "Heard: one / two");
  console.log("conversations:", response.output_text);
}

{
  const socket = new ResponsesWS(client);
  const text = await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("response.completed", (event) => resolve(event.response.output[0].content[0].text));
    socket.socket.on("open", () => socket.send({ type: "response.create", model, input: "Say hello.", store: false }));
  });
  socket.close();
  assert.equal(text, "Heard: Say hello.");
  console.log("websocket:", text);
}

await assert.rejects(client.responses.create({ model, input: "hi", temperature: 7 }), (error) => {
  assert.equal(error.param, "temperature");
  return true;
});
console.log("errors: told");
