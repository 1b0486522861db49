import gc

from moshi_tui.model.lm import Lm
from moshi_tui.model.per_model import PerModel
from tests.model.test_trial import CONFIGURED


def test_a_thing_goes_with_its_model():
    kept, one, two = PerModel[str](), Lm(CONFIGURED), Lm(CONFIGURED)
    assert kept.set(one, "first") == "first"
    kept.set(one, "second")
    kept.set(two, "other")
    assert (kept.get(one), kept.get(two)) == ("second", "other")
    del one
    gc.collect()
    assert list(kept._things.values()) == ["other"]
    kept.drop(two)
    kept.drop(two)
    assert kept.get(two) is None
    kept.set(two, "again")
    del two
    gc.collect()
    assert not kept._things
