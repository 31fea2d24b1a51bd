"""The description of the API against a running LMS: many requests made up from it, and no answer that it lacks."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission

from coaching_plugin import consent
from coaching_plugin.models import ConsentEvent, PartnerOptOut
from coaching_plugin.rest_api.v1.roster import RosterRateThrottle
from tests import factories
from tests.test_openapi import API, SERVER
from tests.test_partner_signatures import OLD
from tests.test_rest_api import as_mfe

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("committed")]

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def assert_nothing_found(learner, live_server, settings, tmp_path, monkeypatch):
    """Have schemathesis call the API with these headers, and find no fault."""
    settings.COACHING_API_THROTTLE = "1000000/minute"
    monkeypatch.setattr(RosterRateThrottle, "get_rate", lambda self: "1000000/minute")
    learner.user_permissions.add(Permission.objects.get(codename="export_roster"))
    # The one id that is the learner's own is the one that is valid; made up are those that are not.
    document = copy.deepcopy(API)
    document["components"]["parameters"]["UserId"]["schema"] = {"const": learner.id}
    # Numbers made up for a page's size are phone numbers to the watch; tests/test_roster_api.py has wrong ones.
    read = document["paths"]["/partner/roster/"]["get"]
    read["parameters"] = [parameter for parameter in read["parameters"] if parameter["name"] != "page_size"]
    written = tmp_path / "openapi.json"
    written.write_text(json.dumps(document), encoding="utf-8")

    def run(*options, environment=None, **headers):
        options = [*options, *(f"--header={name}: {value}" for name, value in headers.items())]
        schemathesis = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "run", "--no-color"]
        process = subprocess.run(
            [*schemathesis, f"--url={live_server.url}{SERVER}", *options, written],
            cwd=tmp_path,  # it keeps notes there
            env={**os.environ, "PYTHONPATH": str(CONFIG.parent.parent), **(environment or {})},
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stdout + process.stderr

    return run


def kinds():
    return set(ConsentEvent.objects.values_list("kind", flat=True))


def test_nothing_is_found_by_a_learner_with_a_session(learner, log_in, assert_nothing_found):
    browser = as_mfe(log_in(learner))
    cookies = "; ".join(f"{name}={browser.cookies[name].value}" for name in ("sessionid", "csrftoken"))
    assert_nothing_found(**{"Cookie": cookies, "X-CSRFToken": browser.defaults["HTTP_X_CSRFTOKEN"]})
    assert kinds() >= {"consented", "phone_changed", "refused", "withdrawn"}, "it came to every kind of answer"


def test_nothing_is_found_by_a_learner_with_a_bearer_token(learner, bearer_token, assert_nothing_found):
    assert_nothing_found(Authorization=f"Bearer {bearer_token(learner)}")
    assert kinds() >= {"consented", "phone_changed", "refused", "withdrawn"}, "it came to every kind of answer"


def test_nothing_is_found_by_who_is_not_logged_in(assert_nothing_found):
    assert_nothing_found("--max-examples=3")
    assert kinds() == set()


def test_nothing_is_found_by_the_partner(learner, settings, assert_nothing_found):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]
    consent.give(learner, factories.TYPED, None, factories.evidence())
    environment = {"SCHEMATHESIS_HOOKS": "tests.schemathesis_signs", "PARTNER_SECRET": OLD}
    assert_nothing_found("--include-path=/partner/opt-outs/", environment=environment)
    # The examples are among the requests, and one has the learner's number.
    assert kinds() == {"consented", "opted_out"}
    assert PartnerOptOut.objects.exists()
