"""Every method of the official client sends requests that the contract takes."""

import pytest
from tests.contract.sampling import call
from tests.contract.wiretap import check, find, record
from tools.contract.sdk import Method, methods


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client says so of a tenth of it
@pytest.mark.parametrize("method", methods(), ids=lambda method: method.name)
def test_what_the_client_sends_is_taken(method: Method) -> None:
    for turn, all_of_them in [(0, False), *((turn, True) for turn in range(6))]:
        sent = record(lambda client: call(client, method, turn, all_of_them=all_of_them))  # noqa: B023
        spec = find(sent)
        assert f"{spec.method} {spec.path}" == method.key
        check(spec, sent)
