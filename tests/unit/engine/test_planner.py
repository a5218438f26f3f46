"""Plans of sources, by example."""

from __future__ import annotations

import dataclasses

import pytest

from tests.oracle.catalogue import CATALOGUE, FakeEvent
from tests.unit.engine.planning import ABILITIES, KNOWN, plan_of, rule
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.fields import PENDING, ChangePoint, Field, FieldType
from tiercel.lang.check import check_condition
from tiercel.lang.evttypes import event_types
from tiercel.lang.parser import parse
from tiercel.plan import TRUE, Atom, Formula

WIDE = dataclasses.replace(ABILITIES, max_classes=64, max_atoms=64)


def test_wanted_types_are_those_that_a_rule_can_match() -> None:
    assert plan_of("evt.type = open and proc.name = a", "evt.type in (openat) and evt.num = 0").source("syscall").wanted_types == {"open"}
    assert plan_of("proc.name = a").source("syscall").wanted_types == ABILITIES.event_types
    assert plan_of("evt.type != open").source("syscall").wanted_types == {"openat", "connect"}


def test_a_source_that_says_nothing_judges_nothing() -> None:
    plan = plan_of("evt.type = open and proc.name = a", abilities=Abilities()).source("syscall")
    assert plan.judged == ()
    assert plan.guards is ChangePoint.NEVER
    assert plan.wanted_types == {"open"}
    assert plan.verdict(FakeEvent("open", {})) == ()


def test_fields_are_closed_over_inputs_outputs_and_what_others_read() -> None:
    plan = build(
        [rule("r", "evt.type = open and proc.depth > 1", "%fd.base"), rule("off", "proc.tty = 1", enabled=False)],
        CATALOGUE, {"syscall": ABILITIES}, generation=7, extra_fields={"syscall": frozenset({"proc.env", "evt.mixed"})},
    )  # fmt: skip
    assert plan.source("syscall").fields == {
        "evt.type", "proc.depth", "proc.exe", "fd.base", "fd.name", "proc.env", "evt.mixed", "evt.flags", "proc.uid",
    }  # fmt: skip


def test_the_parts_of_a_condition_go_where_they_can_be_judged() -> None:
    plan = plan_of(
        "evt.type = open and evt.write = true and evt.res >= 0 and not proc.name in (a, b)"
        " and (fd.name startswith /etc/ or fd.name startswith /root or fd.name pmatch (/x)) and fd.name endswith .key",
        abilities=WIDE,
    ).source("syscall")
    (judged,) = plan.judged
    assert judged.event_type == "open"
    assert judged.rules == (("r0",),)
    assert judged.scalar_atoms == (Atom("evt.write", "=", (True,)), Atom("evt.res", ">=", (0,)))
    assert judged.scalars == (Formula("and", (Formula("atom", atom=0), Formula("atom", atom=1))),)
    assert judged.place_atoms == (Atom("fd.name", "startswith", ("/etc/", "/root")), Atom("fd.name", "pmatch", ("/x",)))
    assert judged.places == (Formula("or", (Formula("atom", atom=0), Formula("atom", atom=1))),)
    assert plan.guards is ChangePoint.NEVER
    assert plan.verdict(FakeEvent("open", {"proc.name": "a"})) == (0,)
    assert plan.verdict(FakeEvent("open", {"proc.name": "c"})) == (1,)


def test_equality_over_alternatives_is_one_atom() -> None:
    (judged,) = plan_of(
        "evt.type = open and (fd.name = /a or fd.name = /b or fd.name in (/c, /a)) and not fd.name = /d and fd.name != /e", abilities=WIDE
    ).source("syscall").judged  # fmt: skip
    assert judged.place_atoms == (Atom("fd.name", "in", ("/d", "/e")), Atom("fd.name", "in", ("/a", "/b", "/c")))
    assert judged.places == (Formula("and", (Formula("atom", atom=0, negated=True), Formula("atom", atom=1))),)


def test_not_unequal_is_never_taken_for_equal() -> None:
    """``not f != x`` is true where f is missing; an atom ``f = x`` would drop it."""
    (judged,) = plan_of("evt.type = open and not fd.name != /etc", abilities=WIDE).source("syscall").judged
    assert judged.places == (TRUE,)


