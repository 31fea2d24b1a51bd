"""The watch over the whole suite: no log, event, task or address holds a person's number, name, e-mail or IP."""

import logging
import re
import unicodedata
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from celery.signals import before_task_publish, task_prerun
from common.djangoapps.student.models import UserProfile
from django.contrib.auth.models import User
from django.core.handlers.base import BaseHandler
from django.db.models.signals import post_save
from openedx_events.tooling import OpenEdxPublicSignal

from coaching_plugin import course_doors

# What the people of the tests have, whoever typed it and in whatever form. A client of the tests sits at 127.0.0.1,
# where the site is too: the site has a port.
PERSONAL = re.compile(
    r"""
      (?<!\w) \+ [1-9] (?: [\s().-]* \d ){7,14} (?!\w)                                      # +1 415-555-2671
    | (?<!\w) (?: 1 [-.\s]* )? \(? [2-9]\d\d \)? [-./\s]* [2-9]\d\d [-.\s]* \d{4} (?!\w)    # (415) 555-2671
    | (?<!\w) [2-9]\d\d [-.\s]* 555 [-.\s]* \d{2,4} (?!\w) (?! -[0-9a-f]{4}- )              # 415 555 267, no UUID
    | (?<!\d) 555 [-.\s] \d{3,4} (?!\w)
    | (?<![\w.+-]) [\w.+-]++ @ (?! evil\. ) (?: [\w-]+ \. )* example \. (?: com | org | net )
    | (?<![\d.]) (?: 192\.0\.2 | 198\.51\.100 | 203\.0\.113 ) \. \d
    | (?<! //) (?<![\d.]) 127\.0\.0\.1 (?! :\d | \d | % )
    | (?<!\w) (?: 2001:db8 | fe80 ) :
    | \b (?: Lena | Zwetschge ) \b
    """,
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2}))", re.IGNORECASE)
_OURS = re.compile("/((api/)?coaching|admin/coaching_plugin)/")
# At these views alone a platform that calls the courseware filters does something else than one that does not.
_COURSE_DOORS = course_doors.LEGACY_COURSE_VIEWS | {course_doors.COURSE_METADATA_VIEW}
_RECORD_HAS = vars(logging.makeLogRecord({})).keys()


class Watch(logging.Handler):
    """
    Takes down all that leaves the process while a test runs, and knows whom the test has made.

    And whether anybody came to a course door, where the two kinds of platform differ.
    """

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.loggers_known = 0
        self.forget()

    def forget(self):
        """Begin anew, for another test."""
        self.records, self.notes, self.people = [], [], set()
        self.saw_course_door = False
        self.open_loggers()

    def open_loggers(self):
        """Have every logger hand on every record: what a platform silences, an operator may turn on."""
        root = logging.getLogger()
        # Whoever sets logging up anew takes all handlers away.
        if len(root.manager.loggerDict) == self.loggers_known and self in root.handlers:
            return
        self.loggers_known = len(root.manager.loggerDict)
        loggers = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
        root.setLevel(logging.DEBUG)
        for logger in loggers:
            if logger.level != logging.NOTSET:
                logger.setLevel(logging.NOTSET if logger.propagate else logging.DEBUG)
        for logger in (root, *(logger for logger in loggers if not logger.propagate)):
            logger.addHandler(self)

    def emit(self, record):
        # Queries are logged, with what they look for, only where a test counts them or DEBUG is on.
        if record.name == "django.db.backends" and record.levelno == logging.DEBUG:
            return
        # The server of the browser tests says who hung up, whichever test runs by then.
        if record.name == "django.server" and record.getMessage().startswith("- Broken pipe from "):
            return
        self.records.append(record)
        more = {name: value for name, value in vars(record).items() if name not in _RECORD_HAS}
        errors = messages(record.exc_info and record.exc_info[1])
        self.note(f"log {record.name}", record.getMessage(), record.msg, record.args, more, *errors)

    def note(self, source, *parts):
        self.notes.append((source, " ".join(part if isinstance(part, str) else repr(part) for part in parts)))

    def meet(self, *words):
        # A word of a few letters may stand anywhere.
        self.people |= {word for word in words if len(word or "") > 6}

    def found(self):
        """Return what is personal in what was taken down since the last time, by where it stood."""
        notes, self.notes = self.notes, []
        # Most of what is noted is noted again and again.
        if not self.traces("\n".join(dict.fromkeys(text for _, text in notes))):
            return []
        return [(source, traces) for source, text in notes if (traces := self.traces(text))]

    def traces(self, text):
        """Return what is personal in a text, as it stands or without its encodings."""
        views = [text]
        # What leads back may lead back again: an address stands in an address.
        while (plain := _plain(views[-1])) != views[-1]:
            views.append(plain)
        views.append(views[-1].replace("+", " "))
        people = {*self.people, *map(_plain, self.people)}
        traces = {match.group() for view in views for match in PERSONAL.finditer(view)}
        return traces | {word for view in views for word in people if word in view}


def _plain(text):
    """Return a text without the encodings of addresses, JSON and Python, in plain digits and dashes."""
    text = _ESCAPED.sub(lambda escaped: chr(int(escaped[1] or escaped[2], 16)), unquote(text))
    if text.isascii():
        return text
    return "".join(_plain_character(character) for character in unicodedata.normalize("NFKC", text))


def _plain_character(character):
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return {"Cf": "", "Pd": "-", "Zs": " "}.get(unicodedata.category(character), character)


def messages(error):
    """Return an exception as it is printed, with those that it comes from; not the lines of code that raised it."""
    while error:
        yield f"{error} {error!r}"
        error = error.__cause__ or error.__context__


@contextmanager
def watching():
    """Watch logs, events, tasks and addresses, till the end of the suite."""
    watch = Watch()

    def meet_profile(instance, **kwargs):
        watch.meet(instance.name, (instance.phone_number or "").removeprefix("+"))

    def meet_user(instance, **kwargs):
        watch.meet(instance.email)

    def note_published_task(sender, body, headers, **kwargs):
        watch.note(f"task {sender}", body, headers)

    def note_run_task(task, args, kwargs, **more):
        watch.note(f"task {task.name}", args, kwargs)

    def send_event(event, *args, **kwargs):
        # The platform's own events tell of people by design.
        if not event.event_type.startswith("org.openedx.learning."):
            watch.note(f"event {event.event_type}", args, kwargs)
        return sending(event, *args, **kwargs)

    def get_response(handler, request):
        response = answering(handler, request)
        watch.saw_course_door |= course_doors.view_name(request) in _COURSE_DOORS
        if _OURS.match(request.path):
            watch.note("address", request.get_full_path())
        watch.note("redirect", response.headers.get("Location", ""))
        return response

    sending, answering = OpenEdxPublicSignal.send_event, BaseHandler.get_response
    connections = (
        (post_save, meet_profile, UserProfile),
        (post_save, meet_user, User),
        (before_task_publish, note_published_task, None),
        (task_prerun, note_run_task, None),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenEdxPublicSignal, "send_event", send_event)
        patch.setattr(BaseHandler, "get_response", get_response)
        for signal, receiver, sender in connections:
            signal.connect(receiver, sender=sender, weak=False)
        yield watch
        for signal, receiver, sender in connections:
            signal.disconnect(receiver, sender=sender)
