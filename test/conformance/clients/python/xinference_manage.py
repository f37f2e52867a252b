"""Manages models with Xinference's own client, as its users do, and prints each step that went well.

Usage: xinference_manage.py sync|async FACTS, where FACTS is JSON with `url`, `loading` and `asking` (servers:
a real one, one whose models never finish loading, one that answers slowly), `checkpoint` and `picture`.
"""

import asyncio
import inspect
import json
import sys

import xinference_client

kind, facts = sys.argv[1], json.loads(sys.argv[2])
loop = asyncio.new_event_loop()


def run(value):
    return loop.run_until_complete(value) if inspect.isawaitable(value) else value


def pieces(chunks):
    if not hasattr(chunks, "__aiter__"):
        yield from chunks
        return
    while True:
        try:
            yield run(anext(chunks))
        except StopAsyncIteration:
            return


class Client:
    """Calls of either client, waited for."""

    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        found = getattr(self.target, name)
        return lambda *args, **more: run(found(*args, **more))


def connect(url):
    if kind == "sync":
        return Client(xinference_client.RESTfulClient(url))

    async def inside():
        return xinference_client.AsyncRESTfulClient(url)

    return Client(run(inside()))


def done(step):
    print(step, flush=True)


def refusal(call, *args, **more):
    try:
        call(*args, **more)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it was not refused")


client = connect(facts["url"])
newer = hasattr(client.target, "get_launch_model_progress")
checkpoint = facts["checkpoint"]

uid = client.launch_model(
    "tiny", model_engine="native", model_path=checkpoint, model_uid="py", replica=2, n_gpu="auto"
)
assert uid == "py", uid
done("launch")

record = client.list_models()["py"]
described = client.describe_model("py")
for one in (record, described):
    assert one["model_type"] == "LLM" and one["model_name"] == "tiny", one
    assert one["model_engine"] == "native" and one["replica"] == 2, one
    assert one["model_ability"] == ["chat", "vision", "tools"], one
    assert one["model_format"] == "pytorch" and one["quantization"] == "none", one
done("list and describe")

model = Client(client.get_model("py"))
words = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "ab"},
            {"type": "image_url", "image_url": {"url": facts["picture"]}},
        ],
    }
]
config = {"temperature": 0, "max_tokens": 5}
whole = model.chat(words, generate_config=config)
assert whole["object"] == "chat.completion" and whole["model"] == "py", whole
assert whole["usage"]["completion_tokens"] == 5, whole
chunks = list(pieces(model.chat(words, generate_config={**config, "stream": True})))
text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
assert text == whole["choices"][0]["message"]["content"], (text, whole)
last = chunks[-1]["choices"][0]
assert last["finish_reason"] == whole["choices"][0]["finish_reason"], last
assert last["delta"] == facts["last_delta"], last
done("chat with a picture, whole and streamed")

shapes = {"shape": {"enum": ["circle", "square"]}}
shape = {"type": "object", "properties": shapes, "required": ["shape"]}
tools = [{"type": "function", "function": {"name": "see", "parameters": shape}}]
config = {"temperature": 0, "max_tokens": 200, "tool_choice": "required"}
whole = model.chat(words, tools=tools, generate_config=config)["choices"][0]
assert whole["finish_reason"] == "tool_calls" and whole["message"]["content"] is None, whole
[call] = whole["message"]["tool_calls"]
assert call["function"]["name"] == "see", call
assert json.loads(call["function"]["arguments"])["shape"] in ("circle", "square"), call
streamed = model.chat(words, tools=tools, generate_config={**config, "stream": True})
last = list(pieces(streamed))[-1]["choices"][0]
assert last["finish_reason"] == "tool_calls", last
assert last["delta"].pop("tool_calls")[0]["function"] == call["function"], last
assert last["delta"] == facts["last_delta"], last
done("call a function, whole and streamed")
config = {"temperature": 0, "max_tokens": 5}

whole = model.generate("ab", generate_config=config)
assert whole["object"] == "text_completion", whole
chunks = list(pieces(model.generate("ab", generate_config={**config, "stream": True})))
assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"]
done("generate, whole and streamed")

assert "prompt" in refusal(model.generate, {"not": "text"}), "a wrong type is told by its name"
assert "messages" in refusal(model.chat, {"not": "a list"})
done("read what is wrong with a question")

again = refusal(
    client.launch_model, "tiny", model_engine="native", model_path=checkpoint, model_uid="py"
)
assert "Model is already in the model list, uid: py" in again, again
unknown = refusal(client.describe_model, "nobody")
assert 'No model is called "nobody"' in unknown, unknown
wrong = refusal(client.launch_model, "llama-3.2-visoin", model_engine="native")
assert "Model not found, name: llama-3.2-visoin" in wrong, wrong
assert "Did you mean llama-3.2-vision?" in wrong, wrong
odd = refusal(client.launch_model, "demo", model_engine="native", model_uid="a-rep0")
assert "The model UID is invalid" in odd, odd
odd = refusal(client.launch_model, "demo", model_engine="native", replica=0)
assert "The `replica` field must be at least 1." in odd, odd
odd = refusal(client.launch_model, "demo", model_engine="native", n_gpu=99)
assert "The parameter `n_gpu` must be greater than 0" in odd, odd
done("read why a launch is refused")

