# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chat templates: what they write is what the jinja2 package writes, for the forms of many families and hostile texts."""

import argparse
import json
import random
import subprocess
import sys
import unittest

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizer_test import hostile

TEMPLATE = ""

CHATML = """{%- for message in messages %}
    {%- if loop.first and messages[0]['role'] != 'system' %}
        {{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
LLAMA2 = """{% if messages[0]['role'] == 'system' %}
{% set rest = messages[1:] %}{% set system = '<<SYS>>\\n' ~ messages[0].content.strip() ~ '\\n<</SYS>>\\n\\n' %}
{% else %}{% set rest = messages %}{% set system = '' %}{% endif %}
{% for message in rest %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
    {% set content = system + message['content'] if loop.index0 == 0 else message['content'] %}
    {% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}{{ ' ' + content | trim + ' ' + eos_token }}{% endif %}
{% endfor %}"""
LLAMA3 = """{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none and tools %}{{- "Environment: ipython\\n" }}{%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("one call at a time") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}<|eom_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}{{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}{{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""
QWEN3 = """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}{%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}{%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}{{- '<|im_start|>' + message.role + '\\n' + content }}{%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- else %}{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"""
GEMMA = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}{%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}{%- set loop_messages = messages[1:] -%}
{%- else -%}{%- set first_user_prefix = "" -%}{%- set loop_messages = messages -%}{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception("roles must alternate user/assistant") }}{%- endif -%}
    {%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}{{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}{%- for item in message['content'] -%}{%- if item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}
    {%- else -%}{{ raise_exception("Invalid content type") }}{%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<start_of_turn>model\\n'}}{%- endif -%}
"""
MACROS = """{%- macro turn(role, content, end='</s>') -%}
[{{ role | upper }}]{{ content }}{{ end }}
{%- endmacro -%}
{# what was said #}
{%- for message in messages if message.role != 'system' -%}
  {%- if message.content | length > 30 %}{% continue %}{% endif -%}
  {{ turn(message.role, message.content) if not loop.last else turn(message.role, message.content, end='') }}
  {%- if loop.index > 3 %}{% break %}{% endif -%}
{%- else %}nobody{% endfor %}
{%- set listed %}{% for m in messages | selectattr('role', 'equalto', 'user') | list %}{{ loop.index }}. {{ m.content }}
{% endfor %}{% endset %}
{{ listed | indent(2) }}{{ messages | map(attribute='role') | unique | join(', ') }}
"""
PHI3 = "{% for message in messages %}{% if message['role'] in ['user', 'system'] %}{{ '<|' ~ message['role'] ~ '|>' + '\n' + message['content'] + '<|end|>' + '\n' }}{% elif message['role'] == 'assistant' %}{% generation %}{{'<|assistant|>' + '\n' + message['content'] + '<|end|>' + '\n'}}{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
FAMILIES = {"chatml": CHATML, "llama2": LLAMA2, "llama3": LLAMA3, "qwen3": QWEN3, "gemma": GEMMA, "macros": MACROS, "phi3": PHI3}

# Expressions, each on its own.
EXPRESSIONS = """1 + 2 * 3 - 4 | abs;;7 // 2;;-7 // 2;;-7 % 3;;7 / 2;;2 ** 10;;1.5 + 1;;3.0;;1e3 if false else 0.1;;10000000000000000.0 * 10
'a' ~ 1 ~ none ~ true;;'ab' * 3;;[1, 'a', none, true, 1.5, {'k': "it's"}];;{'a': [1, {'b': 2}]}|tojson;;{'a': [1, {'b': []}], 'c': {}}|tojson(indent=2)
'abc'[1];;'abc'[-1];;'añ日b'[1:3];;'abc'[::-1];;[1, 2, 3][1:];;[1, 2, 3][:-1];;[1, 2, 3][::-2];;'abc'[5:];;[1,2][9] is defined;;'x'.y is defined
' a b '.strip();;'xxaxx'.strip('x');;'xxaxx'.lstrip('x');;'a,b,,c'.split(',');;'a b  c'.split();;'a,b,c'.split(',', 1);;'a,b,c'.rsplit(',', 1)[0];;'a-b'.replace('-', '+')
'Hello World'.upper();;'ÀÉß'.lower();;'straße'.upper();;'hello wOrld it'.title();;'hELLO'.capitalize();;'hello'.startswith('he');;'hello'.endswith(('x', 'lo'));;'a' in 'abc';;'d' not in 'abc'
1 in [1, 2];;'k' in {'k': 1};;1 == 1.0;;true == 1;;'a' < 'b';;1 < 2.5;;none is none;;x is undefined;;x is defined;;x is none;;messages is iterable;;{} is mapping
'' or 'b';;'a' and 'b';;not 'a';;not x;;x | default('d');;'' | default('d', true);;[3, 1, 2] | sort | list;;[1, 1, 2] | unique | list;;['a', 'b'] | join('-');;['a', 'b'] | first
[] | first is defined;;[1, 2] | last;;'abc' | length;;'日本' | length;;{'b': 1, 'a': 2} | dictsort | map('last') | list;;{'b': 1}.items() | map('first') | list;;{'b': 1} | items | map('first') | list;;{'b': 1}.get('b');;{'b': 1}.get('c');;{'b': 1}.get('c', 5)
range(3) | list;;range(5, 1, -2) | list;;'5' | int + 1;;'x' | int;;3.7 | int;;'2.5' | float;;5 is odd;;4 is even;;6 is divisibleby(3);;1 is number;;'a' is string;;1 is eq 1;;2 is in [1, 2];;true is boolean
[1, 2, 3] | select('odd') | list;;[1, 2, 3] | reject('odd') | list;;['a', 'b'] | map('upper') | list;;[{'a': 1}, {'a': 2}, {}] | selectattr('a') | list | length;;[{'a': {'b': 1}}] | map(attribute='a.b') | list
'a\\nb\\n\\nc' | indent(2);;'a\\nb' | indent(2, true);;'<b>' | safe;;[1, 2] + [3];;(1, 2) | list;;namespace(a=1).a;;dict(a=1, b='x');;'a' if x else 'b';;'a' if true;;('a' if false) is defined;;'%s' ~ '%';;"it's" ~ 'a "b"';;["it's", 'a "b" \\'c', 'x\\ny\\\\']
'é\\u00e9\\x41\\t|';;-3 | abs;;+2;;- 2 ** 2;;2 + 3 ~ 4;;'a' 'b';;1 is not none;;not 1 in [2];;[[1, 2], [3]][0][1];;messages[0].role;;messages[0]['nothing'] is defined;;messages | length > 1 and 'y' or 'n';;'abc' | reverse;;[1, 2] | reverse | list;;'Abc' | lower == 'abc'
"a" "b" | upper;;'a.b' | replace('.', '/');;none | default('d');;['', 'x'] | select | list;;'x' | string ~ 1;;true | string;;"  x " | trim;;'aXbX'.count('X');;'abc'.find('c');;'abc'.find('z')"""


class TemplateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        class Generation(jinja2.ext.Extension):
            tags = {"generation"}

            def parse(self, parser):
                line = next(parser.stream).lineno
                body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
                return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

            def _same(self, caller):
                return caller()

        cls.compiled = {}
        extensions = [Generation, jinja2.ext.loopcontrols]
        cls.judge = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)

        def tojson(value, indent=None):
            return json.dumps(value, ensure_ascii=False, indent=indent)

        def refuse(message):
            raise jinja2.TemplateError(message)

        cls.judge.filters["tojson"] = tojson
        cls.judge.globals["raise_exception"] = refuse

    def ours(self, requests):
        lines = "".join(json.dumps({"template": t, "variables": v}) + "\n" for t, v in requests)
        done = subprocess.run([TEMPLATE], input=lines, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def theirs(self, template, variables):
        try:
            if template not in self.compiled:
                self.compiled[template] = self.judge.from_string(template)
            return {"text": self.compiled[template].render(**variables)}
        except (jinja2.TemplateError, TypeError) as error:  # the texts of Python's own are not ours
            return {"error": str(error) if type(error) is jinja2.TemplateError else ""}

    def compare(self, requests):
        """All of them, and how those differ that do."""
        answers = self.ours(requests)
        self.assertEqual(len(answers), len(requests))
        wrong = []
        for (template, variables), answer in zip(requests, answers):
            wanted = self.theirs(template, variables)
            same = answer == wanted if "text" in wanted else "error" in answer and wanted["error"] in answer["error"]
            if not same:
                wrong.append(f"{template}\n{json.dumps(variables)}\n ours {answer}\n theirs {wanted}")
        self.assertFalse(wrong, f"{len(wrong)} of {len(requests)} differ, such as\n" + "\n".join(wrong[:8]))

    def conversations(self, count, seed):
        pick = random.Random(seed)
        texts = [text for text in hostile(count * 3, seed) if len(text) < 200 and "\x00" not in text and not any(0xD800 <= ord(c) < 0xE000 for c in text)]
        texts += ["", "<think>\nhm\n</think>\n\nyes", "<tool_response>\nx\n</tool_response>", " a\n", "{{ x }}", "{% if %}"]
        for _ in range(count):
            messages = [{"role": "system", "content": pick.choice(texts)}] if pick.random() < 0.4 else []
            for turn in range(pick.randrange(1, 6)):
                role = ("user", "assistant")[turn % 2] if pick.random() < 0.93 else pick.choice(["tool", "user", "assistant"])
                messages.append({"role": role, "content": pick.choice(texts)})
                if role == "assistant" and pick.random() < 0.2:
                    messages[-1]["reasoning_content"] = pick.choice(texts)
                if role == "assistant" and pick.random() < 0.1:
                    call = {"name": "f", "arguments": {"a": pick.choice([1, 1.5, None, True, "x'é"]), "b": ["y"]}}
                    messages[-1]["tool_calls"] = [{"type": "function", "function": call}]
            variables = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", "tools": None}
            variables["add_generation_prompt"] = pick.random() < 0.7
            if pick.random() < 0.2:
                variables["tools"] = [{"type": "function", "function": {"name": "g", "parameters": {"é": [1, {}]}}}]
            if pick.random() < 0.3:
                variables["enable_thinking"] = pick.random() < 0.5
            yield variables

    def test_families(self):
        for number, (name, template) in enumerate(FAMILIES.items()):
            with self.subTest(name):
                self.compare([(template, variables) for variables in self.conversations(400, number)])

    def test_expressions(self):
        variables = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
        self.compare([("{{ " + expression + " }}", variables) for expression in EXPRESSIONS.replace("\n", ";;").split(";;")])

    def test_white_space(self):
        """Around all kinds of tags, in all ways to ask for it."""
        pick = random.Random(7)
        tags = ["{{ 1 }}", "{{- 1 }}", "{{ 1 -}}", "{% if true %}", "{%- if true %}", "{% if true -%}", "{%+ if true %}", "{% if true +%}", "{# c #}", "{#- c -#}"]
        requests = []
        for _ in range(1500):
            parts, opened = [], 0
            for _ in range(pick.randrange(1, 8)):
                tag = pick.choice(tags)
                opened += "if" in tag
                parts += [pick.choice(["", " ", "\n", "  \n", "\n  ", "a", "\n\n\t", "b \n", " {", "}", "%}"]), tag]
            parts += [pick.choice(["", "\n", "  "]) + "{% endif %}" for _ in range(opened)] + [pick.choice(["", "\n", "\n\n", " "])]
            requests.append(("".join(parts), {}))
        self.compare(requests)

    def test_refused(self):
        cases = {
            "{% include 'x' %}": "line 1: the statement 'include' is not supported",
            "\n{{ x | pprint }}": "the filter 'pprint' is not supported",
            "{{ lipsum() }}": "the function 'lipsum' is not supported",
            "{{ 'a'.encode() }}": "a string has no method 'encode' that is supported",
            "{{ 1 is fine }}": "the test 'fine' is not supported",
            "{{ f(*x) }}": "arguments from a list",
            "{% if x %}": "'endif' is missing",
            "{% for x in y %}{% endif %}": "the statement 'endif' is not supported",
            "{{ x": "a tag does not end",
            "{{ 'x }}": "a string does not end",
            "{{ }}": "an expression is wanted",
            "{{ 1 + }}": "an expression is wanted",
            "{{ 1 < 2 < 3 }}": "several comparisons",
            "{{ x.y.z }}": "'x' is undefined and has no 'y'",
            "{{ 'a' + 1 }}": "'+' of a string and a int is not supported",
            "{{ 1 / 0 }}": "divided by zero",
            "{% set x.y = 1 %}": "'x' is no namespace",
            "{% set a, b = [1] %}": "1 values are given to 2 names",
            "{{ range(100000000) }}": "too many steps",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}": "too many steps",
            "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}": "too",
            "{{ 'abc' * 999999999999 }}": "too long",
            "{% for i in range(9999) %}{{ 'x' * 100000 }}{% endfor %}": "too",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "too deeply",
            "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}": "nests too deeply",
            "{{ " + "-" * 5000 + "1 }}": "nests too deeply",
            "{{ " + "[" * 5000: "a tag does not end",
            "{% if 1 %}" * 5000: "nests too deeply",
        }
        answers = self.ours([(template, {}) for template in cases])
        for (template, message), answer in zip(cases.items(), answers):
            self.assertIn(message, answer.get("error", str(answer)), template[:80])

    def test_damaged(self):
        """Cut short anywhere or with any letter changed: an answer, never a crash."""
        pick, requests = random.Random(3), []
        variables = next(iter(self.conversations(1, 5)))
        for template in FAMILIES.values():
            for _ in range(150):
                at = pick.randrange(len(template))
                requests.append((template[:at], variables))
                requests.append((template[:at] + pick.choice("{}%'\"()[]|.,-+~:ifé\n ") + template[at + 1 :], variables))
        self.assertEqual(len(self.ours(requests)), len(requests))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--template", required=True)
    options, rest = parser.parse_known_args()
    TEMPLATE = options.template
    unittest.main(argv=[sys.argv[0], *rest])
