"""Logs in with Xinference's own client, and is let in or kept out; prints each step that went well.

Usage: xinference_auth.py sync|async FACTS, where FACTS is JSON with `url`, `checkpoint`, accounts and keys by what they may do.
"""

import asyncio
import inspect
import json
import sys
import urllib.request

import openai
import xinference_client

kind, facts = sys.argv[1], json.loads(sys.argv[2])
loop = asyncio.new_event_loop()


def run(value):
    return loop.run_until_complete(value) if inspect.isawaitable(value) else value


class Client:
    """Calls of either client, waited for."""

    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        found = getattr(self.target, name)
        return lambda *args, **more: run(found(*args, **more))


def connect(key=None):
    if kind == "sync":
        return Client(xinference_client.RESTfulClient(facts["url"], key))

    async def inside():
        return xinference_client.AsyncRESTfulClient(facts["url"], key)

    return Client(run(inside()))


def refusal(call, *args, **more):
    try:
        call(*args, **more)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it was not refused")


def done(step):
    print(step, flush=True)


def launch(client, uid):
    path = {"model_path": facts["checkpoint"], "model_uid": uid}
    return client.launch_model("tiny", model_engine="native", **path)


def use(client, uid):
    """Everything that who may read does with a model."""
    model = Client(client.get_model(uid))
    answer = model.chat([{"role": "user", "content": "ab"}], generate_config={"max_tokens": 3})
    assert answer["usage"]["completion_tokens"] == 3, answer
    chunks = model.generate("ab", generate_config={"max_tokens": 3, "stream": True})
    if hasattr(chunks, "__aiter__"):
        run(anext(chunks))
    else:
        assert next(iter(chunks))["choices"], chunks


stranger = connect()
assert "This server needs a key" in refusal(stranger.list_models), refusal(stranger.list_models)
told = refusal(connect("sk-wrongwrongwro").list_models)
assert "Could not validate credentials" in told, told
done("who is nobody is kept out")

wrong = refusal(stranger.login, facts["reader"]["username"], "wrong")
assert "Incorrect username or password" in wrong, wrong
done("a wrong password is told so")

operator = connect()
operator.login(facts["operator"]["username"], facts["operator"]["password"])
assert launch(operator, "mine") == "mine"
use(operator, "mine")
done("who may launch does, by a login")

for lister in (connect(), connect(facts["reader"]["key"])):
    if lister.target._headers == {}:
        lister.login(facts["reader"]["username"], facts["reader"]["password"])
    assert "mine" in lister.list_models()
    told = refusal(launch, lister, "second")
    assert "Not enough permissions" in told, told
    told = refusal(lister.terminate_model, "mine")
    assert "Not enough permissions" in told, told
done("who may only look is let look")

key = connect(facts["operator"]["key"])
assert launch(key, "by-key") == "by-key"
use(key, "by-key")
key.terminate_model("by-key")
done("who may launch does, by a key")

told = refusal(key.get_supervisor_info)
assert "Not enough permissions" in told, told
admin = connect()
admin.login(facts["admin"]["username"], facts["admin"]["password"])
assert "supervisor_ip" in admin.get_supervisor_info()
admin.terminate_model("mine")
done("an administrator may everything")

ask = {"model": "mine", "messages": [{"role": "user", "content": "ab"}]}
for api_key, expected in (
    ("sk-wrongwrongwro", openai.AuthenticationError),
    (facts["reader"]["key"], openai.PermissionDeniedError),
):
    try:
        openai.OpenAI(base_url=facts["url"] + "/v1", api_key=api_key).chat.completions.create(**ask)
        raise AssertionError("it was not refused")
    except expected:
        pass
done("OpenAI's client has the errors it knows")

if "novice" in facts:
    novice = connect()
    novice.login(facts["novice"]["username"], facts["novice"]["password"])
    told = refusal(novice.list_models)
    assert "novice must change its password" in told, told
    assert "POST /v1/auth/password" in told, told
    change = urllib.request.Request(
        facts["url"] + "/v1/auth/password",
        json.dumps({"old_password": facts["novice"]["password"], "new_password": "a password of its own"}).encode(),
        {**novice.target._headers, "content-type": "application/json"},
    )
    with urllib.request.urlopen(change) as reply:
        token = json.load(reply)["access_token"]
    assert "mine" not in connect(token).list_models()
    novice.login(facts["novice"]["username"], "a password of its own")
    assert "mine" not in novice.list_models()
    done("who must change the password is told how, and then works")
