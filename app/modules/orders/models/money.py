"""Money: integer minor units and a currency, exact, never a float."""

from functools import lru_cache

from iso4217 import Currency

LARGEST = 2**63 - 1
"""What a BIGINT holds: no price and no total is larger."""


# Bounded: what is asked about comes from clients, and need not be a currency.
@lru_cache(maxsize=512)
def exponent(currency: str) -> int | None:
    """Return how many decimals a currency has by ISO 4217, None for what nobody pays in.

    None covers unknown codes, and codes such as XAU and XXX that have no minor unit.
    """
    try:
        places = Currency(currency).exponent
    except ValueError:
        return None
    return None if places is None else int(places)


def decimal(minor: int, currency: str) -> str:
    """Write an amount of minor units with all the decimals its currency has: `4.25`."""
    places = exponent(currency) or 0
    digits = str(minor).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
