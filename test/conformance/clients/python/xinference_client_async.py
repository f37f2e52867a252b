import asyncio

from openai_client import messages
from xinference_client import AsyncRESTfulClient

config = {"temperature": 0}
loop = asyncio.new_event_loop()


async def open_model(url, question):
    client = AsyncRESTfulClient(url)
    try:
        return await client.get_model(question["model"])
    finally:
        await client.close()


async def answer(url, question):
    model = await open_model(url, question)
    try:
        reply = await model.chat(messages(question), generate_config=config)
        return reply["choices"][0]["message"]["content"]
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


def ask(url, question):
    return loop.run_until_complete(answer(url, question))


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
