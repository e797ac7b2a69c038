"""Costs by class of route."""

from __future__ import annotations

import pytest

from tenants.limits.costs import Costs


def test_a_class_costs_what_it_is_given_and_none_costs_one() -> None:
    costs = Costs({"read": 1, "query": 25})
    assert (costs.of("read"), costs.of("query"), costs.of()) == (1, 25, 1)


def test_a_class_that_nobody_has_priced_is_not_the_cheap_way_in() -> None:
    assert Costs({"read": 1, "query": 25}).of("export") == 25
    assert Costs({}).of("export") == 1


@pytest.mark.parametrize("of_class", [{"read": 0}, {"read": -1}, {"read": 1_000_001}, {"Read": 1}, {"": 1}])
def test_nonsense_is_refused(of_class: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="class"):
        Costs(of_class)
