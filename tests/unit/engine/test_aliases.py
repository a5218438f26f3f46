import pytest

from tiercel.engine.aliases import with_aliases
from tiercel.fields import FactGroup, Field, FieldType
from tiercel.lang.canonical import canonical
from tiercel.lang.parser import parse

LINKS = {"/bin/": "/usr/bin/", "/bin/cat": "/usr/bin/cat", "/var/run/x": "/run/x", "/var/run": "/run"}


class Catalogue:
    def get(self, name: str, source: str) -> Field:
        return Field(name=name, type=FieldType.PATH, description="", group=FactGroup.PLACE, path=("name",), names_file=name != "proc.name")

    def names(self, source: str) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("fd.name = /bin/cat", "fd.name in (/bin/cat, /usr/bin/cat)"),
        ("fd.name = /etc/shadow", "fd.name = /etc/shadow"),
        ("fd.name != /bin/cat", "(fd.name != /bin/cat and fd.name != /usr/bin/cat)"),
        ("fd.name in (/var/run/x, /etc/shadow)", "fd.name in (/var/run/x, /etc/shadow, /run/x)"),
        ("fd.name in (/var/run/x, /run/x)", "fd.name in (/var/run/x, /run/x)"),
        ("fd.name startswith /bin/", "fd.name startswith anyof (/bin/, /usr/bin/)"),
        ("fd.name startswith anyof (/bin/, /etc/)", "fd.name startswith anyof (/bin/, /etc/, /usr/bin/)"),
        ("fd.name pmatch (/var/run)", "fd.name pmatch (/var/run, /run)"),
        ("fd.name contains /bin/", "fd.name contains /bin/"),
        ("fd.name startswith allof (/bin/)", "fd.name startswith allof (/bin/)"),
        ("proc.name = /bin/cat", "proc.name = /bin/cat"),
        (
            "not (fd.name = /bin/cat or fd.name exists) and fd.name = /var/run",
            "(not (fd.name in (/bin/cat, /usr/bin/cat) or fd.name exists) and fd.name in (/var/run, /run))",
        ),
    ],
)
def test_literals_that_lead_through_a_link_are_widened(condition: str, expected: str) -> None:
    assert canonical(with_aliases(parse(condition), Catalogue(), "syscall", LINKS.get)) == expected
