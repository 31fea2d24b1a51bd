"""
What each migration does to a site that is large and in use: told in a table, and held to by the database.

On MySQL and MariaDB every change of a table that is there before is executed with the clause that makes the server
refuse it where it would copy the table or lock learners out. What holds on every database is asked of each.
"""

import re
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import NotSupportedError, OperationalError, connection, migrations, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

from tests.migrated_site import ALIAS, APP, LOADER, NAMES, NOON, another_connection, apps_after, migrated_site

on_mysql = pytest.mark.skipif(connection.vendor != "mysql", reason="asked of MariaDB, which LMSs run on")


class Effect(Enum):
    """What an operation does to a live site."""

    NEW_TABLE = "adds a table, which nobody reads yet; a foreign key to accounts waits for who is writing one"
    IN_NEW_TABLE = "goes on with a table that the same migration has added"
    COLUMN = "adds a column that may be empty: the table's description changes, and no row does; old code goes on"
    INDEX = "adds an index in place: the table is read and written meanwhile"
    FEW_ROWS = "adds a handful of rows, in one transaction"
    ROWS = "changes rows, so many in a statement at most, each statement committed by itself"
    NOTHING = "changes nothing in the database: options, help texts, choices"


ROOT = Path(__file__).parent.parent

# Each operation of each migration. One that is not here fails the tests.
WHAT_EACH_DOES = {
    "0001_initial": {
        "CreateModel CoachedCourse": Effect.NEW_TABLE,
        "CreateModel Disclosure": Effect.NEW_TABLE,
        "CreateModel CoachingConsent": Effect.NEW_TABLE,
        "CreateModel ConsentEvent": Effect.NEW_TABLE,
    },
    "0002_first_disclosure": {
        "RunPython publish": Effect.FEW_ROWS,
    },
    "0003_partner": {
        "AlterModelOptions coachingconsent": Effect.NOTHING,
        "CreateModel PartnerChannel": Effect.NEW_TABLE,
        "CreateModel PartnerDelivery": Effect.NEW_TABLE,
        "CreateModel PartnerOptOut": Effect.NEW_TABLE,
        "AddField coachingconsent changed_at": Effect.COLUMN,
        "AddField coachingconsent erased_at": Effect.COLUMN,
        "AddIndex coachingconsent coaching_consent_status": Effect.INDEX,
        "AddIndex coachingconsent coaching_consent_changed": Effect.INDEX,
        "AddIndex consentevent coaching_event_number": Effect.INDEX,
        "AddIndex partnerdelivery coaching_delivery_due": Effect.IN_NEW_TABLE,
        "AddConstraint partnerdelivery coaching_delivery_unique": Effect.IN_NEW_TABLE,
    },
    "0004_operators": {
        "CreateModel EligibleCount": Effect.NEW_TABLE,
        "AlterModelOptions coachingconsent": Effect.NOTHING,
        "AlterField consentevent reason": Effect.NOTHING,
        "AddIndex consentevent coaching_event_occurred": Effect.INDEX,
        "AddIndex consentevent coaching_event_kind": Effect.INDEX,
        "AddConstraint eligiblecount coaching_eligible_count_unique": Effect.IN_NEW_TABLE,
    },
    "0005_standing_consents_told": {
        "RunPython count_as_told": Effect.ROWS,
    },
    "0006_indexes_of_events": {
        "AddIndex consentevent coaching_event_learner": Effect.INDEX,
        "AddIndex consentevent coaching_event_door": Effect.INDEX,
    },
}
BEFORE = dict(zip(NAMES, [None, *NAMES], strict=False))
each_migration = pytest.mark.parametrize("name", NAMES)
# Those that find rows of ours.
each_later_migration = pytest.mark.parametrize("name", NAMES[1:])

# The largest number of rows that a statement may change where its table is in use.
BATCH = 500


def operations(name):
    return LOADER.get_migration(APP, name).operations


ROWS_ALONE = [name for name in NAMES if not any(operation.reduces_to_sql for operation in operations(name))]


