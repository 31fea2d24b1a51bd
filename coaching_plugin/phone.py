"""Decides which phone numbers can be consented for: real, of an allowed region, and able to take a text message.

``phonenumbers`` judges what a number is. This module judges what may be typed: people paste numbers with invisible
marks around them and write them in the digits of their own script, and that is fine; an extension or a letter is not.
"""

import re
import unicodedata
from collections.abc import Sequence

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

# The longest number there is has 15 digits; this leaves room for any way of writing it.
MAX_TYPED_LENGTH = 64

# A landline cannot take a text message where its type is known (in North America it is not: there every ordinary number
# is FIXED_LINE_OR_MOBILE). The rest cost somebody extra (toll-free, premium, shared cost), forward to who knows whom
# (personal, UAN), or end in a machine (pager, voicemail).
TEXTABLE_TYPES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP})

# Dashes, dots, slashes and brackets, half and full width. ``\d`` is a decimal digit of any script. What
# ``phonenumbers`` would skip or spell out (letters, "*67", an emoji) is not a number that its owner wrote down plainly.
_PUNCTUATION = r"[ \-\u2010-\u2015\u2212\u30fc\uff0d./\uff0e\uff0f()\[\]\uff08\uff09\uff3b\uff3d]"
_PLAIN_NUMBER = re.compile(rf"{_PUNCTUATION}*[+\uff0b]?(?:\d|{_PUNCTUATION})+")

# ITU-T E.164: at most 15 digits. Some countries have numbers that are longer, or shorter than any mobile number.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class InvalidPhoneNumber(ValueError):
    """A refused number; ``code`` says why, and the number itself is nowhere in the exception.

    Codes: ``phone_missing``, ``phone_malformed`` (not the shape of a number), ``phone_extension``, ``phone_invalid``
    (no such number), ``phone_region`` (of a region that is not allowed), ``phone_type`` (cannot take a text message).
    """

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def textable(raw: str | None, regions: Sequence[str]) -> str:
    """Return the E.164 form of a number that can be consented for.

    ``regions`` are the allowed ISO 3166-1 codes; a number without ``+`` is read as of the first. A country code alone
    says little: Canada, the Caribbean and the US territories share +1 and are regions of their own.
    Raises InvalidPhoneNumber.
    """
    number = _parse(raw, regions)
    if phonenumbers.region_code_for_number(number) not in regions:
        raise InvalidPhoneNumber("phone_region")
    if phonenumbers.number_type(number) not in TEXTABLE_TYPES:
        raise InvalidPhoneNumber("phone_type")
    return _e164(number)


def valid(raw: str | None, regions: Sequence[str]) -> str:
    """Return the E.164 form of any valid number of any country, as account settings take it.

    A number without ``+`` is read as of the first of ``regions``. Raises InvalidPhoneNumber.
    """
    return _e164(_parse(raw, regions))


def is_textable(raw: str | None, regions: Sequence[str]) -> bool:
    """Say whether ``textable`` would accept the number."""
    try:
        textable(raw, regions)
    except InvalidPhoneNumber:
        return False
    return True


def is_e164(text: str) -> bool:
    """Say whether a text has the form in which numbers are stored; that there is such a number is not looked at."""
    return _E164.fullmatch(text) is not None


def is_in(text: str, regions: Sequence[str]) -> bool:
    """Say whether a number that can be called stands anywhere in a text; without ``+``, it is one of ``regions``."""
    return any(phonenumbers.PhoneNumberMatcher(_visible(text), region).has_next() for region in regions)


def national_format(e164: str) -> str:
    """Return an E.164 number as people in its country write it; anything else comes back as it is, for display only."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.NATIONAL)
    except phonenumbers.NumberParseException:
        return e164


def international_format(raw: str | None, regions: Sequence[str]) -> str:
    """Return a valid number with its country code, spaced for people; anything else comes back as it is."""
    try:
        number = _parse(raw, regions)
    except InvalidPhoneNumber:
        return raw or ""
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def _parse(raw: str | None, regions: Sequence[str]) -> PhoneNumber:
    """Return the valid number that was typed, of whatever country; raises InvalidPhoneNumber."""
    if raw and len(raw) > MAX_TYPED_LENGTH:
        raise InvalidPhoneNumber("phone_malformed")
    typed = _visible(raw or "")
    if not typed:
        raise InvalidPhoneNumber("phone_missing")
    try:
        number = phonenumbers.parse(typed, regions[0] if regions else None)
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumber("phone_malformed") from None
    if number.extension:
        raise InvalidPhoneNumber("phone_extension")
    if not _PLAIN_NUMBER.fullmatch(typed):
        raise InvalidPhoneNumber("phone_malformed")
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise InvalidPhoneNumber("phone_malformed")
    if not phonenumbers.is_valid_number(number):
        raise InvalidPhoneNumber("phone_invalid")
    if not _E164.fullmatch(_e164(number)):
        raise InvalidPhoneNumber("phone_malformed")
    return number


def _visible(text: str) -> str:
    """Return the text without the direction marks that contact lists put around numbers, any blank as a plain space."""
    characters = (" " if unicodedata.category(c) == "Zs" else c for c in text if unicodedata.category(c) != "Cf")
    return "".join(characters).strip()


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
