"""Upstreams of the settings; what they offer is tested with the models."""

import pytest

from inhouse.engines.upstreams import Upstreams
from inhouse.settings import SettingsError, Upstream


def test_a_field_map_that_means_nothing_is_a_wrong_setting() -> None:
    wrong = Upstream(name="gpu", base_urls=("http://127.0.0.1:1/v1",), fields={"top_k": 3})
    with pytest.raises(SettingsError, match=r"upstream gpu: fields\.top_k"):
        Upstreams([wrong])
