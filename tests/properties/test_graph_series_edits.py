"""The same edits of a series as on Exchange, over Graph, cut off anywhere: it shows what was meant in the end."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_exchange_series_edits import MONDAYS, SERIES, SKIP, _edited, _patches, differences, patched, planned

from daemon.core.model import Field, Key
from daemon.core.store import Create
from tests.servers.graph_server import Trouble, serving
from tests.servers.graph_worlds import graph_account
from tests.servers.one_order import seen

_cuts = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from([Trouble.DROP, Trouble.DROP_AFTER, Trouble.ANSWER_AFTER]),
        st.sampled_from(["PATCH", "DELETE", "GET"]),
        st.integers(0, 4),
    ),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(  # an instance that said what its series said, until that changed
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None),
        ({Key(Field.DESCRIPTION): "one line"}, None),
    ],
    True,  # noqa: FBT003  as the strategies are given
)
@example(  # an instance that repeats its series, once it said something else
    [
        ({Key(Field.SUBJECT, MONDAYS[0]): "one line"}, None),
        ({Key(Field.SUBJECT, MONDAYS[0]): None}, None),
        ({Key(Field.SUBJECT): "two"}, None),
    ],
    True,  # noqa: FBT003  as the strategies are given
)
@example(  # an instance that repeats its series, once it said something else
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): "one line"}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): None}, None),
        ({Key(Field.DESCRIPTION): "two"}, None),
    ],
    True,  # noqa: FBT003  as the strategies are given
)
@example(  # an instance that said for itself what its series said, and goes along with it
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): "one line"}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): None, Key(Field.DESCRIPTION): "two\n  lines"}, None),
    ],
    True,  # noqa: FBT003  as the strategies are given
)
@given(st.lists(st.tuples(_patches, _cuts), min_size=1, max_size=4), st.booleans())
def test_a_series_shows_what_was_meant_whatever_was_edited_and_wherever_it_was_cut_off(edits, named):
    with serving() as graph:
        graph.mailbox.knobs.names_occurrences = named
        account = graph_account(graph)
        store = account.open("primary")
        [(_, made)] = store.write([Create("uid", "token", SERIES)])
        meant = shown = SERIES
        for edit, cut in edits:
            patch = planned(meant, shown, edit)
            if store.refuses(patched(meant, patch)):
                continue
            now = seen(store, made.ref.id)
            if cut is not None:
                graph.fail(cut[0], cut[1], status=500, skip=cut[2])
            meant = _edited(_Once(store, now, graph), made.ref.id, meant, patch)
            # What is left out says nothing any more: it comes back as the series has it.
            meant = {key: value for key, value in meant.items() if key.instance not in meant.get(SKIP, ())}
            graph.faults.clear()
            shown = seen(store, made.ref.id).activity.view
            assert differences(meant, shown) == []
        account.close()
        assert graph.problems == []
        assert graph.mailbox.outbox == []
        assert len(graph.mailbox.events) == 1


class _Once:
    """The store, of which the first look is one that was taken before the trouble began."""

    def __init__(self, store, now, graph):
        self._store, self._now, self._graph = store, now, graph

    def read(self, ids):
        now, self._now = self._now, None
        if now is not None:
            return [now]
        self._graph.faults.clear()
        return list(self._store.read(ids))

    def write(self, writes):
        return list(self._store.write(writes))
