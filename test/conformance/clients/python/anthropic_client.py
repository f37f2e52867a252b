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
