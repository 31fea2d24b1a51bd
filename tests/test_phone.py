"""Which phone numbers can be consented for: a table of what people type, and properties that hold for anything."""

import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coaching_plugin import phone

US = ["US"]

# (what, typed, E.164 or the code of the refusal), read for the United States. 555-01xx is reserved for fiction.
TYPED_IN_THE_US = [
    # Every common way of typing an ordinary number, mobile or landline: in the US nobody can tell them apart.
    ("plain digits", "2125550134", "+12125550134"),
    ("brackets and hyphen", "(212) 555-0134", "+12125550134"),
    ("brackets without a space", "(212)555-0134", "+12125550134"),
    ("hyphens", "212-555-0134", "+12125550134"),
    ("dots", "212.555.0134", "+12125550134"),
    ("spaces", "212 555 0134", "+12125550134"),
    ("slash", "212/555-0134", "+12125550134"),
    ("en dashes", "212–555–0134", "+12125550134"),
    ("non-breaking hyphens", "212\u2011555\u20110134", "+12125550134"),
    ("leading one", "1 212 555 0134", "+12125550134"),
    ("leading one and hyphens", "1-212-555-0134", "+12125550134"),
    ("leading one and brackets", "1 (212) 555-0134", "+12125550134"),
    ("leading one, plain", "12125550134", "+12125550134"),
    ("E.164", "+12125550134", "+12125550134"),
    ("international", "+1 212 555 0134", "+12125550134"),
    ("international with brackets", "+1 (212) 555-0134", "+12125550134"),
    ("international with hyphens", "+1-212-555-0134", "+12125550134"),
    ("plus in brackets", "(+1) 212 555 0134", "+12125550134"),
    ("space after the plus", "+ 1 212 555 0134", "+12125550134"),
    ("dialled from the US abroad and back", "011 1 212 555 0134", "+12125550134"),
    ("blanks around", "  212 555 0134\t\r\n", "+12125550134"),
    ("a full stop at the end", "212-555-0134.", "+12125550134"),
    ("other city", "(312) 555-0199", "+13125550199"),
    ("Alaska", "907 555 0101", "+19075550101"),
    ("Hawaii", "808 555 0101", "+18085550101"),
    # Invisible marks, and blanks of other widths.
    ("direction marks", "\u200e+1 212 555 0134\u200f", "+12125550134"),
    ("direction embedding, as contact lists copy it", "\u202a+1 (212) 555-0134\u202c", "+12125550134"),
    ("direction isolates", "\u2068212 555 0134\u2069", "+12125550134"),
    ("Arabic letter mark", "\u061c212 555 0134", "+12125550134"),
    ("byte order mark", "\ufeff212 555 0134", "+12125550134"),
    ("zero-width spaces", "212\u200b555\u200b0134", "+12125550134"),
    ("non-breaking spaces", "212\u00a0555\u00a00134", "+12125550134"),
    ("narrow non-breaking spaces", "212\u202f555\u202f0134", "+12125550134"),
    ("ideographic spaces", "212\u3000555\u30000134", "+12125550134"),
    # Digits of other scripts.
    ("full width", "２１２５５５０１３４", "+12125550134"),
    ("full width, all of it", "＋１（２１２）５５５－０１３４", "+12125550134"),
    ("Arabic-Indic digits", "٢١٢٥٥٥٠١٣٤", "+12125550134"),
    ("Arabic-Indic digits, international", "+١ ٢١٢ ٥٥٥ ٠١٣٤", "+12125550134"),
    ("Persian digits", "۲۱۲۵۵۵۰۱۳۴", "+12125550134"),
    ("Devanagari digits", "२१२५५५०१३४", "+12125550134"),
    # +1 is not the United States.
    ("Canada", "604-555-0100", "phone_region"),
    ("Canada, international", "+1 204 555 0123", "phone_region"),
    ("Canada, toll-free is shared and counts as US", "+1 800 555 0123", "phone_type"),
    ("Canada, the far north", "867 555 0100", "phone_region"),
    ("Puerto Rico", "787 555 0123", "phone_region"),
    ("Puerto Rico, second code", "+1 939 555 0123", "phone_region"),
    ("Jamaica", "876-555-0100", "phone_region"),
    ("Bahamas", "+1 242 359 1234", "phone_region"),
    ("Dominican Republic", "+1 829 555 0123", "phone_region"),
    ("Guam", "671 555 0100", "phone_region"),
    ("US Virgin Islands", "+1 340 642 1234", "phone_region"),
    ("American Samoa", "+1 684 733 1234", "phone_region"),
    # Types that cannot take a text message.
    ("toll-free 800", "800-555-0100", "phone_type"),
    ("toll-free 833", "833-555-0100", "phone_type"),
    ("toll-free 844", "844-555-0100", "phone_type"),
    ("toll-free 855", "855-555-0100", "phone_type"),
    ("toll-free 866", "866-555-0100", "phone_type"),
    ("toll-free 877", "877-555-0100", "phone_type"),
    ("toll-free 888", "1-888-555-0100", "phone_type"),
    ("premium", "900 555 0100", "phone_type"),
    ("personal", "500 555 0100", "phone_type"),
    ("personal, newer code", "533 555 0100", "phone_type"),
    # Short numbers.
    ("emergency", "911", "phone_malformed"),
    ("directory service", "411", "phone_malformed"),
    ("emergency behind the country code", "+1 911", "phone_malformed"),
    ("five-digit short code", "72727", "phone_malformed"),
    ("six-digit short code", "262966", "phone_malformed"),
    ("without the area code", "555-0134", "phone_malformed"),
    ("nine digits", "212-555-013", "phone_malformed"),
    ("eleven digits", "212-555-01344", "phone_malformed"),
    ("sixteen digits", "2125550134212555", "phone_malformed"),
    ("one digit", "2", "phone_malformed"),
    ("as long as is read, of digits", "2" * phone.MAX_TYPED_LENGTH, "phone_malformed"),
    ("as long as is read, of blanks", "212 555 0134".ljust(phone.MAX_TYPED_LENGTH), "+12125550134"),
    ("longer than is read", "212 555 0134" + " " * phone.MAX_TYPED_LENGTH, "phone_malformed"),
    ("two numbers", "212 555 0134, 212 555 0135", "phone_malformed"),
    ("two numbers and a slash", "212 555 0134 / 212 555 0135", "phone_malformed"),
    # The right shape, but no such number.
    ("area code of ones", "111 555 0134", "phone_invalid"),
    ("area code of a service", "211 555 0134", "phone_invalid"),
    ("area code with a zero", "012 555 0134", "phone_invalid"),
    ("area code not in use", "555 555 5555", "phone_invalid"),
    ("exchange with a one", "212 155 0134", "phone_invalid"),
    ("exchange with a zero", "212 055 0134", "phone_invalid"),
    ("counting", "123 456 7890", "phone_invalid"),
    ("zeros", "000 000 0000", "phone_invalid"),
    # Extensions, in every spelling that `phonenumbers` understands.
    ("ext", "212-555-0134 ext 5", "phone_extension"),
    ("ext with a dot", "212-555-0134 ext. 5", "phone_extension"),
    ("extension", "212-555-0134 extension 5", "phone_extension"),
    ("EXT", "212-555-0134 EXT5", "phone_extension"),
    ("full-width ext", "212-555-0134 ｅｘｔ 5", "phone_extension"),
    ("x", "212-555-0134x5", "phone_extension"),
    ("int", "212-555-0134 int 5", "phone_extension"),
    ("anexo", "212-555-0134 anexo 5", "phone_extension"),
    ("Cyrillic", "212-555-0134 доб 5", "phone_extension"),
    ("number sign", "212-555-0134 #5", "phone_extension"),
    ("comma, as a pause", "212-555-0134,5", "phone_extension"),
    ("commas and number sign", "212-555-0134,,5#", "phone_extension"),
    ("semicolon", "212-555-0134;5", "phone_extension"),
    ("parameter", "212-555-0134;ext=5", "phone_extension"),
    ("URI with a parameter", "tel:+1-212-555-0134;ext=5", "phone_extension"),
    ("extension behind the country code", "+1 212 555 0134 x5", "phone_extension"),
    ("extension too long to be one", "212-555-0134 x 1234567890123", "phone_malformed"),
    # Letters, and other things around a number.
    ("word", "212-555-CALL", "phone_malformed"),
    ("word, toll-free", "1-800-FLOWERS", "phone_malformed"),
    ("URI", "tel:+1-212-555-0134", "phone_malformed"),
    ("URI with a context", "tel:212-555-0134;phone-context=+1", "phone_malformed"),
    ("label", "Tel: 212 555 0134", "phone_malformed"),
    ("sentence", "my number is 212 555 0134", "phone_malformed"),
    ("remark", "212 555 0134 (home)", "phone_malformed"),
    ("letter for a digit", "2l2 555 0134", "phone_malformed"),
    ("letter O", "212 555 O134", "phone_malformed"),
    ("superscript", "212 555 013\u2074", "phone_malformed"),
    ("hides the caller", "*67 212 555 0134", "phone_malformed"),
    ("asterisk at the end", "212 555 0134*", "phone_malformed"),
    ("number sign in front", "#212 555 0134", "phone_malformed"),
    ("plus in the middle", "1 +212 555 0134", "phone_malformed"),
    ("plus at the end", "12125550134+", "phone_malformed"),
    ("emoji", "\U0001f4de 212 555 0134", "phone_malformed"),
    ("address", "me@example.com", "phone_malformed"),
    ("markup", "<b>2125550134</b>", "phone_malformed"),
    # Nothing, and what programs print for nothing.
    ("nothing", None, "phone_missing"),
    ("empty", "", "phone_missing"),
    ("blanks", " \t\u00a0\u3000 ", "phone_missing"),
    ("only invisible marks", "\u200e\u202c\ufeff", "phone_missing"),
    ("None, in words", "None", "phone_malformed"),
    ("null, in words", "null", "phone_malformed"),
    ("not a number, in words", "NaN", "phone_malformed"),
    ("zero", "0", "phone_malformed"),
    ("only a plus", "+", "phone_malformed"),
    ("only punctuation", "() -", "phone_malformed"),
    # Control characters within.
    ("NUL", "212\x00555 0134", "phone_malformed"),
    ("NUL at the end", "2125550134\x00", "phone_malformed"),
    ("newline", "212\n555\n0134", "phone_malformed"),
    ("tab", "212\t555\t0134", "phone_malformed"),
    ("escape sequence", "\x1b[31m2125550134", "phone_malformed"),
    ("lone surrogate", "\ud800212 555 0134", "phone_malformed"),
    # Other countries.
    ("London, landline", "+44 20 7946 0000", "phone_region"),
    ("Britain, mobile", "+44 7400 123456", "phone_region"),
    ("Britain, toll-free", "+44 800 123 4567", "phone_region"),
    ("Britain, dialled from the US", "011 44 7400 123456", "phone_region"),
    ("Mexico", "+52 55 5555 0100", "phone_region"),
    ("India", "+91 98765 43210", "phone_region"),
    ("Kazakhstan", "+7 700 999 9999", "phone_region"),
    ("Australia, reserved for fiction", "+61 491 570 156", "phone_region"),
    ("no country: universal toll-free", "+800 1234 5678", "phone_region"),
    ("no country: satellite", "+870 773 111 632", "phone_region"),
    ("Britain without a plus, read as of the US", "07400 123456", "phone_malformed"),
    ("Mexico without a plus, read as of the US", "55 5555 0100", "phone_invalid"),
    ("the prefix of Europe in the US", "001 212 555 0134", "phone_malformed"),
    ("Britain, reserved for fiction and so not valid", "+44 7700 900123", "phone_invalid"),
    ("country code not in use", "+999 123456789", "phone_malformed"),
    ("Germany, longer than E.164 has room for", "+4930123456789012", "phone_malformed"),
]

