"""Every page of the console, by its address."""

from starlette.routing import Route

from app.console import audit, desk, live, overview, render, sign_in, streams, subscriber

# What a live page sends again, by the name in /console/live/{page}.
LIVE = {
    "overview": overview.fragments,
    "streams": streams.fragments,
    "subscriber": subscriber.fragments,
    **desk.LIVE,
}

_SUBSCRIBER = "/console/streams/{name}"

ROUTES = (
    Route("/console/static/{version}/{name}", render.static),
    Route("/console/live/{page}", live.endpoint(LIVE)),
    Route("/console/sign-in", sign_in.show),
    Route("/console/sign-in", sign_in.sign_in, methods=["POST"]),
    Route("/console/sign-out", sign_in.sign_out, methods=["POST"]),
    Route("/console", overview.show),
    Route("/console/streams", streams.show),
    Route(_SUBSCRIBER, subscriber.show),
    Route(_SUBSCRIBER + "/pause", subscriber.pause, methods=["POST"]),
    Route(_SUBSCRIBER + "/resume", subscriber.resume, methods=["POST"]),
    Route(_SUBSCRIBER + "/{what}", subscriber.sure),
    Route(_SUBSCRIBER + "/{what}", subscriber.start, methods=["POST"]),
    Route("/console/audit", audit.show),
    *desk.ROUTES,
)
