"""Repairs: what they change is what they say, and every byte that they do not have to touch stays."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.json_path import EVERY, Path
from consumer.core.json_text import TextError
from consumer.core.repairs import Cast, Drop, Rename, RepairError, SetTo, repaired


def mend(text, *repairs):
    done = repaired(text.encode(), repairs)
    assert done.misfits == ()
    return done.value.decode()


def misfit(text, repair):
    done = repaired(text.encode(), [repair])
    assert done.value.decode() == text
    (why,) = done.misfits
    return why


# -- rename ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "repair", "after"),
    [
        ('{"clientId" : "a",\n "x":1}', "clientId=client_id", '{"client_id" : "a",\n "x":1}'),
        ('{"a": 1, "b": null}', "a=b", '{"b": 1}'),
        ('{"b": null, "a": 1}', "a=b", '{"b": 1}'),
        ('{"b":2}', "a=b", '{"b":2}'),
        ('{"a":1}', "a=a", '{"a":1}'),
        ('{"a":1,"a":2}', "a=b", '{"b":1,"b":2}'),
        ('{"d":{"a":1}}', "d.a=b", '{"d":{"b":1}}'),
        ('{"d":{"a":1}}', "d.a=d.b", '{"d":{"b":1}}'),
        ('{"i":[{"a":1},{"a":2},3]}', "i[].a=b", '{"i":[{"b":1},{"b":2},3]}'),
        ('{"i":[{"a":1},{"a":2}]}', "i[1].a=b", '{"i":[{"a":1},{"b":2}]}'),
        (r'{"d":"{\"a\" : \"\u00e9\\n\/\"}"}', "d.a=b", r'{"d":"{\"b\" : \"\u00e9\\n\/\"}"}'),
        ('{"a":"é"}', "a=größe", '{"größe":"é"}'),
        ('{"a":"e"}', "a=größe", r'{"gr\u00f6\u00dfe":"e"}'),
        ('{"a.b":1}', '["a.b"]=ab', '{"ab":1}'),
        ('{"a=b":1}', '["a=b"]=ab', '{"ab":1}'),
    ],
)
def test_rename(before, repair, after):
    assert mend(before, Rename.read(repair)) == after


def test_a_name_that_is_taken_is_not_given_again():
    assert misfit('{"a":1,"b":2}', Rename.read("a=b")) == "rename a to b: b is there already"
    assert repaired(b'{"i":[{"a":1},{"a":1,"b":2}]}', [Rename.read("i[].a=b")]) == (
        b'{"i":[{"b":1},{"a":1,"b":2}]}',
        ("rename i[].a to b: b is there already",),
    )


# -- drop --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "repair", "after"),
    [
        ('{"a":1, "b":2, "c":3}', "a", '{"b":2, "c":3}'),
        ('{"a":1, "b":2, "c":3}', "b", '{"a":1, "c":3}'),
        ('{"a":1, "b":2, "c":3}', "c", '{"a":1, "b":2}'),
        ('{ "a":1 }', "a", "{  }"),
        ('{"a":1,"b":2,"a":3,"a":4}', "a", '{"b":2}'),
        ('{"b":2}', "a", '{"b":2}'),
        ('{"i":[1, 2, 3]}', "i[1]", '{"i":[1, 3]}'),
        ('{"i":[1, 2, 3]}', "i[2]", '{"i":[1, 2]}'),
        ('{"i":[1, 2, 3]}', "i[]", '{"i":[]}'),
        ('{"i":[1]}', "i[5]", '{"i":[1]}'),
        ('{"i":[{"a":1,"b":2},{"a":1}]}', "i[].a", '{"i":[{"b":2},{}]}'),
        (r'{"d":"{\"a\":1,\"b\":2}"}', "d.a", r'{"d":"{\"b\":2}"}'),
        ('{"a":NaN,"b":1}', "a", '{"b":1}'),
        ('{"a":"x\0y","b":1}', "a", '{"b":1}'),
        ('{"a":1}', "a.b", '{"a":1}'),
    ],
)
def test_drop(before, repair, after):
    assert mend(before, Drop.read(repair)) == after


# -- set ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "repair", "after"),
    [
        ('{"a":1}', "a=2.50", '{"a":2.50}'),
        ('{"a":1}', "a=page_viewed", '{"a":"page_viewed"}'),
        ('{"a":1}', 'a="2"', '{"a":"2"}'),
        ('{"a":1}', 'a={"b":[1]}', '{"a":{"b":[1]}}'),
        ('{"a":1}', "a=", '{"a":""}'),
        ('{"a":1}', "a=x=y", '{"a":"x=y"}'),
        ('{"a":1}', "b=NaN", '{"a":1,"b":"NaN"}'),
        ("{}", "a=1", '{"a":1}'),
        ('{"a": 1}', "b=1", '{"a": 1, "b": 1}'),
        ('{\n  "a": 1,\n  "c": 1\n}', "b=1", '{\n  "a": 1,\n  "c": 1,\n  "b": 1\n}'),
        ('{"d":{}}', "d.a=1", '{"d":{"a":1}}'),
        (r'{"d":"{}"}', "d.a=x", r'{"d":"{\"a\":\"x\"}"}'),
        (r'{"d":"{\"a\":\"\ud83d\ude00\",\"b\":2}"}', "d.b=3", r'{"d":"{\"a\":\"\ud83d\ude00\",\"b\":3}"}'),
        ('{"i":[{},{"c":"x"}]}', "i[].c=EUR", '{"i":[{"c":"EUR"},{"c":"EUR"}]}'),
        ('{"i":[]}', "i[].c=EUR", '{"i":[]}'),
        ('{"i":[1,2]}', "i[0]=5", '{"i":[5,2]}'),
        ('{"a":"é"}', "a=ü", '{"a":"ü"}'),
        ('{"a":"e"}', "a=ü😀", r'{"a":"\u00fc\ud83d\ude00"}'),
    ],
)
def test_set(before, repair, after):
    assert mend(before, SetTo.read(repair)) == after


@pytest.mark.parametrize(
    ("text", "repair", "why"),
    [
        ('{"a":1}', "d.a=1", "set d.a: there is no d"),
        ('{"d":null}', "d.a=1", "set d.a: there is nothing that could hold it"),
        ('{"d":"words"}', "d.a=1", "set d.a: there is nothing that could hold it"),
        ('{"d":"{broken"}', "d.a=1", "set d.a: a text on the way there is no JSON"),
        ('{"i":[1]}', "i[1]=1", "set i[1]: there are only 1 elements"),
    ],
)
def test_what_has_no_place_is_not_set(text, repair, why):
    assert misfit(text, SetTo.read(repair)) == why


def test_what_is_set_never_stands_in_words():
    assert str(SetTo.read("user_email=ann@shop.example")) == "set user_email"


# -- cast --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        ('"79.50"', "number", "79.50"),
        ('" 79 "', "number", "79"),
        ("79.0", "number", "79.0"),
        ('"1e3"', "number", "1e3"),
        ('"7"', "integer", "7"),
        ("7.00", "integer", "7"),
        ("-12e1", "integer", "-120"),
        ("7", "string", '"7"'),
        ("7.10", "string", '"7.10"'),
        ("true", "string", '"true"'),
        ('"7"', "string", '"7"'),
        ('"True"', "boolean", "true"),
        ("0", "boolean", "false"),
        ("false", "boolean", "false"),
        ("null", "number", "null"),
    ],
)
def test_cast(before, kind, after):
    assert mend(f'{{"a": {before} }}', Cast.read(f"a={kind}")) == f'{{"a": {after} }}'
    within = json.dumps(f'{{"a": {before} }}'), json.dumps(f'{{"a": {after} }}')
    assert mend(f'{{"d":{within[0]}}}', Cast.read(f"d.a={kind}")) == f'{{"d":{within[1]}}}'


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('"1,299.00"', "number"),
        ('"007"', "number"),
        ('""', "number"),
        ('"NaN"', "number"),
        ("true", "number"),
        ("{}", "number"),
        ("7.5", "integer"),
        ("1e400", "integer"),
        ("1e99999999999999999999", "integer"),
        ("[]", "string"),
        ('"yes"', "boolean"),
        ("2", "boolean"),
    ],
)
def test_what_says_something_else_is_not_cast(value, kind):
    assert (
        misfit(f'{{"a":{value}}}', Cast.read(f"a={kind}")) == f"cast a to {kind}: what is there is no {kind}"
    )


# -- the command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repair", "text", "why"),
    [
        (Rename, "a", "rename a: write it like clientId=client_id"),
        (Rename, "a=b.c", "only the name of a field can be changed"),
        (Rename, "a[0]=b", "only the name of a field can be changed"),
        (Rename, "$=b", "rename $=b: write it like"),
        (Drop, "$", "name a place within the event"),
        (Drop, "a..b", "is no path"),
        (SetTo, "a", "set a: write it like event_data.currency=EUR"),
        (SetTo, "a=\udcff", "the command line is not UTF-8"),
        (Cast, "a=float", "'float' is no type: write one of number, string, integer, boolean"),
    ],
)
def test_what_is_no_repair_is_said_to_be_none(repair, text, why):
    with pytest.raises(RepairError, match=why.replace("$", r"\$")):
        repair.read(text)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"{} {}", b"\xff", b"[" * 100_000, b'{"a" 1}', b"{,}", b'{"a":1,}']
)
def test_what_is_no_json_cannot_be_repaired(value):
    with pytest.raises(TextError):
        repaired(value, [Drop.read("a")])


# -- laws --------------------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """A value that stands in an event as JSON text."""

    value: Any


NAMES = st.sampled_from(["a", "b", "ü", 'q"', "\\", "\n"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.sampled_from(["1.5", "😀"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.builds(Text, st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3))
    ),
    max_leaves=10,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=4)
STEPS = st.lists(NAMES | st.integers(0, 2) | st.just(EVERY), min_size=1, max_size=4)
STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.none() | st.integers(0, 2),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]),
    }
)


def plain(value, style):
    match value:
        case Text(inner):
            return json.dumps(plain(inner, style), **style)
        case dict():
            return {name: plain(inner, style) for name, inner in value.items()}
        case list():
            return [plain(inner, style) for inner in value]
    return value


def written(event, style):
    return json.dumps(plain(event, style), **style).encode()


def opened(value):
    """The value with all JSON texts as `Text`, however they are written."""
    match value:
        case str() if value.lstrip()[:1] in ("{", "["):
            with suppress(ValueError):
                return Text(opened(json.loads(value)))
        case dict():
            return {name: opened(inner) for name, inner in value.items()}
        case list():
            return [opened(inner) for inner in value]
    return value


def holders(value, steps):
    """The objects and arrays that hold the last step."""
    if isinstance(value, Text):
        yield from holders(value.value, steps)
    elif len(steps) == 1:
        yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from holders(value[steps[0]], steps[1:])
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if steps[0] in (EVERY, number):
                yield from holders(inner, steps[1:])


@given(EVENTS, STEPS, STYLES)
def test_drop_takes_out_just_that(event, steps, style):
    before, last = written(event, style), steps[-1]
    changed = deepcopy(event)
    for holder in holders(changed, steps):
        if isinstance(holder, dict):
            holder.pop(last, None)
        elif isinstance(holder, list):
            holder[:] = [inner for number, inner in enumerate(holder) if last not in (EVERY, number)]
    done = repaired(before, [Drop(Path(tuple(steps)))])
    assert done.misfits == ()
    assert opened(json.loads(done.value)) == opened(plain(changed, style))
    assert (done.value == before) is (changed == event)


@given(EVENTS, STEPS, SCALARS, STYLES)
def test_set_changes_what_is_there_and_not_one_byte_more(event, steps, value, style):
    last, added = steps[-1], False
    changed = deepcopy(event)
    for holder in list(holders(changed, steps)):
        if isinstance(holder, dict) and isinstance(last, str):
            added = added or last not in holder
            holder[last] = value
        elif isinstance(holder, list) and not isinstance(last, str):
            holder[:] = [value if last in (EVERY, number) else inner for number, inner in enumerate(holder)]
    done = repaired(written(event, style), [SetTo(Path(tuple(steps)), json.dumps(value, **style))])
    assert opened(json.loads(done.value)) == opened(plain(changed, style))
    if not added:
        assert done.value == written(changed, style)


@given(EVENTS, NAMES, STYLES)
def test_a_rename_there_and_back_changes_nothing(event, name, style):
    done = repaired(written(event, style), [Rename(Path((name,)), "there"), Rename(Path(("there",)), name)])
    assert done.misfits == ()
    assert list(json.loads(done.value)) == list(event)
    if name.isascii():
        assert done.value == written(event, style)