# (what, allowed regions, typed, E.164 or the code of the refusal): the first region reads what has no plus.
TYPED_ELSEWHERE = [
    ("US and Canada, Canadian", ["US", "CA"], "604-555-0100", "+16045550100"),
    ("US and Canada, US", ["US", "CA"], "212 555 0134", "+12125550134"),
    ("US and Canada, Puerto Rico", ["US", "CA"], "787 555 0123", "phone_region"),
    ("US and Canada, no country's service number", ["US", "CA"], "600 555 0123", "+16005550123"),
    ("Canada and US, Canadian", ["CA", "US"], "(604) 555-0100", "+16045550100"),
    ("only Canada, US", ["CA"], "212 555 0134", "phone_region"),
    ("Puerto Rico", ["PR"], "787 555 0123", "+17875550123"),
    ("Jamaica, mobile", ["JM"], "876-555-0100", "+18765550100"),
    ("Britain, mobile", ["GB"], "07400 123456", "+447400123456"),
    ("Britain, zero in brackets", ["GB"], "+44 (0)7400 123456", "+447400123456"),
    ("Britain, from abroad", ["GB"], "0044 7400 123456", "+447400123456"),
    ("Britain, landline", ["GB"], "020 7946 0000", "phone_type"),
    ("Britain, toll-free", ["GB"], "0800 123 4567", "phone_type"),
    ("Britain, premium", ["GB"], "0909 012 3456", "phone_type"),
    ("Britain, personal", ["GB"], "070 1234 5678", "phone_type"),
    ("Britain, pager", ["GB"], "07640 123456", "phone_type"),
    ("Britain, company number", ["GB"], "055 0012 3456", "phone_type"),
    ("Britain, internet telephony", ["GB"], "056 1234 5678", "+445612345678"),
    ("Guernsey, which has Britain's country code", ["GB"], "07911 123456", "phone_region"),
    ("Britain, US with a plus", ["GB"], "+1 212 555 0134", "phone_region"),
    ("Britain, US without a plus", ["GB"], "212 555 0134", "phone_invalid"),
    ("Germany, shared cost", ["DE"], "0180 1 234567", "phone_type"),
    ("Mexico", ["MX"], "55 5555 0100", "+525555550100"),
    ("Mexico and US, without a plus", ["MX", "US"], "55 5555 0100", "+525555550100"),
    ("Mexico and US, with a plus", ["MX", "US"], "+1 212 555 0134", "+12125550134"),
    ("US and Mexico, without a plus", ["US", "MX"], "55 5555 0100", "phone_invalid"),
    ("a region that there is not", ["XX"], "212 555 0134", "phone_malformed"),
    ("no region, without a plus", [], "212 555 0134", "phone_malformed"),
    ("no region, with a plus", [], "+1 212 555 0134", "phone_region"),
]

