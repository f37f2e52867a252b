"""Conversations with functions, rendered by a template that does what the released instruct one is known to do."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from checkpoint import write_json
from manifest import made_with

# Written for this test. The words in it that a model reads are those of the released template.
TEMPLATE = """
{{- bos_token }}
{%- set functions = custom_tools if custom_tools is defined else (tools if tools is defined else none) %}
{%- set in_user = tools_in_user_message if tools_in_user_message is defined else true %}
{%- set today = date_string if date_string is defined else "26 Jul 2024" %}
{%- set turns = messages %}
{%- set system = "" %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set turns = messages[1:] %}
{%- endif %}
{%- set found = namespace(picture=false) %}
{%- for turn in turns %}
    {%- for part in turn['content'] %}
        {%- if part['type'] == 'image' %}
            {%- set found.picture = true %}
        {%- endif %}
    {%- endfor %}
{%- endfor %}
{%- if found.picture and system != "" %}
    {{- raise_exception("Prompting with images is incompatible with system messages.") }}
{%- endif %}
{%- if not found.picture %}
    {{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
    {%- if functions is not none %}
        {{- "Environment: ipython\\n" }}
    {%- endif %}
    {{- "Cutting Knowledge Date: December 2023\\nToday Date: " + today + "\\n\\n" }}
    {%- if functions is not none and not in_user %}
        {{- "You have access to the following functions. To call a function, please respond with JSON for a function call." }}
        {{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' }}
        {{- "Do not use variables.\\n\\n" }}
        {%- for one in functions %}
            {{- one | tojson(indent=4) }}
            {{- "\\n\\n" }}
        {%- endfor %}
    {%- endif %}
    {{- system + "<|eot_id|>" }}
{%- endif %}
{%- if functions is not none and in_user %}
    {%- if turns | length == 0 %}
        {{- raise_exception("There is no first user message to put the functions into.") }}
    {%- endif %}
    {%- set first = turns[0]['content'] | trim %}
    {%- set turns = turns[1:] %}
    {{- "<|start_header_id|>user<|end_header_id|>\\n\\n" }}
    {{- "Given the following functions, please respond with a JSON for a function call " }}
    {{- "with its proper arguments that best answers the given prompt.\\n\\n" }}
    {{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' }}
    {{- "Do not use variables.\\n\\n" }}
    {%- for one in functions %}
        {{- one | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first + "<|eot_id|>" }}
{%- endif %}
{%- for turn in turns %}
    {%- if turn['role'] in ['tool', 'ipython'] %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if turn.content is mapping or turn.content is iterable %}
            {{- turn.content | tojson }}
        {%- else %}
            {{- turn.content }}
        {%- endif %}
    {%- elif 'tool_calls' in turn %}
        {%- if turn.tool_calls | length != 1 %}
            {{- raise_exception("One call a turn.") }}
        {%- endif %}
        {%- set call = turn.tool_calls[0].function %}
        {{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}" }}
    {%- else %}
        {{- "<|start_header_id|>" + turn['role'] + "<|end_header_id|>\\n\\n" }}
        {%- if turn['content'] is string %}
            {{- turn['content'] }}
        {%- else %}
            {%- for part in turn['content'] %}
                {%- if part['type'] == 'image' %}
                    {{- "<|image|>" }}
                {%- elif part['type'] == 'text' %}
                    {{- part['text'] }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
    {%- endif %}
    {{- "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}
{%- endif %}
"""


def _function(name: str, **more: object) -> dict:
    return {"type": "function", "function": {"name": name, **more}}


def _call(call_id: str, name: str, arguments: dict) -> dict:
    called = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": called}


WEATHER = _function(
    "get_weather",
    description='Weather of a "city", <b>now</b> \u2013 \u0e44\u0e17\u0e22.',
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
TIME = _function("get_time")
EMPTY = _function("list_all", parameters={"type": "object", "properties": {}, "required": []})
ASK = {"role": "user", "content": "  How warm is it?\n"}
ANSWER = {"role": "assistant", "content": "Warm."}


def _asked(call_id: str, name: str, arguments: dict) -> dict:
    return {"role": "assistant", "content": "", "tool_calls": [_call(call_id, name, arguments)]}


def _result(call_id: str, content: str) -> dict:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


CONVERSATIONS = [
    {"tools": [WEATHER], "messages": [ASK]},
    {
        "tools": [WEATHER, TIME, EMPTY],
        "messages": [{"role": "system", "content": " Be brief. "}, ASK],
    },
    {
        "tools": [WEATHER],
        "messages": [
            ASK,
            _asked(
                "c1",
                "get_weather",
                {"city": "\u0141\u00f3d\u017a", "days": 2, "x": [1.5, None, {"a": True}]},
            ),
            _result("c1", "22"),
        ],
    },
    {
        "tools": [WEATHER, TIME],
        "messages": [
            ASK,
            _asked("c1", "get_weather", {"city": "Rome"}),
            _result("c1", '{"temperature": 22, "say": "warm <|eot_x|>"}'),
            _asked("c2", "get_time", {}),
            _result("c2", ""),
            ANSWER,
            {"role": "user", "content": "And <b>later</b>? "},
        ],
    },
    # What was called once stays in the conversation when nothing is offered any more.
    {
        "tools": None,
        "messages": [
            ASK,
            _asked("c1", "get_weather", {"city": "Rome"}),
            _result("c1", "22"),
            ANSWER,
            ASK,
        ],
    },
    {
        "tools": None,
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": "Where is it?"}],
            },
            _asked("c1", "get_weather", {"city": "Rome"}),
            _result("c1", "22"),
        ],
    },
]


def write_tools(root: Path, checkpoint: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    rendered = []
    for conversation in CONVERSATIONS:
        text = tokenizer.apply_chat_template(
            conversation["messages"],
            tools=conversation["tools"],
            chat_template=TEMPLATE,
            tokenize=False,
            add_generation_prompt=True,
            date_string="26 Jul 2024",
        )
        token_ids = tokenizer.encode(text, add_special_tokens=False)
        rendered.append({**conversation, "text": text, "tokenIds": token_ids})
    write_json(
        root / "tools.json",
        {"madeWith": made_with(), "template": TEMPLATE, "renderings": rendered},
    )
