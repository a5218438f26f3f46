from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import (
    API_VERSION,
    Argument,
    ChangePoint,
    Component,
    Decoder,
    FactGroup,
    Field,
    FieldType,
    Output,
    PluginError,
    Stability,
    field,
)
from tiercel.registry import ComponentRegistry, FieldCatalogue, check_component


def output(name: str = "memory", **attributes: Any) -> type[Output]:
    content: dict[str, object] = {"name": name, "summary": "Keeps.", "api_version": API_VERSION, "stability": Stability.BETA, **attributes}
    return type("Memory", (Output,), content)


def stored(
    name: str,
    *,
    group: FactGroup = FactGroup.PROCESS,
    changes: ChangePoint = ChangePoint.EXEC,
    sources: tuple[str, ...] = ("syscall",),
    argument: Argument = Argument.NONE,
) -> Field:
    return Field(
        name=name,
        type=FieldType.STRING,
        description="A fact.",
        group=group,
        changes=changes,
        sources=frozenset(sources),
        argument=argument,
        path=("x",),
    )


def computed(name: str, *inputs: str, sources: tuple[str, ...] = ("*",), volatile: bool = False) -> Field:
    return field(name, type=FieldType.STRING, inputs=inputs, description="Computed.", sources=set(sources), volatile=volatile)(
        lambda *_: ""
    )


def catalogue(*fields: Field) -> FieldCatalogue:
    made = FieldCatalogue()
    for each in fields:
        made.add(each, "tiercel-test 1.0")
    return made


class TestComponents:
    def test_finds_by_name_and_iterates_in_order(self) -> None:
        registry = ComponentRegistry("output", Output)
        b, a = output("b"), output("a")
        registry.add(b, "tiercel-b 1.0")
        registry.add(a, "tiercel-a 2.0")
        assert registry.get("a") is a
        assert list(registry) == [a, b]
        assert ("a" in registry, "c" in registry, len(registry), registry.owner("b")) == (True, False, 2, "tiercel-b 1.0")

    def test_duplicate_names_both_distributions(self) -> None:
        registry = ComponentRegistry("output", Output)
        registry.add(output("memory"), "tiercel-a 1.0")
        with pytest.raises(PluginError, match=r'output "memory": registered by both tiercel-a 1\.0 and tiercel-b 2\.0'):
            registry.add(output("memory"), "tiercel-b 2.0")

    def test_unknown_name_says_what_is_known_and_near(self) -> None:
        registry = ComponentRegistry("output", Output, hint=lambda: "plugin x of tiercel-x 1.0 was left out: broken")
        registry.add(output("stdout"), "tiercel 1.0")
        registry.add(output("file"), "tiercel 1.0")
        with pytest.raises(PluginError) as caught:
            registry.get("sdtout")
        assert str(caught.value) == (
            'unknown output "sdtout" (did you mean "stdout"?); known: file, stdout; plugin x of tiercel-x 1.0 was left out: broken'
        )

    def test_unknown_name_of_an_empty_registry(self) -> None:
        with pytest.raises(PluginError, match=r'unknown output "x"; known: none$'):
            ComponentRegistry("output", Output).get("x")

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"name": None}, "class attribute `name` must be a str (got None)"),
            ({"summary": 3}, "class attribute `summary` must be a str (got 3)"),
            ({"stability": "beta"}, "class attribute `stability` must be a Stability (got 'beta')"),
            ({"name": "Std Out"}, "bad name (got 'Std Out'"),
            ({"api_version": "one"}, "bad api_version (got 'one'"),
            ({"api_version": "2.0"}, "written for plugin API 2.0, this host has 1.0 (expected 1.0 to 1.0); update tiercel"),
            ({"api_version": "1.1"}, "written for plugin API 1.1, this host has 1.0 (expected 1.0 to 1.0); update tiercel"),
            ({"api_version": "0.9"}, "written for plugin API 0.9, this host has 1.0 (expected 1.0 to 1.0); update the plugin"),
        ],
    )
    def test_incomplete_classes_are_refused(self, attributes: dict[str, Any], message: str) -> None:
        with pytest.raises(PluginError) as caught:
            check_component(output(**attributes), kind="output", base=Output)
        assert message in str(caught.value)

    @pytest.mark.parametrize("item", [int, 3, None, Component, "stdout"])
    def test_other_things_are_refused(self, item: object) -> None:
        with pytest.raises(PluginError, match=r"output: not a subclass of tiercel\.Output"):
            check_component(item, kind="output", base=Output)

    def test_decoders_name_their_event_source(self) -> None:
        content = {"name": "d", "summary": "D.", "api_version": API_VERSION, "stability": Stability.BETA}
        with pytest.raises(PluginError, match="`event_source` must be a str"):
            check_component(type("D", (Decoder,), content), kind="decoder", base=Decoder)
        check_component(type("D", (Decoder,), {**content, "event_source": "syscall"}), kind="decoder", base=Decoder)