# (what, typed, E.164 or the code of the refusal): what account settings say for a US site.
VALID_ANYWHERE = [
    ("US", "(212) 555-0134", "+12125550134"),
    ("Canada", "604-555-0100", "+16045550100"),
    ("toll-free", "800-555-0100", "+18005550100"),
    ("Britain, mobile", "+44 7400 123456", "+447400123456"),
    ("Britain, landline", "+44 20 7946 0000", "+442079460000"),
    ("Mexico", "+52 55 5555 0100", "+525555550100"),
    ("Italy, zero kept", "+39 06 1234 5678", "+390612345678"),
    ("no country: satellite", "+870 773 111 632", "+870773111632"),
    ("Britain, without a plus", "07400 123456", "phone_malformed"),
    ("no such number", "555 555 5555", "phone_invalid"),
    ("extension", "+44 20 7946 0000 ext 5", "phone_extension"),
    ("letters", "212-555-CALL", "phone_malformed"),
    ("NUL", "+44 7400\x00123456", "phone_malformed"),
    ("empty", "", "phone_missing"),
    ("nothing", None, "phone_missing"),
]


def outcome(judge, typed, regions):
    """Return the E.164 form or the code of the refusal."""
    try:
        return judge(typed, regions)
    except phone.InvalidPhoneNumber as refusal:
        return refusal.code


