"""What people type, made clean or refused with the field named."""

from __future__ import annotations

import pytest

from tenants.inputs import InvalidFieldError, clean_name, clean_optional_reason


@pytest.mark.parametrize("character", ["\u202e", "\u202d", "\u2066", "\u2069", "\u0000", "\u001b", "\u2028", "\n"])
def test_what_turns_or_breaks_a_line_is_no_part_of_a_name_or_a_reason(character: str) -> None:
    for read in (clean_name, clean_optional_reason):
        with pytest.raises(InvalidFieldError):
            read(f"Dee{character}Developer")


@pytest.mark.parametrize(
    "name",
    [
        "Zo\u00eb O\u2019Neil",
        "\u05d3\u05d5\u05d3 Levi",
        "\u0645\u062d\u0645\u062f",
        "\u0928\u0940\u200d\u0930\u091c",
        "\u674e\u96f7",
    ],
)
def test_names_of_all_scripts_are_taken(name: str) -> None:
    assert clean_name(f" {name} ") == name