class TestCatalogue:
    def test_finds_by_name_and_source(self) -> None:
        made = catalogue(stored("proc.name"), stored("evt.num", sources=("*",)), stored("ka.verb", sources=("k8s_audit",)))
        assert (made.get("proc.name", "syscall") or stored("x.y")).owner == "tiercel-test 1.0"
        assert made.get("proc.name", "k8s_audit") is None
        assert made.get("proc.name", "unheard-of") is None
        assert made.get("evt.num", "unheard-of") is not None
        assert set(made.names("syscall")) == {"proc.name", "evt.num"}
        assert [each.name for each in made.fields("k8s_audit")] == ["evt.num", "ka.verb"]
        assert made.sources() == {"syscall", "k8s_audit"}
        assert made.owners("proc.name") == ("tiercel-test 1.0",)

    @pytest.mark.parametrize(
        ("first", "second", "scope"),
        [
            (("syscall",), ("syscall", "k8s_audit"), "syscall"),
            (("*",), ("syscall",), "syscall"),
            (("syscall",), ("*",), "syscall"),
            (("*",), ("*",), "all event sources"),
        ],
    )
    def test_a_name_is_taken_once_per_source(self, first: tuple[str, ...], second: tuple[str, ...], scope: str) -> None:
        made = FieldCatalogue()
        made.add(stored("a.b", sources=first), "tiercel-a 1.0")
        with pytest.raises(PluginError) as caught:
            made.add(stored("a.b", sources=second), "tiercel-b 2.0")
        assert str(caught.value).startswith(f'field "a.b" ({scope}): registered by both tiercel-a 1.0 and tiercel-b 2.0;')

    def test_one_name_in_two_sources(self) -> None:
        made = catalogue(stored("a.b", sources=("x",)), stored("a.b", sources=("y",), group=FactGroup.REST), computed("c.d", "a.b"))
        assert [(made.get("c.d", source) or stored("x.y")).group for source in ("x", "y")] == [FactGroup.PROCESS, FactGroup.REST]
        assert made.get("c.d", "z") is None

    @pytest.mark.parametrize("name", ["", "name", "a.", ".a", "a b.c", "1.a", "a.b[1]"])
    def test_bad_names_are_refused(self, name: str) -> None:
        with pytest.raises(PluginError, match="bad name"):
            catalogue(stored(name))

    def test_computed_fields_take_over_group_and_changes(self) -> None:
        made = catalogue(
            stored("proc.exepath"),
            stored("user.uid", changes=ChangePoint.CREDENTIALS),
            stored("fd.name", group=FactGroup.PLACE, changes=ChangePoint.EVENT),
            computed("demo.depth", "proc.exepath"),
            computed("demo.both", "demo.depth", "user.uid"),
            computed("demo.place", "fd.name"),
            computed("demo.mixed", "fd.name", "demo.depth"),
            computed("demo.cached", "proc.exepath", volatile=True),
        )

        def derived(name: str) -> tuple[FactGroup, ChangePoint]:
            found = made.get(name, "syscall")
            assert found is not None
            return found.group, found.changes

        assert derived("demo.depth") == (FactGroup.PROCESS, ChangePoint.EXEC)
        assert derived("demo.both") == (FactGroup.PROCESS, ChangePoint.EXEC | ChangePoint.CREDENTIALS)
        assert derived("demo.place") == (FactGroup.PLACE, ChangePoint.EVENT)
        assert derived("demo.mixed") == (FactGroup.REST, ChangePoint.EVENT | ChangePoint.EXEC)
        assert derived("demo.cached") == (FactGroup.REST, ChangePoint.EXEC | ChangePoint.TIME)

    def test_computed_fields_exist_where_their_inputs_do(self) -> None:
        made = catalogue(stored("proc.name"), stored("evt.num", sources=("*",)), computed("demo.x", "proc.name", "evt.num"))
        assert made.get("demo.x", "syscall") is not None
        assert made.get("demo.x", "k8s_audit") is None

    def test_unknown_inputs_are_errors(self) -> None:
        made = catalogue(stored("proc.exepath"), computed("demo.depth", "proc.exepaht"))
        with pytest.raises(PluginError) as caught:
            made.resolve()
        assert str(caught.value) == (
            'field "demo.depth" of tiercel-test 1.0: unknown input "proc.exepaht" (did you mean "proc.exepath"?); '
            "is the plugin that has it installed?"
        )

    def test_whoever_names_a_source_promises_the_inputs(self) -> None:
        made = catalogue(
            stored("proc.name"), stored("ka.verb", sources=("k8s_audit",)), computed("demo.x", "proc.name", sources=("k8s_audit",))
        )
        with pytest.raises(PluginError, match=r'unknown input "proc\.name"'):
            made.resolve()

    def test_inputs_that_no_source_has_together(self) -> None:
        made = catalogue(stored("proc.name"), stored("ka.verb", sources=("k8s_audit",)), computed("demo.x", "proc.name", "ka.verb"))
        with pytest.raises(PluginError, match=r"no event source has all of its inputs \(proc\.name, ka\.verb\)"):
            made.resolve()

    def test_circles_are_errors(self) -> None:
        made = catalogue(computed("a.a", "b.b"), computed("b.b", "c.c"), computed("c.c", "b.b"))
        with pytest.raises(PluginError, match=r"computed from itself \(b\.b -> c\.c -> b\.b\)"):
            made.resolve()

    def test_inputs_have_no_arguments(self) -> None:
        made = catalogue(stored("evt.arg", argument=Argument.KEY), computed("demo.x", "evt.arg"))
        with pytest.raises(PluginError, match=r'input "evt\.arg" needs an argument'):
            made.resolve()

    def test_closure_follows_inputs(self) -> None:
        made = catalogue(stored("a.a"), stored("b.b"), computed("c.c", "a.a"), computed("d.d", "c.c", "b.b"))
        assert made.closure(["d.d"], "syscall") == {"a.a", "b.b", "c.c", "d.d"}
        assert made.closure(["c.c", "no.such"], "syscall") == {"a.a", "c.c"}
        assert made.closure(["d.d"], "other") == frozenset()

    @given(st.data())
    def test_a_computed_field_is_never_more_cacheable_than_its_inputs(self, data: st.DataObject) -> None:
        groups = data.draw(st.lists(st.sampled_from(FactGroup), min_size=1, max_size=4))
        changes = data.draw(st.lists(st.sampled_from(ChangePoint), min_size=len(groups), max_size=len(groups)))
        stores = [stored(f"in.x{i}", group=group, changes=change) for i, (group, change) in enumerate(zip(groups, changes, strict=True))]
        made = catalogue(*stores, computed("demo.x", *(each.name for each in stores)))
        found = made.get("demo.x", "syscall")
        assert found is not None
        assert found.group is (groups[0] if len(set(groups)) == 1 else FactGroup.REST)
        assert all(change in found.changes for change in changes)
