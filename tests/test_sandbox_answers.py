"""The sandbox's answers against those of a running LMS."""

import re

import pytest
from sandbox_demo.cast import MB101

from tests.fixtures_sandbox import logged_in, sample, seed

pytestmark = pytest.mark.django_db

# Keys that are names of things, not of fields.
BLOCK = re.compile(r"^block-v1:\S+$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")


def _shape(value):
    """Return what a value is made of: types, and the keys of dictionaries; all elements of a list have one shape."""
    if isinstance(value, dict):
        if value and all(BLOCK.match(key) for key in value):
            return {"<block>": _merged([_shape(item) for item in value.values()])}
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_merged([_shape(item) for item in value])] if value else []
    if isinstance(value, str) and TIME.match(value):
        return "time"
    return type(value).__name__


def _merged(shapes):
    """Return one shape for several: types that differ stand side by side, keys must not differ."""
    first, *rest = shapes
    for shape in rest:
        first = _both(first, shape)
    return first


def _both(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        return {key: _both(one[key], other[key]) for key in one}
    if isinstance(one, list) and isinstance(other, list):
        return [_both(one[0], other[0])] if one and other else one or other
    if isinstance(one, str) and isinstance(other, str):
        return "|".join(sorted({*one.split("|"), *other.split("|")}))
    raise AssertionError(f"{one} and {other}")


def _assert_alike(found, wanted, where=""):
    """Compare two shapes: the keys are the same, and a value that is not null on both sides is of one type."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), where
        for key in found:
            _assert_alike(found[key], wanted[key], f"{where}.{key}")
    elif isinstance(found, list) and isinstance(wanted, list):
        if found and wanted:
            _assert_alike(found[0], wanted[0], f"{where}[]")
    else:
        assert isinstance(found, str), where
        assert isinstance(wanted, str), where
        kinds = set(found.split("|")) - {"NoneType"}, set(wanted.split("|")) - {"NoneType"}
        assert kinds[0] == kinds[1] or not all(kinds), f"{where}: {found}, not {wanted}"


@pytest.mark.course_doors
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("account", "/api/user/v1/accounts/eligible"),
        ("course_metadata", f"/api/course_home/course_metadata/{MB101}"),
        ("course_outline", f"/api/course_home/outline/{MB101}"),
        ("enrollments", "/api/enrollment/v1/enrollment"),
        ("learner_home_init", "/api/learner_home/init"),
        ("preferences", "/api/user/v1/preferences/eligible"),
    ],
)
def test_answer_is_shaped_as_the_platforms(name, address):
    seed()

    response = logged_in("eligible").get(address)

    assert response.status_code == 200
    _assert_alike(_shape(response.json()), _shape(sample(name)))


def test_a_difference_would_be_seen():
    account = sample("account")
    for changed in (account | {"id": "4"}, account | {"more": 1}, {"id": 4}, account | {"profile_image": None}):
        with pytest.raises(AssertionError):
            _assert_alike(_shape(changed), _shape(account))
