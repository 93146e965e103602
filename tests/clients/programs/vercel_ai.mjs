// Vercel AI SDK: chat and Responses models, tools, objects, streaming.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const tools = {
  get_weather: tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

for (const [kind, model] of [
  ["chat", openai.chat("gpt-5.2")],
  ["responses", openai("gpt-5.2")],
]) {
  const prompt = 'Use get_weather {"city": "Paris"}';
  const options = { model, maxRetries: 0 };
  const whole = await generateText({ ...options, prompt, tools, stopWhen: stepCountIs(3) });
  assert.equal(whole.text, "The tool said: sunny in Paris");
  console.log(kind, "a tool's turn:", whole.text);
  const stream = streamText({ ...options, prompt, tools, stopWhen: stepCountIs(3) });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  assert.equal(text, "The tool said: sunny in Paris");
  console.log(kind, "streamed:", text);
  const output = Output.object({ schema: z.object({ city: z.string(), days: z.number() }) });
  const object = await generateText({ ...options, prompt: "A city?", output });
  assert.deepEqual(object.output, { city: "Paris", days: 3 });
  console.log(kind, "an object:", JSON.stringify(object.output));
}
