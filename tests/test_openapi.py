"""The description of the API in docs/openapi.yaml: it says what the code does, all of it and nothing else."""

import itertools
import json
import re
import types
from datetime import date, datetime
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from openedx.core.djangoapps.oauth_dispatch.jwt import create_jwt_for_user
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from coaching_plugin import conf, consent, urls
from coaching_plugin.eligibility import Rules, RunVerdict, Verdict
from coaching_plugin.enrollments import EnrollmentFacts
from coaching_plugin.models import CoachingConsent, ConsentEvent, Disclosure, Door
from coaching_plugin.partner import opt_outs, signatures, webhook
from coaching_plugin.partner.roster import Entry, Standing
from coaching_plugin.rest_api.v1 import errors, roster, serializers, views
from tests import factories
from tests.consent_pages import STATES_WITH_A_RECEIPT, prepare
from tests.test_partner_signatures import OLD
from tests.test_partner_webhook import GONE, LEARNER
from tests.test_rest_api import as_mfe

# Committed: DRF marks a surrounding transaction for rollback at each refusal, and so the test's own.
pytestmark = pytest.mark.usefixtures("committed")

DOCUMENT = Path(__file__).parent.parent / "docs" / "openapi.yaml"
API = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
SERVER = API["servers"][0]["url"]
SCHEMAS = API["components"]["schemas"]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
OPERATIONS = {
    item[method]["operationId"]: (method, path)
    for path, item in API["paths"].items()
    for method in METHODS
    if method in item
}
READS, WRITES = "getStanding", "changeAccountSettings"
SENT = {
    "Answer": serializers.AnswerSerializer,
    "Dismissal": serializers.DismissalSerializer,
    "OptOut": serializers.OptOutSerializer,
}
ANSWERS = {name: schema for name, schema in SCHEMAS.items() if schema["type"] == "object" and name not in SENT}
# What the partner sends, signed.
SIGNED = {name for name, (_, path) in OPERATIONS.items() if path == "/partner/opt-outs/"}
REGISTRY = Registry().with_resource("urn:api", DRAFT202012.create_resource(API))
# How JSON writes what Python holds.
WRITTEN = {
    bool: {"type": "boolean"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    str: {"type": "string"},
    types.NoneType: {"type": "null"},
}


def operation(name):
    method, path = OPERATIONS[name]
    return API["paths"][path][method]


def followed(node):
    """Return a node of the document, or the one that it refers to."""
    while "$ref" in node:
        where, node = node["$ref"].removeprefix("#/").split("/"), API
        for key in where:
            node = node[key]
    return node


def parameters(method, path, where):
    item = API["paths"][path]
    every = map(followed, [*item.get("parameters", []), *item[method].get("parameters", [])])
    return {parameter["name"] for parameter in every if parameter["in"] == where}


def violations(schema, value):
    """Return what of a value a schema of the document does not allow."""
    validator = OAS31Validator(schema, registry=REGISTRY, format_checker=oas31_format_checker)
    return [error.message for error in validator.iter_errors(value)]


def absolute(node):
    """Return a schema whose references lead into the document from wherever it stands."""
    return json.loads(json.dumps(node).replace('"#/', '"urn:api#/'))


def assert_allowed(name, response):
    """Hold an answer against what the document says of the operation: status, headers, media type, content."""
    documented = operation(name)["responses"]
    assert str(response.status_code) in documented, response.content[:500]
    told = followed(documented[str(response.status_code)])
    assert response.headers["Content-Type"] == next(iter(told["content"]))
    for header in told.get("headers", {}):
        assert header in response.headers
    schema = told["content"]["application/json"]["schema"]
    assert violations(absolute(schema), response.json()) == []


def api_views(patterns=urls.urlpatterns, prefix="/"):
    """Yield the path, as OpenAPI writes it, and the class of each API view that the plugin serves."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from api_views(pattern.url_patterns, route)
        elif issubclass(pattern.callback.view_class, views.APIView):
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), pattern.callback.view_class


VIEWS = {path.removeprefix(SERVER): view for path, view in api_views()}


def url(name, user_id):
    return SERVER + OPERATIONS[name][1].format(user_id=user_id)


def schema_sent(name):
    """Return the name of the schema of what an operation takes."""
    return operation(name)["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]


# Something that each operation takes; what another knows, it does not read.
BODY = '{"coaching_consent": false, "dismissed": true}'


def send(client, name, user_id, body=BODY, query="", **headers):
    if name in SIGNED:
        headers = signatures.sign([OLD], "msg_1", body.encode() if "requestBody" in operation(name) else b"") | headers
    writes = "requestBody" in operation(name)
    content = {"data": body, "content_type": headers.pop("content_type", "application/json")} if writes else {}
    return client.generic(OPERATIONS[name][0].upper(), url(name, user_id) + query, headers=headers, **content)


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.COACHING_PARTNER_OPT_OUT_SECRETS = [OLD]


@pytest.fixture
def mfe(learner, log_in):
    """The account MFE of the learner, who may read the roster; what fails is answered, as in production."""
    learner.user_permissions.add(Permission.objects.get(codename="export_roster"))
    client = as_mfe(log_in(learner))
    client.raise_request_exception = False
    return client


# The document


def test_the_document_is_valid():
    validate(API)


def test_the_examples_are_what_the_schema_allows():
    examples = [
        (media["schema"], example["value"])
        for name in OPERATIONS
        for media in operation(name).get("requestBody", {"content": {}})["content"].values()
        for example in media["examples"].values()
    ]
    assert examples
    assert [violations(absolute(schema), example) for schema, example in examples] == [[] for _ in examples]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_no_more_than_what_is_written(name):
    assert SCHEMAS[name]["additionalProperties"] is False


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "RefusalByField"])
def test_an_answer_has_all_of_what_is_written(name):
    assert set(SCHEMAS[name]["required"]) == set(SCHEMAS[name]["properties"])


@pytest.mark.parametrize("kind", ["schemas", "responses", "parameters", "securitySchemes"])
def test_all_that_is_defined_is_used(kind):
    used = set(re.findall(rf'"#/components/{kind}/(\w+)"', json.dumps(API)))
    requirements = [*API["security"], *(way for name in OPERATIONS for way in operation(name).get("security", []))]
    schemes = {scheme for requirement in requirements for scheme in requirement}
    assert set(API["components"][kind]) == (schemes if kind == "securitySchemes" else used)


# Paths, methods, parameters


def test_the_paths_are_those_of_the_urlconf():
    assert set(API["paths"]) == set(VIEWS)


@pytest.mark.parametrize("path", VIEWS)
def test_the_methods_are_those_of_the_view(path):
    answered = {method for method in views.APIView.http_method_names if hasattr(VIEWS[path], method)}
    # HEAD comes with GET.
    assert set(METHODS) & API["paths"][path].keys() == answered - {"head"}


def query_read_by(name):
    """Return the names of the query that the module of an operation reads; each has one that reads any."""
    module = {"getDisclosure": views, "getRoster": roster}.get(name)
    if module is None:
        return set()
    source = Path(module.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'query_params(?:\.get\(|\[|, )"(\w+)"', source))
    return read | ({roster.RosterPagination.cursor_query_param} if module is roster else set())


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_parameters_are_those_that_are_read(name):
    method, path = OPERATIONS[name]
    assert parameters(method, path, "path") == set(re.findall(r"{(\w+)}", path))
    assert parameters(method, path, "query") == query_read_by(name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_media_types_are_those_of_the_view(name):
    view = VIEWS[OPERATIONS[name][1]]
    written = {parser.media_type for parser in view.parser_classes}
    asked = view(request=types.SimpleNamespace(method=OPERATIONS[name][0].upper()))
    rendered = {renderer.media_type for renderer in asked.get_renderers()}
    answers = [followed(response) for response in operation(name)["responses"].values()]
    assert {media for answer in answers for media in answer["content"]} == rendered
    assert ("requestBody" in operation(name)) == (OPERATIONS[name][0] in ("patch", "post", "put"))
    if "requestBody" in operation(name):
        assert set(operation(name)["requestBody"]["content"]) == written


# What is sent


@pytest.mark.parametrize("schema", SENT)
def test_the_fields_of_what_is_sent_are_those_of_the_serializer(schema):
    types_of = {serializers.StrictBooleanField: "boolean", serializers.StrictCharField: "string"}
    written = {}
    for name, field in SENT[schema]().fields.items():
        kind = types_of[type(field)]
        written[name] = {"type": [kind, "null"] if field.allow_null else kind}
        if kind == "string":
            written[name] |= {"maxLength": field.max_length} | ({} if field.allow_blank else {"minLength": 1})
    # That of the two values only one is taken, the test after the next sees.
    not_compared = {"description", "const"}
    assert {
        name: {key: value for key, value in described.items() if key not in not_compared}
        for name, described in SCHEMAS[schema]["properties"].items()
    } == written
    required = [name for name, field in SENT[schema]().fields.items() if field.required]
    assert SCHEMAS[schema].get("required", []) == required


ALONE = [
    {"coaching_consent": False},
    {"phone_number": factories.TYPED},
    {"full_name": "Lena"},
    {"disclosure": "0" * 64},
    {"partner_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    {"reason": "STOP"},
    {"dismissed": True},
    {"dismissed": False},
]


def test_every_field_is_sent_alone_once():
    assert {field for body in ALONE for field in body} == {
        name for sent in SENT for name in SCHEMAS[sent]["properties"]
    }


@pytest.mark.parametrize("body", ALONE, ids=str)
@pytest.mark.parametrize("name", [name for name in OPERATIONS if "requestBody" in operation(name)])
def test_the_fields_that_suffice_alone_are_those_that_the_schema_names(learner, mfe, name, body):
    response = send(mfe, name, learner.id, json.dumps(body))
    assert (response.status_code == 200) == (violations(absolute(SCHEMAS[schema_sent(name)]), body) == [])


# What is answered


# What can be wrong with a request itself; a body is sent where the operation takes one.
REQUESTS = [
    {},
    {"query": "?" + "&".join(f"p{number}=" for number in range(1001))},
    {"query": "?format=xml"},
    {"body": "{}"},
    {"body": '{"coaching_consent": true, "phone_number": "12", "full_name": " "}'},
    {"body": " " * 3_000_000},
    {"content_type": "text/plain"},
    {"accept": "text/html"},
    {"X-CSRFToken": "no"},
]


def every_answer(client, name, learner, settings, monkeypatch):
    """Yield an answer of each kind that an operation can give."""
    for request in REQUESTS:
        yield send(client, name, learner.id, **request)
    yield send(client, name, learner.id + 1)
    yield send(Client(), name, learner.id)
    with monkeypatch.context() as broken:
        broken.setattr(conf, "api_throttle", lambda: 1 / 0)
        broken.setattr(roster.RosterRateThrottle, "get_rate", lambda self: 1 / 0)
        yield send(client, name, learner.id)
    # Counted anew: of more requests than the rate allows, DRF does not say when they are forgotten.
    cache.clear()
    settings.COACHING_API_THROTTLE = "1/day"
    monkeypatch.setattr(roster.RosterRateThrottle, "get_rate", lambda self: "1/day")
    send(client, name, learner.id)
    yield send(client, name, learner.id)
    cache.clear()
    User.objects.filter(pk=learner.pk).update(is_active=False)
    yield send(client, name, learner.id)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - SIGNED))
def test_the_answers_are_those_that_are_written(learner, mfe, settings, monkeypatch, name):
    """Every status that can come is there, each that is there comes, and each answer is in its form."""
    consent.give(learner, factories.TYPED, None, factories.evidence())  # or there is no receipt
    given = set()
    for response in every_answer(mfe, name, learner, settings, monkeypatch):
        assert_allowed(name, response)
        given.add(str(response.status_code))
    assert given == set(operation(name)["responses"])


@pytest.mark.parametrize("path", VIEWS)
def test_a_method_that_is_not_there_is_refused_in_the_same_form(learner, mfe, path):
    there = set(METHODS) & API["paths"][path].keys()
    headers = signatures.sign([OLD], "msg_1", b"")
    for method in set(METHODS) - there - {"head"}:
        response = mfe.generic(method.upper(), SERVER + path.format(user_id=learner.id), headers=headers)
        assert response.status_code == 405
        assert violations(absolute(SCHEMAS["Refusal"]), response.json()) == []
        assert {allowed.lower() for allowed in response.headers["Allow"].split(", ")} - {"head"} == there


def test_the_fields_of_a_refusal_are_those_of_the_code():
    assert set(SCHEMAS["RefusalByField"]["properties"]) == {*errors.FIELDS, "detail"}


@pytest.mark.parametrize("enrolled", ["eligible", "not eligible", "nowhere", "everything recorded", "off"])
def test_every_verdict_is_in_the_form_that_is_written(learner, mfe, set_flag, enrolled):
    if enrolled == "not eligible":
        learner.courseenrollment_set.update(is_active=False, mode="audit")
    elif enrolled == "nowhere":
        learner.courseenrollment_set.all().delete()
    elif enrolled == "everything recorded":
        factories.engage(learner, date.today())
        factories.enroll(learner, factories.MB102)
        factories.save_state(learner, Rules.now().since, factories.MB102)
    set_flag("coaching.enabled", enrolled != "off")
    assert_allowed("explainEligibility", send(mfe, "explainEligibility", learner.id))


@pytest.mark.parametrize("state", STATES_WITH_A_RECEIPT)
def test_every_receipt_is_in_the_form_that_is_written(learner, mfe, monkeypatch, set_flag, state):
    prepare(state, learner, monkeypatch, set_flag)
    response = send(mfe, "getReceipt", learner.id)
    assert response.status_code == 200
    assert_allowed("getReceipt", response)


# Values


@pytest.mark.parametrize(
    ("schema", "name", "values"),
    [
        ("Receipt", "status", CoachingConsent.Status.values),
        ("HeldEvent", "kind", ConsentEvent.Kind.values),
        ("HeldEvent", "door", Door.values),
    ],
)
def test_the_codes_of_a_receipt_are_those_of_the_models(schema, name, values):
    assert SCHEMAS[schema]["properties"][name]["enum"] == values


def test_the_reasons_of_a_verdict_are_those_of_the_code(learner, mfe, set_flag):
    facts = [EnrollmentFacts(factories.MB101, "verified", active, *[None] * 4, False, None) for active in (True, False)]
    one_run = [(RunVerdict(fact, mode_counts=True, recently_active=True),) for fact in facts]
    verdicts = [
        Verdict(rules=Rules.now(), runs=runs, old_enough=old_enough)
        for runs, old_enough in itertools.product([(), *one_run], [True, False])
    ]
    set_flag("coaching.enabled", False)
    while_off = send(mfe, "explainEligibility", learner.id).json()["reasons"]
    codes = {code for verdict in verdicts for code in verdict.reasons} | set(while_off)
    assert set(SCHEMAS["Verdict"]["properties"]["reasons"]["items"]["enum"]) == codes


def test_the_reasons_of_a_course_run_are_those_of_the_code():
    codes = set()
    for active, mode_counts, recently_active in itertools.product([True, False], repeat=3):
        fact = EnrollmentFacts(factories.MB101, "verified", active, *[None] * 4, False, None)
        codes |= set(RunVerdict(fact, mode_counts=mode_counts, recently_active=recently_active).reasons)
    assert set(SCHEMAS["CourseRunVerdict"]["properties"]["reasons"]["items"]["enum"]) == codes


def test_the_facts_of_a_course_run_are_of_the_types_that_the_code_holds():
    held = get_type_hints(EnrollmentFacts)
    described = {**SCHEMAS["CourseRunVerdict"]["properties"], **SCHEMAS["Activity"]["properties"]}
    described["has_recent_courseware_state"] = described.pop("recent_courseware_state")
    compared = described.keys() & held.keys() - {"course_key"}
    assert compared >= SCHEMAS["Activity"]["properties"].keys() - {"recent_courseware_state"} | {"mode", "is_active"}
    for name in compared:
        written = [WRITTEN[kind] for kind in get_args(held[name]) or (held[name],)]
        kinds = [one["type"] for one in written]
        assert described[name]["type"] == (kinds if len(kinds) > 1 else kinds[0])
        assert described[name].get("format") == written[0].get("format")


def test_the_disclosure_is_written_in_every_direction_that_there_is(learner, mfe):
    languages = Disclosure.objects.values_list("language", flat=True)
    shown = [send(mfe, "getDisclosure", learner.id, query=f"?language={language}") for language in languages]
    for response in shown:
        assert_allowed("getDisclosure", response)
    described = SCHEMAS["Disclosure"]["properties"]
    assert {response.json()["direction"] for response in shown} == set(described["direction"]["enum"])
    assert described["language"]["maxLength"] == Disclosure._meta.get_field("language").max_length


def test_a_page_of_the_roster_is_in_the_form_that_is_written(learner, mfe):
    gone = factories.eligible_learner()
    for person in (learner, gone):
        assert not consent.give(person, factories.TYPED, None, factories.evidence()).is_refused
    consent.decline(gone, factories.evidence())
    for query, count in [("", 1), ("?changed_since=2026-01-01T00:00:00Z", 2)]:
        response = send(mfe, "getRoster", learner.id, query=query)
        assert_allowed("getRoster", response)
        assert len(response.json()["results"]) == count
    csv = send(mfe, "getRoster", learner.id, query="?format=csv")
    assert csv.headers["Content-Type"].partition(";")[0] in operation("getRoster")["responses"]["200"]["content"]


def test_the_standings_of_a_roster_are_those_of_the_code():
    left = SCHEMAS["Tombstone"]["properties"]["status"]["enum"]
    assert [SCHEMAS["RosterEntry"]["properties"]["status"]["const"], *left] == Standing.values
    assert SCHEMAS["RosterPage"]["properties"]["results"]["maxItems"] == roster.RosterPagination.max_page_size


# Who is calling


@pytest.fixture
def credentials(learner, log_in, bearer_token):
    """What the learner's browser and apps hold, by the name that the document gives it."""
    browser = as_mfe(log_in(learner))
    held = {
        "csrfToken": browser.defaults["HTTP_X_CSRFTOKEN"],
        "jwt": f"JWT {create_jwt_for_user(learner)}",
        "bearer": f"Bearer {bearer_token(learner)}",
    }
    cookies = {
        name: browser.cookies[scheme["name"]].value
        for name, scheme in API["components"]["securitySchemes"].items()
        if scheme.get("in") == "cookie"
    }
    return held | cookies


def with_credentials(held):
    """Return a client that sends just these, in the places that the document names."""
    client = Client(enforce_csrf_checks=True)
    for name, value in held.items():
        scheme = API["components"]["securitySchemes"][name]
        if scheme.get("in") == "cookie":
            client.cookies[scheme["name"]] = value
        else:
            header = scheme.get("name", "Authorization")
            client.defaults[f"HTTP_{header.upper().replace('-', '_')}"] = value
    return client


@pytest.mark.parametrize("name", [READS, WRITES])
def test_each_way_to_log_in_is_enough_and_all_of_it_is_needed(learner, credentials, name):
    for way in operation(name).get("security", API["security"]):
        held = {scheme: credentials[scheme] for scheme in way}
        assert send(with_credentials(held), name, learner.id).status_code == 200, way
        for scheme in way:
            lacking = {other: value for other, value in held.items() if other != scheme}
            response = send(with_credentials(lacking), name, learner.id)
            assert response.status_code in (401, 403), (way, scheme)
            assert_allowed(name, response)


def test_every_way_that_the_code_takes_is_written(learner, credentials):
    used = set()
    for way in operation(WRITES)["security"]:
        response = send(with_credentials({scheme: credentials[scheme] for scheme in way}), WRITES, learner.id)
        used.add(type(response.renderer_context["request"].successful_authenticator))
    assert used == {type(authenticator) for authenticator in views.UserView().get_authenticators()}


def test_what_reads_is_open_to_every_way_and_what_writes_needs_a_csrf_token_with_cookies():
    for name, (method, path) in OPERATIONS.items():
        if name in SIGNED:
            assert operation(name)["security"] == SIGNATURE
            assert VIEWS[path]().get_authenticators() == []
            continue
        assert operation(name).get("security") == (operation(WRITES)["security"] if method == "patch" else None)
        assert VIEWS[path].get_authenticators is views.CoachingAPIView.get_authenticators


# The partner

SIGNATURE = [{"webhookId": [], "webhookTimestamp": [], "webhookSignature": []}]


def every_answer_to_the_partner(name, row, monkeypatch):
    """Yield an answer of each kind that an operation for the partner can give."""
    client = Client(raise_request_exception=False)
    yield send(client, name, 0, json.dumps({"phone_number": factories.CANADIAN, "reason": "STOP"}))
    yield send(client, name, 0, json.dumps({"partner_id": str(row.partner_id), "reason": "STOP"}))
    for body in ("{}", "[]", '{"phone_number": "1", "partner_id": "2", "reason": "3"}'):
        yield send(client, name, 0, body)
    for request in ({"content_type": "text/plain"}, {"accept": "text/html"}, {"query": "?format=xml"}):
        yield send(client, name, 0, **request)
    for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        yield send(client, name, 0, **{header: ""})
    yield client.generic(OPERATIONS[name][0].upper(), url(name, 0), b" " * 3_000_000)
    with monkeypatch.context() as broken:
        broken.setattr(conf, "opt_out_secrets", lambda: 1 / 0)
        yield send(client, name, 0)


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_the_answers_to_the_partner_are_those_that_are_written(learner, monkeypatch, name):
    row = consent.give(learner, factories.TYPED, None, factories.evidence()).consent
    given = set()
    for response in every_answer_to_the_partner(name, row, monkeypatch):
        assert_allowed(name, response)
        given.add(str(response.status_code))
    assert given == set(operation(name)["responses"])


def test_the_headers_of_a_signature_are_those_that_are_read():
    schemes = [API["components"]["securitySchemes"][name] for name in SIGNATURE[0]]
    assert {scheme["name"] for scheme in schemes} == signatures.sign([OLD], "a", b"").keys()


def test_the_words_of_an_opt_out_are_those_that_are_taken():
    described = SCHEMAS["OptOut"]["properties"]["reason"]["description"]
    for word in opt_outs.ACCEPTED.replace(" or ", ", ").split(", "):
        assert word in described


ERASED = Entry(GONE.partner_id, 9, Standing.ERASED)


@pytest.mark.parametrize("entry", [LEARNER, GONE, ERASED], ids=lambda entry: entry.status.value)
def test_what_the_partner_is_sent_is_what_is_written(entry):
    (operation,) = API["webhooks"]["learner"].values()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    message = json.loads(webhook.message(entry))
    assert violations(absolute(schema), message) == []
    message["data"]["user_id"] = 7
    assert violations(absolute(schema), message), "nothing else is sent"


def test_the_types_of_messages_are_those_that_there_are():
    assert SCHEMAS["Message"]["properties"]["type"]["enum"] == [f"learner.{standing.value}" for standing in Standing]
    assert API["webhooks"]["learner"]["post"]["security"] == SIGNATURE
