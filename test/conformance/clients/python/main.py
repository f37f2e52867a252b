"""Runs one Python client for a test: a question a line comes in, an answer a line goes out.

Started with the name of a module beside this file, which has `ask(url, question)` and
`stream(url, question)`, and, where the client has words for them, `as_object(url, question, shape)`,
`call(url, question, shape)`, `several(url, question, count)` and `logprobs(url, question)`. A stream gives one piece for each line "next"; "close" hangs up.
"""

import importlib
import json
import sys


def say(**answer):
    print(json.dumps(answer), flush=True)


def serve(client):
    stream = None
    for line in sys.stdin:
        try:
            command = json.loads(line)
            what = command["do"]
            if what == "ask":
                say(text=client.ask(command["url"], command["question"]))
            elif what in ("object", "call", "several", "logprobs"):
                verb = getattr(client, {"object": "as_object"}.get(what, what))
                more = [command["more"]] if "more" in command else []
                say(result=verb(command["url"], command["question"], *more))
            elif what == "stream":
                stream = client.stream(command["url"], command["question"])
                say()
            elif what == "next":
                piece = next(stream, None)
                say(end=True) if piece is None else say(piece=piece)
            elif what == "close":
                stream.close()
                stream = None
                say()
        except Exception as error:  # noqa: BLE001 whatever a client throws is told
            say(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    serve(importlib.import_module(sys.argv[1]))
