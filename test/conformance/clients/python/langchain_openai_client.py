from langchain_openai import ChatOpenAI
from openai_client import messages


def model(url, question):
    return ChatOpenAI(
        model=question["model"],
        base_url=f"{url}/v1",
        api_key="unused",
        temperature=0,
        max_retries=0,
    )


def ask(url, question):
    return model(url, question).invoke(messages(question)).text


def stream(url, question):
    for chunk in model(url, question).stream(messages(question)):
        yield chunk.text
