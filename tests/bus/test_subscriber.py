"""Subscribers declare who listens to what."""

import pytest

from app.bus.subscriber import Subscriber
from tests.bus.sample import Effects, Heard, Rang


def test_one_handler_may_take_several_kinds() -> None:
    ears = Subscriber("ears")
    ears.on(Rang, Heard)(Effects())

    assert set(ears.handlers) == {"bells.bell_rang.v1", "ears.bell_heard.v1"}
    assert ears.contexts == ["bells", "ears"]


def test_a_second_handler_for_one_kind_is_refused() -> None:
    ears = Subscriber("ears")
    ears.on(Rang)(Effects())

    with pytest.raises(ValueError, match="already has a handler"):
        ears.on(Rang)(Effects())
