import asyncio
import json

from openai_client import form, messages, offer
from xinference_client import AsyncRESTfulClient

config = {"temperature": 0}
loop = asyncio.new_event_loop()


async def open_model(url, question):
    client = AsyncRESTfulClient(url)
    try:
        return await client.get_model(question["model"])
    finally:
        await client.close()


async def answer(url, question, tools, more):
    model = await open_model(url, question)
    try:
        settings = {**config, **more}
        return await model.chat(messages(question), tools=tools, generate_config=settings)
    finally:
        await model.close()


async def pieces(url, question):
    model = await open_model(url, question)
    try:
        chunks = await model.chat(messages(question), generate_config={**config, "stream": True})
        try:
            async for chunk in chunks:
                yield chunk["choices"][0]["delta"].get("content") or ""
        finally:
            await chunks.aclose()
    finally:
        await model.close()


def whole(url, question, tools=None, **more):
    return loop.run_until_complete(answer(url, question, tools, more))


def ask(url, question):
    return whole(url, question)["choices"][0]["message"]["content"]


def stream(url, question):
    chunks = pieces(url, question)
    try:
        while True:
            try:
                yield loop.run_until_complete(anext(chunks))
            except StopAsyncIteration:
                return
    finally:
        loop.run_until_complete(chunks.aclose())


def as_object(url, question, shape):
    return json.loads(whole(url, question, **form(shape))["choices"][0]["message"]["content"])


def call(url, question, shape):
    made = whole(url, question, **offer(shape))["choices"][0]["message"]["tool_calls"][0]
    arguments = json.loads(made["function"]["arguments"])
    return {"name": made["function"]["name"], "arguments": arguments}


def several(url, question, count):
    return [choice["message"]["content"] for choice in whole(url, question, n=count)["choices"]]


def logprobs(url, question):
    answer = whole(url, question, logprobs=True, top_logprobs=2)
    return [token["logprob"] for token in answer["choices"][0]["logprobs"]["content"]]
