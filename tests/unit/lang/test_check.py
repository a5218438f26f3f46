from __future__ import annotations

import pytest
from hypothesis import given

from tests.unit.lang.catalogue import CATALOGUE
from tests.unit.lang.test_parser import CHECKS
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, Node, TextValue
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.parser import parse

TYPES = frozenset({"open", "openat", "execve"})


def checked(text: str) -> Node:
    return check_condition(parse(text), CATALOGUE, "syscall", event_types=TYPES)


def problems(text: str) -> list[tuple[str, int]]:
    with pytest.raises(ConditionError) as caught:
        checked(text)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        "evt.type = open",
        "evt.type in (open, openat)",
        "evt.type startswith ope",
        "evt.type exists",
        "proc.name < 5",
        "proc.name regex ^a[bc]+$",
        "proc.exe pmatch (/usr, /opt/*)",
        "evt.buffer bcontains 00ff",
        "evt.buffer contains x",
        "evt.write = true",
        "evt.res < -1",
        "evt.ratio > 1",
        "fd.sip != 1.2.3.4",
        "fd.snet in (10.0.0.0/8, ::1/128)",
        "fd.port = ssh",
        "fd.port < 1024",
        "proc.aname = x",
        "proc.aname[3] = x",
        "proc.env[HOME] = x",
        "proc.env = x",
        "proc.argv[0] = x",
        "evt.arg.flags contains x",
        "evt.arg[0] = 1",
        "evt.arg.mode = 5",
        "fd.types in (file)",
        "fd.types intersects (file, pipe)",
        "fd.sizes in (1, 0x2)",
        "fd.sizes exists",
        "tolower(proc.name) = x",
        "basename(toupper(proc.exe)) = X",
        "len(fd.types) > 2",
        "len(proc.name) = 5",
        "len(evt.buffer) = 0",
        "tolower(fd.types) in (a)",
        "proc.name = val(proc.exe)",
        "fd.sip = val(fd.cip)",
        "proc.name in val(proc.exe)",
        "fd.types in val(fd.types)",
        "len(proc.name) < len(proc.exe)",
        "proc.name startswith val(proc.aname[1])",
        "proc.name = oneof (a, b)",
        "fd.sip == anyof (1.2.3.4)",
        "some_macro and not other",
    ],
)
def test_accepted(text: str) -> None:
    assert type(checked(text)) is type(parse(text))


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("proc.nam = x", 'unknown field "proc.nam" (did you mean "proc.name"?) for event source "syscall"', 0),
        ("proc.name[1] = x", "takes no argument (got [1])", 0),
        ("proc.argv = x", "the argument is missing (expected an index such as [1])", 0),
        ("evt.arg = x", "the argument is missing (expected a key such as [name])", 0),
        ("proc.aname[x] = y", "bad argument (got [x], expected an index such as [1])", 0),
        ("evt.res contains 1", "'contains' operator not supported for evt.res of type int64 (expected one of =, ==", 0),
        ("fd.types = file", "'=' operator not supported for fd.types of type list of string (expected one of in, intersects, exists)", 0),
        ("evt.write > 1", "'>' operator not supported for evt.write", 0),
        ("fd.sip startswith 1", "'startswith' operator not supported", 0),
        ("evt.buffer glob a", "'glob' operator not supported", 0),
        ("evt.res = x", 'evt.res: bad number (got "x"', 10),
        ("user.uid in (0, root)", 'user.uid: bad number (got "root"', 16),
        ("proc.name regex '('", "invalid regex pattern", 16),
        (r"proc.name regex '\\d'", "invalid regex pattern", 16),
        ("evt.buffer bcontains 0", "bad bytes", 21),
        ("evt.type = opn", "unknown event type opn (did you mean", 11),
        ("evt.type = tolower(proc.name)", "evt.type cannot be compared with a field", 11),
        ("tolower(evt.type) = open", "evt.type cannot be transformed", 8),
        ("proc.name pmatch val(proc.exe)", "'pmatch' cannot compare two fields", 17),
        ("proc.name = val(user.uid)", "cannot compare fields of different types (got string and uint32)", 12),
        ("fd.types in val(proc.name)", "cannot compare fields of different types (got list of string and string)", 12),
        ("fd.port = val(fd.sport)", "fd.port cannot take part in a comparison of two fields", 10),
        ("fd.snet = val(fd.snet)", "fd.snet cannot take part", 10),
        ("proc.name = val(proc.aname)", "proc.aname cannot take part", 12),
        ("proc.name = val(proc.nme)", "unknown field", 16),
        ("tolower(evt.res) = x", "tolower: wrong type of argument 1 (got int64, expected text, or a list of texts): tolower(evt.res)", 8),
        ("len(evt.res) = 1", "expected a list, text or bytes", 4),
        ("toupper(proc.name)[x] = y", "transformer 'toupper' does not support field arguments (got [x])", 0),
        ("tolower(proc.name, proc.exe) = x", "tolower: wrong number of arguments (got 2, expected 1)", 0),
        ("tolower(proc.aname) = x", "proc.aname cannot be transformed", 8),
        ("tolower(proc.nme) = x", "unknown field", 8),
        ("toupper(evt.rawarg.uid) = x", "evt.rawarg[uid] cannot be transformed", 8),
        ("join('-', (user.uid, proc.aname)) = x", "proc.aname cannot be transformed", 21),
        ("b64(evt.res) = x", "b64: wrong type of argument 1 (got int64, expected text or bytes)", 4),
        ("join('-') = x", "join: wrong number of arguments (got 1, expected 2)", 0),
        ("join('-', 'a') = x", "join: wrong type of argument 2 (got string, expected a list)", 10),
        ("join(('a'), ('a')) = x", "join: wrong type of argument 1 (got list of string, expected one text)", 5),
        ("join('-', ('a', fd.types)) = x", "join: a list in a list", 16),
        ("concat('a') = x", "concat: wrong number of arguments (got 1, expected 2 or more)", 0),
        ("concat('a', 'b', fd.types) = x", "concat: wrong type of argument 3 (got list of string, expected one text)", 17),
        ("concat('a', evt.num) = x", "concat: wrong type of argument 2 (got uint64, expected one text)", 12),
        ("getopt(proc.exe, 'a') in (x)", "getopt: wrong type of argument 1 (got path, expected a list of texts)", 7),
        ("getopt((evt.num), 'a') in (x)", "getopt: wrong type of argument 1 (got list of uint64, expected a list of texts)", 7),
        ("getopt(('a'), 'a')[ab] = x", "getopt: bad option (got [ab], expected one character", 0),
        ("getopt(('a'), 'a') = x", "'=' operator not supported for getopt((a),a) of type list of string", 0),
        ("getopt(('a'), 'a')[a] = tolower(fd.types)", "cannot compare fields of different types (got string and list of string)", 24),
        (f"len('{'a' * 256}') = 1", "filter parameter too long", 4),
        ("evt.rawarg.uid contains 1", "'contains' operator not supported for evt.rawarg[uid] of type uint32", 0),
        ("evt.rawarg.uid = x", "bad number", 17),
        ("evt.rawarg.x = val(evt.num)", "evt.rawarg[x] cannot take part in a comparison of two fields", 15),
        ("evt.rawarg.x bcontains 1", "bad bytes", 23),
        ('proc.name = "\\x00"', "NUL byte", 12),
    ],
)
def test_refused(text: str, message: str, position: int) -> None:
    found = problems(text)
    assert len(found) == 1
    assert message in found[0][0]
    assert found[0][1] == position