def test_networks_come_without_host_bits() -> None:
    (judged,) = plan_of("evt.type = connect and fd.snet in (10.1.2.3/8, 2001:db8::1/32)", abilities=WIDE).source("syscall").judged
    assert judged.place_atoms == (Atom("fd.snet", "in", ((b"\x0a\0\0\0", 8), (b"\x20\x01\x0d\xb8" + bytes(12), 32))),)


@pytest.mark.parametrize(
    "check",
    [
        "fd.name glob /etc/*", "fd.name pmatch (/etc/*)", "tolower(fd.name) = /etc", "fd.name = val(proc.exe)", "fd.name = oneof (/a)",
        "evt.sizes in (1, 2)", "evt.res > 1", "proc.aname != x", "proc.aname = x",
    ],
)  # fmt: skip
def test_what_a_source_cannot_judge_exactly_is_true_in_both_polarities(check: str) -> None:
    for condition in (f"evt.type = open and ({check})", f"evt.type = open and not ({check})"):
        (judged,) = plan_of(condition, abilities=WIDE).source("syscall").judged
        assert judged.scalars == (TRUE,)
        assert judged.places == (TRUE,)


def test_guards_are_what_believed_checks_depend_on() -> None:
    assert plan_of("evt.type = open and proc.uid = 0").source("syscall").guards is ChangePoint.CREDENTIALS
    assert plan_of("evt.type = open and proc.name = a").source("syscall").guards is ChangePoint.NEVER
    assert plan_of("evt.type = openat and proc.uid = 0").source("syscall").guards is ChangePoint.NEVER  # not judged


def test_a_verdict_uses_only_what_the_source_compares() -> None:
    plan = plan_of("evt.type = open and proc.tty = 5", "evt.type = open and proc.aname = x", "evt.type = open and proc.env[HOME] = /root")
    source = plan.source("syscall")
    (judged,) = source.judged
    assert judged.rules == (("r0", "r1"), ("r2",))
    assert source.guards is ChangePoint.NEVER
    assert source.verdict(FakeEvent("open", {"proc.tty": 1, "proc.aname": (), "proc.env": ()})) == (0b01,)


def test_unknown_facts_leave_their_bits_and_are_not_remembered_for_known_ones() -> None:
    source = plan_of("evt.type = open and proc.name = a", "evt.type = open and not proc.name = a").source("syscall")
    for _ in range(2):
        assert source.verdict(FakeEvent("open", {"proc.name": PENDING})) == (0b11,)
        assert source.verdict(FakeEvent("open", {"proc.name": "a"})) == (0b01,)
        assert source.verdict(FakeEvent("open", {"proc.name": None})) == (0b10,)


def test_a_verdict_has_one_mask_for_each_judged_type() -> None:
    source = plan_of("evt.type in (open, connect) and proc.name = a", "evt.type = open and proc.name = b").source("syscall")
    assert [judged.event_type for judged in source.judged] == ["connect", "open"]
    assert source.verdict(FakeEvent("open", {"proc.name": "a"})) == (0b1, 0b01)
    assert source.verdict(FakeEvent("open", {"proc.name": "b"})) == (0, 0b10)


def test_rules_that_are_judged_alike_share_a_class() -> None:
    (judged,) = plan_of(*[f"evt.type = open and proc.name = a and fd.base contains {word}" for word in "abcd"]).source("syscall").judged
    assert judged.rules == (("r0", "r1", "r2", "r3"),)


def test_more_rules_than_classes_are_merged_by_what_they_judge() -> None:
    source = plan_of(*[f"evt.type = open and fd.name = /{number % 3} and proc.name = p{number}" for number in range(9)]).source("syscall")
    (judged,) = source.judged
    assert judged.rules == (("r0", "r3", "r6"), ("r1", "r4", "r7"), ("r2", "r5", "r8"))
    assert judged.place_atoms == tuple(Atom("fd.name", "=", (f"/{number}",)) for number in range(3))
    assert source.verdict(FakeEvent("open", {"proc.name": "p4"})) == (0b010,)


def test_atoms_beyond_the_limit_become_true() -> None:
    (judged,) = plan_of(*[f"evt.type = open and fd.name = /{number}" for number in range(6)], abilities=dataclasses.replace(
        ABILITIES, max_classes=64)).source("syscall").judged  # fmt: skip
    assert len(judged.place_atoms) == 4
    assert judged.places.count(TRUE) == 2


def test_types_with_the_same_conditions_share_a_program() -> None:
    rules = plan_of("evt.type in (open, openat) and proc.name = a").sources["syscall"]
    assert rules.program("open") is rules.program("openat")
    assert rules.program("connect").steps == ()


