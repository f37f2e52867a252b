import json

from openai_client import form, messages, offer
from xinference_client import RESTfulClient

config = {"temperature": 0}


def whole(url, question, tools=None, **more):
    model = RESTfulClient(url).get_model(question["model"])
    return model.chat(messages(question), tools=tools, generate_config={**config, **more})


def ask(url, question):
    return whole(url, question)["choices"][0]["message"]["content"]


def stream(url, question):
    model = RESTfulClient(url).get_model(question["model"])
    chunks = model.chat(messages(question), generate_config={**config, "stream": True})
    try:
        for chunk in chunks:
            yield chunk["choices"][0]["delta"].get("content") or ""
    finally:
        # Its own way to hang up: the session ends with the handle, and in 0.16 with the chunks.
        chunks.close()
        if hasattr(model, "close"):
            model.close()


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
