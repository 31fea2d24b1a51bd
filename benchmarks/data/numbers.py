"""Phone numbers that are valid and nobody's: of the exchange 555, which has no subscribers, in every area code."""

import phonenumbers

# Lines below are directory assistance and the numbers of films.
_FIRST_LINE, _LINES = 2_000, 8_000


class Numbers:
    """Two numbers for each learner, by their id. Raises ``ValueError`` where there are more learners than numbers."""

    def __init__(self, learners: int):
        self._learners = learners
        self._areas = [area for area in range(200, 1_000) if _is_american(area)]
        if 2 * learners >= len(self._areas) * _LINES:
            raise ValueError("more learners than phone numbers")

    def of(self, user_id: int) -> str:
        """Return the number of a learner, in E.164."""
        line, area = divmod(user_id, len(self._areas))
        return f"+1{self._areas[area]}555{_FIRST_LINE + line}"

    def former(self, user_id: int) -> str:
        """Return the number that a learner had before."""
        return self.of(self._learners + user_id)


def _is_american(area: int) -> bool:
    number = phonenumbers.PhoneNumber(country_code=1, national_number=area * 10_000_000 + 555_2000)
    # One that belongs to the whole country and to no place in it is no ordinary number.
    return (
        phonenumbers.is_valid_number(number)
        and phonenumbers.region_code_for_number(number) == "US"
        and phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
    )