def test_explain_says_where_each_check_is_judged_and_why_not_earlier() -> None:
    plan = plan_of(
        "evt.type in (open, openat) and evt.write = true and not proc.name = a and proc.aname = x and proc.tty = 0"
        " and fd.name startswith /etc and fd.name glob *x and evt.buffer contains y"
    )
    explanation = plan.explain("r0")
    assert (explanation.rule, explanation.source) == ("r0", "syscall")
    judged, other = explanation.types
    assert (judged.event_types, other.event_types) == (("open",), ("openat",))
    assert judged.process == ("not proc.name = a",)
    assert judged.scalars == ("evt.write = true",)
    assert judged.places == ("fd.name startswith /etc",)
    assert [(each.check, each.reason) for each in judged.undecided] == [
        ("proc.aname = x", "proc.aname: ancestors are not compared"),
        ("proc.tty = 0", "proc.tty: terminals are not compared"),
        ("fd.name glob *x", "fd.name: the source cannot judge this operator with these values"),
        ("evt.buffer contains y", "evt.buffer: differs from event to event"),
    ]
    assert judged.memoised == ("evt.write = true", "not proc.name = a", "proc.tty = 0", "fd.name startswith /etc", "fd.name glob *x")
    assert other.process == other.scalars == other.places == ()
    assert {each.reason for each in other.undecided} == {"the source does not judge events of this type"}
    assert "evt.type" not in judged.condition
    with pytest.raises(KeyError):
        plan.explain("nobody")


def test_explain_says_what_an_undecided_alternative_swallows() -> None:
    explanation = plan_of("evt.type = open and (fd.name startswith /etc or fd.name contains x) and (proc.name = a or proc.aname = b)")
    (judged,) = explanation.explain("r0").types
    assert judged.process == judged.places == ()
    reasons = {each.check: each.reason for each in judged.undecided}
    assert reasons["fd.name startswith /etc"] == reasons["proc.name = a"] == "an alternative beside it is not judged in the same place"


def test_deep_conditions_can_be_planned() -> None:
    text = "proc.name = a"
    for level in range(60):
        text = f"not (fd.name = /{level} {'and' if level % 2 else 'or'} ({text}))"
    source = plan_of(f"evt.type = open and ({text})").source("syscall")
    assert source.verdict(FakeEvent("open", {"proc.name": "a"})) == (1,)


class TestAbsentFields:
    """Fields that nothing gives a value yet."""

    class WithAbsent:
        """The catalogue, and one field without values."""

        gone = Field(name="x.gone", type=FieldType.STRING, description="", getter=lambda _event: "never read", absent=True)

        def get(self, name: str, source: str) -> Field | None:
            return self.gone if name == "x.gone" else CATALOGUE.get(name, source)

        def names(self, source: str) -> list[str]:
            return [*CATALOGUE.names(source), "x.gone"]

    def wanted(self, condition: str) -> tuple[frozenset[str], bool]:
        """The types that a condition wants, and whether it matches an open by cat."""
        catalogue = self.WithAbsent()
        tree = check_condition(parse(condition), catalogue, "syscall", event_types=KNOWN)
        made = dataclasses.replace(rule("r", tree), event_types=event_types(tree, known=KNOWN))
        plan = build([made], catalogue, {"syscall": ABILITIES}, generation=1)
        engine = Engine(plan, matching="first", hostname="h", origin="o")
        return plan.source("syscall").wanted_types, bool(engine.evaluate(FakeEvent("open", {"proc.name": "cat"})))

    @pytest.mark.parametrize(
        ("condition", "types", "matches"),
        [
            ("evt.type = open and x.gone = a", set(), False),
            ("evt.type = open and x.gone != a", set(), False),
            ("evt.type = open and x.gone exists", set(), False),
            ("evt.type = open and not x.gone = a", {"open"}, True),
            ("evt.type = open and (x.gone = a or proc.name = cat)", {"open"}, True),
            ("evt.type = open and proc.name = val(x.gone)", set(), False),
            ("evt.type = open and not proc.name = val(x.gone)", {"open"}, True),
            ("evt.type = open and x.gone in (a, b) or evt.type = connect and proc.name = cat", {"connect"}, False),
        ],
    )
    def test_checks_on_them_are_false(self, condition: str, types: set[str], matches: bool) -> None:
        assert self.wanted(condition) == (frozenset(types), matches)
