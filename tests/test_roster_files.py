"""The roster as a file: in a folder, whatever goes wrong there."""

import csv
import errno
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.dateparse import parse_datetime
from freezegun import freeze_time

from coaching_plugin import consent
from coaching_plugin.partner import channels, roster, roster_file
from coaching_plugin.partner.channels import DeliveryError
from coaching_plugin.partner.roster_file import FolderChannel
from tests import factories
from tests.factories import TYPED, evidence
from tests.roster_writer import made_up

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
OLD = b"the roster of yesterday"
BACKEND = "coaching_plugin.partner.roster_file.FolderChannel"


def read(folder, name="roster.csv"):
    """Return the entries of a file, having checked it as a partner does."""
    content, about = (folder / name).read_bytes(), json.loads((folder / f"{name}.meta.json").read_bytes())
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert about["file"] == name
    if name.endswith(".csv"):
        entries = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    else:
        entries = [json.loads(line) for line in content.decode().splitlines()]
    assert about["rows"] == len(entries)
    return entries


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    """A folder in which there is a roster already."""
    folder = tmp_path / "rosters"
    folder.mkdir()
    (folder / "roster.csv").write_bytes(OLD)
    return folder


def assert_as_it_was(folder):
    assert names(folder) == ["roster.csv"]
    assert (folder / "roster.csv").read_bytes() == OLD


# What is written


@pytest.mark.django_db
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_the_roster_is_written_by_the_channel_of_the_setting(learner, tmp_path, settings, format):
    settings.COACHING_PARTNER_CHANNELS = {
        "files": {"BACKEND": BACKEND, "OPTIONS": {"folder": str(tmp_path), "format": format}}
    }
    assert not consent.give(learner, TYPED, None, evidence()).is_refused
    consent.give(factories.eligible_learner(), TYPED, None, evidence())
    gone = factories.eligible_learner()
    consent.give(gone, TYPED, None, evidence())
    consent.decline(gone, evidence())

    channels.configured()["files"].write(roster.entries())

    written = read(tmp_path, f"roster.{format}")
    told = [entry.as_json() for entry in roster.entries()]
    assert len(told) == 2
    if format == "jsonl":
        assert written == told
    else:
        assert [row["partner_id"] for row in written] == [entry["partner_id"] for entry in told]
        assert {row["phone_number"] for row in written} == {"+14155552671"}


def test_it_replaces_the_last_one_and_leaves_nothing_beside(folder):
    for count in (3, 0, 5):
        FolderChannel(str(folder)).write(made_up(count))
        assert len(read(folder)) == count
        assert names(folder) == ["roster.csv", "roster.csv.meta.json"]


def test_only_its_owner_reads_it(folder):
    (folder / "roster.csv").chmod(0o644)
    FolderChannel(str(folder)).write(made_up(1))
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_it_says_when_it_was_begun(folder):
    def slowly():
        yield from made_up(1)
        clock.tick(timedelta(hours=1))

    with freeze_time("2026-11-27 09:30") as clock:
        FolderChannel(str(folder)).write(slowly())
    about = json.loads((folder / "roster.csv.meta.json").read_bytes())
    assert about.keys() == {"file", "rows", "sha256", "written_at"}
    assert parse_datetime(about["written_at"]).isoformat() == "2026-11-27T09:30:00+00:00"


def test_rosters_of_several_names_are_no_matter_to_one_another(folder):
    FolderChannel(str(folder), name="other").write(made_up(2))
    FolderChannel(str(folder), format="jsonl").write(made_up(3))
    assert len(read(folder, "other.csv")) == 2
    assert len(read(folder, "roster.jsonl")) == 3
    assert (folder / "roster.csv").read_bytes() == OLD


