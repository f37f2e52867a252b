"""A process that knows grammars: `python -I -B grammar_process.py`. `grammars.py` starts it, twice.

XGrammar runs here and not in the worker, so that a grammar that never ends, eats memory or crashes the
library costs nobody else anything: the process is ended. It is given token strings and grammars on its
standard input, answers on its standard output, and ends with its input. The library's own package would
read PyTorch, for a second and 300 MB; only its compiled part is loaded.

A question is a JSON object behind its length; an answer is its length, the question's number, a kind and
what belongs to it:

  hello   tokenizer (path), vocab_size, memory_bytes   DONE
  try     grammar                                      DONE, UNUSABLE with the reason, or TOO_MUCH
  open    id, grammar, stop_token_ids, accepted        MASK, or DONE when the answer is complete
  accept  id, token_id                                 the same, or UNKNOWN
  close   id                                           nothing
"""

import array
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import struct
import sys
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

DONE, MASK, UNUSABLE, TOO_MUCH, UNKNOWN = range(5)
# Length of what follows the header, the question's number, the kind.
ANSWER = struct.Struct("<IIB")
QUESTION = struct.Struct("<I")

# How XGrammar numbers the spelling of GPT-2's byte-level vocabularies.
BYTE_LEVEL = 2
MAX_COMPILED = 64
MAX_COMPILED_BYTES = 64 * 2**20
MAX_TOKENIZER_BYTES = 64 * 2**20
# Of the processor, to read a grammar's text: other answers wait meanwhile. Milliseconds are usual.
MAX_PARSE_SECONDS = 1.0
# Of the processor, for one trial. Whoever asked ends us earlier; this is for when nobody is left.
MAX_TRIAL_SECONDS = 60


class TooMuch(Exception):
    """A grammar that takes too long to read."""


def load_library() -> Any:
    """XGrammar's compiled part, without the package around it. Raises ImportError."""
    files = importlib.metadata.files("xgrammar") or []
    found = [file for file in files if file.match("xgrammar/xgrammar_bindings*")]
    for file in found:
        spec = importlib.util.spec_from_file_location("xgrammar_bindings", str(file.locate()))
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    raise ImportError("xgrammar has no compiled part", name="xgrammar")


def read_tokens(path: str, vocab_size: int) -> list[str]:
    """By id, as they are spelled; special tokens are no text, so they are empty."""
    if os.path.getsize(path) > MAX_TOKENIZER_BYTES:
        raise ValueError("tokenizer.json is too large")
    with open(path, encoding="utf-8") as file:
        tokenizer = json.load(file)
    special = {token["id"] for token in tokenizer.get("added_tokens", [])}
    tokens = [""] * vocab_size
    for text, index in tokenizer["model"]["vocab"].items():
        if index < vocab_size and index not in special:
            tokens[index] = text
    return tokens


