"""Where the boxes and edges of the flow's picture are, on a desk and on a phone."""

from collections.abc import Sequence

from app.console.picture import Box, Drawing, Edge, Picture, PlacedBox, PlacedEdge

# Of each column: where it begins and how wide it is.
_WIDE = 1240
_API, _OUTBOX, _RELAY, _STREAMS, _SUBSCRIBERS = (
    (1, 150),
    (243, 168),
    (503, 142),
    (745, 172),
    (1029, 210),
)
_HEAD_HEIGHT = 92
_STREAM_HEIGHT = 104
_SUBSCRIBER_HEIGHT = 136
_GAP = 28

_TALL = 300


def wide(picture: Picture) -> Drawing:
    """Place everything from left to right; streams and subscribers below each other."""
    rows = max(
        len(picture.streams) * (_STREAM_HEIGHT + _GAP),
        len(picture.subscribers) * (_SUBSCRIBER_HEIGHT + _GAP),
        _HEAD_HEIGHT + _GAP,
    )
    height = rows - _GAP + 2
    drawing = Drawing(_WIDE)
    for box, column in zip(picture.head, (_API, _OUTBOX, _RELAY), strict=True):
        columns = min(2, len(box.figures))
        _column(drawing, [box], column, _HEAD_HEIGHT, height, columns)
    _column(drawing, picture.streams, _STREAMS, _STREAM_HEIGHT, height, 2)
    _column(drawing, picture.subscribers, _SUBSCRIBERS, _SUBSCRIBER_HEIGHT, height, 2)
    places = {placed.box.id: placed for placed in drawing.boxes}
    for edge in picture.edges:
        drawing.edges.append(_across(edge, places[edge.start], places[edge.end]))
    drawing.height = height
    if picture.subscribers:
        _lead_back(drawing, places["outbox"], places[picture.subscribers[-1].id])
    return drawing


def _column(  # noqa: PLR0913, PLR0917 - a rectangle of the drawing, and what goes there
    drawing: Drawing,
    boxes: Sequence[Box],
    column: tuple[int, int],
    each: int,
    height: float,
    columns: int,
) -> None:
    """Place boxes below each other, evenly over the height."""
    x, width = column
    room = height / max(1, len(boxes))
    for place, box in enumerate(boxes):
        y = room * place + (room - each) / 2
        drawing.boxes.append(PlacedBox(box, x, round(y, 1), width, each, columns))


def _across(edge: Edge, start: PlacedBox, end: PlacedBox) -> PlacedEdge:
    """Draw an edge from the right of a box to the left of another; its words stand at its end."""
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x - 7, end.y + end.height / 2
    bend = (x2 - x1) / 2
    path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    if abs(y1 - y2) < 1:
        return PlacedEdge(edge, path, (x1 + x2) / 2, y1)
    # A slanting edge has its words at its end, on the side where it does not come from.
    above = -24 if edge.waits else -9
    return PlacedEdge(edge, path, x2, y2 + (above if y2 < y1 else 19), "end")


def _lead_back(drawing: Drawing, outbox: PlacedBox, last: PlacedBox) -> None:
    """Draw that what handlers publish comes to the outbox again, below everything."""
    y = max(last.y + last.height, outbox.y + outbox.height) + 30
    x1, x2 = last.x + last.width / 2, outbox.x + outbox.width / 2
    y1, y2 = last.y + last.height, outbox.y + outbox.height + 7
    drawing.back = (
        f"M{x1:g} {y1:g}V{y - 12:g}Q{x1:g} {y:g} {x1 - 12:g} {y:g}"
        f"H{x2 + 12:g}Q{x2:g} {y:g} {x2:g} {y - 12:g}V{y2:g}"
    )
    drawing.back_at = (round((x1 + x2) / 2, 1), y)
    drawing.height = y + 12


def tall(picture: Picture) -> Drawing:
    """Place everything from top to bottom: each stream with its subscribers below it, indented."""
    drawing = Drawing(_TALL)
    y = 1.0
    for box in picture.head:
        height = 44 if box.id != "outbox" else 84
        drawing.boxes.append(PlacedBox(box, 1, y, _TALL - 2, height, 2))
        y += height + 38
    drawn: set[str] = set()
    for stream in picture.streams:
        drawing.boxes.append(PlacedBox(stream, 33, y, _TALL - 34, 98, 2))
        y += 98 + 38
        for one in picture.subscribers:
            reads = any(
                edge.start == stream.id and edge.end == one.id and one.id not in drawn
                for edge in picture.edges
            )
            if reads:
                drawn.add(one.id)
                drawing.boxes.append(PlacedBox(one, 65, y, _TALL - 66, 128, 2))
                y += 128 + 38
    drawing.height = y - 38 + 1
    places = {placed.box.id: placed for placed in drawing.boxes}
    # A rail goes on where it turned to the box before: each part has the colour of its own edge.
    rails: dict[str, float] = {}
    for edge in picture.edges:
        if edge.label or edge.waits:
            start, end = places[edge.start], places[edge.end]
            since = rails.get(edge.start, start.y + start.height)
            drawing.edges.append(_down(edge, start, end, since))
            rails[edge.start] = end.y + 14
    return drawing


def _down(edge: Edge, start: PlacedBox, end: PlacedBox, y1: float) -> PlacedEdge:
    """Draw an edge from y1 down to the top of the next box, or down a rail and to a box's side."""
    if start.x == end.x:
        x, y2 = start.x + 30, end.y
        return PlacedEdge(edge, f"M{x:g} {y1:g}V{y2 - 7:g}", x + 14, (y1 + y2) / 2, "start")
    x, y = start.x + 15, end.y + 24
    path = f"M{x:g} {y1:g}V{y - 10:g}Q{x:g} {y:g} {x + 8:g} {y:g}H{end.x - 7:g}"
    return PlacedEdge(edge, path, end.x + 12, end.y - 14, "start")
