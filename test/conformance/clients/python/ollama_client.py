import base64

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
