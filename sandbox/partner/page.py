"""The page on which one sees what the partner holds: of learners to coach all of it, of others that they are gone."""

from datetime import UTC, datetime
from html import escape
from typing import Any

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Coaching partner (a stand-in)</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/partner.css">
</head>
<body>
<header>
  <h1>Coaching partner <small>a stand-in for one</small></h1>
  <nav><a href="/">Look again</a> <a href="{lms}/">To the LMS</a></nav>
</header>
<main>
  <p>This stands in for a coaching partner. It holds what the LMS has told it of learners who agree to be coached, and
  nothing else. STOP does what a learner does by texting STOP: it is passed on to the LMS at once.</p>
  <h2>Learners to coach ({count})</h2>
  {learners}
  {gone}
  {opt_outs}
</main>
</body>
</html>
"""
NOBODY = """<p class="nobody">Nobody. Whoever signs up in the LMS is here within seconds.</p>"""
LEARNER = """<li class="learner">
      <h3><bdi>{full_name}</bdi></h3>
      <dl>
        <div><dt>Phone</dt><dd>{phone_number}</dd></div>
        <div><dt>E-mail</dt><dd><bdi>{email}</bdi></dd></div>
        <div><dt>Language</dt><dd>{language}</dd></div>
        <div><dt>Programs</dt><dd><bdi>{programs}</bdi></dd></div>
        <div><dt>Agreed</dt><dd>{agreed}</dd></div>
      </dl>
      {stopped}
      <form method="post" action="/stop">
        <input type="hidden" name="partner_id" value="{partner_id}">
        <button aria-label="STOP, as if texted by {full_name}">STOP</button>
      </form>
    </li>"""
STOPPED = """<p class="stopped">Has texted STOP: no more messages. Kept until the LMS tells of it, too.</p>"""


def page(learners: list[dict[str, Any]], opt_outs: list[dict[str, Any]], lms: str) -> str:
    """Return the page, in HTML; ``lms`` is where the LMS is."""
    held = [learner for learner in learners if learner["status"] == "consented"]
    return PAGE.format(
        lms=escape(lms),
        count=len(held),
        learners=_list("learners", map(_learner, held)) or NOBODY,
        gone=_section("Not to be coached any more", [_gone(each) for each in learners if each not in held]),
        opt_outs=_section("STOP, passed on to the LMS", map(_opt_out, opt_outs)),
    )


def _learner(learner: dict[str, Any]) -> str:
    """Show all of it, which whoever typed it does not get to be markup."""
    version = learner["disclosure_version"]
    words = f"to version {version} of the words" if version else "in words that the LMS did not show"
    agreed = f"{_moment(learner['consented_at'])}, {words}" if learner["consented_at"] else words
    return LEARNER.format(
        stopped=STOPPED if learner["stopped_at"] else "",
        agreed=agreed,
        programs=escape(", ".join(map(str, learner["programs"]))) or "none named",
        email=escape(learner["email"] or "none").replace("@", "<wbr>@"),
        **{name: escape(learner[name] or "none") for name in ("language", "phone_number", "full_name")},
        partner_id=escape(learner["partner_id"]),
    )


def _gone(learner: dict[str, Any]) -> str:
    return (
        f"<li>{_short(learner)}: {escape(learner['status'])}, {_moment(learner['heard_at'])}."
        " Nothing else is held.</li>"
    )


def _opt_out(opt_out: dict[str, Any]) -> str:
    return f"<li>{_short(opt_out)}, {_moment(opt_out['sent_at'])}. The LMS answered: {escape(opt_out['answer'])}.</li>"


def _section(heading: str, lines) -> str:
    lines = _list("lines", lines)
    return f"<h2>{heading}</h2>\n  {lines}" if lines else ""


def _list(name: str, items) -> str:
    items = "\n    ".join(items)
    return f'<ul class="{name}">\n    {items}\n  </ul>' if items else ""


def _short(of: dict[str, Any]) -> str:
    return f'<code title="{escape(of["partner_id"])}">{escape(of["partner_id"][:8])}…</code>'


def _moment(value: str) -> str:
    """Show a time that the partner has stored, or was told."""
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        return escape(str(value))
    return f'<time datetime="{escape(value)}">{moment:%d %b %Y, %H:%M} UTC</time>'