if newer:
    [instance] = client.get_instance_info("tiny", "py")
    assert instance["status"] == "READY" and instance["model_version"] == "tiny--pytorch--none"
    names = [replica["replica_model_uid"] for replica in instance["replica_statuses"]]
    assert names == ["py-rep0", "py-rep1"], names
    progress = client.get_launch_model_progress("py")
    assert progress["progress"] == 1.0, progress
    assert client.get_launch_model_progress("nobody")["progress"] == 0.0
    done("instances and progress")

    added = client.add_model_replica("py", {"replica_uid": "third"})
    assert added["replica_id"] == 2 and added["replica_model_uid"] == "py-rep2", added
    assert client.describe_model("py")["replica"] == 3
    assert client.terminate_model_replica("py", 0) == 2
    assert "has no replica 0" in refusal(client.terminate_model_replica, "py", 0)
    again = model.generate("ab", generate_config=config)
    assert again["usage"] == whole["usage"], again
    done("scale up and down")

family = {
    "version": 1,
    "model_name": "my-tiny",
    "context_length": 4096,
    "model_lang": ["en"],
    "model_ability": ["chat", "vision"],
    "model_family": "llama-3.2-vision-instruct",
    "model_specs": [
        {
            "model_format": "pytorch",
            "model_size_in_billions": facts["size"],
            "quantizations": ["none"],
            "model_uri": f"file://{checkpoint}",
        }
    ],
}
before = client.list_model_registrations("LLM")
assert {"model_name": "llama-3.2-vision", "is_builtin": True} in before, before
client.register_model("LLM", json.dumps(family), persist=False)
assert "my-tiny" in refusal(client.register_model, "LLM", json.dumps(family), persist=False)
assert {"model_name": "my-tiny", "is_builtin": False} in client.list_model_registrations("LLM")
assert client.get_model_registration("LLM", "my-tiny")["model_ability"] == ["chat", "vision"]
assert client.launch_model("my-tiny", model_engine="native") == "my-tiny"
assert client.describe_model("my-tiny")["model_family"] == "llama-3.2-vision-instruct"
client.terminate_model("my-tiny")
client.unregister_model("LLM", "my-tiny")
assert client.list_model_registrations("LLM") == before
done("register, launch by that name, unregister")

engines = client.query_engine_by_model_name("llama-3.2-vision")
native = engines["native"]
assert [offer["model_size_in_billions"] for offer in native] == [11, 90], native
assert all(offer["quantizations"] for offer in native), native
if facts["last_delta"] == {}:
    assert all(isinstance(offers, list) for offers in engines.values()), engines
done("ask which engines there are")

assert client.list_cached_models() == []
assert client.list_deletable_models("x--1B--pytorch--none")["paths"] == []
assert client.confirm_and_remove_model("x--1B--pytorch--none") is False
[worker] = client.get_workers_info()
assert worker["models"] == ["py"], worker
assert client.get_supervisor_info()["supervisor_ip"] == worker["work-ip"]
assert client._get_supervisor_internal_address() == worker["work-ip"]
assert set(client.vllm_models()) == {"chat", "generate"}
assert client.get_progress("any") == {"progress": 0}
done("caches and the cluster")

client.terminate_model("py")
assert client.list_models() == {}
gone = refusal(client.terminate_model, "py")
assert "Model not found in the model list, uid: py" in gone, gone
done("terminate")

if newer:
    loading = connect(facts["loading"])
    late = f"late-{kind}"
    loading.launch_model(
        "tiny", model_engine="native", model_path=checkpoint, model_uid=late, wait_ready=False
    )
    [instance] = loading.get_instance_info("tiny", late)
    assert instance["status"] == "CREATING", instance
    assert loading.get_launch_model_progress(late)["progress"] < 1
    assert "still starting" in refusal(loading.describe_model, late)
    assert late not in loading.list_models()
    loading.cancel_launch_model(late)
    [instance] = loading.get_instance_info("tiny", late)
    assert instance["status"] == "ERROR", instance
    assert "Launch cancelled" in instance["error_message"], instance
    never = refusal(loading.cancel_launch_model, "nobody")
    assert "Model nobody has not been launched yet" in never, never
    loading.terminate_model(late)
    assert loading.get_instance_info("tiny", late) == []
    done("launch without waiting, and cancel")

asking = connect(facts["asking"])
slow = Client(asking.get_model("fake"))
request = f"mine-{kind}-{newer}"
answer = pieces(
    slow.generate("ab", generate_config={"stream": True, "request_id": request, "max_tokens": 900})
)
next(answer)
assert asking.abort_request("fake", request)["msg"] == "DONE"
try:
    assert len(list(answer)) < 800
except Exception as error:
    assert "aborted by another call" in str(error), error
assert asking.abort_request("fake", request)["msg"] == "NOT_FOUND"
done("abort a request by its id")

assert asking.abort_cluster()["result"] is True
done("stop the server")
