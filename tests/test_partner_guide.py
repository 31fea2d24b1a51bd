"""The examples of docs/partner.rst are run: against what the LMS sends, and against its API."""

import json
import re
import textwrap
from pathlib import Path

import pytest
from django.test import Client

from coaching_plugin import consent
from coaching_plugin.partner import opt_outs, signatures, webhook
from coaching_plugin.partner.roster import Entry, Standing
from tests.factories import NUMBER, TYPED, evidence
from tests.test_partner_signatures import NEW, OLD, STRANGE, by_hand
from tests.test_partner_webhook import GONE, ID, LEARNER

pytestmark = pytest.mark.once

GUIDE = (Path(__file__).parent.parent / "docs" / "partner.rst").read_text(encoding="utf-8")


def example(name):
    """Run the named code block of the guide, and return what it defines."""
    (block,) = re.findall(rf"\.\. code-block:: python\n   :name: {name}\n\n((?:   .*\n|\n)+)", GUIDE)
    defined = {}
    exec(compile(textwrap.dedent(block), f"docs/partner.rst {name}", "exec"), defined)
    return defined


def sent(entry, secrets=(OLD,), message_id=ID):
    body = webhook.message(entry)
    return signatures.sign(list(secrets), message_id, body), body


@pytest.mark.parametrize("secrets", [[OLD], [NEW, OLD], [OLD, NEW]])
def test_the_example_takes_what_the_lms_sends(secrets):
    seen, learners = set(), {}
    assert example("receive")["receive"](OLD, *sent(LEARNER, secrets), seen, learners) == 204
    assert learners == {str(LEARNER.partner_id): LEARNER.as_json()}
    assert example("verify")["is_signed"](OLD, *sent(LEARNER, secrets))


def test_the_example_drops_what_it_has_seen_and_what_is_older():
    receive, seen, learners = example("receive")["receive"], set(), {}
    erased = Entry(GONE.partner_id, 9, Standing.ERASED)
    # The last two: an older one under an id of its own, and one under an id that was seen.
    for entry, message_id in ((LEARNER, "1"), (GONE, "2"), (GONE, "2"), (LEARNER, "3"), (erased, "1")):
        assert receive(OLD, *sent(entry, message_id=message_id), seen, learners) == 204
        assert learners[str(GONE.partner_id)]["sequence"] == (7 if message_id == "1" and entry is LEARNER else 8)
    assert learners == {str(GONE.partner_id): GONE.as_json()}
    assert receive(OLD, *sent(erased, message_id="4"), seen, learners) == 204
    assert learners == {str(GONE.partner_id): erased.as_json()}


def test_the_example_refuses_what_is_forged():
    receive, is_signed = example("receive")["receive"], example("verify")["is_signed"]
    headers, body = sent(LEARNER)
    old = str(int(headers["webhook-timestamp"]) - 310)
    forged = [
        (sent(LEARNER, [STRANGE])[0], body),
        (headers, body + b" "),
        (headers | {"webhook-id": "other"}, body),
        (headers | {"webhook-timestamp": old}, body),
        (headers | {"webhook-timestamp": old, "webhook-signature": by_hand(OLD, ID, old, body)}, body),
        (headers | {"webhook-signature": "rubbish"}, body),
    ]
    for signed, content in forged:
        seen, learners = set(), {}
        assert receive(OLD, signed, content, seen, learners) == 401
        assert (seen, learners) == (set(), {})
        assert not is_signed(OLD, signed, content)


@pytest.mark.usefixtures("committed")
def test_the_example_reports_an_opt_out(learner, settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]
    row = consent.give(learner, TYPED, None, evidence()).consent

    def post(path, body, headers):
        return Client().generic("POST", path, body, headers.pop("content-type"), headers=headers)

    response = example("report")["report_opt_out"](post, OLD, "msg_1", NUMBER, "Stop")
    (block,) = re.findall(r'``({"results": .*?)``', GUIDE)
    assert response.json() == json.loads(block.replace("…", str(row.partner_id)))
    row.refresh_from_db()
    assert row.status == "withdrawn"


def test_the_entry_that_is_shown_is_one():
    shown = json.loads(textwrap.dedent(re.search(r"code-block:: json\n\n((?:   .*\n)+)", GUIDE)[1]))
    assert shown.keys() == LEARNER.as_json().keys()
    assert {name: type(value) for name, value in shown.items()} == {
        name: type(value) for name, value in LEARNER.as_json().items()
    }


def test_what_the_guide_says_of_words_and_standings_is_so():
    for word in opt_outs.ACCEPTED.replace(" or ", ", ").split(", "):
        assert re.search(rf"\b{word}\b", GUIDE)
    for standing in Standing:
        assert f"``{standing.value}``" in GUIDE