def table(rows):
    """Name the cases by what they are, so that no number ends in a test report."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("typed", "expected"), table(TYPED_IN_THE_US))
def test_textable_in_the_us(typed, expected):
    assert outcome(phone.textable, typed, US) == expected
    assert phone.is_textable(typed, US) == expected.startswith("+")


@pytest.mark.parametrize(("regions", "typed", "expected"), table(TYPED_ELSEWHERE))
def test_textable_in_other_regions(regions, typed, expected):
    assert outcome(phone.textable, typed, regions) == expected


@pytest.mark.parametrize(("typed", "expected"), table(VALID_ANYWHERE))
def test_valid_anywhere(typed, expected):
    assert outcome(phone.valid, typed, US) == expected


@pytest.mark.parametrize(
    ("e164", "shown"),
    [("+12125550134", "(212) 555-0134"), ("+447400123456", "07400 123456"), ("", ""), ("not a number", "not a number")],
    ids=["US", "Britain", "empty", "no number"],
)
def test_national_format(e164, shown):
    assert phone.national_format(e164) == shown


def example_numbers():
    """Every region's example number of every type, from the tables of phonenumbers itself."""
    types = [kind for kind in vars(phonenumbers.PhoneNumberType).values() if isinstance(kind, int)]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        numbers = (phonenumbers.example_number_for_type(region, kind) for kind in types)
        yield from ((region, number) for number in numbers if number is not None)


