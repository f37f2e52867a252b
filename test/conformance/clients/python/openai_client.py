import json

from openai import OpenAI


def messages(question):
    content = [{"type": "text", "text": question["text"]}]
    if "picture" in question:
        content.append({"type": "image_url", "image_url": {"url": question["picture"]}})
    system = [{"role": "system", "content": question["system"]}] if "system" in question else []
    return [*system, {"role": "user", "content": content}]


def create(url, question, **more):
    client = OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
    return client.chat.completions.create(
        model=question["model"], messages=messages(question), temperature=0, **more
    )


def ask(url, question):
    return create(url, question).choices[0].message.content


def stream(url, question):
    with create(url, question, stream=True) as chunks:
        for chunk in chunks:
            yield chunk.choices[0].delta.content or ""


def form(shape):
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": shape["name"], "strict": True, "schema": shape["schema"]},
        }
    }


def offer(shape):
    function = {"name": shape["name"], "parameters": shape["schema"]}
    choice = {"type": "function", "function": {"name": shape["name"]}}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}


def as_object(url, question, shape):
    return json.loads(create(url, question, **form(shape)).choices[0].message.content)


def call(url, question, shape):
    made = create(url, question, **offer(shape)).choices[0].message.tool_calls[0].function
    return {"name": made.name, "arguments": json.loads(made.arguments)}


def several(url, question, count):
    return [choice.message.content for choice in create(url, question, n=count).choices]


def logprobs(url, question):
    answer = create(url, question, logprobs=True, top_logprobs=2)
    return [token.logprob for token in answer.choices[0].logprobs.content]
