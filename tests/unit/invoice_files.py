"""Cost exports as tests write them: right unless a test makes them wrong."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from uuid import UUID

STUDIO = UUID("00000000-0000-4000-8000-000000000001")
ROLE = "arn:aws:iam::111122223333:role/circletake/circletake-work-acme"
SESSION = "arn:aws:sts::111122223333:assumed-role/circletake-work-acme/circletake-acme"

COLUMNS = (
    "bill_billing_entity", "bill_billing_period_start_date", "line_item_usage_account_id",
    "line_item_legal_entity", "line_item_line_item_type", "line_item_product_code", "line_item_usage_type",
    "line_item_operation", "line_item_line_item_description", "line_item_usage_start_date",
    "line_item_usage_end_date", "line_item_usage_amount", "pricing_unit", "line_item_unblended_cost",
    "line_item_currency_code", "line_item_iam_principal", "product", "tags",
)  # fmt: skip
BEDROCK = {
    "bill_billing_entity": "AWS",
    "bill_billing_period_start_date": "2026-11-01T00:00:00Z",
    "line_item_usage_account_id": "111122223333",
    "line_item_legal_entity": "Amazon Web Services, Inc.",
    "line_item_line_item_type": "Usage",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "USW2-NovaLite-input-tokens",
    "line_item_operation": "",
    "line_item_line_item_description": "$0.06 per 1M input tokens for Nova Lite",
    "line_item_usage_start_date": "2026-11-03T00:00:00Z",
    "line_item_usage_end_date": "2026-11-04T00:00:00Z",
    "line_item_usage_amount": "2.5",
    "pricing_unit": "1K tokens",
    "line_item_unblended_cost": "0.0001500000",
    "line_item_currency_code": "USD",
    "line_item_iam_principal": SESSION,
    "product": json.dumps({"product_name": "Amazon Bedrock"}),
    "tags": "",
}
MARKETPLACE = {
    **BEDROCK,
    "bill_billing_entity": "AWS Marketplace",
    "line_item_legal_entity": "Stability AI Ltd",
    "line_item_product_code": "8c2n0jzq7e1yb5xk3m4wv6tdp",
    "line_item_usage_type": "USW2-MP:USW2_Image-Units",
    "line_item_line_item_description": "AWS Marketplace software usage",
    "line_item_usage_amount": "3",
    "pricing_unit": "Units",
    "line_item_unblended_cost": "0.2400000000",
    "product": json.dumps({"product_name": "Stable Diffusion 3.5 Large (Amazon Bedrock Edition)"}),
}


def export(*lines: Mapping[str, str], columns: Iterable[str] = COLUMNS) -> bytes:
    """Write an export of these lines, each with all columns."""
    names = list(columns)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()