def test_fifty_thousand_take_no_more_memory_than_five_thousand(folder):
    def peak(count):
        tracemalloc.start()
        try:
            FolderChannel(str(folder)).write(made_up(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(5_000)
    assert peak(50_000) < 1.2 * peak(5_000)
    assert len(read(folder)) == 5_000


def test_both_are_complete_before_either_is_replaced(folder):
    """What may fail for want of room has failed, or not, by then."""
    done = []

    def noting(name, original):
        def call(*args, **kwargs):
            done.append(name)
            return original(*args, **kwargs)

        return call

    with (
        mock.patch.object(os, "fsync", noting("fsync", os.fsync)),
        mock.patch.object(os, "replace", noting("replace", os.replace)),
    ):
        FolderChannel(str(folder)).write(made_up(1))
    # Each file; then, for each, its name and its folder.
    assert done == ["fsync", "fsync", "replace", "fsync", "replace", "fsync"]


def test_who_reads_between_the_two_can_tell(folder):
    """The roster is put in place first; till the other is, its SHA-256 is another's."""
    FolderChannel(str(folder)).write(made_up(3))
    replace = os.replace

    def look_between(source, target):
        replace(source, target)
        if Path(target).name == "roster.csv":
            with pytest.raises(AssertionError):
                read(folder)

    with mock.patch.object(os, "replace", look_between):
        FolderChannel(str(folder)).write(made_up(4))
    assert len(read(folder)) == 4


# What goes wrong


def code_of(channel, entries):
    with pytest.raises(DeliveryError) as raised:
        channel.write(entries)
    return raised.value.code


@contextmanager
def writer(folder, count, limit=0):
    """Run a process that writes a roster and waits before the last of the entries."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.roster_writer", str(folder), str(count), str(limit)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'sandbox'}", "DJANGO_SETTINGS_MODULE": "lms.envs.test"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_where_a_file_can_grow_no_further_the_old_one_stands(folder):
    """A real process, that may write a hundred kilobytes to a file: the error comes of the kernel."""
    with writer(folder, 2_000, limit=100_000) as process:
        assert process.communicate()[0].split()[-1] == "disk_full"
    assert_as_it_was(folder)
    with writer(folder, 2_000) as process:
        assert process.communicate()[0].split() == ["waiting", "written"]
    assert len(read(folder)) == 2_000


@pytest.fixture
def small_disk(tmp_path):
    """Return what mounts a file system of a few kilobytes, where that is allowed."""
    mounted = []

    def mount(*options):
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip("Mounting is for root; a limit on the size of files is tried in any case.")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("count", [2_000, 100])
def test_where_a_disk_is_full_the_old_file_stands(small_disk, count):
    """Of the larger roster the file does not fit; of the smaller, what is in the buffer till it is finished."""
    folder = small_disk("size=16k")
    (folder / "roster.csv").write_bytes(OLD)
    assert code_of(FolderChannel(str(folder)), made_up(count)) == "disk_full"
    assert_as_it_was(folder)
    FolderChannel(str(folder)).write(made_up(10))
    assert len(read(folder)) == 10


def test_a_folder_that_may_only_be_read(folder, small_disk):
    if os.geteuid() == 0:
        folder = small_disk("ro")
    else:
        folder.chmod(0o500)
    assert code_of(FolderChannel(str(folder)), made_up(1)) == "folder_not_writable"


def test_a_folder_that_is_missing(folder):
    assert code_of(FolderChannel(str(folder / "missing")), made_up(1)) == "folder_missing"
    assert code_of(FolderChannel(str(folder / "roster.csv")), made_up(1)) == "folder_missing"
    assert_as_it_was(folder)


def test_a_place_that_is_taken_by_a_folder(folder):
    (folder / "roster.jsonl").mkdir()
    assert code_of(FolderChannel(str(folder), format="jsonl"), made_up(1)) == "file_error"
    assert names(folder) == ["roster.csv", "roster.jsonl"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_the_second_file_may_find_the_disk_full(folder, number):
    original = roster_file._LocalDraft.finish

    def fail_for_meta(draft):
        if draft._place.name.endswith(".meta.json"):
            raise DeliveryError(roster_file.error_code(OSError(number, "no room")))
        original(draft)

    with mock.patch.object(roster_file._LocalDraft, "finish", fail_for_meta):
        assert code_of(FolderChannel(str(folder)), made_up(1)) == "disk_full"
    assert_as_it_was(folder)


class LeaseLost(OSError):
    """What the caller's entries raise is the caller's, even if it is an error of the same kind."""


def test_what_the_entries_raise_is_the_callers(folder):
    def failing():
        yield from made_up(5_000)
        raise LeaseLost(errno.ENOSPC, "it looks like a full disk")

    with pytest.raises(LeaseLost):
        FolderChannel(str(folder)).write(failing())
    assert_as_it_was(folder)


def test_a_worker_that_is_killed_leaves_the_old_file_and_a_draft_that_is_swept_a_day_later(folder):
    with writer(folder, 2_000) as process:
        assert process.stdout.readline().strip() == "waiting"
        process.kill()
        process.wait()
    (draft,) = set(names(folder)) - {"roster.csv"}
    assert (folder / "roster.csv").read_bytes() == OLD
    assert stat.S_IMODE((folder / draft).stat().st_mode) == 0o600

    strangers = ["roster.csv.draft", ".other.csv.0123456789abcdef.draft", ".roster.csv.notes.draft"]
    for name in strangers:
        (folder / name).touch()
    FolderChannel(str(folder)).write(made_up(1))
    assert draft in names(folder), "somebody may still be writing it"
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    FolderChannel(str(folder)).write(made_up(2))
    assert names(folder) == sorted(["roster.csv", "roster.csv.meta.json", *strangers])
    assert len(read(folder)) == 2


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(OLD)
    (folder / "roster.csv").unlink()
    (folder / "roster.csv").symlink_to(tmp_path / "elsewhere")
    FolderChannel(str(folder)).write(made_up(1))
    assert (tmp_path / "elsewhere").read_bytes() == OLD
    assert not (folder / "roster.csv").is_symlink()


# Options


WRONG = {
    "a format": {"format": "xls"},
    "a name with a path": {"name": "../roster"},
    "a hidden name": {"name": ".roster"},
    "no name": {"name": ""},
    "a folder from somewhere": {"folder": "rosters"},
    "an interval before now": {"interval_minutes": -1},
    "no interval": {"interval_minutes": "15"},
    "an interval without end": {"interval_minutes": float("inf")},
    "an unknown option": {"colour": "red"},
    "a folder that is no text": {"folder": None},
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_options_that_cannot_be_meant(options, settings, folder):
    settings.COACHING_PARTNER_CHANNELS = {
        "files": {"BACKEND": BACKEND, "OPTIONS": {"folder": str(folder), **options}},
    }
    with pytest.raises(ImproperlyConfigured):
        channels.make("files")


def test_the_interval_is_in_minutes():
    assert FolderChannel("/srv").interval == timedelta(minutes=15)
    assert FolderChannel("/srv", interval_minutes=90).interval == timedelta(hours=1.5)


# Whether the folder is there


def test_a_folder_is_tried_and_nothing_put_there(folder):
    before = names(folder)
    assert FolderChannel(folder=str(folder)).check() == "its folder is there and may be written to"
    assert names(folder) == before


def test_a_folder_that_is_not_there_or_none_says_so(folder):
    for path in (folder / "gone", folder / "roster.csv"):
        with pytest.raises(DeliveryError, match="folder_missing"):
            FolderChannel(folder=str(path)).check()


def test_a_folder_that_may_not_be_written_to_says_so(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # root may write anywhere
    with pytest.raises(DeliveryError, match="folder_not_writable"):
        FolderChannel(folder=str(folder)).check()
