import json

from anthropic import Anthropic


def body(question):
    content = [{"type": "text", "text": question["text"]}]
    if "picture" in question:
        data = question["picture"].split(",")[1]
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content.insert(0, {"type": "image", "source": source})
    return {
        "model": question["model"],
        "max_tokens": 1024,
        # No argument of its own any more.
        "extra_body": {"temperature": 0},
        "messages": [{"role": "user", "content": content}],
        **({"system": question["system"]} if "system" in question else {}),
    }


def client(url):
    return Anthropic(base_url=url, api_key="unused", max_retries=0)


def ask(url, question):
    return client(url).messages.create(**body(question)).content[0].text


def stream(url, question):
    with client(url).messages.stream(**body(question)) as answer:
        yield from answer.text_stream


def as_object(url, question, shape):
    form = {"format": {"type": "json_schema", "schema": shape["schema"]}}
    answer = client(url).messages.create(**body(question), output_config=form)
    return json.loads(answer.content[0].text)


def call(url, question, shape):
    tools = [{"name": shape["name"], "input_schema": shape["schema"]}]
    choice = {"type": "tool", "name": shape["name"]}
    answer = client(url).messages.create(**body(question), tools=tools, tool_choice=choice)
    made = next(block for block in answer.content if block.type == "tool_use")
    return {"name": made.name, "arguments": made.input}
