"""Never more than was allowed: a call is charged before it is sent, whatever becomes of it."""

from dataclasses import dataclass
from decimal import Decimal

from conformance.cases import Case


@dataclass(slots=True)
class Budget:
    """US dollars. `charged` is the most that the bill can show."""

    limit: Decimal
    charged: Decimal = Decimal(0)

    def charge(self, case: Case) -> bool:
        """Book the most a case can cost, or return False when it doesn't fit: then it must not be sent."""
        if self.charged + case.at_most > self.limit:
            return False
        self.charged += case.at_most
        return True
