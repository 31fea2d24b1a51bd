"""Times as seconds since the first day of a site, and as the database reads them."""

from datetime import UTC, date, datetime, timedelta

DAY = 86_400
DAYS = 400


class Moments:
    """
    The days that a site has seen, the last of which is the one before ``made_on``.

    Nothing happens later, so that a site made at any hour of a day is the same.
    """

    def __init__(self, made_on: date):
        self.end = DAYS * DAY
        self._first = datetime.combine(made_on - timedelta(days=DAYS), datetime.min.time(), tzinfo=UTC)
        self._days = [(self._first + timedelta(days=number)).date().isoformat() for number in range(DAYS)]
        minutes = [f" {hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
        self._times = [f"{minute}:{second:02}" for minute in minutes for second in range(60)]

    def text(self, at: int) -> str:
        """Return a time as the database reads it."""
        day, second = divmod(at, DAY)
        return self._days[day] + self._times[second]

    def day(self, number: int) -> str:
        """Return a day by its number."""
        return self._days[number]

    def datetime(self, at: int) -> datetime:
        """Return a time as Python has it."""
        return self._first + timedelta(seconds=at)
