"""HEALTHCHECK of the image, in every role: exit code 0 when the process is ready, else 1.

Nothing of Orderly's is imported: this runs every ten seconds, and has to cost next to nothing.
"""

import http.client
import os
import sys
from http import HTTPStatus

_PATIENCE_S = 4.0


def main() -> int:
    """Ask /health/ready at the address and port that the environment gives the server."""
    # Linux takes the address of every interface, 0.0.0.0 or ::, for the loopback's.
    host = os.environ.get("APP_HOST") or "127.0.0.1"
    port = int(os.environ.get("APP_PORT") or os.environ.get("PORT") or 8000)
    asked = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        asked.request("GET", "/health/ready")
        answer = asked.getresponse()
        # Docker keeps the end of what is printed: which loop waits, and for what.
        print(answer.read(4000).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"No answer on port {port}: {str(error) or type(error).__name__}.")
        return 1
    return 0 if answer.status == HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
