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
