"""Whole-site questions, each as one SQL statement that only counts, by hand for MariaDB: what ours is held to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from coaching_plugin.eligibility import Rules
from coaching_plugin.reports.answers import REFUSALS

# A derived table with a LIMIT is made once; without, MariaDB merges it and evaluates its subqueries at each mention.
ONCE = "LIMIT 9223372036854775807"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(f"'{value}'" for value in values)


@dataclass(frozen=True)
class Statements:
    """The statements for coached course runs, by the rules of a day; of one program, where its runs are given."""

    runs: tuple[str, ...]
    rules: Rules
    now: datetime
    of_program: tuple[str, ...] = ()

    @property
    def _keys(self) -> str:
        return _listed(self.runs)

    @property
    def _modes(self) -> str:
        return _listed(self.rules.modes)

    @property
    def _is_used(self) -> str:
        """A condition on enrollments ``e``: active, and the learner was there lately."""
        since = f"'{self.rules.since:%Y-%m-%d}'"
        return f"""e.is_active AND (e.created >= {since}
            OR EXISTS (SELECT 1 FROM completion_blockcompletion b
                WHERE b.user_id = e.user_id AND b.course_key = e.course_id AND b.modified >= {since})
            OR EXISTS (SELECT 1 FROM course_goals_useractivity a
                WHERE a.user_id = e.user_id AND a.course_key = e.course_id AND a.date >= {since})
            OR EXISTS (SELECT 1 FROM courseware_studentmodule s WHERE s.student_id = e.user_id
                AND COALESCE(s.course_id, '') = e.course_id AND COALESCE(s.modified, s.created) >= {since}))"""

    @property
    def eligible(self) -> str:
        """How many are eligible."""
        return f"""SELECT COUNT(DISTINCT e.user_id)
            FROM student_courseenrollment e IGNORE INDEX (student_courseenrollment_course_id_a6f93be8)
            WHERE e.course_id IN ({self._keys}) AND e.mode IN ({self._modes}) AND {self._is_used}"""

    @property
    def to_be_asked(self) -> str:
        """How many would be asked at some door."""
        return f"""SELECT COUNT(*)
            FROM (SELECT DISTINCT e.user_id
                FROM student_courseenrollment e IGNORE INDEX (student_courseenrollment_course_id_a6f93be8)
                WHERE e.course_id IN ({self._keys}) AND e.mode IN ({self._modes}) AND {self._is_used}) eligible
            STRAIGHT_JOIN auth_user u ON u.id = eligible.user_id
            LEFT JOIN auth_userprofile p ON p.user_id = u.id
            LEFT JOIN coaching_plugin_coachingconsent c ON c.user_id = u.id
            WHERE u.is_active AND NOT u.is_staff AND COALESCE(c.status, 'undecided') = 'undecided'
            AND NOT COALESCE(c.do_not_ask, 0)
            AND COALESCE(p.year_of_birth, 0) <= {self.rules.last_year_of_birth or 9999}
            AND (NOT EXISTS (SELECT 1 FROM student_courseaccessrole r WHERE r.user_id = u.id)
                OR EXISTS (SELECT 1 FROM student_courseenrollment e
                    WHERE e.user_id = u.id AND e.is_active AND e.course_id IN ({self._keys})
                    AND NOT EXISTS (SELECT 1 FROM student_courseaccessrole r WHERE r.user_id = e.user_id
                        AND (r.course_id = e.course_id OR r.course_id = '' AND r.org = 'NationX'))))"""

    @property
    def roster(self) -> str:
        """How many are on the roster, and how many programs are listed with them."""
        return f"""SELECT COUNT(*), SUM(programs) FROM (
                SELECT (SELECT COUNT(DISTINCT r.program_title) FROM student_courseenrollment e
                    JOIN coaching_plugin_coachedcourse r ON r.course_key = e.course_id AND r.active
                    WHERE e.user_id = c.user_id AND e.is_active AND e.mode IN ({self._modes})
                    AND r.program_title <> '') AS programs
                FROM coaching_plugin_coachingconsent c JOIN auth_user u ON u.id = c.user_id
                WHERE c.status = 'consented' AND c.changed_at IS NOT NULL AND u.is_active
                AND NOT EXISTS (SELECT 1 FROM user_api_userretirementstatus s WHERE s.user_id = c.user_id)
                {ONCE}) listed"""

    @property
    def report(self) -> str:
        """All counts of the report on everybody, a row for each of its own."""
        return f"{self._funnel} UNION ALL {self.tables}"

    @property
    def tables(self) -> str:
        """The counts of all its tables but the first, which is the same for all programs."""
        parts = [self._weeks, self._cohorts, self._delays, self._refusals, self._persistence, self._first_ten]
        return " UNION ALL ".join(f"({part})" for part in parts)

    @property
    def _funnel(self) -> str:
        known = """(c.asked_at IS NOT NULL OR c.status <> 'undecided' OR EXISTS (
            SELECT 1 FROM coaching_plugin_consentevent v
            WHERE v.consent_id = c.id AND v.kind IN ('asked', 'consented', 'declined')))"""
        figures = """COUNT(*), SUM(is_eligible), SUM(nth_of_program = 1 AND is_eligible), SUM(nth = 1 AND is_eligible),
            SUM(is_eligible AND NOT is_known), SUM(is_known), SUM(is_known AND status = 'consented'),
            SUM(is_known AND status = 'declined'), SUM(is_known AND status = 'withdrawn')"""
        return f"""SELECT 'funnel' AS what, run AS which, {figures} FROM (
                SELECT y.*, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY is_eligible DESC) AS nth,
                    ROW_NUMBER() OVER (PARTITION BY user_id, program_uuid ORDER BY is_eligible DESC) AS nth_of_program
                FROM (SELECT e.user_id, {self._is_used} AS is_eligible, COALESCE({known}, 0) AS is_known, c.status,
                        (SELECT r.id FROM coaching_plugin_coachedcourse r WHERE r.course_key = e.course_id) AS run
                    FROM student_courseenrollment e IGNORE INDEX (student_courseenrollment_course_id_a6f93be8)
                    LEFT JOIN coaching_plugin_coachingconsent c ON c.user_id = e.user_id
                    WHERE e.course_id IN ({self._keys}) AND e.mode IN ({self._modes}) {ONCE}) y
                LEFT JOIN coaching_plugin_coachedcourse r ON r.id = run
                WHERE is_known OR is_eligible) x
            GROUP BY run"""

    def _within(self, event: str) -> str:
        if not self.of_program:
            return ""
        return f"""AND EXISTS (SELECT 1 FROM student_courseenrollment e WHERE e.user_id = {event}.learner_id
            AND e.mode IN ({self._modes}) AND e.course_id IN ({_listed(self.of_program)}))"""

    @property
    def _first_asked(self) -> str:
        """Whatever follows FROM: the first ``asked`` event of each learner, as ``v``."""
        return f"""coaching_plugin_consentevent v WHERE v.kind = 'asked' {self._within("v")}
            AND NOT EXISTS (SELECT 1 FROM coaching_plugin_consentevent w
                WHERE w.consent_id = v.consent_id AND w.kind = 'asked' AND w.sequence < v.sequence)"""

    @staticmethod
    def _answer(column: str) -> str:
        return f"""(SELECT a.{column} FROM coaching_plugin_consentevent a WHERE a.consent_id = v.consent_id
            AND a.kind IN ('consented', 'declined') AND a.sequence > v.sequence ORDER BY a.sequence LIMIT 1)"""

    @property
    def _since(self) -> str:
        today = self.now.date()
        return f"'{today - timedelta(days=today.weekday() + 25 * 7)}'"

    @property
    def _weeks(self) -> str:
        kinds = ("asked", "consented", "declined", "withdrawn", "opted_out", "refused")
        counts = ", ".join(f"COUNT(DISTINCT CASE WHEN v.kind = '{kind}' THEN v.consent_id END)" for kind in kinds)
        return f"""SELECT 'weeks' AS what, DATE(v.occurred_at) - INTERVAL WEEKDAY(v.occurred_at) DAY AS which,
            COUNT(DISTINCT v.consent_id), {counts}, 0, 0 FROM coaching_plugin_consentevent v
            WHERE v.occurred_at >= {self._since} AND v.kind IN ({_listed(kinds)}) {self._within("v")} GROUP BY which"""

    @property
    def _cohorts(self) -> str:
        return f"""SELECT 'cohorts', DATE(v.occurred_at) - INTERVAL WEEKDAY(v.occurred_at) DAY AS which, COUNT(*),
            SUM((SELECT c.status FROM coaching_plugin_coachingconsent c WHERE c.id = v.consent_id) = 'consented'),
            0, 0, 0, 0, 0, 0, 0 FROM {self._first_asked} AND v.occurred_at >= {self._since} GROUP BY which"""

    @property
    def _delays(self) -> str:
        counts = ", ".join(f"SUM(delay <= {seconds}000000)" for seconds in (60, 300, 3600, 86400, 604800))
        return f"""SELECT 'delays', '', COUNT(delay), {counts}, 0, 0, 0 FROM (
            SELECT TIMESTAMPDIFF(MICROSECOND, v.occurred_at, {self._answer("occurred_at")}) AS delay
            FROM {self._first_asked} {ONCE}) x"""

    @property
    def _refusals(self) -> str:
        codes = " UNION ALL ".join(f"SELECT '{code}' AS code" for code in REFUSALS)
        return f"""SELECT 'refusals', codes.code, COUNT(*), COUNT(DISTINCT v.consent_id), 0, 0, 0, 0, 0, 0, 0
            FROM coaching_plugin_consentevent v JOIN ({codes}) codes
            WHERE v.kind = 'refused' AND CONCAT(' ', v.reason, ' ') LIKE CONCAT('% ', codes.code, ' %')
            {self._within("v")} GROUP BY codes.code"""

    @property
    def _persistence(self) -> str:
        def latest(column: str, table: str, learner: str, run: str, also: str = "") -> str:
            return f"""(SELECT MAX({column}) FROM {table} WHERE {learner} = v.learner_id
                AND {run} IN ({self._keys}) {also})"""

        enrolled = latest("created", "student_courseenrollment", "user_id", "course_id", f"AND mode IN ({self._modes})")
        completed = latest("modified", "completion_blockcompletion", "user_id", "course_key")
        engaged = latest("date", "course_goals_useractivity", "user_id", "course_key")
        changed = latest(
            "COALESCE(modified, created)", "courseware_studentmodule", "student_id", "COALESCE(course_id, '')"
        )

        def active(days: int) -> str:
            moment = f"occurred_at + INTERVAL {days} DAY"
            old_enough = f"occurred_at <= '{self.now - timedelta(days=days):%Y-%m-%d %H:%M:%S.%f}'"
            is_active = f"""(COALESCE(enrolled, 0) >= {moment} OR COALESCE(completed, 0) >= {moment}
                OR COALESCE(engaged, 0) >= DATE({moment}) OR COALESCE(changed, 0) >= {moment})"""
            return f"SUM({old_enough}), SUM({old_enough} AND {is_active})"

        return f"""SELECT 'persistence', arm, COUNT(*), {active(30)}, {active(60)}, {active(90)},
            SUM(COALESCE(enrolled, 0) > occurred_at), 0
            FROM (SELECT v.occurred_at, {self._answer("kind")} AS arm, {enrolled} AS enrolled, {completed} AS completed,
                {engaged} AS engaged, {changed} AS changed FROM {self._first_asked}
                AND v.occurred_at <= '{self.now - timedelta(days=30):%Y-%m-%d %H:%M:%S.%f}' {ONCE}) x
            WHERE arm IN ('consented', 'declined') GROUP BY arm"""

    @property
    def _first_ten(self) -> str:
        return f"""SELECT 'first_ten', x.consent_id, COUNT(v.id), 0, 0, 0, 0, 0, 0, 0, 0 FROM (
                SELECT v.consent_id, v.sequence FROM {self._first_asked}
                ORDER BY v.occurred_at, v.consent_id LIMIT 10) x
            LEFT JOIN coaching_plugin_consentevent v ON v.consent_id = x.consent_id
            AND v.sequence BETWEEN x.sequence AND x.sequence + 30 AND v.kind IN ('consented', 'declined', 'refused')
            GROUP BY x.consent_id"""
