"""Who and what the demo is made of."""

from dataclasses import dataclass, field
from typing import Any

PASSWORD = "edx"

MB101 = "course-v1:DemoX+MB101+2026"
MB102 = "course-v1:DemoX+MB102+2026"
LIST1 = "course-v1:DemoX+LIST1+2026"
PLAIN = "course-v1:DemoX+PLAIN+2026"


@dataclass(frozen=True)
class Course:
    """A course run, and why it is coached."""

    key: str
    title: str
    coached: str


COURSES = [
    Course(MB101, "Statistics Fundamentals I", "in a MicroBachelors program of the catalog"),
    Course(MB102, "Statistics Fundamentals II", "in a MicroBachelors program of the catalog"),
    Course(LIST1, "Writing for Work", "listed by the operator"),
    Course(PLAIN, "Introduction to Astronomy", "not coached"),
]

PROGRAM = {
    "uuid": "5f2c6f0e-6f0b-4f5e-9f55-0c2a7f1f3b10",
    "title": "Statistics Fundamentals",
    "subtitle": "",
    "type": "MicroBachelors",
    "type_attrs": {"uuid": "0f3a4f0c-4a5b-4c7e-8c56-4b6f2f6d7a11", "slug": "microbachelors"},
    "status": "active",
    "marketing_slug": "statistics-fundamentals",
    "marketing_url": "",
    "hidden": False,
    "authoring_organizations": [{"key": "DemoX", "name": "Demo University"}],
    "courses": [
        {
            "key": f"DemoX+{number}",
            "uuid": uuid,
            "title": title,
            "course_runs": [{"key": key, "status": "published", "title": title}],
        }
        for number, uuid, key, title in [
            ("MB101", "1d1f3e6a-8a3e-4c0d-9b63-5b7f3c1d2e12", MB101, COURSES[0].title),
            ("MB102", "2e2a4f7b-9b4f-4d1e-8c74-6c8a4d2e3f13", MB102, COURSES[1].title),
        ]
    ],
    "curricula": [],
}


@dataclass(frozen=True)
class Person:
    """An account of the demo. `active` is the number of days since they last did something in their courses."""

    username: str
    name: str
    state: str
    modes: dict[str, str] = field(default_factory=lambda: {MB101: "verified"})
    active: int = 1
    enrolled: bool = True
    phone_number: str | None = None
    age: int | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    user: dict[str, bool] = field(default_factory=dict)
    role_in: str | None = None
    answer: str | None = None

    @property
    def can_log_in(self):
        """Whether the account is activated."""
        return self.user.get("is_active", True)


PEOPLE = [
    Person(
        "eligible",
        "Elena Garcia",
        "verified in MB101, audit in MB102, active yesterday, never asked, no phone",
        modes={MB101: "verified", MB102: "audit"},
    ),
    Person(
        "eligible2",
        "Ellis Tremblay",
        "verified in LIST1, active yesterday, never asked, has a Canadian number in the profile",
        modes={LIST1: "verified"},
        phone_number="+15062345678",
    ),
    Person("boundary", "Bo Darwish", "verified in MB101, last active on the day 90 days ago", active=90),
    Person("dormant", "Dora Mantel", "verified in MB101, last active on the day 91 days ago", active=91),
    Person("audit", "Audra Itani", "audit in MB101, active yesterday", modes={MB101: "audit"}),
    Person("unenrolled", "Una Rolle", "verified in MB101, but the enrollment is inactive", enrolled=False),
    Person("plain", "Pia Lane", "verified in PLAIN only", modes={PLAIN: "verified"}),
    Person("consented", "Connie Senter", "verified in MB101, active yesterday, has consented", answer="consented"),
    Person("declined", "Declan Edwards", "verified in MB101, active yesterday, has declined", answer="declined"),
    Person(
        "managed",
        "Mana Gedroits",
        "like eligible, name managed by an enterprise",
        modes={MB101: "verified", MB102: "audit"},
        meta={"sandbox_name_managed": True},
    ),
    Person(
        "child",
        "Charlie Young",
        "like eligible, born eleven years ago",
        modes={MB101: "verified", MB102: "audit"},
        age=11,
    ),
    Person(
        "inactive",
        "Ina Active",
        "like eligible, account not activated: cannot log in",
        modes={MB101: "verified", MB102: "audit"},
        user={"is_active": False},
    ),
    Person(
        "staff",
        "Stafford Global",
        "global staff, verified in MB101",
        user={"is_staff": True, "is_superuser": True},
    ),
    Person("courseteam", "Corinne Teague", "course staff in MB101, verified in it, active yesterday", role_in=MB101),
    Person("coach_api", "", "service account, for the coaching partner's programs", modes={}),
]
