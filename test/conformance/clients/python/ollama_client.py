import base64
import json

from ollama import Client


def chat(url, question, **more):
    message = {"role": "user", "content": question["text"]}
    if "picture" in question:
        message["images"] = [base64.b64decode(question["picture"].split(",")[1])]
    system = [{"role": "system", "content": question["system"]}] if "system" in question else []
    return Client(host=url).chat(
        model=question["model"], messages=[*system, message], options={"temperature": 0}, **more
    )


def ask(url, question):
    return chat(url, question).message.content


def stream(url, question):
    for part in chat(url, question, stream=True):
        yield part.message.content


def as_object(url, question, shape):
    return json.loads(chat(url, question, format=shape["schema"]).message.content)


def call(url, question, shape):
    function = {"name": shape["name"], "parameters": shape["schema"]}
    answer = chat(url, question, tools=[{"type": "function", "function": function}])
    made = answer.message.tool_calls[0].function
    return {"name": made.name, "arguments": dict(made.arguments)}


def logprobs(url, question):
    return [token.logprob for token in chat(url, question, logprobs=True).logprobs]
