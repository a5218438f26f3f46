from __future__ import annotations

import ctypes
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import generate
from plan import KINDS, SCALARS, validate
from tests.unit.tiercel_ebpf_loader import harness
from tests.unit.tiercel_ebpf_loader.plans import NUMBERS, place_may, plans, scalar_may
from tests.unit.tiercel_ebpf_loader.test_plan import VALID

ALL_ONES = (1 << 64) - 1
STATES = st.lists(st.tuples(st.sampled_from([0, 1, 1, 2]), NUMBERS), min_size=len(SCALARS), max_size=len(SCALARS))
WORDS = {
    "static", "__always_inline", "u64", "u32", "s64", "int", "if", "return", "kind", "type", "m", "struct", "call", "c", "maybe", "sure",
    "MAY", "MAY_NOT", "ALL_ONES", "slot_of", "place_type", "classes", "scalars_free", "scalars_open", "scalars_socket", "places_of",
    "v", "st", "result", "fd", *(f"scalar_{name}" for name in SCALARS),
}  # fmt: skip


@settings(max_examples=25)
@given(
    plans(), st.lists(STATES, min_size=6, max_size=6), st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)), min_size=4, max_size=4)
)
def test_the_c_means_what_the_plan_says(plan: dict[str, Any], samples: list[list[tuple[int, int]]], hits: list[tuple[int, int]]) -> None:
    valid = validate(plan)
    library = harness.formulas(valid)
    placed = [j.kind for j in generate.placed(valid)]
    slots = {j["kind"]: i for i, j in enumerate(plan["judged"])}
    by_kind = {j["kind"]: j for j in plan["judged"]}
    for name, kind in generate.KIND.items():
        judged = by_kind.get(name)
        assert library.test_slot(kind) == slots.get(name, 255)
        assert library.test_place_type(kind) == (placed.index(name) if name in placed else 255)
        assert library.test_classes(kind) == ((1 << judged["classes"]) - 1 if judged else ALL_ONES)
        socket = int(name not in generate.OPENS)
        for sample in samples if judged or name == "open" else ():
            states = dict(zip(SCALARS, sample, strict=True)) | {n: (1, v) for n, (_, v) in zip(SCALARS[:2], sample[:2], strict=True)}
            expected = ALL_ONES
            if judged:
                expected = sum(1 << i for i, f in enumerate(judged["scalars"]) if scalar_may(f, judged["atoms"], states))
            values = (ctypes.c_int64 * 7)(*(v for _, v in sample))
            known = (ctypes.c_int * 7)(*(s for s, _ in sample))
            assert library.test_scalars(values, known, kind, 1 + socket) == expected
            early = {n: states[n] if n in generate.FREE else (2, 0) for n in SCALARS}  # what costs no load, the others being anything
            if judged:
                assert library.test_scalars(values, known, kind, 0) & expected == expected
                unknown = sum(1 << i for i, f in enumerate(judged["scalars"]) if scalar_may(f, judged["atoms"], early))
                assert library.test_scalars(values, known, kind, 0) == unknown
    for row, name in enumerate(placed):
        for one, other in hits:
            maybe, sure = one | other, other
            expected = sum(1 << i for i, f in enumerate(by_kind[name]["places"]) if place_may(f, maybe, sure))
            assert library.test_places_of(row, maybe, sure) == expected
    assert library.test_places_of(len(placed), 0, 0) == ALL_ONES


@given(plans())
def test_no_text_of_a_plan_gets_into_the_c(plan: dict[str, Any]) -> None:
    text = generate.formulas(validate(plan))
    assert re.fullmatch(r"[\w\s(){}\[\]&|!=<>~;,*-]*", text)
    for word in re.findall(r"\w+", text):
        assert word in WORDS or re.fullmatch(r"\d+(LL)?|0x[0-9a-f]+ULL|0ULL", word), word


@given(plans())
def test_definitions_are_numbers(plan: dict[str, Any]) -> None:
    text = generate.program(validate(plan), harness.made_up_offsets())
    head = text[: text.index("/* What every part of the program shares")]
    names = set()
    for line in head.splitlines():
        found = re.fullmatch(r"#define (\w+) \d+(ULL)?", line)
        assert found, line
        names.add(found[1])
    assert {"SLOTS", "PLACE_ROWS", "KIND_OPENAT", "WANT_CWD", "GUARD_TTY", "PLACE_BY_DIRECTORY"} <= names
    assert not {"PLACE_DIRECTORY", "GENERATION", *generate.SECRETS} & names


def test_everything_that_the_program_uses_is_defined() -> None:
    text = generate.program(validate(VALID), harness.made_up_offsets())
    defined = set(re.findall(r"^ *#define (\w+)", text, re.MULTILINE))
    used = set(re.findall(r"\b(?:WANT|GUARD|REPORT|KIND|HOOK|STAGE|CONTROL|PLACE_BY|VK|HASH|F|STR)_[A-Z][A-Z0-9_]*\b", text))
    used |= {w for w in re.findall(r"\b[a-z]\w*__\w+\b", text) if not w.startswith(("bpf_iter__", "__"))}
    assert used <= defined


def test_guards_and_collections() -> None:
    constants = harness.made_up_offsets()
    text = generate.program(validate(VALID | {"collect": ["threads", "cwd"], "guards": ["tty"], "generation": 9}), constants)
    for line in ("WANT_CWD 1", "WANT_EXE 0", "REPORT_THREADS 1", "REPORT_FAILED_EXEC 0", "GUARD_TTY 1", "GUARD_SESSION 0"):
        assert f"#define {line}\n" in text


def test_keys_are_fresh_odd_and_of_63_bits_with_what_is_added() -> None:
    one, two = generate.keys(), generate.keys()
    assert set(one) == set(harness.SECRET)
    for name, value in one.items():
        assert value & 1
        assert value < 1 << 61
        assert two[name] != value


class TestCallTable:
    def table(self, *kinds: str, collect: tuple[str, ...] = ()) -> dict[int, int]:
        return generate.call_table(validate(VALID | {"kinds": list(kinds), "collect": list(collect)}))

    def test_both_abis(self) -> None:
        kind = generate.KIND["openat"]
        assert self.table("openat") == {257: kind, 295: kind << 8}

    def test_one_number_in_both(self) -> None:
        kind = generate.KIND["openat2"]
        assert self.table("openat2") == {437: kind | kind << 8}

    def test_a_number_that_means_different_calls(self) -> None:
        table = self.table("open", "creat", "dup3", "connect")
        assert table[2] == generate.KIND["open"]
        assert table[5] == generate.KIND["open"] << 8
        assert table[42] == generate.KIND["connect"]
        assert table[102] == generate.KIND["socketcall"] << 8
        assert table[362] == generate.KIND["connect"] << 8

    def test_what_is_not_a_calls_result(self) -> None:
        assert self.table("clone", "procexit", "execve") == {}

    def test_failed_execs_only_where_they_are_collected(self) -> None:
        kind = generate.KIND["execve"]
        assert self.table("execve", collect=("failed_exec",)) == {59: kind, 11: kind << 8}

    def test_numbers_fit_the_map(self) -> None:
        table = self.table(*KINDS, collect=("failed_exec",))
        assert all(0 <= number < 512 and 0 < kinds < 1 << 16 for number, kinds in table.items())
