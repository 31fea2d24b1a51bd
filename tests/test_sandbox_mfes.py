"""The sandbox answers MFEs: those that its environment names, and no page of anywhere else."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from lms.envs import mfes


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", []),
        (" , ", []),
        ("http://localhost:1997", ["http://localhost:1997"]),
        ("http://localhost:1997,http://localhost:2000", ["http://localhost:1997", "http://localhost:2000"]),
        (" http://localhost:1997 ,\n http://localhost:1997/", ["http://localhost:1997"]),
        ("HTTP://LocalHost:80 https://localhost:443/", ["http://localhost", "https://localhost"]),
        ("http://127.0.0.1:1997", ["http://127.0.0.1:1997"]),
    ],
)
def test_origins_are_read_as_browsers_send_them(value, origins):
    assert mfes.allowed_origins({"MFE_ORIGINS": value}) == origins


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("localhost:1997", "no address like http"),
        ("//localhost:1997", "no address like http"),
        ("ftp://localhost", "no address like http"),
        ("http://", "no address like http"),
        ("null", "no address like http"),
        ("*", "wildcard"),
        ("http://*:1997", "wildcard"),
        ("http://localhost:1997/account", "which is http://localhost:1997"),
        ("http://localhost:1997?a=1", "more than an origin"),
        ("http://localhost:1997#a", "more than an origin"),
        ("http://localhost:0", "not at 127.0.0.1 or localhost"),
        ("http://localhost:99999", "no address: Port out of range"),
        ("http://localhost:port", "no address"),
        ("http://[::1", "no address"),
        ("http://[::1]:1997", "not at 127.0.0.1 or localhost"),
        ("http://user@localhost:1997", "not at 127.0.0.1 or localhost"),
        ("http://localhost.example.com", "not at 127.0.0.1 or localhost"),
        ("http://localhost:1997,https://mfe.example.com", "https://mfe.example.com is not at"),
    ],
)
def test_what_is_no_origin_is_named(value, complaint):
    with pytest.raises(ImproperlyConfigured, match="^MFE_ORIGINS: ") as refusal:
        mfes.allowed_origins({"MFE_ORIGINS": value})
    assert complaint in str(refusal.value)


def test_the_address_of_an_mfe_allows_its_origin():
    environ = {
        "MFE_ORIGINS": "http://localhost:1997",
        "LEARNING_MICROFRONTEND_URL": "http://LOCALHOST:2000/learning/",
        "ACCOUNT_MICROFRONTEND_URL": " http://localhost:1997/ ",
        "LEARNER_HOME_MICROFRONTEND_URL": "",
        "OTHER_URL": "http://elsewhere.example.com",
    }

    assert mfes.microfrontend_urls(environ) == {
        "LEARNING_MICROFRONTEND_URL": "http://localhost:2000/learning",
        "ACCOUNT_MICROFRONTEND_URL": "http://localhost:1997",
    }
    assert mfes.allowed_origins(environ) == ["http://localhost:1997", "http://localhost:2000"]


@pytest.mark.parametrize(
    "value", ["localhost:2000", "http://mfe.example.com", "http://localhost:2000?a=1", "http://localhost:2000/#a", "*"]
)
def test_what_is_no_address_of_an_mfe_is_named(value):
    for read in (mfes.microfrontend_urls, mfes.allowed_origins):
        with pytest.raises(ImproperlyConfigured, match="^LEARNING_MICROFRONTEND_URL: "):
            read({"LEARNING_MICROFRONTEND_URL": value})