def limit(name: str, value: int) -> None:
    """Beyond it the library fails, or we are ended. What the system does not limit is not limited."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        which = getattr(resource, name)
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (value, hard))


def reason_in(error: BaseException) -> str:
    """`[12:00:00] …/grammar_parser.cc:551: EBNF parser error at line 1 …` → what follows the place."""
    match = re.search(r"\.cc:\d+:\s*(?:Check failed:.*?is false:\s*)?(.+)", str(error), re.DOTALL)
    words = match[1] if match else "it cannot be compiled"
    return " ".join(words.split())[:300].strip()


class Keeper:
    """Grammars that are compiled, and the answers that are held to them."""

    def __init__(self, library: Any, tokens: list[str]) -> None:
        self._library = library
        self._vocab_size = len(tokens)
        # The library is told that every token without text is an end: those that it takes for no ends it
        # rules out at the end too, wherever most others may come.
        self._textless = [index for index, text in enumerate(tokens) if text == ""]
        info = library.TokenizerInfo(tokens, BYTE_LEVEL, len(tokens), self._textless, False)
        # One thread, and no cache of its own: ours has a bound.
        self._compiler = library.GrammarCompiler(info, 1, False, -1)
        # Least recently used first; matchers hold what they need.
        self._compiled: OrderedDict[str, Any] = OrderedDict()
        # Each with the bits of tokens that are no text and do not end it, by their words of the mask.
        self._matchers: dict[int, tuple[Any, dict[int, int]]] = {}
        # Those that are being opened → whether they are wanted still.
        self._opening: dict[int, bool] = {}
        self._lock = threading.Lock()

    def try_out(self, grammar: str) -> None:
        limit("RLIMIT_CPU", int(time.process_time()) + MAX_TRIAL_SECONDS)
        self.compile(grammar)

    def announce(self, answer_id: int) -> None:
        with self._lock:
            self._opening[answer_id] = True

    def compile(self, grammar: str) -> Any:
        known = self._compiled.get(grammar)
        if known is not None:
            self._compiled.move_to_end(grammar)
            return known
        # This alone keeps the interpreter to itself.
        started = time.thread_time()
        parsed = self._library.Grammar.from_ebnf(grammar, "root")
        if time.thread_time() - started > MAX_PARSE_SECONDS:
            raise TooMuch
        compiled = self._compiler.compile_grammar(parsed)
        self._compiled[grammar] = compiled
        sizes = [one.memory_size_bytes for one in self._compiled.values()]
        while len(sizes) > 1 and (len(sizes) > MAX_COMPILED or sum(sizes) > MAX_COMPILED_BYTES):
            self._compiled.popitem(last=False)
            sizes.pop(0)
        return compiled

    def open(self, question: dict[str, Any]) -> bytes | None:
        matcher = None
        never = self._never(question["stop_token_ids"])
        try:
            compiled = self.compile(question["grammar"])
            matcher = self._library.GrammarMatcher(compiled, question["stop_token_ids"], False, -1)
            for token_id in question["accepted"]:
                self._accept(matcher, token_id)
            return self._next(matcher, never)
        finally:
            with self._lock:
                if self._opening.pop(question["id"]) and matcher is not None:
                    self._matchers[question["id"]] = (matcher, never)

    def accept(self, answer_id: int, token_id: int) -> bytes | None:
        """Raises KeyError for an answer that this process has never been told of."""
        matcher, never = self._matchers[answer_id]
        self._accept(matcher, token_id)
        return self._next(matcher, never)

    def close(self, answer_id: int) -> None:
        with self._lock:
            if answer_id in self._opening:
                self._opening[answer_id] = False
            self._matchers.pop(answer_id, None)

    def _accept(self, matcher: Any, token_id: int) -> None:
        if not matcher.is_terminated() and not matcher.accept_token(token_id, False):
            raise ValueError("a token was chosen that is not allowed")

    def _never(self, stop_token_ids: list[int]) -> dict[int, int]:
        words: dict[int, int] = {}
        for index in set(self._textless) - set(stop_token_ids):
            words[index >> 5] = words.get(index >> 5, 0) | 1 << (index & 31)
        return words

    def _next(self, matcher: Any, never: dict[int, int]) -> bytes | None:
        """A bit for each token, or None where the answer is complete."""
        if matcher.is_terminated():
            return None
        mask = array.array("i", [-1]) * ((self._vocab_size + 31) // 32)
        matcher.fill_next_token_bitmask(mask, 0, False)
        for word, bits in never.items():
            mask[word] &= ~bits
        return mask.tobytes()


class Server:
    def __init__(self) -> None:
        self._input = sys.stdin.buffer
        self._output = sys.stdout.buffer
        self._keeper: Keeper | None = None
        self._lock = threading.Lock()
        # Masks of other answers go on while a grammar is compiled.
        self._compiling = ThreadPoolExecutor(1)

    def run(self) -> None:
        number = 0
        while True:
            header = self._input.read(QUESTION.size)
            if len(header) < QUESTION.size:
                break
            question = json.loads(self._input.read(QUESTION.unpack(header)[0]))
            if question["type"] == "open":
                assert self._keeper is not None
                self._keeper.announce(question["id"])
            if question["type"] in ("open", "try"):
                self._compiling.submit(self._answer, number, question)
            else:
                self._answer(number, question)
            number += 1
        # Without waiting for what is still being compiled.
        os._exit(0)

    def _answer(self, number: int, question: dict[str, Any]) -> None:
        try:
            mask = self._work(question)
            if question["type"] != "close":
                self._send(number, DONE if mask is None else MASK, mask or b"")
        except TooMuch:
            self._send(number, TOO_MUCH)
        except KeyError:
            self._send(number, UNKNOWN)
        except (RuntimeError, UnicodeError) as error:
            self._send(number, UNUSABLE, reason_in(error).encode())
        except BaseException:
            # What is left is not to be trusted, and whoever waits hears of our end.
            os._exit(1)

    def _work(self, question: dict[str, Any]) -> bytes | None:
        kind = question["type"]
        if kind == "hello":
            tokens = read_tokens(question["tokenizer"], question["vocab_size"])
            self._keeper = Keeper(load_library(), tokens)
            limit("RLIMIT_AS", question["memory_bytes"])
            limit("RLIMIT_CORE", 0)
            return None
        assert self._keeper is not None
        if kind == "open":
            return self._keeper.open(question)
        if kind == "accept":
            return self._keeper.accept(question["id"], question["token_id"])
        if kind == "close":
            self._keeper.close(question["id"])
        else:
            self._keeper.try_out(question["grammar"])
        return None

    def _send(self, number: int, kind: int, content: bytes = b"") -> None:
        with self._lock:
            self._output.write(ANSWER.pack(len(content), number, kind) + content)
            self._output.flush()


if __name__ == "__main__":
    Server().run()
