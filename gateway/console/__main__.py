"""`python -m gateway.console > docs/operator_api.json` writes the OpenAPI document that the documentation shows."""

import sys

from gateway.console.endpoints import OPERATOR
from ieee2030_5.admin.openapi import printed

if __name__ == "__main__":
    sys.stdout.write(printed(OPERATOR))
