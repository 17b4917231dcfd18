"""A mapping that extends a preset says only what differs."""

import pytest

from kbagent.errors import BadMapping
from kbagent.store.readers.mapping import loaded, presets


def _mapping(text):
    return loaded(text, "own.toml", name="own")


def test_tables_are_laid_over_those_of_the_preset():
    mapping = _mapping('extends = "jira"\n[facets]\nos = "custom_field_os"\n')
    assert set(mapping.facets) == {*presets()["jira"].facets, "os"}
    assert mapping.attempts == presets()["jira"].attempts
    assert mapping.name == "jira"


def test_lists_replace_those_of_the_preset():
    assert presets()["zendesk"].pairs
    assert not _mapping('extends = "zendesk"\npairs = []\n').pairs


def test_an_unknown_preset_is_named_with_those_that_exist():
    with pytest.raises(BadMapping, match=r"no preset 'nothing'.*zendesk"):
        _mapping('extends = "nothing"\n[case]\ntitle = "t"\n')
