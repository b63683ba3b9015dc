"""What the console's own forms send."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from app.web.problem import field_problem, validation_failed

_MOST_FIELDS = 2000


class Form(dict[str, str]):
    """The fields of a form by name; of several with one name the last. `many` has them all."""

    many: dict[str, list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.many = {}


async def form_of(request: Request) -> Form:
    """Return the fields that a page's form sent, without the space around them.

    Empty fields are there, as empty text. Raises ValidationFailedError for what no form of ours
    sends.
    """
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        problem = field_problem("body", [], "malformed_form", "This is no form of the console")
        raise validation_failed([problem]) from error
    form = Form()
    for name, value in pairs:
        # Browsers end lines with two characters; the API's texts have one.
        text = value.replace("\r\n", "\n").strip()
        form[name] = text
        form.many.setdefault(name, []).append(text)
    return form
