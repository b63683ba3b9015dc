"""Which names and addresses are this machine's own."""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

_LONGEST_HOST = 300


def is_loopback(host: str) -> bool:
    """Tell whether a Host header names this machine, so that no other name was resolved to it."""
    return len(host) <= _LONGEST_HOST and _is_loopback(host)


# Reading an address costs more than all else here, and clients of one machine send few of them.
@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name.rstrip(".") == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
