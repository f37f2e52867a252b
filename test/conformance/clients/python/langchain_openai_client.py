from langchain_core.messages import convert_to_messages
from langchain_openai import ChatOpenAI
from openai_client import messages


def model(url, question, **more):
    return ChatOpenAI(
        model=question["model"],
        base_url=f"{url}/v1",
        api_key="unused",
        temperature=0,
        max_retries=0,
        **more,
    )


def ask(url, question):
    return model(url, question).invoke(messages(question)).text


def stream(url, question):
    for chunk in model(url, question).stream(messages(question)):
        yield chunk.text


def as_object(url, question, shape):
    schema = {"title": shape["name"], "description": "What there is.", **shape["schema"]}
    structured = model(url, question).with_structured_output(schema, method="json_schema")
    return structured.invoke(messages(question))


def call(url, question, shape):
    function = {"name": shape["name"], "parameters": shape["schema"]}
    tools = [{"type": "function", "function": function}]
    bound = model(url, question).bind_tools(tools, tool_choice=shape["name"])
    made = bound.invoke(messages(question)).tool_calls[0]
    return {"name": made["name"], "arguments": made["args"]}


def several(url, question, count):
    answers = model(url, question, n=count).generate([convert_to_messages(messages(question))])
    return [generation.text for generation in answers.generations[0]]


def logprobs(url, question):
    answer = model(url, question, logprobs=True, top_logprobs=2).invoke(messages(question))
    return [token["logprob"] for token in answer.response_metadata["logprobs"]["content"]]
