"""What an operator changed in an event, line by line."""

from app.console.letter import DiffLine, diff


def test_a_diff_is_of_lines_and_gives_up_on_what_is_huge() -> None:
    many = list(range(5000))

    assert diff({"a": 1, "b": 2}, {"a": 1, "b": 3}) == [
        DiffLine(" ", "{"),
        DiffLine(" ", '  "a": 1,'),
        DiffLine("-", '  "b": 2'),
        DiffLine("+", '  "b": 3'),
        DiffLine(" ", "}"),
    ]
    assert diff(many, many) == []
    assert diff(many, []) is None
