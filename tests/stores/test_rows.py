"""Which inserts go to the database as one."""

from inhouse.scope import Scope
from inhouse.stores.database import Statement
from inhouse.stores.rows import MOST_ROWS, grouped, insert_runs, joinable, joined, runs
from inhouse.stores.usage import recording

INSERT = "INSERT INTO facts (name, value) VALUES (?, ?)"
A, B = Statement(INSERT, ("a", 1)), Statement(INSERT, ("b", 2))
OTHER = Statement("UPDATE facts SET value = ?", (3,))


def test_inserts_become_one_of_many_rows() -> None:
    both = joined([A, B])
    assert both.sql == "INSERT INTO facts (name, value) VALUES (?, ?), (?, ?)"
    assert both.params == ("a", 1, "b", 2)
    assert joined([A]) is A


def test_only_rows_of_parameters_are_joined() -> None:
    assert joinable(INSERT)
    assert not joinable("INSERT INTO facts (name, value) VALUES (?, '')")
    assert not joinable(f"{INSERT} ON CONFLICT DO NOTHING")
    assert not joinable(OTHER.sql)


def test_a_usage_row_can_be_joined(scope: Scope) -> None:
    assert joinable(recording(scope, "POST /chat/completions", 200, 1).sql)


def test_neighbours_with_the_same_sql_run_together() -> None:
    units = [[A], [B], [OTHER], [A], [A, B], [B], [A]]
    assert list(runs(units)) == [(0, 2), (2, 3), (3, 4), (4, 5), (5, 7)]
    assert list(runs([])) == []


def test_what_expects_a_number_of_rows_goes_alone() -> None:
    expecting = Statement(INSERT, ("c", 3), rows=1)
    assert list(runs([[A], [expecting], [B]])) == [(0, 1), (1, 2), (2, 3)]


def test_a_statement_has_no_more_rows_than_the_database_takes() -> None:
    assert list(runs([[A]] * (MOST_ROWS + 1))) == [(0, MOST_ROWS), (MOST_ROWS, MOST_ROWS + 1)]


def test_units_that_only_insert_run_together_whatever_their_tables() -> None:
    elsewhere = Statement("INSERT INTO aliases (name, model) VALUES (?, ?)", ("x", "y"))
    units = [[A, elsewhere], [B], [OTHER], [A], [A, OTHER], [elsewhere]]
    assert list(insert_runs(units)) == [(0, 2), (2, 3), (3, 4), (4, 5), (5, 6)]
    assert list(insert_runs([])) == []
    assert grouped(units[:2]) == [joined([A, B]), elsewhere]


def test_a_joined_insert_is_cut_where_it_would_be_too_long() -> None:
    statements = grouped([[A]] * (MOST_ROWS + 1))
    assert [len(each.params) for each in statements] == [2 * MOST_ROWS, 2]