def test_accepted_numbers_of_every_country_are_accepted_again_unchanged():
    accepted = 0
    for region, number in example_numbers():
        for style in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
            typed = phonenumbers.format_number(number, style)
            for judge in (phone.valid, phone.textable):
                e164 = outcome(judge, typed, [region])
                if e164.startswith("+"):
                    accepted += 1
                    assert outcome(judge, e164, [region]) == e164
                    assert outcome(judge, e164, [region, "US"]) == e164
    assert accepted > 1000


# Random text is hardly ever a number, so half of the examples are made of what numbers are made of.
TYPED = st.text() | st.text(alphabet="0123456789+ ()-.x#;,٢۲２＋\u200e\u00a0\x00")


@settings(deadline=None)
@given(TYPED, st.sampled_from([US, ["US", "CA"], ["GB"], ["MX"], ["DE", "AR"], []]))
def test_whatever_is_typed_is_accepted_for_good_or_refused_with_a_code(typed, regions):
    for judge in (phone.valid, phone.textable):
        result = outcome(judge, typed, regions)
        if result.startswith("+"):
            assert re.fullmatch(r"\+[1-9][0-9]{6,14}", result)
            assert judge(result, regions) == result
        else:
            assert result.startswith("phone_")


@settings(deadline=None)
@given(st.from_regex(r"(\+?1[ .-]?)?\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}( ?x[0-9]{1,4})?", fullmatch=True))
def test_numbers_of_north_american_shape(typed):
    result = outcome(phone.textable, typed, US)
    if result.startswith("+"):
        assert result == "+1" + "".join(filter(str.isdigit, typed))[-10:]
        assert phone.textable(result, US) == phone.valid(typed, US) == result
    if "x" in typed:
        assert result == "phone_extension"


REFUSED = [row[:2] for row in TYPED_IN_THE_US if row[2].startswith("phone_")]


@pytest.mark.parametrize("typed", table(REFUSED))
def test_a_refusal_never_repeats_the_number(typed):
    with pytest.raises(phone.InvalidPhoneNumber) as refusal:
        phone.textable(typed, US)
    assert not any(map(str.isdigit, str(refusal.value) + repr(refusal.value)))
    assert refusal.value.__cause__ is None
    assert str(refusal.value) == refusal.value.code


@settings(deadline=None)
@given(st.from_regex(r"\+?[0-9 ()-]{4,30}[a-z]", fullmatch=True))
def test_whatever_ends_in_a_letter_is_refused_without_repeating_it(typed):
    with pytest.raises(phone.InvalidPhoneNumber) as refusal:
        phone.valid(typed, ["GB"])
    assert not any(map(str.isdigit, str(refusal.value) + repr(refusal.value)))
