from openai_client import messages
from xinference_client import RESTfulClient

config = {"temperature": 0}


def ask(url, question):
    model = RESTfulClient(url).get_model(question["model"])
    answer = model.chat(messages(question), generate_config=config)
    return answer["choices"][0]["message"]["content"]


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