def test_all_problems_at_once_in_the_order_of_the_text() -> None:
    found = problems("proc.nme = x and (evt.res in (1, a, b) or not fd.sip = y) and evt.type in (open, x)")
    assert [position for _, position in found] == [0, 33, 36, 55, 81]


def test_keys_with_a_dot_become_arguments() -> None:
    assert checked("evt.arg.flags = x") == Check(FieldRef("evt.arg", "flags"), "=", TextValue("x"))
    assert checked("evt.arg.mode = 1") == Check(FieldRef("evt.arg.mode"), "=", TextValue("1"))
    assert checked("proc.name = val(evt.arg.flags)") == Check(FieldRef("proc.name"), "=", Call("val", (FieldRef("evt.arg", "flags"),)))
    assert checked("len(evt.arg.flags) = 1") == Check(Call("len", (FieldRef("evt.arg", "flags"),)), "=", TextValue("1"))


def test_a_list_that_does_not_exist_is_one_value() -> None:
    assert checked("proc.name in shells") == Check(FieldRef("proc.name"), "in", ListValue((TextValue("shells"),)))
    assert problems("evt.type in shells")[0][1] == 12


def test_unknown_event_types_pass_when_none_are_known() -> None:
    node = parse("evt.type = anything")
    assert check_condition(node, CATALOGUE, "syscall", event_types=None) == node


def test_event_sources_have_their_own_fields() -> None:
    with pytest.raises(ConditionError, match='for event source "empty"'):
        check_condition(parse("proc.name = x"), CATALOGUE, "empty", event_types=None)


@given(CHECKS)
def test_any_check_is_accepted_or_refused(check: Node) -> None:
    found: tuple[tuple[str, int], ...] = ()
    try:
        check_condition(check, CATALOGUE, "syscall", event_types=TYPES)
    except ConditionError as error:
        found = error.problems
    assert all(message for message, _ in found)