def named(operation):
    """Return a name for an operation: its kind, its table, and what it adds there."""
    if isinstance(operation, migrations.RunPython):
        return f"RunPython {operation.code.__name__}"
    added = [getattr(operation, what, None) for what in ("model_name", "name", "index", "constraint")]
    return " ".join([type(operation).__name__, *(getattr(part, "name", part) for part in added if part)])


def effect_of(name, operation):
    return WHAT_EACH_DOES[name][named(operation)]


@pytest.fixture(scope="module")
def _site(django_db_setup, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock(), migrated_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(db, _site):
    """A site on which none of our migrations has run."""
    yield _site
    _site.forget_ours()


# The table


def test_the_table_tells_of_every_operation_and_of_no_other():
    told = {name: list(does) for name, does in WHAT_EACH_DOES.items()}
    assert told == {name: [named(operation) for operation in operations(name)] for name in NAMES}


def test_the_documentation_tells_of_every_migration_and_which_may_simply_be_run_again():
    performance, guide = (
        (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("performance.md", "operating.rst")
    )
    assert re.findall(r"^\| `(\d{4}_\w+)` \|", performance, flags=re.MULTILINE) == NAMES
    (sentence,) = re.findall(r"^\* (.*) change rows alone", guide, flags=re.MULTILINE)
    assert re.findall(r"``(\w+)``", sentence) == ROWS_ALONE


def test_the_models_have_no_change_that_no_migration_makes(db, capsys):
    call_command("makemigrations", APP, check=True, dry_run=True)
    assert "No changes" in capsys.readouterr().out


# What old code needs, on every database


@each_migration
def test_an_operation_is_of_a_kind_that_is_safe_in_use(name):
    new = set()
    for operation in operations(name):
        effect = effect_of(name, operation)
        match operation:
            case migrations.CreateModel():
                assert effect is Effect.NEW_TABLE
                new.add(operation.name_lower)
            case migrations.AddField() if operation.model_name_lower not in new:
                assert effect is Effect.COLUMN
                assert may_be_left_out(operation.field), "a row of old code has no value for it"
            case migrations.AddIndex() if operation.model_name_lower not in new:
                assert effect is Effect.INDEX
            case migrations.AddField() | migrations.AddIndex() | migrations.AddConstraint():
                assert operation.model_name_lower in new, "rows that are there may not fulfil it"
                assert effect is Effect.IN_NEW_TABLE
            case migrations.AlterField() | migrations.AlterModelOptions():
                assert effect is Effect.NOTHING
            case migrations.RunPython():
                assert effect in (Effect.FEW_ROWS, Effect.ROWS)
                assert operation.reversible
            case _:
                pytest.fail(f"{named(operation)} is not of a kind of which one knows that it is safe")


def may_be_left_out(field):
    """Return whether a row can be added by who does not know the column: it is empty, or the database has a default."""
    return field.null or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


@each_migration
def test_no_table_is_touched_but_ours_and_accounts_are_only_pointed_at(site, name):
    site.migrate(BEFORE[name])
    before = site.tables()
    with executed(site) as everything:
        for operation, statements in site.steps(name):
            site.execute(*statements)
            effect = effect_of(name, operation)
            if operation.reduces_to_sql:
                assert bool(statements) == (effect is not Effect.NOTHING)
            for sql in statements:
                touched, pointed_at = tables_touched(sql), tables_in(sql, "REFERENCES")
                assert touched
                if effect in (Effect.NEW_TABLE, Effect.IN_NEW_TABLE):
                    assert touched & before == set()
                if not all(map(is_ours, pointed_at)):
                    assert (named(operation), pointed_at - our_tables(site)) == (
                        "CreateModel CoachingConsent",
                        {"auth_user"},
                    )
    touched = {table for sql in everything for table in tables_touched(sql)}
    # Django itself keeps in a table which migrations are applied.
    assert all(map(is_ours, touched - {"django_migrations"}))
    assert all(map(is_ours, site.tables() ^ before))


@contextmanager
def executed(site):
    """Yield the statements that are executed, of rows and of tables."""
    statements = []

    def execute(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with site.connection.execute_wrapper(execute):
        yield statements


def tables_touched(sql):
    return tables_in(sql, "TABLE", "ON", "INTO", "FROM", "JOIN", "UPDATE", "RENAME TO")


def tables_in(sql, *words):
    """Return the names of tables behind these words in a statement."""
    return set(re.findall(rf"\b(?:{'|'.join(words)})\s+[`\"](\w+)[`\"]", sql))


def is_ours(table):
    """Return whether a table is ours, or will be once SQLite has renamed it."""
    return table.removeprefix("new__").startswith(f"{APP}_")


def our_tables(site):
    return set(filter(is_ours, site.tables()))


@each_later_migration
def test_old_code_goes_on_with_the_new_tables(site, name):
    """As between `migrate` and the restart: the code of before adds rows, reads them and writes them."""
    site.migrate(BEFORE[name])
    site.fill(BEFORE[name])
    site.migrate(name)
    for row in site.fill(BEFORE[name]).values():
        row.save(force_update=True)
    assert all(len(rows) >= 2 for rows in site.held(BEFORE[name]).values())


@each_later_migration
def test_what_was_there_is_kept_on_the_way_there_and_on_the_way_back(site, name):
    site.migrate(BEFORE[name])
    site.fill(BEFORE[name])
    before = site.held(BEFORE[name])
    site.migrate(NAMES[-1])
    site.migrate(BEFORE[name])
    after = site.held(BEFORE[name])
    for rows in before["Disclosure"], after["Disclosure"]:
        # What is published stays so as long as its table is there.
        rows[:] = [row for row in rows if row["version"] != 1]
    assert after == before
    site.migrate(NAMES[-1])
    assert site.applied() == NAMES


def test_all_the_way_back_nothing_of_ours_is_left_and_it_can_be_gone_again(site):
    before = site.tables()
    for _ in range(2):
        site.migrate(NAMES[-1])
        site.fill(NAMES[-1])
        site.migrate(None)
        assert site.tables() == before


# What is done to rows


def consents(site, count, **values):
    """Add learners who consented before there was a partner, as the code of then stored them."""
    model = site.models("0002_first_disclosure")["CoachingConsent"]
    values = {"status": "consented", "answered_at": NOON, **values}
    return model.objects.using(ALIAS).bulk_create(model(**values) for _ in range(count))


def now_held(site):
    """Return the consents as they are, by id."""
    return {row["id"]: row for row in site.held("0004_operators")["CoachingConsent"]}


@contextmanager
def each_update(site, before=None, after=None):
    """Call functions before and after each statement that changes consents; yield how many rows each has changed."""
    changed = []

    def execute(execute, sql, params, many, context):
        if not sql.startswith("UPDATE"):
            return execute(sql, params, many, context)
        if before:
            before()
        result = execute(sql, params, many, context)
        changed.append(context["cursor"].rowcount)
        if after:
            after()
        return result

    with site.connection.execute_wrapper(execute):
        yield changed


@pytest.fixture
def partnerless(site):
    """A site that has all tables, and the consents of a time without a partner."""
    site.migrate("0002_first_disclosure")
    consents(site, 3 * BATCH - 1)
    site.migrate("0004_operators")
    return site


TOLD = "0005_standing_consents_told"


def told(rows):
    return [row for row in rows if row["changed_at"] is not None]


def test_who_consented_before_counts_as_told_and_nobody_else(site):
    site.migrate("0002_first_disclosure")
    (consented,) = consents(site, 1)
    for status in ("declined", "withdrawn", "undecided"):
        consents(site, 1, status=status)
    site.migrate(NAMES[-1])
    assert {row["status"]: row["changed_at"] for row in now_held(site).values()} == {
        "consented": NOON,
        "declined": None,
        "withdrawn": None,
        "undecided": None,
    }


def test_consents_are_counted_as_told_batch_by_batch_each_committed_at_once(partnerless):
    seen = []
    with another_connection(partnerless) as other:

        def look():
            with other.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM coaching_plugin_coachingconsent WHERE changed_at IS NOT NULL")
                seen.append(cursor.fetchone()[0])

        with each_update(partnerless, after=look) as changed:
            partnerless.migrate(TOLD)
    assert changed == [BATCH, BATCH, BATCH - 1]
    assert seen == [BATCH, 2 * BATCH, 3 * BATCH - 1], "what somebody else sees after each statement"


def test_stopped_half_way_it_goes_on_where_it_was(partnerless):
    def stop():
        if changed:
            raise OperationalError("the server goes away")

    with each_update(partnerless, before=stop) as changed, pytest.raises(OperationalError, match="goes away"):
        partnerless.migrate(TOLD)
    assert changed == [BATCH]
    assert len(told(now_held(partnerless).values())) == BATCH
    assert TOLD not in partnerless.applied()
    with each_update(partnerless) as changed:
        partnerless.migrate(TOLD)
    assert changed == [BATCH, BATCH - 1]
    assert len(told(now_held(partnerless).values())) == 3 * BATCH - 1
    with each_update(partnerless) as changed:
        partnerless.migrate("0004_operators")
        partnerless.migrate(TOLD)
    assert changed == [], "nor does it hurt to run it once more"


def test_what_a_learner_changes_meanwhile_stays(partnerless):
    """Between the reading of a batch and its change: by code of now, which tells the partner, and of before."""
    later = NOON + timedelta(days=1)
    ids = list(now_held(partnerless))
    meanwhile = {
        ids[0]: {"status": "withdrawn", "answered_at": later, "changed_at": later},
        ids[1]: {"status": "consented", "answered_at": later, "changed_at": later + timedelta(seconds=1)},
        ids[2]: {"status": "withdrawn", "answered_at": later, "changed_at": None},
    }
    model = partnerless.models("0004_operators")["CoachingConsent"]
    with another_connection(partnerless) as other:

        def change():
            for pk, values in {} if changed else meanwhile.items():
                assert model.objects.using(other.alias).filter(pk=pk).update(**values) == 1

        with each_update(partnerless, before=change) as changed:
            partnerless.migrate(TOLD)
    held = now_held(partnerless)
    assert {pk: {name: held[pk][name] for name in meanwhile[pk]} for pk in meanwhile} == meanwhile
    assert len(told(held.values())) == 3 * BATCH - 2


@on_mysql
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_batch_holds_up_nobody_who_is_not_in_it(site, level):
    """While it is not committed: who has not consented answers, and who was never asked gets a row."""
    site.migrate("0002_first_disclosure")
    for _ in range(3 * BATCH // 50):
        consented = consents(site, 50)
        undecided = consents(site, 150, status="undecided")
    site.migrate("0004_operators")
    # A table of few rows MariaDB would read from end to end, which takes as long as nothing.
    site.execute("ANALYZE TABLE coaching_plugin_coachingconsent")
    (operation,) = operations(TOLD)
    site.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
    with another_connection(site) as other:
        rows = site.models("0004_operators")["CoachingConsent"].objects.using(other.alias)
        with transaction.atomic(using=ALIAS), site.connection.schema_editor(atomic=False) as editor:
            operation.code(apps_after("0004_operators"), editor)
            with other.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
            assert rows.filter(pk=undecided[0].pk).update(status="declined") == 1
            rows.create()
            with pytest.raises(OperationalError, match="Lock wait timeout"):
                rows.filter(pk=consented[0].pk).update(status="withdrawn")


def test_the_first_disclosure_is_published_once_and_what_is_there_stays(site):
    site.migrate("0001_initial")
    model = site.models("0001_initial")["Disclosure"]
    model.objects.using(ALIAS).create(version=1, language="ar", body="words of the operator", sha256="0")
    for _ in range(2):
        site.migrate("0002_first_disclosure")
        rows = site.held("0002_first_disclosure")["Disclosure"]
        assert sorted(row["language"] for row in rows) == ["ar", "en", "es-419"]
        assert {row["language"]: row["body"] for row in rows}["ar"] == "words of the operator"
        site.migrate("0001_initial")


def test_the_first_disclosure_is_there_whole_or_not_at_all(site):
    site.migrate("0001_initial")

    def execute(execute, sql, params, many, context):
        if sql.startswith("INSERT") and "es-419" in params:
            raise OperationalError("the server goes away")
        return execute(sql, params, many, context)

    with site.connection.execute_wrapper(execute), pytest.raises(OperationalError, match="goes away"):
        site.migrate("0002_first_disclosure")
    assert site.held("0001_initial")["Disclosure"] == []
    site.migrate("0002_first_disclosure")
    assert len(site.held("0001_initial")["Disclosure"]) == 3


# What MariaDB says to it

REFUSED = "ALGORITHM=|LOCK="


def held_to(effect, sql):
    """Return a statement with what makes the server refuse it where it would do more than the effect says."""
    match effect:
        case Effect.COLUMN:
            return f"{sql}, ALGORITHM=INSTANT"
        case Effect.INDEX:
            return f"{sql} ALGORITHM=INPLACE LOCK=NONE"
        case _:
            return sql


@on_mysql
@each_migration
def test_the_server_does_it_as_the_table_says(site, name):
    site.migrate(BEFORE[name])
    if BEFORE[name]:
        site.fill(BEFORE[name])
        site.fill(BEFORE[name])
    for operation, statements in site.steps(name):
        site.execute(*(held_to(effect_of(name, operation), sql) for sql in statements))


@on_mysql
@pytest.mark.parametrize(
    ("effect", "sql"),
    [
        (Effect.COLUMN, "ALTER TABLE coaching_plugin_consentevent MODIFY reason longtext NOT NULL"),
        (Effect.COLUMN, "ALTER TABLE coaching_plugin_coachingconsent ADD COLUMN code char(8) NULL UNIQUE"),
        (Effect.INDEX, "CREATE FULLTEXT INDEX words ON coaching_plugin_consentevent (reason)"),
    ],
)
def test_what_would_copy_a_table_or_lock_learners_out_is_refused(site, effect, sql):
    site.migrate("0002_first_disclosure")
    site.fill("0002_first_disclosure")
    with pytest.raises((OperationalError, NotSupportedError), match=REFUSED):
        site.execute(held_to(effect, sql))
    site.execute(sql)


@contextmanager
def somebody_who_writes_and_reads(site):
    """Have another connection change and read an event, again and again; yield when each time began and ended."""
    times, stop = [], threading.Event()

    def write_and_read(other):
        with other.cursor() as cursor:
            while not stop.is_set():
                begin = time.monotonic()
                cursor.execute("UPDATE coaching_plugin_consentevent SET actor_id = %s WHERE id = 1", [len(times)])
                cursor.execute("SELECT actor_id FROM coaching_plugin_consentevent WHERE id = 1")
                assert cursor.fetchone() == (len(times),)
                times.append((begin, time.monotonic()))

    with another_connection(site) as other:
        other.inc_thread_sharing()
        thread = threading.Thread(target=write_and_read, args=[other])
        thread.start()
        try:
            yield times
        finally:
            stop.set()
            thread.join()


def events(site, doublings):
    """Have so many events that an index takes its time: 2 to the power of ``doublings``."""
    site.fill("0003_partner")
    columns = ", ".join(
        field.column
        for field in site.models("0003_partner")["ConsentEvent"]._meta.concrete_fields
        if field.column not in ("id", "sequence")
    )
    for power in range(doublings):
        site.execute(
            f"INSERT INTO coaching_plugin_consentevent (sequence, {columns}) "
            f"SELECT sequence + {2**power}, {columns} FROM coaching_plugin_consentevent"
        )


@on_mysql
@pytest.mark.parametrize("locks_out", [False, True], ids=["as it is", "were it to lock learners out"])
def test_events_are_written_and_read_while_an_index_is_made(site, locks_out):
    site.migrate("0003_partner")
    events(site, doublings=16)
    clause = "ALGORITHM=INPLACE LOCK=SHARED" if locks_out else ""
    meanwhile, waited = 0, []
    with somebody_who_writes_and_reads(site) as times:
        for operation, statements in site.steps("0004_operators"):
            begin = time.monotonic()
            for sql in statements:
                indexes = effect_of("0004_operators", operation) is Effect.INDEX
                site.execute(f"{sql} {clause}" if indexes else sql)
            end = time.monotonic()
            if effect_of("0004_operators", operation) is Effect.INDEX:
                time.sleep(0.1)
                meanwhile += sum(begin < began and ended < end for began, ended in times)
                longest = max(min(ended, end) - max(began, begin) for began, ended in times)
                waited.append(longest / (end - begin))
    if locks_out:
        # Before the lock and behind it, some slip in; but for the better part of the time somebody waits.
        assert min(waited) > 0.5, waited
    else:
        assert meanwhile > 4


@on_mysql
def test_the_foreign_key_to_accounts_waits_for_who_writes_one_and_for_nobody_who_reads(site):
    """Until that transaction ends. Others who want to write an account wait behind it; who reads one does not."""
    account = User.objects.using(ALIAS).create(username="somebody")
    keys = []
    for _, statements in site.steps("0001_initial"):
        keys += [sql for sql in statements if "REFERENCES `auth_user`" in sql]
        site.execute(*(sql for sql in statements if sql not in keys))
    (key,) = keys
    site.execute("SET SESSION lock_wait_timeout = 1")
    with another_connection(site) as other:
        accounts = User.objects.using(other.alias)
        with transaction.atomic(using=other.alias):
            accounts.filter(pk=account.pk).update(first_name="Some")
            with pytest.raises(OperationalError, match="Lock wait timeout"):
                site.execute(key)
        with transaction.atomic(using=other.alias):
            assert accounts.get(pk=account.pk).first_name == "Some"
            site.execute(key)


# A migration that was interrupted, and what the operating guide says of it


@on_mysql
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ROWS_ALONE])
def test_what_was_interrupted_is_gone_on_with_as_the_operating_guide_says(site, name):
    site.migrate(NAMES[-1])
    whole = shape(site)
    site.migrate(BEFORE[name])
    statements = sqlmigrate(site, name)
    done = len(statements) // 2
    with stopped_before(site, statements[done]), pytest.raises(OperationalError, match="goes away"):
        site.migrate(name)
    # `migrate` once more begins at the beginning.
    with pytest.raises(OperationalError, match="already exists|Duplicate key name"):
        site.migrate(name)
    # What the table has is seen, the rest is executed, and the migration counts as applied.
    site.execute(*statements[done:])
    MigrationExecutor(site.connection).migrate([(APP, name)], fake=True)
    site.migrate(NAMES[-1])
    assert site.applied() == NAMES
    assert shape(site) == whole


def sqlmigrate(site, name):
    """Return the statements that the command of that name prints."""
    loader = MigrationLoader(site.connection, replace_migrations=False)
    lines = loader.collect_sql([(loader.get_migration(APP, name), False)])
    return [line.removesuffix(";") for line in lines if not line.startswith("--")]


@contextmanager
def stopped_before(site, statement):
    def execute(execute, sql, params, many, context):
        if sql == statement:
            raise OperationalError("the server goes away")
        return execute(sql, params, many, context)

    with site.connection.execute_wrapper(execute):
        yield


def shape(site):
    """Return our tables with their columns, keys and indexes, as the server writes them down."""
    written = {table: site.execute(f"SHOW CREATE TABLE {table}")[0][1] for table in our_tables(site)}
    return {
        table: sorted(re.sub(r" AUTO_INCREMENT=\d+|,$", "", text, flags=re.M).splitlines())
        for table, text in written.items()
    }
